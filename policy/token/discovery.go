package token

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// discovery finds the key set of an issuer by the metadata that the issuer
// publishes about itself.
type discovery struct {
	// Set by the constructor, never changed.
	issuer string
	base   *url.URL
	// hosts are where the key set may be besides the host of the issuer.
	hosts []string
	// again is the age at which the metadata is read again even on behalf of a
	// token with an unknown key id.
	again time.Duration

	// known is where the last good metadata says that the key set is; written by
	// Run, read by the key set that takes the place of this one.
	known atomic.Pointer[string]
	// read is when that was; Run's alone.
	read time.Time
}

// newDiscovery judges the issuer, which is a URL here, and the hosts.
func newDiscovery(o KeySetOptions) (*discovery, error) {
	base, err := url.Parse(o.Issuer)
	if err != nil || checkURL(o.Issuer) != nil || base.RawQuery != "" || base.ForceQuery || strings.Contains(o.Issuer, "#") {
		return nil, errors.New("give a URL or a file: the issuer is not an https URL without user, query and fragment that could be asked")
	}
	for _, host := range o.DiscoveryHosts {
		if u, err := url.Parse("https://" + host); err != nil || u.Host != host || authority(u) == "" {
			return nil, fmt.Errorf("%q is not a host, or host and port", host)
		}
	}
	return &discovery{issuer: o.Issuer, base: base, hosts: slices.Clone(o.DiscoveryHosts), again: o.Refresh}, nil
}

// documents returns where the metadata may be, in the order of asking: the path of
// RFC 8414 section 3.1, put between host and path of the issuer, and that of OpenID
// Connect Discovery 1.0 section 4, put behind. A slash at the end does not count.
func (d *discovery) documents() [2]string {
	root := d.base.Scheme + "://" + d.base.Host
	path := strings.TrimSuffix(d.base.EscapedPath(), "/")
	return [2]string{
		root + "/.well-known/oauth-authorization-server" + path,
		root + path + "/.well-known/openid-configuration",
	}
}

// locate returns where the key set is. Regular reads ask the metadata, others only
// when it is unknown or too old; when it fails, what it last said counts, and
// result and err say what failed. An empty place means that nothing is known.
func (d *discovery) locate(ctx context.Context, s *KeySet, regular bool) (where string, result RefreshResult, err error) {
	if last := d.known.Load(); last != nil {
		where = *last
		if !regular && s.now().Sub(d.read) < d.again {
			return where, RefreshOK, nil
		}
	}
	began := s.now()
	document, err := d.ask(ctx, s)
	if err != nil {
		return where, RefreshMetadata, fmt.Errorf("metadata: %w", err)
	}
	found, result, err := d.judge(document)
	if err != nil {
		return where, result, fmt.Errorf("metadata: %w", err)
	}
	d.known.Store(&found)
	d.read = began
	return found, RefreshOK, nil
}

// ask returns the metadata. Only an issuer without the first document is asked
// for the second: a failure of the first says nothing about it.
func (d *discovery) ask(ctx context.Context, s *KeySet) (document []byte, err error) {
	for _, where := range d.documents() {
		document, _, err = s.fetch(ctx, where, "application/json")
		if status, ok := errors.AsType[errStatus](err); !ok || status != http.StatusNotFound && status != http.StatusGone {
			break
		}
	}
	return document, err
}

// judge returns where a metadata document says that the key set is. The issuer in
// it has to be the one that was asked, byte for byte (RFC 8414 section 3.3), else
// one issuer could speak for another on the same host.
func (d *discovery) judge(document []byte) (string, RefreshResult, error) {
	members, err := readObject(document)
	if err != nil {
		return "", RefreshMetadataMalformed, errors.New("not one JSON object without repeated members")
	}
	issuer, place := find(members, "issuer"), find(members, "jwks_uri")
	if issuer.Kind() != '"' || place.Kind() != '"' {
		return "", RefreshMetadataMalformed, errors.New("member issuer or jwks_uri is missing or no string")
	}
	if unquote(issuer) != d.issuer {
		return "", RefreshMetadataIssuer, errors.New("it is that of another issuer")
	}
	where := unquote(place)
	if err := d.permits(where); err != nil {
		return "", RefreshMetadataHost, err
	}
	return where, RefreshOK, nil
}

// permits judges where the key set is said to be: whoever writes the metadata does
// not choose whom this process connects to.
func (d *discovery) permits(where string) error {
	u, err := url.Parse(where)
	if err != nil || checkURL(where) != nil || u.Scheme == "http" && d.base.Scheme != "http" {
		return errors.New("jwks_uri is not an https URL without user and fragment")
	}
	at := authority(u)
	for _, host := range append([]string{d.base.Host}, d.hosts...) {
		if at != "" && at == authority(&url.URL{Scheme: u.Scheme, Host: host}) {
			return nil
		}
	}
	if len(u.Host) > maxHost {
		return errors.New("jwks_uri is on a host that is not permitted")
	}
	return fmt.Errorf("jwks_uri is on host %q, which is neither the issuer's nor named as one of its discovery hosts", u.Host)
}

// maxHost bounds a host that is repeated in an error: the longest name and a port.
const maxHost = 253 + len(":65535")

// authority returns host and port of a URL in one form, and "" when there is no
// host that is plain ASCII.
func authority(u *url.URL) string {
	host, port := u.Hostname(), u.Port()
	if host == "" || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return ""
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(host), port)
}

// takeOver goes on with what another discovery of the same issuer knows. It
// reports false when that is a place that is not permitted any more.
func (d *discovery) takeOver(previous *discovery) bool {
	last := previous.known.Load()
	if last == nil {
		return true
	}
	if d.permits(*last) != nil {
		return false
	}
	d.known.Store(last)
	return true
}
