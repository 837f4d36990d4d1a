package audit_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
)

// TestPseudonymsStayTheSameWhateverIsRemembered asks often enough that values are
// remembered, forgotten and made again, from several goroutines.
func TestPseudonymsStayTheSameWhateverIsRemembered(t *testing.T) {
	const many = 20_000
	shared := pseudonyms(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range many {
				shared.Of(audit.TypeAccount, fmt.Sprint("A-", i))
				shared.Owned(audit.TypeClient, issuer, fmt.Sprint("A-", i))
			}
		})
	}
	wg.Wait()
	for i := range many {
		if i%997 == 0 || i > many-100 {
			fresh, value := pseudonyms(t), fmt.Sprint("A-", i)
			require.Equal(t, fresh.Of(audit.TypeAccount, value), shared.Of(audit.TypeAccount, value))
			require.Equal(t, fresh.Owned(audit.TypeClient, issuer, value), shared.Owned(audit.TypeClient, issuer, value))
		}
	}
}

// What is remembered under one meaning does not come back under another.
func TestRememberedPseudonymsKeepTheirMeaning(t *testing.T) {
	p := pseudonyms(t)
	type meaning struct {
		kind          audit.Type
		issuer, value string
	}
	seen := map[string]meaning{}
	for range 2 {
		for _, m := range []meaning{
			{audit.TypeAccount, "", "x"},
			{audit.TypePath, "", "x"},
			{audit.TypeKey, "", "x"},
			{audit.TypeIssuer, "", "x"},
			{audit.TypeClient, "", "x"},
			{audit.TypeClient, "x", "x"},
			{audit.TypePrincipal, "x", "x"},
			{audit.TypeClient, "xx", "x"},
			{audit.TypeClient, "x", "xx"},
		} {
			got := p.Owned(m.kind, m.issuer, m.value)
			if before, ok := seen[got]; ok {
				require.Equal(t, before, m)
			}
			seen[got] = m
		}
	}
	assert.Len(t, seen, 9)
}

// TestRememberingIsBounded floods every type with the longest values that are
// remembered, and longer ones that are not.
func TestRememberingIsBounded(t *testing.T) {
	var before, after runtime.MemStats
	p := pseudonyms(t)
	pad := strings.Repeat("x", 240)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 20_000 {
		value := fmt.Sprintf("%s%08d", pad, i)
		for _, kind := range []audit.Type{audit.TypeClient, audit.TypePrincipal, audit.TypeAccount, audit.TypePath, audit.TypeKey} {
			p.Of(kind, value)
		}
		p.Of(audit.TypeAccount, value+pad)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, float64(after.HeapAlloc)-float64(before.HeapAlloc), 30e6, "bytes")
	runtime.KeepAlive(p)
}

func TestAValueThatIsRememberedCostsNoDigest(t *testing.T) {
	p := pseudonyms(t)
	p.Of(audit.TypeAccount, "A-1")
	p.Owned(audit.TypeClient, issuer, "shop")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		p.Of(audit.TypeAccount, "A-1")
		p.Owned(audit.TypeClient, issuer, "shop")
	}))
}
