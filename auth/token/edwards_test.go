package token_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// The curve of RFC 8032, section 5.1, by its definition alone:
// -x² + y² = 1 + d·x²·y² modulo p.
type edwardsPoint struct{ x, y *big.Int }

func decimal(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return n
}

func fieldPrime() *big.Int {
	return new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
}

func modP(n *big.Int) *big.Int { return n.Mod(n, fieldPrime()) }

func times(factors ...*big.Int) *big.Int {
	product := big.NewInt(1)
	for _, f := range factors {
		modP(product.Mul(product, f))
	}
	return product
}

func inverse(n *big.Int) *big.Int {
	return new(big.Int).ModInverse(modP(new(big.Int).Set(n)), fieldPrime())
}

// edwardsD is -121665/121666.
func edwardsD() *big.Int { return modP(times(big.NewInt(-121665), inverse(big.NewInt(121666)))) }

func (p edwardsPoint) add(q edwardsPoint) edwardsPoint {
	one := big.NewInt(1)
	product := times(edwardsD(), p.x, q.x, p.y, q.y)
	x := new(big.Int).Add(times(p.x, q.y), times(p.y, q.x))
	y := new(big.Int).Add(times(p.y, q.y), times(p.x, q.x))
	return edwardsPoint{
		times(x, inverse(new(big.Int).Add(one, product))),
		times(y, inverse(new(big.Int).Sub(one, product))),
	}
}

func (p edwardsPoint) multiply(n *big.Int) edwardsPoint {
	sum := edwardsPoint{big.NewInt(0), big.NewInt(1)}
	for i := n.BitLen() - 1; i >= 0; i-- {
		if sum = sum.add(sum); n.Bit(i) == 1 {
			sum = sum.add(p)
		}
	}
	return sum
}

func (p edwardsPoint) isNeutral() bool { return p.x.Sign() == 0 && p.y.Cmp(big.NewInt(1)) == 0 }

// liftY returns the points of a y: none, one or two.
func liftY(y *big.Int) (points []edwardsPoint) {
	one, square := big.NewInt(1), times(y, y)
	xx := times(new(big.Int).Sub(square, one), inverse(new(big.Int).Add(times(edwardsD(), square), one)))
	x := new(big.Int).ModSqrt(xx, fieldPrime())
	if x == nil {
		return nil
	}
	points = []edwardsPoint{{x: x, y: y}}
	if x.Sign() != 0 {
		points = append(points, edwardsPoint{new(big.Int).Sub(fieldPrime(), x), y})
	}
	return points
}

// littleEndian is a number of 255 bits and a sign as 32 bytes.
func littleEndian(y *big.Int, sign byte) string {
	b := y.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	b[31] |= sign << 7
	return string(b)
}

// encodings returns all strings of 32 bytes that a decoder without the checks
// of RFC 8032 reads as this point: y or y+p, and both signs where x is 0.
func (p edwardsPoint) encodings() (list []string) {
	for y := p.y; y.BitLen() <= 255; y = new(big.Int).Add(y, fieldPrime()) {
		for sign := range byte(2) {
			if x := p.x; x.Sign() == 0 || x.Bit(0) == uint(sign) {
				list = append(list, littleEndian(y, sign))
			}
		}
	}
	return list
}

// groupOrder is L of RFC 8032, section 5.1. The curve has 8·L points.
func groupOrder() *big.Int {
	return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 252), decimal("27742317777372353535851937790883648493"))
}

// torsion derives the eight points of small order: L times any point is one.
func torsion(t *testing.T) []edwardsPoint {
	t.Helper()
	for y := int64(2); ; y++ {
		for _, p := range liftY(big.NewInt(y)) {
			generator := p.multiply(groupOrder())
			if generator.multiply(big.NewInt(4)).isNeutral() {
				continue // its order is 1, 2 or 4
			}
			require.True(t, generator.multiply(big.NewInt(8)).isNeutral())
			var all []edwardsPoint
			for n := range int64(8) {
				all = append(all, generator.multiply(big.NewInt(n)))
			}
			return all
		}
	}
}

