package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/wiring"
)

// publicHalf returns the public key of a signer, or a problem: the standard library would
// panic with the private key, or any client could sign for it.
func publicHalf(signer crypto.Signer) (public crypto.PublicKey, problem string) {
	if _, isSlice := signer.(ed25519.PrivateKey); !isSlice && wiring.IsNil(signer) {
		return nil, fmt.Sprintf("must not be a nil %T", signer)
	}
	switch private := signer.(type) {
	case ed25519.PrivateKey:
		problem = checkPrivateEdwards(private)
	case *ed25519.PrivateKey:
		problem = checkPrivateEdwards(*private)
	}
	if problem != "" {
		return nil, problem
	}
	defer func() {
		if v := recover(); v != nil {
			public, problem = nil, fmt.Sprintf("Public() of the %T panics: %v", signer, v)
		}
	}()
	return signer.Public(), ""
}

// checkPrivateEdwards returns the problem of an Ed25519 private key, or "". The key is a
// seed and its public key (RFC 8032, section 5.1.5).
func checkPrivateEdwards(key ed25519.PrivateKey) string {
	const hint = "; did you mean ed25519.NewKeyFromSeed?"
	if len(key) != ed25519.PrivateKeySize {
		return fmt.Sprintf("an Ed25519 private key has %d bytes, not %d", ed25519.PrivateKeySize, len(key)) + hint
	}
	switch seed := key.Seed(); {
	case !ed25519.NewKeyFromSeed(seed).Equal(key):
		return "the public half does not belong to the seed" + hint
	case !looksRandom(seed, len(seed)):
		return "the seed is not random; read 32 bytes from crypto/rand"
	}
	return ""
}

// checkSigner signs once and verifies the signature, so that a signer whose Public() is
// another key fails when the service starts, and not for every token. The text has no dot,
// so it is never a token.
func (k *Key) checkSigner() error {
	const text = "ringwall: proof that a signer has the private half of its public key"
	signature, err := k.signSafely(text)
	if err != nil {
		return fmt.Errorf("sign once: %w", err)
	}
	if k.algorithm.method.Verify(text, signature, k.verify) != nil {
		return errors.New("the signature does not verify with Public(); did you mean the public half of the key that signs?")
	}
	return nil
}

// signSafely returns the panic of a signer as an error.
func (k *Key) signSafely(input string) (signature []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			signature, err = nil, fmt.Errorf("the signer panics: %v", v)
		}
	}()
	return k.sign(input)
}

// checkPublic returns the problem of a public key, or "".
func checkPublic(alg Alg, key crypto.PublicKey) string {
	misfit := fmt.Sprintf("a %T does not fit %s", key, alg)
	spec := alg.spec()
	switch spec.family {
	case edwards:
		k, ok := key.(ed25519.PublicKey)
		if !ok || len(k) != ed25519.PublicKeySize {
			return misfit
		}
		return checkEdwards(k)
	case weierstrass:
		k, ok := key.(*ecdsa.PublicKey)
		if !ok || k == nil || k.Curve != spec.curve {
			return misfit
		}
		if !isOnCurve(k) {
			return "the point is not on the curve"
		}
	case pkcs1, pss:
		k, ok := key.(*rsa.PublicKey)
		if !ok || k == nil || k.N == nil {
			return misfit
		}
		return checkRSA(k)
	default:
		return "alg " + strconv.Quote(string(alg)) + " is unknown"
	}
	return ""
}

// isOnCurve reports whether the point of the key is on its curve. ECDH checks that; it
// panics for a key without coordinates.
func isOnCurve(k *ecdsa.PublicKey) (ok bool) {
	defer func() { ok = recover() == nil && ok }()
	_, err := k.ECDH()
	return err == nil
}

// maxModulus is the longest RSA modulus, in bits.
const maxModulus = 8192

func checkRSA(k *rsa.PublicKey) string {
	switch bits := k.N.BitLen(); {
	case bits < 2048:
		return "is an RSA key below 2048 bits (RFC 7518, section 3.3)"
	case bits > maxModulus:
		return "is an RSA key above 8192 bits, which costs too much to verify"
	case k.E < 65537 || k.E%2 == 0:
		return "has an RSA exponent below 65537, or an even one"
	case k.E > math.MaxInt32:
		return "has an RSA exponent of more than 31 bits, which crypto/rsa never verifies with"
	case k.N.Sign() < 0:
		return "has a negative RSA modulus"
	case k.N.Bit(0) == 0 || hasROCAFingerprint(k.N):
		return "has a broken RSA modulus (CVE-2017-15361)"
	case hasSmallFactor(k.N):
		return "has an RSA modulus with a factor below 1000: any client can sign for it"
	case isPrime(k.N):
		return "has an RSA modulus that is prime: any client can sign for it"
	}
	return ""
}

// hasROCAFingerprint finds the fingerprint of the generator of CVE-2017-15361: for every
// small prime, such a modulus is a power of 65537. Fewer than one in a million other
// moduli have the fingerprint by chance.
func hasROCAFingerprint(n *big.Int) bool {
	var rest big.Int
	for _, p := range [...]int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157} {
		want := rest.Mod(n, big.NewInt(p)).Int64()
		power := int64(1)
		for power != want {
			if power = power * 65537 % p; power == 1 {
				return false
			}
		}
	}
	return true
}

// hasSmallFactor reports whether a number from 3 to 999 divides an odd n. Such a modulus
// was damaged, and can be factored.
func hasSmallFactor(n *big.Int) bool {
	var rest big.Int
	for d := int64(3); d < 1000; d += 2 {
		if rest.Mod(n, big.NewInt(d)).Sign() == 0 {
			return true
		}
	}
	return false
}

// isPrime reports whether 2ⁿ⁻¹ is 1 modulo n (Fermat's test). That holds for every odd
// prime, and for almost no other number of this length. [big.Int.ProbablyPrime] takes
// three times as long for a prime.
func isPrime(n *big.Int) bool {
	one := big.NewInt(1)
	power := new(big.Int).Sub(n, one)
	return power.Exp(big.NewInt(2), power, n).Cmp(one) == 0
}
