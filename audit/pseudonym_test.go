package audit_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
)

// The definition, written out once more by hand.
func TestPseudonymIsTheKeyedDigestOfItsDefinition(t *testing.T) {
	mac := hmac.New(sha256.New, []byte("0123456789abcdef"))
	mac.Write([]byte("naas-ports\x1faccount\x1fACCT-1"))
	want := "p1_" + strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)))[:26]
	assert.Equal(t, want, pseudonyms(t).Of(audit.TypeAccount, "ACCT-1"))
}

func TestPseudonymsDiffer(t *testing.T) {
	base := pseudonyms(t)
	otherTenant, err := audit.NewPseudonymizer([]byte("0123456789abcdef"), "1", "other")
	require.NoError(t, err)
	otherKey, err := audit.NewPseudonymizer([]byte("0123456789abcdeX"), "1", "naas-ports")
	require.NoError(t, err)
	rows := []struct{ rule, got string }{
		{"by type", base.Of(audit.TypeClient, "ACCT-1")},
		{"by product", otherTenant.Of(audit.TypeAccount, "ACCT-1")},
		{"by key", otherKey.Of(audit.TypeAccount, "ACCT-1")},
		{"by case", base.Of(audit.TypeAccount, "acct-1")},
		{"by space, since the account boundary compares exactly", base.Of(audit.TypeAccount, "ACCT-1 ")},
		{"by leading zeros", base.Of(audit.TypeAccount, "0ACCT-1")},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) { assert.NotEqual(t, base.Of(audit.TypeAccount, "ACCT-1"), row.got) })
	}
	assert.NotEqual(t, base.Owned(audit.TypeClient, "https://a", "c"), base.Owned(audit.TypeClient, "https://b", "c"), "a client is known by its issuer too")
	assert.Empty(t, base.Owned(audit.TypeClient, "https://a", ""))
}

func TestWithoutKeyPseudonymsDoNotJoinAcrossProcesses(t *testing.T) {
	a, err := audit.NewPseudonymizer(nil, "1", "p")
	require.NoError(t, err)
	b, err := audit.NewPseudonymizer(nil, "1", "p")
	require.NoError(t, err)
	assert.Equal(t, audit.RandomKeyID, a.KeyID())
	assert.True(t, strings.HasPrefix(a.Of(audit.TypeAccount, "x"), "pr_"))
	assert.NotEqual(t, a.Of(audit.TypeAccount, "x"), b.Of(audit.TypeAccount, "x"))
}

func TestPseudonymizerRefuses(t *testing.T) {
	const key = "0123456789abcdef"
	rows := []struct{ rule, key, kid, tenant, names string }{
		{"a short key", key[1:], "1", "p", "15 bytes"},
		{"the key id of random keys", key, "r", "p", "random"},
		{"an empty key id", key, "", "p", "key id"},
		{"a long key id", key, "123456789", "p", "key id"},
		{"a key id with a divider", key, "a_b", "p", "key id"},
		{"a product with the divider", key, "1", "a\x1fb", "0x1f"},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			_, err := audit.NewPseudonymizer([]byte(row.key), row.kid, row.tenant)
			require.ErrorContains(t, err, row.names)
			assert.NotContains(t, err.Error(), row.key, "no key in an error")
		})
	}
}

func TestPseudonymsAreTheSameFromEveryGoroutine(t *testing.T) {
	p := pseudonyms(t)
	want := p.Of(audit.TypeAccount, "ACCT-1")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				p.Of(audit.TypeClient, "noise")
				assert.Equal(t, want, p.Of(audit.TypeAccount, "ACCT-1"))
			}
		})
	}
	wg.Wait()
}
