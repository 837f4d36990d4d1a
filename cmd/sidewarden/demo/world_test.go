package demo_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/cmd/sidewarden/demo"
	"github.com/sidewarden/sidewarden/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// standIn is in the place of the sidecar: it reads the same file, fetches the
// same key set, passes everything on and says the same cells for ever.
type standIn struct {
	answered sync.Map // instances that did
}

func (s *standIn) start(t *testing.T, path string, cells []evidence.Cell) {
	t.Helper()
	c, err := config.Load(path, config.Env{})
	require.NoError(t, err)
	resp, err := http.Get(c.Token.Issuers[0].JWKSURL)
	require.NoError(t, err)
	var set struct{ Keys []map[string]string }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&set))
	require.NoError(t, resp.Body.Close())
	require.Len(t, set.Keys, 2)
	for _, key := range set.Keys {
		assert.NotContains(t, key, "d", "a private key is never published")
	}

	backend, err := url.Parse(c.Backend.URL)
	require.NoError(t, err)
	transport := &http.Transport{DisableCompression: true}
	s.serve(t, c.Listen.Address, &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(backend); r.Out.Host = r.In.Host },
		ModifyResponse: func(resp *http.Response) error {
			s.answered.Store(resp.Header.Get(c.Backend.InstanceHeader), true)
			return nil
		},
	})
	t.Cleanup(transport.CloseIdleConnections)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /cells", func(w http.ResponseWriter, _ *http.Request) {
		assert.NoError(t, json.NewEncoder(w).Encode(evidence.Document{Cells: cells, Since: time.Now()}))
	})
	s.serve(t, c.Admin.Address, mux)
}

func (s *standIn) serve(t *testing.T, address string, h http.Handler) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	var done sync.WaitGroup
	done.Go(func() { assert.ErrorIs(t, server.Serve(l), http.ErrServerClosed) })
	t.Cleanup(func() {
		assert.NoError(t, server.Close())
		done.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
}

func build(t *testing.T, o demo.Options) *demo.World {
	t.Helper()
	o.Dir = t.TempDir()
	w, err := demo.Build(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.Close()) })
	w.SetPace(200 * time.Microsecond)
	return w
}

func TestTrafficBehindASidecarThatWatchesMeetsTheWorldAsItIs(t *testing.T) {
	var out strings.Builder
	w := build(t, demo.Options{Seed: 11, Duration: time.Millisecond, Out: &out})
	var s standIn
	s.start(t, w.Config(), perfect())
	stats, err := w.Traffic(t.Context())
	require.NoError(t, err)
	assert.Empty(t, stats.Surprises)
	assert.Zero(t, stats.Unexpected)
	assert.Equal(t, stats.Clean, stats.Served)
	assert.Positive(t, stats.Stopped)
	assert.ElementsMatch(t, violated(), slices.Collect(maps.Keys(stats.Violations)))
	assert.Contains(t, out.String(), "seed 11\n")
	assert.Empty(t, stats.Protected, "nothing was refused by a sidecar")
	for _, name := range []string{"ports-1", "ports-2"} {
		_, seen := s.answered.Load(name)
		assert.True(t, seen, name)
	}

	score, err := w.Check(t.Context())
	require.NoError(t, err)
	assert.True(t, score.OK())

	unprotected, err := w.CheckProtected(t.Context())
	require.NoError(t, err)
	assert.Zero(t, unprotected.Right, "what passes everything on protects nothing")
}

func TestTrafficEndsWithItsContextAndTellsWhy(t *testing.T) {
	w := build(t, demo.Options{Seed: 12, Duration: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := w.Traffic(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded, "there is no sidecar")

	var s standIn
	s.start(t, w.Config(), perfect())
	ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	stats, err := w.Traffic(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Positive(t, stats.Sent)
	assert.Zero(t, stats.Unexpected, "what was begun is finished")
}

func TestTheSidecarGetsItsFilesAndNothingElse(t *testing.T) {
	w := build(t, demo.Options{Seed: 13})
	entries, err := os.ReadDir(filepath.Dir(w.Config()))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	assert.Equal(t, []string{"openapi.yaml", "pseudonym.key", "sidewarden.yaml"}, names)
	c, err := config.Load(w.Config(), config.Env{})
	require.NoError(t, err)
	assert.Equal(t, w.SidecarURL, "http://"+c.Listen.Address)
	assert.Equal(t, w.AdminURL, "http://"+c.Admin.Address)
	assert.NotEqual(t, w.GatewayURL, c.Backend.URL)
}

func TestThePartnerIsToldToTheSidecarAsTheIssuerOfTheVariantKnowsIt(t *testing.T) {
	for _, v := range demo.Variants() {
		w := build(t, demo.Options{Seed: 16, Gateway: v})
		c, err := config.Load(w.Config(), config.Env{})
		require.NoError(t, err)
		issuer := c.Credential.Headers.Issuer
		if v == demo.PassesToken {
			issuer = c.Token.Issuers[0].Issuer
		}
		require.Len(t, c.Account.Delegation, 1)
		d := c.Account.Delegation[0]
		assert.NotEmpty(t, issuer)
		assert.Equal(t, issuer, d.Issuer)
		named := map[string]bool{}
		for _, st := range demo.Script(16, 1) {
			if st.Row == 10 {
				assert.Equal(t, st.Client, d.Client)
			}
			for _, account := range d.Accounts {
				if st.Row == 10 {
					assert.NotContains(t, st.Path, account, "it is not delegated")
				}
				if st.Kind == "clean" && st.Client == d.Client && strings.Contains(st.Path, account) {
					named[account] = true
				}
			}
		}
		assert.Len(t, named, 2, "its own account, and that of its customer")
	}
}

func TestTheIssuerKnowsItsClients(t *testing.T) {
	w := build(t, demo.Options{Seed: 14})
	c, err := config.Load(w.Config(), config.Env{})
	require.NoError(t, err)
	req, err := http.NewRequest(http.MethodPost, c.Token.Issuers[0].Issuer+"/token", strings.NewReader("grant_type=client_credentials"))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("stranger", "")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	http.DefaultClient.CloseIdleConnections()
}

func TestAWorldWithoutAFolderIsNotBuilt(t *testing.T) {
	_, err := demo.Build(t.Context(), demo.Options{})
	require.ErrorContains(t, err, "no folder")
	_, err = demo.Build(t.Context(), demo.Options{Dir: filepath.Join(t.TempDir(), "missing")})
	require.ErrorIs(t, err, os.ErrNotExist, "and nothing is left running")
}

func TestClosingTwiceIsClosingOnce(t *testing.T) {
	w := build(t, demo.Options{Seed: 15})
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
}
