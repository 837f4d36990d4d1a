// Package admin serves the admin listener: health, readiness, metrics and named
// JSON sources. It is a listener of its own, on loopback by default, so that
// nothing of it can be reached through the data path.
//
// It answers GET and HEAD only and changes nothing. A JSON source refuses a
// request whose Host is not an address literal or localhost, and one that a web
// page of another origin sent: a browser on the same machine must not become a
// way in (DNS rebinding, cross-origin reads). Health and metrics answer under any
// name, because that is how they are scraped.
package admin

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Options are what the admin listener shows.
type Options struct {
	// Ready returns nil when requests may come, else why not in words that name no
	// secret.
	Ready func() error
	// Metrics serves /metrics.
	Metrics http.Handler
	// Sources are JSON documents by path without the slash, such as "cells". Nil
	// serves none, which is right for a listener that others can reach.
	Sources map[string]func() (any, error)
}

// New returns the handler of the admin listener.
func New(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := o.Ready(); err != nil {
			text(w, http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n")
			return
		}
		text(w, http.StatusOK, "ready\n")
	})
	mux.Handle("GET /metrics", o.Metrics)
	for name, source := range o.Sources {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			if tricked(r) {
				text(w, http.StatusForbidden, "forbidden: use the address of the admin listener itself\n")
				return
			}
			document(w, source)
		})
	}
	return mux
}

// tricked reports whether a browser may have been led to send r.
func tricked(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return !literalHost(r.Host) || r.Header.Get("Origin") != "" ||
		(site != "" && site != "none" && site != "same-origin")
}

// literalHost reports whether host is an address literal or localhost, which no
// DNS answer of a stranger can point here.
func literalHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // a client that went away misses it
}

func document(w http.ResponseWriter, source func() (any, error)) {
	value, err := source()
	if err != nil {
		text(w, http.StatusInternalServerError, "the document could not be made\n")
		return
	}
	body, err := json.Marshal(value)
	if err != nil {
		text(w, http.StatusInternalServerError, "the document could not be encoded\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // as above
}
