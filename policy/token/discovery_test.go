package token_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	stdjson "encoding/json"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// site answers by URL and remembers what was asked for. What is not there is 404.
type site struct {
	mu    sync.Mutex
	pages map[string]string
	asked []string
}

func (s *site) serve(where, page string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[where] = page
}

// since returns what was asked for since the last call.
func (s *site) since() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.String())
	page, ok := s.pages[r.URL.String()]
	switch {
	case !ok:
		return document(http.StatusNotFound, strings.NewReader("")), nil
	case page == "gone":
		return document(http.StatusGone, strings.NewReader("")), nil
	case page == "broken":
		return document(http.StatusInternalServerError, strings.NewReader("")), nil
	case page == "down":
		return nil, errors.New("connection refused")
	}
	return document(http.StatusOK, strings.NewReader(page)), nil
}

const (
	byOAuth  = issuerName + "/.well-known/oauth-authorization-server"
	byOpenID = issuerName + "/.well-known/openid-configuration"
	keysAt   = issuerName + "/keys"
)

func metadata(issuer, keys string) string {
	text, err := stdjson.Marshal(map[string]any{"issuer": issuer, "jwks_uri": keys, "scopes_supported": []string{"openid"}})
	if err != nil {
		panic(err) // two strings
	}
	return string(text)
}

// discovered are the options of a key set that is found by metadata.
func discovered(from http.RoundTripper) token.KeySetOptions {
	return token.KeySetOptions{
		Issuer: issuerName, Client: &http.Client{Transport: from}, Algorithms: []string{"ES256"},
		Refresh: refresh, MaxStale: maxStale, Now: realClock,
	}
}

func discover(t *testing.T, o token.KeySetOptions) *token.KeySet {
	t.Helper()
	keys, err := token.NewKeySet(o)
	require.NoError(t, err)
	return keys
}

func TestMetadataIsAskedForInTheDocumentedOrder(t *testing.T) {
	keys := string(tokentest.JWKS(tokentest.EC()))
	for _, row := range []struct {
		name, issuer string
		pages        map[string]string
		asked        []string
		result       token.RefreshResult
	}{
		{"OAuth", issuerName, map[string]string{byOAuth: metadata(issuerName, keysAt), byOpenID: "broken"}, []string{byOAuth, keysAt}, token.RefreshOK},
		{"OpenID when the first is missing", issuerName, map[string]string{byOpenID: metadata(issuerName, keysAt)}, []string{byOAuth, byOpenID, keysAt}, token.RefreshOK},
		{"OpenID when the first is gone", issuerName, map[string]string{byOAuth: "gone", byOpenID: metadata(issuerName, keysAt)}, []string{byOAuth, byOpenID, keysAt}, token.RefreshOK},
		{"a failure is no absence", issuerName, map[string]string{byOAuth: "broken", byOpenID: metadata(issuerName, keysAt)}, []string{byOAuth}, token.RefreshMetadata},
		{"nor is a broken connection", issuerName, map[string]string{byOAuth: "down", byOpenID: metadata(issuerName, keysAt)}, []string{byOAuth}, token.RefreshMetadata},
		{"nor is garbage", issuerName, map[string]string{byOAuth: "<html>", byOpenID: metadata(issuerName, keysAt)}, []string{byOAuth}, token.RefreshMetadataMalformed},
		{"none", issuerName, nil, []string{byOAuth, byOpenID}, token.RefreshMetadata},
		{
			"path", issuerName + "/tenant/1",
			map[string]string{byOAuth + "/tenant/1": metadata(issuerName+"/tenant/1", keysAt)},
			[]string{byOAuth + "/tenant/1", keysAt},
			token.RefreshOK,
		},
		{
			"path for OpenID", issuerName + "/tenant/1",
			map[string]string{issuerName + "/tenant/1/.well-known/openid-configuration": metadata(issuerName+"/tenant/1", keysAt)},
			[]string{byOAuth + "/tenant/1", issuerName + "/tenant/1/.well-known/openid-configuration", keysAt},
			token.RefreshOK,
		},
		{"slash at the end", issuerName + "/", map[string]string{byOpenID: metadata(issuerName+"/", keysAt)}, []string{byOAuth, byOpenID, keysAt}, token.RefreshOK},
	} {
		t.Run(row.name, func(t *testing.T) {
			pages := map[string]string{keysAt: keys}
			maps.Copy(pages, row.pages)
			from := &site{pages: pages}
			o := discovered(from)
			o.Issuer = row.issuer
			set := discover(t, o)
			result, err := set.Refresh(t.Context())
			assert.Equal(t, row.result, result, "%v", err)
			assert.Equal(t, row.result == token.RefreshOK, err == nil)
			assert.Equal(t, row.asked, from.since())
			assert.Equal(t, uint64(1), set.Stats().Refreshes[row.result])
			assert.Equal(t, err, set.Stats().LastError)
		})
	}
}

