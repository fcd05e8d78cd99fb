package main

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of refunds at the same moment one is made: where money moves, twenty answers
// of 200 would be twenty payments.
func TestRefundedOnce(t *testing.T) {
	s := newTestService(t, config{})
	ada, root := read(t, call(s.handler, "POST", "/auth/login", credentials(0))), read(t, call(s.handler, "POST", "/auth/login", credentials(2)))
	var placed order
	require.NoError(t, json.Unmarshal(call(s.handler, "POST", "/orders", orderBody, "Authorization", ada.bearer).Body.Bytes(), &placed))
	var all sync.WaitGroup
	answers := make([]int, 20)
	for i := range answers {
		all.Go(func() {
			answers[i] = call(s.handler, "POST", "/admin/refund/"+placed.ID, "", "Authorization", root.bearer).Code
		})
	}
	all.Wait()
	tally := map[int]int{}
	for _, status := range answers {
		tally[status]++
	}
	require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusConflict: 19}, tally)
}
