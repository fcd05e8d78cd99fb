package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/examples/internal/table"
)

func TestTable(t *testing.T) { table.Run(t, server()) }

// TestBusyIsNoFailure holds that an account is not locked by logins that were
// refused before the password was looked at.
func TestBusyIsNoFailure(t *testing.T) {
	users := newUsers()
	h := service(users, &orders{})
	login := func(address string) int {
		r := httptest.NewRequest("POST", "https://api.example.com/auth/login", strings.NewReader(`{"email":"ada@example.com","password":"`+demoPassword+`"}`))
		r.RemoteAddr = address + ":1234"
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for range cap(users.hashing) {
		users.hashing <- struct{}{}
	}
	for i := range 12 {
		require.Equal(t, http.StatusServiceUnavailable, login(fmt.Sprintf("203.0.113.%d", i)))
	}
	<-users.hashing
	require.Equal(t, http.StatusOK, login("203.0.113.100"))
}