// weakPoints are all encodings of the points of small order.
func weakPoints(t *testing.T) []string {
	all := make(map[string]bool)
	for _, p := range torsion(t) {
		for _, text := range p.encodings() {
			all[text] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// The table of small-order points follows from the equation of the curve, and
// signatures for every such key can be forged.
func TestPointsOfSmallOrderAreRefused_FT2(t *testing.T) {
	weak := weakPoints(t)
	require.Len(t, weak, 14, "8 canonical encodings and 6 others")
	tabled := make(map[string]bool)
	for _, y := range token.SmallOrder() {
		for sign := range byte(2) {
			tabled[y[:31]+string([]byte{y[31] | sign<<7})] = true
		}
	}
	require.Equal(t, weak, slices.Sorted(maps.Keys(tabled)))
	for _, point := range weak {
		t.Run("FT2 "+hex.EncodeToString([]byte(point)), func(t *testing.T) {
			require.True(t, forgeable(ed25519.PublicKey(point)), "without any private key")
			_, err := token.NewPublicKey("k", token.EdDSA, ed25519.PublicKey(point))
			require.EqualError(t, err, `token: key "k": the Ed25519 point has a small order: any client can sign for it (RFC 8032, section 5.1.7)`)
			_, err = token.NewKey("k", token.EdDSA, signerOf{ed25519.PublicKey(point), material().ed})
			require.ErrorContains(t, err, "small order")
		})
	}
}

// signerOf is a KMS: it shows one key and signs with another.
type signerOf struct {
	public crypto.PublicKey
	inside crypto.Signer
}

func (s signerOf) Public() crypto.PublicKey { return s.public }

func (s signerOf) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.inside.Sign(r, digest, opts)
}

// forgeable tries a signature of R = the neutral element and S = 0, which
// verifies when k·A is the neutral element.
func forgeable(key ed25519.PublicKey) bool {
	signature := append([]byte{1}, make([]byte, 63)...)
	for i := range 200 {
		if ed25519.Verify(key, []byte(fmt.Sprint("anything ", i)), signature) {
			return true
		}
	}
	return false
}

// A y of p or more is not canonical, and half of all y have no point: no
// signature ever verifies with them.
func TestOnlyCanonicalPointsAreTaken_FT2(t *testing.T) {
	const canonical = `token: key "k": the Ed25519 point is not canonical (RFC 8032, section 5.1.3)`
	const off = `token: key "k": the Ed25519 point is not on the curve; are the bytes in another order?`
	for y := fieldPrime(); y.BitLen() <= 255; y = new(big.Int).Add(y, big.NewInt(1)) {
		for sign := range byte(2) {
			_, err := token.NewPublicKey("k", token.EdDSA, ed25519.PublicKey(littleEndian(y, sign)))
			if rest := new(big.Int).Sub(y, fieldPrime()); rest.Cmp(big.NewInt(1)) <= 0 {
				require.ErrorContains(t, err, "small order")
				continue
			}
			require.EqualError(t, err, canonical)
		}
	}
	on := 0
	for y := int64(2); y < 200; y++ {
		_, err := token.NewPublicKey("k", token.EdDSA, ed25519.PublicKey(littleEndian(big.NewInt(y), 0)))
		if len(liftY(big.NewInt(y))) == 0 {
			require.EqualError(t, err, off, y)
			continue
		}
		require.NoError(t, err, y)
		on++
	}
	require.Greater(t, on, 50)
	for range 200 {
		public, _, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		_, err = token.NewPublicKey("k", token.EdDSA, public)
		require.NoError(t, err)
	}
}

// X25519 sees points of small order by itself: its result is zero. The curves
// are isomorphic, u = (1+y)/(1-y).
func TestX25519AgreesOnSmallOrder_FT2(t *testing.T) {
	private := errors.Must(ecdh.X25519().GenerateKey(rand.Reader))
	for _, p := range torsion(t) {
		denominator := new(big.Int).Sub(big.NewInt(1), p.y)
		if denominator.Sign() == 0 {
			continue // the neutral element is at infinity
		}
		u := times(new(big.Int).Add(big.NewInt(1), p.y), inverse(denominator))
		_, err := private.ECDH(errors.Must(ecdh.X25519().NewPublicKey([]byte(littleEndian(u, 0)))))
		require.Error(t, err)
	}
}

func TestWeakPublishedKeysAreIgnored_FT2(t *testing.T) {
	good := jwkOf(t, token.EdDSA)
	for _, point := range weakPoints(t) {
		t.Run("FT2 "+hex.EncodeToString([]byte(point)), func(t *testing.T) {
			odd := good.with(object{"kid": "x", "x": b64(point)})
			p := newPublisher(t, says(200, object{"keys": []any{odd, good}}.json()))
			s := newRemoteService(t, p)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode, "the other keys stay usable")
			input := b64(goodHeader().with(object{"kid": "x"}).json()) + "."
			for i := range 100 {
				signed := input + b64(goodClaims().with(object{"jti": fmt.Sprint(i)}).json())
				require.Equal(t, 401, s.send(t.Context(), signed+"."+b64("\x01"+string(make([]byte, 63)))).StatusCode, "a forged token")
			}
			require.Equal(t, 1, s.told(token.KeyIgnored), "reported once")
		})
	}
}
