package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"time"
)

// RefreshResult says how one read of a key set, or of the metadata that tells where
// it is, ended. The set is closed. Every result but RefreshOK leaves the last good
// set in place, and the last good place.
type RefreshResult string

// The refresh results.
const (
	RefreshOK          RefreshResult = "ok"
	RefreshUnreachable RefreshResult = "unreachable"   // no answer, a broken one, or an unreadable file
	RefreshTimeout     RefreshResult = "timeout"       // not complete within 5 s
	RefreshStatus      RefreshResult = "status"        // an answer other than 200
	RefreshRedirect    RefreshResult = "redirect"      // to another scheme or host, or too often
	RefreshTooLarge    RefreshResult = "too-large"     // more than 1 MiB
	RefreshMalformed   RefreshResult = "malformed"     // not a key set
	RefreshTooManyKeys RefreshResult = "too-many-keys" // more than 100 keys
	RefreshNoUsableKey RefreshResult = "no-usable-key" // empty, or every key was refused

	RefreshMetadata          RefreshResult = "metadata-unavailable" // metadata was not got, for any reason above
	RefreshMetadataMalformed RefreshResult = "metadata-malformed"   // not one strict JSON object, or without issuer or jwks_uri
	RefreshMetadataIssuer    RefreshResult = "metadata-issuer"      // of another issuer (RFC 8414 section 3.3)
	RefreshMetadataHost      RefreshResult = "metadata-host"        // jwks_uri is not https, or on a host that is not permitted
)

// RefreshResults returns all refresh results.
func RefreshResults() []RefreshResult {
	return []RefreshResult{
		RefreshOK, RefreshUnreachable, RefreshTimeout, RefreshStatus, RefreshRedirect, RefreshTooLarge,
		RefreshMalformed, RefreshTooManyKeys, RefreshNoUsableKey,
		RefreshMetadata, RefreshMetadataMalformed, RefreshMetadataIssuer, RefreshMetadataHost,
	}
}

// Run reads the key set until ctx ends, then returns nil. A URL is read at once,
// also when there are keys of a Seed;
// then everything is read again after 90 to 100 % of the refresh interval, sooner
// after a failure, and on behalf of tokens with an unknown key id at most once in
// 30 s. Metadata is read with the regular reads. All reads happen in the caller's
// goroutine, so there is never more than one. It is an error to call Run while it
// runs.
func (s *KeySet) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return fmt.Errorf("key set of issuer %q: runs already", s.issuer)
	}
	defer s.running.Store(false)
	var (
		due       = s.now() // of the regular read
		asked     bool      // by a token with an unknown key id
		lastAsked time.Time
		failures  int
	)
	if s.current.Load() != s.seed { // read already, not taken over
		due = due.Add(s.interval())
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := due
		if sooner := lastAsked.Add(unknownKeyInterval); asked && sooner.Before(wait) {
			wait = sooner
		}
		timer.Reset(max(0, wait.Sub(s.now())))
		wanted := s.wanted
		if asked {
			wanted = nil // one is enough; a flood does not wake this goroutine
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wanted:
			asked = true
			continue
		case <-timer.C:
		}
		regular := !s.now().Before(due)
		if asked && !regular {
			lastAsked = s.now()
		}
		asked = false
		s.unwant() // this read is on behalf of them all
		result, err := s.load(ctx, regular, s.onRefresh)
		if ctx.Err() != nil {
			return nil
		}
		if s.onRefresh != nil {
			s.onRefresh(result, err)
		}
		if result == RefreshOK {
			failures = 0
			due = s.now().Add(s.interval())
			continue
		}
		failures++
		due = s.now().Add(s.backoff(failures))
	}
}

// Refresh reads the key set once, for whoever does not Run it. It is an error to
// call it while Run runs.
func (s *KeySet) Refresh(ctx context.Context) (RefreshResult, error) {
	if !s.running.CompareAndSwap(false, true) {
		return RefreshUnreachable, fmt.Errorf("key set of issuer %q: runs already", s.issuer)
	}
	defer s.running.Store(false)
	return s.load(ctx, true, nil)
}

// interval returns the wait after a good read: never more than the refresh
// interval, so that a removed key stops working within it.
func (s *KeySet) interval() time.Duration {
	return s.refresh - rand.N(s.refresh/10+1)
}

// backoff returns the wait after the nth failure in a row: 1 s, 2 s, 4 s and so
// on, at most a minute or the refresh interval, less up to a tenth.
func (s *KeySet) backoff(n int) time.Duration {
	wait := min(maxRetry, s.refresh)
	if n < 7 {
		wait = min(wait, time.Second<<(n-1))
	}
	return wait - rand.N(wait/10+1)
}

// load reads the key set once and makes it the current one if it is good. It tells
// of metadata that failed when the place of the key set is known all the same.
func (s *KeySet) load(ctx context.Context, regular bool, tell func(RefreshResult, error)) (RefreshResult, error) {
	where := s.url
	var errAside error
	if s.discovery != nil {
		var result RefreshResult
		var err error
		if where, result, err = s.discovery.locate(ctx, s, regular); err != nil {
			if ctx.Err() != nil {
				return result, err // the end of the process says nothing of the issuer
			}
			s.count(result, err)
			if where == "" {
				return result, err
			}
			if tell != nil {
				tell(result, err)
			}
			errAside = err
		}
	}
	began := s.now()
	document, result, err := s.document(ctx, where)
	if ctx.Err() != nil {
		return result, err // as above
	}
	var fresh *set
	var skipped map[SkipReason]int
	if result == RefreshOK {
		fresh, skipped, result, err = readSet(document, s.algorithms, s.current.Load())
	}
	if err != nil && s.file != "" {
		err = fmt.Errorf("file %s: %w", s.file, err)
	}
	if result == RefreshOK {
		fresh.read = began
		fresh.retired = s.timeline.saw(fresh)
		s.current.Store(fresh)
	}
	s.count(result, cmp.Or(err, errAside))
	if skipped != nil {
		s.mu.Lock()
		s.skipped = skipped
		s.mu.Unlock()
	}
	return result, err
}

// count takes note of how a read ended.
func (s *KeySet) count(result RefreshResult, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[result]++
	s.lastErr = err
}

// document returns the raw key set.
func (s *KeySet) document(ctx context.Context, where string) ([]byte, RefreshResult, error) {
	if s.file == "" {
		return s.fetch(ctx, where, "application/jwk-set+json, application/json")
	}
	f, err := os.Open(s.file)
	if err != nil {
		if path, ok := errors.AsType[*os.PathError](err); ok { // the caller names the file
			err = path.Err
		}
		return nil, RefreshUnreachable, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return readAll(f, maxDocument)
}

// fetch returns what is at a URL, within the bounds of time, size and redirects.
func (s *KeySet) fetch(ctx context.Context, where, accept string) ([]byte, RefreshResult, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, RefreshUnreachable, errors.New("the URL cannot be requested")
	}
	r.Header.Set("Accept", accept)
	return send(s.client, r, maxDocument)
}