func TestThreatHostileMetadata(t *testing.T) {
	good := map[string]string{keysAt: string(tokentest.JWKS(tokentest.EC()))}
	elsewhere := func(keys string) string { return metadata(issuerName, keys) }
	for _, row := range []struct {
		name, page string
		hosts      []string
		result     token.RefreshResult
	}{
		{"good", elsewhere(keysAt), nil, token.RefreshOK},
		{"host in capitals, port written out", elsewhere("https://IDP.example.net:443/keys"), nil, token.RefreshOK},
		{"another host that is named", elsewhere("https://keys.example.net/keys"), []string{"keys.example.net"}, token.RefreshOK},
		{"another port that is named", elsewhere("https://idp.example.net:8443/keys"), []string{"idp.example.net:8443"}, token.RefreshOK},
		{"issuer with a slash", metadata(issuerName+"/", keysAt), nil, token.RefreshMetadataIssuer},
		{"issuer in capitals", metadata("https://IDP.example.net", keysAt), nil, token.RefreshMetadataIssuer},
		{"issuer of another tenant", metadata(issuerName+"/tenant", keysAt), nil, token.RefreshMetadataIssuer},
		{"issuer with a port", metadata(issuerName+":443", keysAt), nil, token.RefreshMetadataIssuer},
		{"issuer missing", `{"jwks_uri":"` + keysAt + `"}`, nil, token.RefreshMetadataMalformed},
		{"issuer of null", `{"issuer":null,"jwks_uri":"` + keysAt + `"}`, nil, token.RefreshMetadataMalformed},
		{"keys missing", `{"issuer":"` + issuerName + `"}`, nil, token.RefreshMetadataMalformed},
		{"keys in an array", `{"issuer":"` + issuerName + `","jwks_uri":["` + keysAt + `"]}`, nil, token.RefreshMetadataMalformed},
		{"issuer twice", `{"issuer":"x","issuer":"` + issuerName + `","jwks_uri":"` + keysAt + `"}`, nil, token.RefreshMetadataMalformed},
		{"trailing bytes", elsewhere(keysAt) + "x", nil, token.RefreshMetadataMalformed},
		{"array", `[` + elsewhere(keysAt) + `]`, nil, token.RefreshMetadataMalformed},
		{"too deep", `{"a":` + strings.Repeat("[", 5000), nil, token.RefreshMetadataMalformed},
		{"HTML", "<html></html>", nil, token.RefreshMetadataMalformed},
		{"empty", "", nil, token.RefreshMetadataMalformed},
		{"2 MB", elsewhere(keysAt) + strings.Repeat(" ", 2<<20), nil, token.RefreshMetadata},
		{"keys by http", elsewhere("http://idp.example.net/keys"), nil, token.RefreshMetadataHost},
		{"keys by http on loopback", elsewhere("http://127.0.0.1/keys"), []string{"127.0.0.1"}, token.RefreshMetadataHost},
		{"keys in a file", elsewhere("file:///etc/passwd"), nil, token.RefreshMetadataHost},
		{"keys as a path", elsewhere("/keys"), nil, token.RefreshMetadataHost},
		{"keys with a user", elsewhere("https://u:p@idp.example.net/keys"), nil, token.RefreshMetadataHost},
		{"keys with a fragment", elsewhere(keysAt + "#x"), nil, token.RefreshMetadataHost},
		{"another host", elsewhere("https://keys.example.net/keys"), nil, token.RefreshMetadataHost},
		{"a host that begins so", elsewhere("https://idp.example.net.evil.example/keys"), nil, token.RefreshMetadataHost},
		{"a host with a dot at the end", elsewhere("https://idp.example.net./keys"), nil, token.RefreshMetadataHost},
		{"a host that looks so", elsewhere("https://idp\u2024example.net/keys"), nil, token.RefreshMetadataHost},
		{"another port", elsewhere("https://idp.example.net:8443/keys"), nil, token.RefreshMetadataHost},
		{"another port of a named host", elsewhere("https://keys.example.net:8443/keys"), []string{"keys.example.net"}, token.RefreshMetadataHost},
		{"the address of the cloud's metadata", elsewhere("https://169.254.169.254/latest"), []string{"keys.example.net"}, token.RefreshMetadataHost},
		{"a host of 5000 bytes", elsewhere("https://" + strings.Repeat("a", 5000) + "/keys"), nil, token.RefreshMetadataHost},
	} {
		t.Run(row.name, func(t *testing.T) {
			from := &site{pages: map[string]string{
				byOAuth: row.page, "https://keys.example.net/keys": good[keysAt], "https://idp.example.net:8443/keys": good[keysAt],
				keysAt: good[keysAt], "https://IDP.example.net:443/keys": good[keysAt],
			}}
			o := discovered(from)
			o.DiscoveryHosts = row.hosts
			set := discover(t, o)
			result, err := set.Refresh(t.Context())
			assert.Equal(t, row.result, result, "%v", err)
			assert.Contains(t, token.RefreshResults(), result)
			assert.Equal(t, result == token.RefreshOK, set.Ready())
			if err != nil {
				assert.Len(t, from.since(), 1, "nothing else is asked for")
				assert.Less(t, len(err.Error()), 500)
				assert.NotContains(t, err.Error(), "u:p@")
			}
		})
	}
}

