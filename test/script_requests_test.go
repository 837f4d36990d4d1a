package test_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// parsed is a request line of a script with what it expects.
type parsed struct {
	call
	admin, background bool
	zeros             int64 // of the body that is coded
	times             int
	expect            []string
}

// parse reads METHOD TARGET [-t TOKEN] [-H 'NAME: VALUE'] [-d BODY] [-e BODY] [-f FILE]
// [-zeros COUNT] [-gzip] [-chunked] [-tls] [-cert CERT] [-admin] [-from ADDRESS] [-n TIMES] [-bg] [EXPECTATION...].
// The body of -e has the escapes of Go's strings. -zeros is a body of as many zeros, and -gzip sends what comes before
// it coded so. A body has Content-Type application/json unless -H says otherwise; "Content-Type:"
// without a value sends none. -cert sends a client certificate of the command cert,
// whose key is in the file with -key before the suffix. Expectations are FIELD=VALUE or FIELD~REGEXP.
func (s *story) parse(ts *testscript.TestScript, args []string) (parsed, error) {
	p := parsed{times: 1}
	if len(args) < 2 {
		return p, errors.New("a request needs a method and a target")
	}
	p.method, p.target = args[0], args[1]
	for rest := args[2:]; len(rest) > 0; rest = rest[1:] {
		if !strings.HasPrefix(rest[0], "-") {
			p.expect = append(p.expect, rest[0])
			continue
		}
		if p.flag(rest[0]) {
			continue
		}
		if rest[0] == "-gzip" {
			if err := p.code(); err != nil {
				return p, err
			}
			continue
		}
		if len(rest) < 2 {
			return p, fmt.Errorf("%s needs a value", rest[0])
		}
		if err := s.option(ts, &p, rest[0], rest[1]); err != nil {
			return p, err
		}
		rest = rest[1:]
	}
	if p.hasBody && !p.has("Content-Type") {
		p.header = append(p.header, [2]string{"Content-Type", "application/json"})
	}
	p.header = slices.DeleteFunc(p.header, func(h [2]string) bool { return h == [2]string{"Content-Type", ""} })
	return p, nil
}

func (p *parsed) flag(name string) bool {
	switch name {
	case "-chunked":
		p.chunked = true
	case "-tls":
		p.encrypted = true
	case "-admin":
		p.admin = true
	case "-bg":
		p.background = true
	default:
		return false
	}
	return true
}

// code gives the body the content coding gzip.
func (p *parsed) code() error {
	b, err := gzipped(io.MultiReader(bytes.NewReader(p.body), io.LimitReader(zeros{}, p.zeros)))
	p.zeros, p.body, p.header = 0, b, append(p.header, [2]string{"Content-Encoding", "gzip"})
	return err
}

func gzipped(content io.Reader) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(w, content); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

// zeros is a source of them.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func (s *story) option(ts *testscript.TestScript, p *parsed, name, value string) error {
	switch name {
	case "-t":
		token, ok := s.tokens[value]
		if !ok {
			return fmt.Errorf("no token %s was minted", value)
		}
		p.header = append(p.header, [2]string{"Authorization", "Bearer " + token})
	case "-H":
		header, text, _ := strings.Cut(s.withTokens(value), ":")
		p.header = append(p.header, [2]string{header, strings.TrimPrefix(text, " ")})
	case "-d":
		p.body, p.hasBody = []byte(value), true
	case "-e":
		text, err := strconv.Unquote(`"` + strings.ReplaceAll(value, `"`, `\"`) + `"`)
		p.body, p.hasBody = []byte(text), true
		return err
	case "-f":
		p.body, p.hasBody = bytes.TrimSuffix([]byte(ts.ReadFile(value)), []byte("\n")), true
	case "-zeros":
		n, err := strconv.ParseInt(value, 10, 64)
		p.zeros, p.hasBody = n, true
		return err
	case "-from":
		p.from = value
	case "-cert":
		pair, err := tls.LoadX509KeyPair(ts.MkAbs(value), ts.MkAbs(strings.TrimSuffix(value, ".pem")+"-key.pem"))
		p.encrypted, p.certificate = true, pair
		return err
	case "-n":
		n, err := strconv.Atoi(value)
		p.times = n
		return err
	default:
		return fmt.Errorf("unknown flag %s", name)
	}
	return nil
}

// withTokens replaces @NAME@ by the token of that name.
func (s *story) withTokens(text string) string {
	for name, minted := range s.tokens {
		text = strings.ReplaceAll(text, "@"+name+"@", minted)
	}
	return text
}

// do sends a request to the sidecar of a mode, with a request id of its own by
// which its record is found.
func (s *story) do(mode string, p parsed) (answered, error) {
	c, err := s.in(mode)
	if err != nil {
		return answered{}, err
	}
	s.sent++
	s.last[mode] = fmt.Sprintf("%s-%d", mode, s.sent)
	p.header = append(slices.Clone(p.header), [2]string{"X-Request-Id", s.last[mode]})
	address := c.data
	if p.admin {
		address = c.admin
	}
	a, err := p.send(address)
	s.answers = append(s.answers, a)
	return a, err
}

