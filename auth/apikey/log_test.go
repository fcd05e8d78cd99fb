package apikey_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/apikey"
)

// TestNoPrintedValueHasADigest checks that no printed or logged value has a digest of a
// secret, in any form.
func TestNoPrintedValueHasADigest(t *testing.T) {
	b := setUp(t, nil)
	_, err := b.Rotate(t.Context(), b.key.ID)
	require.NoError(t, err)
	record, _, err := b.store.Get(t.Context(), b.key.ID)
	require.NoError(t, err)
	require.Len(t, record.Secrets, 2)
	for _, tt := range []struct {
		name  string
		value any
		shown string
	}{
		{name: "secret", value: record.Secrets[0], shown: "2026-01-01"},
		{name: "pointer to a secret", value: &record.Secrets[0], shown: "2026-01-01"},
		{name: "secrets", value: record.Secrets, shown: "2026-01-01"},
		{name: "record", value: record, shown: b.key.ID},
		{name: "pointer to a record", value: &record, shown: b.key.ID},
		{name: "records", value: []apikey.Record{record}, shown: b.key.ID},
		{name: "within another", value: struct{ R apikey.Record }{record}, shown: b.key.ID},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var texts []string
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
				texts = append(texts, fmt.Sprintf(verb, tt.value))
			}
			for _, text := range texts[:5] {
				require.Contains(t, text, tt.shown)
			}
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", tt.value)
			require.Contains(t, log.String(), tt.shown)
			texts = append(texts, log.String())
			for _, s := range record.Secrets {
				sum := s.Digest[:]
				list := fmt.Sprint(sum)
				for _, text := range texts {
					for _, form := range []string{list[1 : len(list)-1], hex.EncodeToString(sum), fmt.Sprintf("%X", sum), strings.TrimPrefix(fmt.Sprintf("%#v", s.Digest), "[32]uint8")} {
						require.NotContains(t, text, form)
					}
				}
			}
		})
	}
	for name, value := range map[string]any{"secret": record.Secrets[0], "record": record} {
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", name, value)
		require.NotContains(t, log.String(), "Digest")
	}
}
