package test_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// endpoints MODE [LIST [NAME]] FIELD=VALUE... looks at /endpoints: at the whole document,
// at a list, such as shadow, of which each field is a number and its value a name, or at
// what it lists under a name. A name is an operation, or METHOD!TEMPLATE of what is none.
func (s *story) endpointsAre(_ *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	var place []string
	expect := args[1:]
	for len(expect) > 0 && !strings.ContainsAny(expect[0], "=~") {
		place, expect = append(place, expect[0]), expect[1:]
	}
	return eventually(func() error {
		_, body, err := c.get("/endpoints")
		if err != nil {
			return err
		}
		var doc map[string]any
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			return permanent{err}
		}
		at := doc
		if len(place) > 0 {
			if at = listed(doc[place[0]], place[1:]); at == nil {
				return fmt.Errorf("no %s in %.4000s", strings.Join(place, " "), body)
			}
		}
		if err := compare(expect, func(field string) (string, error) { return fieldOf(at, field) }); err != nil {
			return fmt.Errorf("%w\nthe endpoints are %.4000s", err, body)
		}
		return nil
	})
}

// listed returns the names of a list by number, or what it has under one name; nil if
// there is none.
func listed(list any, name []string) map[string]any {
	all, _ := list.([]any)
	names := map[string]any{"length": len(all)}
	for i, each := range all {
		each, _ := each.(map[string]any)
		known, declared := each["operation"].(string)
		if !declared {
			known = fmt.Sprintf("%s!%s", each["method"], each["template"])
		}
		if names[strconv.Itoa(i)] = known; len(name) > 0 && known == name[0] {
			return each
		}
	}
	if len(name) > 0 {
		return nil
	}
	return names
}

// scan MODE N [NAME:VALUE]... asks for N paths of which hardly two are the same, made up
// of words of every kind, with headers. No pseudonym happens to hold zq9: their digits
// end with 7.
func (s *story) scan(_ *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	const scanners = 4
	var all sync.WaitGroup
	failed := make([]error, scanners)
	for i := range scanners {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 6))
			for range n / scanners {
				if failed[i] = probe(c.data, random, args[2:]); failed[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

func probe(address string, random *rand.Rand, header []string) error {
	words := []string{
		"v1", "sites", "orders", "accounts", "admin", "internal", "debug", "api", "health", "export", "zq9-jane-doe", "zq9%40example.net",
		fmt.Sprintf("zq9%x", random.Uint64()), "zq9" + strconv.Itoa(random.IntN(1e9)),
	}
	path := ""
	for range 2 + random.IntN(6) {
		path += "/" + words[random.IntN(len(words))]
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+address+path+"/zq9", http.NoBody)
	if err != nil {
		return err
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Set(name, strings.TrimSpace(value))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}
