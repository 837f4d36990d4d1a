package test_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The client that the sidecar is at the introspection endpoints of scripts. Its
// secret has characters that a form and a header write differently.
const (
	asksAs     = "sidewarden"
	asksSecret = "secret of the script: 100%&+"
)

// clerk plays the introspection endpoints of several issuers, one for each path. It
// refuses a caller that is not the sidecar.
type clerk struct {
	address string
	server  *http.Server

	mu    sync.Mutex
	says  map[string]json.RawMessage // answers by path and token
	slow  time.Duration
	asked map[string]int // by path
}

// newClerk returns endpoints that are down and have an address.
func newClerk() (*clerk, error) {
	l, err := loopback("127.0.0.8:0")
	if err != nil {
		return nil, err
	}
	return &clerk{address: l.Addr().String(), says: map[string]json.RawMessage{}, asked: map[string]int{}}, l.Close()
}

func (c *clerk) up() error {
	l, err := loopback(c.address)
	if err != nil {
		return err
	}
	c.server = &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(c.answer)}
	go func() { _ = c.server.Serve(l) }() // it ends with down
	return nil
}

func (c *clerk) down() {
	if c.server != nil {
		_ = c.server.Close() // nobody is left to tell
	}
}

func (c *clerk) answer(w http.ResponseWriter, r *http.Request) {
	token := r.PostFormValue("token")
	c.mu.Lock()
	c.asked[r.URL.Path]++
	answer, known := c.says[r.URL.Path+" "+token]
	slow := c.slow
	c.mu.Unlock()
	time.Sleep(slow)
	id, secret, _ := r.BasicAuth()
	if r.Method != http.MethodPost || id != asksAs || secret != "secret+of+the+script%3A+100%25%26%2B" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if !known {
		answer = json.RawMessage(`{"active":false}`)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // the sidecar tells when it got nothing
}

// introspection up|down starts or stops the endpoints at $OPAQUE, path idp, and
// $OTHER, path other; introspection slow DURATION lets them take that long;
// introspection asked PATH N asks that N questions came there since the last such
// line, introspection awaits PATH N waits until N have come, and introspection forget
// PATH begins to count anew.
func (s *story) introspection(_ *testscript.TestScript, args []string) error {
	switch args[0] {
	case "up":
		return s.clerk.up()
	case "down":
		s.clerk.down()
		return nil
	case "slow":
		d, err := time.ParseDuration(args[1])
		s.clerk.mu.Lock()
		defer s.clerk.mu.Unlock()
		s.clerk.slow = d
		return err
	case "forget":
		s.clerk.mu.Lock()
		defer s.clerk.mu.Unlock()
		delete(s.clerk.asked, "/"+args[1])
		return nil
	case "awaits":
		return eventually(func() error {
			s.clerk.mu.Lock()
			defer s.clerk.mu.Unlock()
			if n := s.clerk.asked["/"+args[1]]; strconv.Itoa(n) != args[2] {
				return fmt.Errorf("%d questions came to /%s, want %s", n, args[1], args[2])
			}
			return nil
		})
	case "asked":
		s.clerk.mu.Lock()
		defer s.clerk.mu.Unlock()
		path := "/" + args[1]
		n := s.clerk.asked[path]
		delete(s.clerk.asked, path)
		if strconv.Itoa(n) != args[2] {
			return fmt.Errorf("%d questions came to %s, want %s", n, path, args[2])
		}
		return nil
	}
	return fmt.Errorf("unknown word %s", args[0])
}

// opaque NAME TOKEN gives a name to a token that is no JWT. opaque NAME -at PATH
// [MEMBER=JSON...] says that the endpoint of a path answers that it is active, with
// good claims but for what is given, as the command token takes it.
func (s *story) opaque(_ *testscript.TestScript, args []string) error {
	if len(args) == 2 {
		s.tokens[args[0]] = args[1]
		return nil
	}
	if len(args) < 3 || args[1] != "-at" {
		return errors.New("usage: opaque NAME TOKEN, or opaque NAME -at PATH [MEMBER=JSON...]")
	}
	now := time.Now()
	members := map[string]any{
		"active": true, "iss": "https://" + args[2] + ".example.net", "aud": "https://api.example.net", "sub": "principal-1", "client_id": "client-1",
		"account_id": "acct-1", "scope": "orders:read orders:write", "token_type": "Bearer", "jti": args[0],
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(30 * time.Minute).Unix(),
	}
	for _, change := range args[3:] {
		name, value, _ := strings.Cut(change, "=")
		if members[name] = claim(value); members[name] == nil {
			delete(members, name)
		}
	}
	answer, err := json.Marshal(members)
	if err != nil {
		return err
	}
	s.clerk.mu.Lock()
	defer s.clerk.mu.Unlock()
	s.clerk.says["/"+args[2]+" "+s.tokens[args[0]]] = answer
	return nil
}
