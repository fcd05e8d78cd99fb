package token

import (
	"crypto/ed25519"
	"math/big"
	"slices"
)

// smallOrder has the y-coordinates of the eight points whose order divides 8,
// as RFC 8032, section 5.1.2, encodes them, and of their two encodings that
// are not canonical. The sign of x is left out: either sign is such a point.
//
// For a key like these, a signature with S = 0 and a small-order R verifies
// after about eight messages, so any client can sign. crypto/ed25519 accepts
// them, as RFC 8032 allows. libsodium has the same table for the same reason
// (ge25519_has_small_order); Chalkias, Garillot and Nikolaenko, "Taming the
// Many EdDSAs" (2020), table 1, lists the points.
var smallOrder = [...][ed25519.PublicKeySize]byte{
	{},  // y = 0, order 4
	{1}, // y = 1, the neutral element
	{ // order 8
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{ // order 8
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
	{ // y = p-1, order 2
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{ // y = p, which is 0
		0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{ // y = p+1, which is 1
		0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
}

// checkEdwards returns the problem of an Ed25519 public key of 32 bytes.
func checkEdwards(key ed25519.PublicKey) string {
	y := [ed25519.PublicKeySize]byte(key)
	y[31] &= 0x7f // the sign of x
	if slices.Contains(smallOrder[:], y) {
		return "the Ed25519 point has a small order: any client can sign for it (RFC 8032, section 5.1.7)"
	}
	slices.Reverse(y[:])
	number, p := new(big.Int).SetBytes(y[:]), edwardsPrime()
	switch {
	case number.Cmp(p) >= 0:
		return "the Ed25519 point is not canonical (RFC 8032, section 5.1.3)"
	case !isEdwardsY(number, p):
		return "the Ed25519 point is not on the curve; are the bytes in another order?"
	}
	return ""
}

// edwardsPrime returns 2²⁵⁵ - 19.
func edwardsPrime() *big.Int {
	p := new(big.Int).Lsh(big.NewInt(1), 255)
	return p.Sub(p, big.NewInt(19))
}

// isEdwardsY reports whether the curve has a point with this y: whether x² =
// (y²-1) / (d·y²+1) is a square modulo p (RFC 8032, section 5.1.3). A quotient is
// a square if the product is one. d is -121665/121666.
func isEdwardsY(y, p *big.Int) bool {
	d := new(big.Int).ModInverse(big.NewInt(121666), p)
	d.Mul(d, big.NewInt(-121665))
	square := new(big.Int).Mul(y, y)
	numerator := new(big.Int).Sub(square, big.NewInt(1))
	denominator := square.Mul(square, d)
	denominator.Add(denominator, big.NewInt(1))
	product := numerator.Mul(numerator, denominator)
	return big.Jacobi(product.Mod(product, p), p) >= 0
}
