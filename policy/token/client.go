package token

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// maxRedirects bounds redirects, which must stay on scheme, host and method.
	maxRedirects = 3
	// idleTime is how long a connection is kept for the next request.
	idleTime = 10 * time.Second
)

// boundedClient returns the client that talks to an issuer: the caller's with our
// redirect policy and without cookies, or our own. Its own verifies certificates
// with roots, nil for those of the system, and goes through proxy, nil for none. The
// environment is not asked. It keeps at most idle connections for the next request,
// each for some seconds; none where the next one is minutes away.
func boundedClient(given *http.Client, roots *x509.CertPool, proxy *url.URL, idle int) *http.Client {
	client := &http.Client{}
	if given != nil {
		*client = *given
	} else {
		transport := &http.Transport{
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      idle == 0,
			IdleConnTimeout:        idleTime,
			MaxIdleConnsPerHost:    idle,
			DisableCompression:     true,
		}
		if proxy != nil {
			transport.Proxy = http.ProxyURL(proxy)
		}
		client.Transport = transport
	}
	client.Jar = nil
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		first := via[0]
		if len(via) > maxRedirects || r.URL.Scheme != first.URL.Scheme || r.URL.Host != first.URL.Host || r.Method != first.Method {
			return errRedirect{}
		}
		return nil
	}
	return client
}

// send sends a request, within the time of its context, and returns the body of the
// answer, which has status 200 and at most so many bytes. The result is RefreshOK, or
// with an error one of RefreshUnreachable, RefreshTimeout, RefreshStatus,
// RefreshRedirect and RefreshTooLarge. No error has the URL.
func send(client *http.Client, r *http.Request, most int64) ([]byte, RefreshResult, error) {
	r.Header.Set("Accept-Encoding", "identity") // the size bound is of the bytes on the wire
	resp, err := client.Do(r)
	if err != nil {
		return nil, failure(r.Context(), err), withoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, RefreshStatus, errStatus(resp.StatusCode)
	}
	if resp.ContentLength > most {
		return nil, RefreshTooLarge, errTooLarge(most)
	}
	document, result, err := readAll(resp.Body, most)
	if result == RefreshUnreachable {
		return nil, failure(r.Context(), err), withoutURL(err)
	}
	return document, result, err
}

// readAll reads at most so many bytes, and no less than all.
func readAll(from io.Reader, most int64) ([]byte, RefreshResult, error) {
	document, err := io.ReadAll(io.LimitReader(from, most+1))
	switch {
	case err != nil:
		return nil, RefreshUnreachable, err
	case int64(len(document)) > most:
		return nil, RefreshTooLarge, errTooLarge(most)
	}
	return document, RefreshOK, nil
}

// failure tells the kinds of failed exchanges apart.
func failure(ctx context.Context, err error) RefreshResult {
	var redirect errRedirect
	var network interface{ Timeout() bool }
	switch {
	case errors.As(err, &redirect):
		return RefreshRedirect
	case ctx.Err() != nil, errors.As(err, &network) && network.Timeout():
		return RefreshTimeout
	}
	return RefreshUnreachable
}

// withoutURL drops the URL from an error of the client: its query may hold a
// secret.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// errRedirect is a redirect to another scheme, host or method, or one too many.
type errRedirect struct{}

func (errRedirect) Error() string {
	return "redirected to another scheme, host or method, or too often: configure the final URL"
}

// errStatus is an answer other than 200.
type errStatus int

func (e errStatus) Error() string { return fmt.Sprintf("answered with status %d", int(e)) }

// errTooLarge is a document of more bytes than it may have.
type errTooLarge int64

func (e errTooLarge) Error() string { return fmt.Sprintf("more than %d bytes", int64(e)) }
