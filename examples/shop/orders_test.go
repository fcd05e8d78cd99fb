package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of concurrent refunds one is made: twenty responses with 200 would be twenty
// payments.
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

func TestPostcodesOfTheWorld_FD2(t *testing.T) {
	s := newTestService(t, config{})
	ada := read(t, call(s.handler, "POST", "/auth/login", credentials(0)))
	place := func(postcode string) (status int, body string) {
		quoted, err := json.Marshal(postcode)
		require.NoError(t, err)
		order := strings.Replace(orderBody, `"BA11"`, string(quoted), 1)
		w := call(s.handler, "POST", "/orders", order, "Authorization", ada.bearer)
		return w.Code, w.Body.String()
	}
	for _, postcode := range []string{
		"N1 9GU", "SW1A 1AA", "ba1 1aa", "1012 AB", "12345-6789", "90210", "100-0001", "01310-100", "D02 AF30", "K1A 0B1", "AD500", "00-950", "1000",
		"", // Hong Kong
	} {
		status, body := place(postcode)
		require.Equal(t, http.StatusCreated, status, "FD2 %q: %s", postcode, body)
	}
	for _, postcode := range []string{
		" ", " N1", "N1 ", "N1  9GU", "-1", "1-", "1--2", "1- 2", "N1\t9GU", "N1\n9GU", "N1\u00a09GU", "N1\u200b9GU", "Ｎ１", "№1", "N1_9", "N1.9", "N1/9", "N1'9", "<b>",
		"${7*7}", "1;DROP", "12345678901", strings.Repeat("1-", 1000) + "1", "\x00", "N1\u202e9",
	} {
		status, body := place(postcode)
		require.Contains(t, []int{http.StatusBadRequest, http.StatusUnprocessableEntity}, status, "FD2 %q: %s", postcode, body)
	}
}