func TestThreatMetadataRedirects(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	var server *httptest.Server
	target := "" // of the redirect
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/oauth-authorization-server":
			http.Redirect(w, r, target, http.StatusFound)
		case "/metadata":
			_, _ = w.Write([]byte(metadata(server.URL, server.URL+"/keys")))
		default:
			_, _ = w.Write(tokentest.JWKS(tokentest.EC()))
		}
	}))
	defer server.Close()
	for where, want := range map[string]token.RefreshResult{
		"/metadata": token.RefreshOK, "/.well-known/oauth-authorization-server": token.RefreshMetadata, other.URL: token.RefreshMetadata,
	} {
		target = where
		set := discover(t, token.KeySetOptions{Issuer: server.URL, Algorithms: []string{"ES256"}, Now: realClock})
		result, err := set.Refresh(t.Context())
		assert.Equal(t, want, result, "%v", err)
	}
	assert.Zero(t, elsewhere, "no other host is asked")
}

func TestMetadataIsReadAgainAndItsLastGoodPlaceKept(t *testing.T) {
	one, two := tokentest.Fresh("ES256", "one"), tokentest.Fresh("ES256", "two")
	synctest.Test(t, func(t *testing.T) {
		from := &site{pages: map[string]string{byOAuth: metadata(issuerName, keysAt), keysAt: string(tokentest.JWKS(one))}}
		o := discovered(from)
		type told struct {
			result token.RefreshResult
			failed bool
		}
		var reads []told
		o.OnRefresh = func(result token.RefreshResult, err error) { reads = append(reads, told{result, err != nil}) }
		set := discover(t, o)
		w := newWorld(t, issuerWith(set, "ES256"))
		stop := start(t, set)
		synctest.Wait()
		require.Equal(t, policy.Permitted(), w.proof(t, one.Token(claims(nil))))

		// The metadata fails, the keys do not.
		from.since()
		from.serve(byOAuth, "broken")
		from.serve(keysAt, string(tokentest.JWKS(one, two)))
		time.Sleep(refresh)
		require.Equal(t, []string{byOAuth, keysAt}, from.since())
		require.Equal(t, policy.Permitted(), w.proof(t, two.Token(claims(nil))), "the keys are fresh")
		require.Equal(t, uint64(1), set.Stats().Refreshes[token.RefreshMetadata], "and the failure is counted")
		require.Equal(t, uint64(2), set.Stats().Refreshes[token.RefreshOK])
		require.ErrorContains(t, set.Stats().LastError, "metadata: answered with status 500")
		require.Less(t, set.Stats().Age, refresh)

		// What is refused does not change the place either.
		from.serve(byOAuth, metadata(issuerName, "https://evil.example/keys"))
		time.Sleep(refresh)
		require.Equal(t, []string{byOAuth, keysAt}, from.since())

		// The key set moves.
		from.serve(byOAuth, metadata(issuerName, issuerName+"/moved"))
		from.serve(issuerName+"/moved", string(tokentest.JWKS(two)))
		time.Sleep(refresh)
		require.Equal(t, []string{byOAuth, issuerName + "/moved"}, from.since())
		require.Equal(t, policy.Denied(policy.KeyRetired, ""), w.proof(t, one.Token(claims(nil))))
		require.Equal(t, policy.Permitted(), w.proof(t, two.Token(claims(nil))))
		require.NoError(t, set.Stats().LastError)
		stop()
		require.Equal(t, []told{
			{token.RefreshOK, false},
			{token.RefreshMetadata, true},
			{token.RefreshOK, false},
			{token.RefreshMetadataHost, true},
			{token.RefreshOK, false},
			{token.RefreshOK, false},
		}, reads)
	})
}

