package token

import (
	"math/big"
)

// generated reports whether an RSA modulus has the form that a broken generator of
// smart cards and TPMs gave it (ROCA, CVE-2017-15361): both primes are
// k*M + 65537^a mod M for the product M of the first primes, so the modulus is a
// power of 65537 by each of them. Its factors can be computed. A sound modulus is
// one in less than a hundred million cases.
func generated(modulus []byte) bool {
	n := new(big.Int).SetBytes(modulus)
	rest := new(big.Int)
	for _, p := range rocaPrimes() {
		r := rest.Mod(n, big.NewInt(p)).Int64()
		if !powerOf65537(r, p) {
			return false
		}
	}
	return true
}

// rocaPrimes are the odd primes that divide M for every length of key.
func rocaPrimes() []int64 {
	return []int64{
		3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83,
		89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
	}
}

// powerOf65537 reports whether r is a power of 65537 modulo a prime p.
func powerOf65537(r, p int64) bool {
	const generator = 65537
	power := int64(1)
	for range p {
		if power == r {
			return true
		}
		power = power * generator % p
	}
	return false
}