// req MODE REQUEST sends one request, or -n at once, and checks the answer:
// status, body and header.NAME. With -n, status is a count per status, such as
// 200x1,401x49.
func (s *story) req(ts *testscript.TestScript, args []string) error {
	p, err := s.parse(ts, args[1:])
	if err != nil {
		return err
	}
	switch {
	case p.background:
		c, err := s.in(args[0])
		if err != nil {
			return err
		}
		s.waiting = make(chan result, 1)
		go func() {
			a, err := p.send(c.data)
			s.waiting <- result{a, err}
		}()
		return nil
	case p.times > 1:
		return s.many(args[0], p)
	}
	a, err := s.do(args[0], p)
	if err != nil {
		return err
	}
	return a.check(p.expect)
}

// await EXPECTATION... checks the answer to the request that was sent with -bg.
func (s *story) await(_ *testscript.TestScript, args []string) error {
	r := <-s.waiting
	return errors.Join(r.err, r.answer.check(args))
}

func (s *story) many(mode string, p parsed) error {
	c, err := s.in(mode)
	if err != nil {
		return err
	}
	results := make(chan result, p.times)
	for range p.times {
		go func() {
			a, err := p.send(c.data)
			results <- result{a, err}
		}()
	}
	counts := map[int]int{}
	for range p.times {
		r := <-results
		if r.err != nil {
			return r.err
		}
		counts[r.answer.status]++
	}
	var words []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%dx%d", status, counts[status]))
	}
	return compare(p.expect, func(string) (string, error) { return strings.Join(words, ","), nil })
}

// check compares an answer with expectations.
func (a answered) check(expect []string) error {
	err := compare(expect, func(field string) (string, error) {
		if name, ok := strings.CutPrefix(field, "header."); ok {
			return strings.Join(a.header.Values(name), "|"), nil
		}
		switch field {
		case "status":
			return strconv.Itoa(a.status), nil
		case "body":
			return strings.TrimSuffix(string(a.body), "\n"), nil
		}
		return "", fmt.Errorf("unknown field %s", field)
	})
	if err != nil {
		return fmt.Errorf("%w\nthe answer was %d %v %.500s", err, a.status, a.header, a.body)
	}
	return nil
}

// compare checks FIELD=VALUE and FIELD~REGEXP with the values that get finds.
func compare(expect []string, get func(field string) (string, error)) error {
	for _, e := range expect {
		at := strings.IndexAny(e, "=~")
		if at < 0 {
			return fmt.Errorf("%q is neither FIELD=VALUE nor FIELD~REGEXP", e)
		}
		got, err := get(e[:at])
		if err != nil {
			return err
		}
		want, equal := e[at+1:], false
		if e[at] == '=' {
			equal = got == want
		} else if equal, err = regexp.MatchString(want, got); err != nil {
			return err
		}
		if !equal {
			return fmt.Errorf("%s is %q, want %s", e[:at], got, e[at:])
		}
	}
	return nil
}

// bodies-equal N asks that the bodies of the last N answers are the same bytes.
func (s *story) bodiesEqual(_ *testscript.TestScript, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil || n > len(s.answers) {
		return fmt.Errorf("%q of %d answers", args[0], len(s.answers))
	}
	last := s.answers[len(s.answers)-n:]
	for _, a := range last {
		if len(a.body) == 0 || !bytes.Equal(a.body, last[0].body) {
			return fmt.Errorf("bodies differ: %s and %s", last[0].body, a.body)
		}
	}
	return nil
}

// raw MODE BYTES [EXPECTATION...] sends bytes, in which \r and the like mean what
// they mean in Go and @NAME@ is a token, and checks the answer; status 0 is a closed connection.
func (s *story) raw(_ *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	text, err := strconv.Unquote(`"` + s.withTokens(args[1]) + `"`)
	if err != nil {
		return err
	}
	conn, err := (&call{}).dial(c.data)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // everything was read
	a, err := exchange(conn, []byte(text), "GET")
	if err != nil {
		return err
	}
	delete(s.last, args[0]) // audit looks at the latest record
	return a.check(args[2:])
}

// halfRaw sends bytes and then ends the sending side, as a client that goes away.
func (s *sidecar) halfRaw(b []byte) (answered, error) {
	conn, err := (&call{}).dial(s.data)
	if err != nil {
		return answered{}, err
	}
	defer func() { _ = conn.Close() }() // everything was read
	return exchange(halfClosing{conn}, b, "GET")
}

// halfClosing ends the sending side after one write, so that a request that never
// ends is told from one that nobody answers.
type halfClosing struct{ net.Conn }

func (c halfClosing) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if tcp, ok := c.Conn.(*net.TCPConn); ok && err == nil {
		err = tcp.CloseWrite()
	}
	return n, err
}

// garbage MODE N sends N requests of random bytes, some of which begin like HTTP.
// Each must end in an answer or a closed connection, and nothing may panic.
func (s *story) garbage(ts *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	seed := rand.Uint64() //nolint:gosec // bytes, not a secret
	ts.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // as above
	heads := []string{
		"", "GET / HTTP/1.1\r\nHost: a\r\n", "POST /v1/documents HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /v1/sites?", "POST /v1/documents HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 64\r\n\r\n",
		"GET /v1/sites HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ",
	}
	for range n {
		b := []byte(heads[r.IntN(len(heads))])
		for range r.IntN(200) {
			b = append(b, byte(r.Uint32()))
		}
		if _, err := c.halfRaw(append(b, "\r\n\r\n"...)); err != nil {
			return fmt.Errorf("%q: %w", b, err)
		}
	}
	if log := c.stderr.String(); strings.Contains(log, "panicked") {
		return fmt.Errorf("something panicked:\n%s", log)
	}
	return nil
}
