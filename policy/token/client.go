package token

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
)

// maxRedirects bounds redirects, which must stay on scheme and host.
const maxRedirects = 3

// boundedClient returns the client that talks to an issuer: the caller's with our
// redirect policy and without cookies, or our own. Its own verifies certificates
// with roots, nil for those of the system, and goes through proxy, nil for none. The
// environment is not asked.
func boundedClient(given *http.Client, roots *x509.CertPool, proxy *url.URL) *http.Client {
	client := &http.Client{}
	if given != nil {
		*client = *given
	} else {
		transport := &http.Transport{
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true, // minutes lie between two fetches of a key set
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

// errRedirect is a redirect to another scheme, host or method, or one too many.
type errRedirect struct{}

func (errRedirect) Error() string {
	return "redirected to another scheme, host or method, or too often: configure the final URL"
}
