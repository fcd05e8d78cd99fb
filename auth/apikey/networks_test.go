package apikey_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
)

func TestKeysAreAcceptedOnlyFromTheirNetworks(t *testing.T) {
	b := setUp(t, func(k *apikey.Key) {
		k.Networks = nets("10.0.0.0/8", "::ffff:192.0.2.0/120", "2001:db8::/32", "fe80::/10")
	})
	for _, row := range []struct {
		remote string
		want   error
	}{
		{remote: "11.0.0.1:1", want: apikey.ErrNetworkDenied},
		{remote: "[::ffff:11.0.0.1]:1", want: apikey.ErrNetworkDenied},
		{remote: "[2001:db9::1]:1", want: apikey.ErrNetworkDenied},
		{remote: "@", want: apikey.ErrNetworkDenied},
		{remote: "[fe80::1%eth0]:1", want: apikey.ErrNetworkDenied},
		{remote: "10.255.0.1:1"},
		{remote: "[::ffff:10.1.2.3]:1"},
		{remote: "192.0.2.9:1"},
		{remote: "[2001:db8:1::1]:1"},
	} {
		require.ErrorIs(t, b.call(b.text, row.remote), row.want, row.remote)
	}
	require.Contains(t, b.events, apikey.NetworkDenied)
	_, err := b.Verify(t.Context(), b.text, netip.MustParseAddr("10.1.1.1"), false)
	require.ErrorIs(t, err, apikey.ErrNetworkDenied, "an uncertain address")
	require.ErrorIs(t, b.call(apikey.Format("acme", b.key.ID, strings.Repeat("x", 43)), "11.0.0.1:1"), auth.ErrInvalid, "only a genuine key learns of its network")

	anywhere := setUp(t, func(k *apikey.Key) { k.Networks, k.InsecureAnyNetwork = nil, true })
	require.NoError(t, anywhere.call(anywhere.text, "@"))
}

// TestStolenKeyDoesNotFillTheLog checks that the holder of a stolen key cannot fill the log.
func TestStolenKeyDoesNotFillTheLog(t *testing.T) {
	b := setUp(t, nil)
	denied := func(requests int, remote func(i int) string) int {
		b.events = nil
		for i := range requests {
			require.ErrorIs(t, b.call(b.text, remote(i)), apikey.ErrNetworkDenied)
		}
		return len(b.events)
	}
	same := func(int) string { return "11.0.0.1:1" }
	require.Equal(t, 1, denied(100, same))
	require.Equal(t, 1, denied(100, func(int) string { return "11.0.0.2:1" }), "from another address")
	require.Zero(t, denied(1, same))
	b.now = b.now.Add(time.Minute)
	require.Equal(t, 1, denied(100, same), "a minute later")
	many := func(i int) string { return netip.AddrFrom4([4]byte{12, 0, byte(i >> 8), byte(i)}).String() + ":1" }
	require.Equal(t, 15, denied(2000, many), "at most 16 addresses a minute")
	b.now = b.now.Add(time.Minute - time.Second)
	require.Zero(t, denied(1, same), "not yet a minute")
	b.now = b.now.Add(time.Second)
	require.Equal(t, 1, denied(1, same))
	require.Zero(t, denied(1, func(int) string { return "[::ffff:11.0.0.1]:1" }), "the same, mapped")
}

// TestFloodWithOneKeyHidesNoOther checks that a flood with one stolen key hides no other, and
// that the memory for sightings is bounded.
func TestFloodWithOneKeyHidesNoOther(t *testing.T) {
	b := setUp(t, nil)
	for i := range 5000 {
		require.ErrorIs(t, b.call(b.text, netip.AddrFrom4([4]byte{12, 0, byte(i >> 8), byte(i)}).String()+":1"), apikey.ErrNetworkDenied)
	}
	for range 1500 {
		_, text, err := b.Create(t.Context(), apikey.Key{Name: "n", Subject: "s", Networks: nets("10.0.0.0/8")})
		require.NoError(t, err)
		b.events = nil
		require.ErrorIs(t, b.call(text, "12.0.0.1:1"), apikey.ErrNetworkDenied)
		require.Equal(t, []apikey.Reason{apikey.NetworkDenied}, b.events)
	}
	require.LessOrEqual(t, b.Strangers(), 1024)
}

// TestNetworksThatAlmostCoverEverythingAreAccepted holds that a network that is missing makes the rest fit.
func TestNetworksThatAlmostCoverEverythingAreAccepted(t *testing.T) {
	var networks []netip.Prefix
	for bits := 1; bits <= 32; bits++ { // all but 255.255.255.255
		prefix, err := netip.AddrFrom4([4]byte{255, 255, 255, 254}).Prefix(bits)
		require.NoError(t, err)
		flipped := prefix.Addr().As4()
		flipped[(bits-1)/8] ^= 0x80 >> ((bits - 1) % 8)
		if bits == 32 {
			flipped = [4]byte{255, 255, 255, 254}
		}
		networks = append(networks, netip.PrefixFrom(netip.AddrFrom4(flipped), bits))
	}
	setUp(t, func(k *apikey.Key) { k.Networks = networks })
	b := setUp(t, nil)
	_, _, err := b.Create(t.Context(), apikey.Key{Name: "a", Subject: "a", Networks: append(networks, nets("255.255.255.255/32")...)})
	require.ErrorContains(t, err, "contain every address of 0.0.0.0/0")
}

// TestTooManyNetworksAreRefusedAtOnce checks that too many networks are refused at once,
// because the check of their union takes long.
func TestTooManyNetworksAreRefusedAtOnce(t *testing.T) {
	var networks []netip.Prefix
	for i := range 1 << 17 {
		networks = append(networks, netip.PrefixFrom(netip.AddrFrom16([16]byte{13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}), 128))
	}
	b := setUp(t, nil)
	_, _, err := b.Create(t.Context(), apikey.Key{Name: "a", Subject: "a", Networks: networks})
	require.EqualError(t, err, "apikey: Networks: has 131072 entries; the maximum is 256")
}