func TestAnUnknownKeyIDAsksForKeysAlone(t *testing.T) {
	good := tokentest.Fresh("ES256", "good")
	unknown := tokentest.Fresh("ES256", "unknown").Token(claims(nil))
	synctest.Test(t, func(t *testing.T) {
		from := &site{pages: map[string]string{byOpenID: metadata(issuerName, keysAt), keysAt: string(tokentest.JWKS(good))}}
		set := discover(t, discovered(from))
		w := newWorld(t, issuerWith(set, "ES256"))
		start(t, set)
		synctest.Wait()
		require.Equal(t, []string{byOAuth, byOpenID, keysAt}, from.since())
		for range 10_000 {
			require.Equal(t, policy.Denied(policy.KeyUnknown, ""), w.proof(t, unknown))
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, []string{keysAt}, from.since())
		var metadataReads int
		for began := realClock(); realClock().Sub(began) < 10*refresh; time.Sleep(10 * time.Second) {
			w.proof(t, unknown)
			for _, where := range from.since() {
				if where == byOpenID {
					metadataReads++
				}
			}
		}
		require.GreaterOrEqual(t, metadataReads, 9, "a flood does not put the metadata off")
		require.LessOrEqual(t, metadataReads, 12)
	})
}

func TestThreatMetadataOutage(t *testing.T) {
	s := tokentest.Fresh("ES256", "one")
	sent := s.Token(claims(nil))
	synctest.Test(t, func(t *testing.T) {
		from := &site{pages: map[string]string{byOAuth: "down"}}
		set := discover(t, discovered(from))
		w := newWorld(t, issuerWith(set, "ES256"))
		require.Empty(t, from.since(), "the constructor opens no connection")
		start(t, set)
		synctest.Wait()
		require.Equal(t, policy.KeySetUnavailable, w.proof(t, sent).Reason, "no keys, no proof")
		require.False(t, set.Ready())
		from.serve(byOAuth, metadata(issuerName, keysAt))
		from.serve(keysAt, string(tokentest.JWKS(s)))
		time.Sleep(2 * time.Second)
		require.Equal(t, policy.Permitted(), w.proof(t, sent), "a failed first read is repeated soon")
		from.serve(byOAuth, "down")
		from.serve(keysAt, "down")
		time.Sleep(maxStale - 3*time.Second)
		require.Equal(t, policy.Permitted(), w.proof(t, sent))
		time.Sleep(6 * time.Second)
		require.Equal(t, policy.KeySetUnavailable, w.proof(t, sent).Reason)
	})
}

func TestThreatSlowMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := discover(t, discovered(answers(func(r *http.Request) (*http.Response, error) {
			return document(http.StatusOK, drip{r}), nil
		})))
		w := newWorld(t, issuerWith(set, "ES256"))
		start(t, set)
		synctest.Wait()
		began := realClock()
		require.Equal(t, policy.KeySetUnavailable, w.proof(t, tokentest.EC().Token(claims(nil))).Reason)
		require.Equal(t, began, realClock(), "no request waits for a fetch")
		time.Sleep(5*time.Second + time.Millisecond)
		require.Equal(t, uint64(1), set.Stats().Refreshes[token.RefreshMetadata])
	})
}

func TestASeedGoesOnWithThePlaceThatIsStillPermitted(t *testing.T) {
	s := tokentest.Fresh("ES256", "one")
	const elsewhere = "https://keys.example.net/keys"
	synctest.Test(t, func(t *testing.T) {
		from := &site{pages: map[string]string{byOAuth: metadata(issuerName, elsewhere), elsewhere: string(tokentest.JWKS(s))}}
		o := discovered(from)
		o.DiscoveryHosts = []string{"keys.example.net"}
		old := discover(t, o)
		_, err := old.Refresh(t.Context())
		require.NoError(t, err)
		from.serve(byOAuth, "down")
		o.Seed, o.Refresh = old, refresh/2
		same := discover(t, o)
		require.True(t, same.Ready())
		result, err := same.Refresh(t.Context())
		require.NoError(t, err, "the place is known")
		require.Equal(t, token.RefreshOK, result)
		from.since()
		o.DiscoveryHosts = nil
		fewer := discover(t, o)
		require.False(t, fewer.Ready(), "keys of a host that is not permitted any more do not count")
		result, err = fewer.Refresh(t.Context())
		require.Error(t, err)
		require.Equal(t, token.RefreshMetadata, result)
		require.Equal(t, []string{byOAuth}, from.since(), "nor is that host asked")
	})
}
