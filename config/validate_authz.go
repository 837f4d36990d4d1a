package config

import (
	"fmt"
	"slices"
	"strings"
)

// issuer checks that a part of the file names an issuer that can be proven.
func (v *validator) issuer(path, issuer string) {
	var known []string
	switch c := v.c.Credential; {
	case c.Kind == KindIdentityHeaders:
		known = append(known, c.Headers.Asserter())
	case c.Kind == KindAPIKey && c.APIKey != nil:
		known = append(known, c.APIKey.Issuer)
	}
	if len(known) > 0 && issuer == known[0] {
		return
	}
	for i, is := range v.c.Token.Issuers {
		if is.Issuer == issuer {
			return
		}
		if _, hidden := v.refs[fmt.Sprintf("token.issuers[%d].issuer", i)]; !hidden {
			known = append(known, is.Issuer)
		}
	}
	fix := "name one of token.issuers"
	if len(known) > 0 {
		fix = DidYouMean(issuer, known)
	}
	v.add(path, v.named(path, issuer)+" is not an issuer of token.issuers", fix)
}

// delegations never names an account in a problem: it is a customer's.
func (v *validator) delegations() {
	all := v.c.Account.Delegation
	if len(all) > 0 && len(v.c.Account.Rules) == 0 {
		v.add("account.rules", "none, so that no request names an account that account.delegation could open", "add account.rules, or remove account.delegation")
	}
	for i, d := range all {
		path := fmt.Sprintf("account.delegation[%d]", i)
		v.issuer(path+".issuer", d.Issuer)
		inline, byFile := v.given(path+".accounts"), v.given(path+".accounts_file")
		switch {
		case inline && byFile:
			v.add(path+".accounts_file", "accounts is given too", "keep one of them")
		case byFile && d.AccountsFile == "":
			v.add(path+".accounts_file", "is empty", "name the file")
		case !byFile && len(d.Accounts) == 0:
			v.add(path+".accounts", "neither accounts nor accounts_file names an account", "add one of them, or remove the delegation")
		}
		if v.given(path+".operations") && len(d.Operations) == 0 {
			v.add(path+".operations", "is empty", "name at least one, or remove the line for all")
		}
	}
}

func (v *validator) exceptions() {
	first := map[string]int{}
	for i, e := range v.c.Exceptions {
		path := fmt.Sprintf("exceptions[%d]", i)
		before, again := first[e.ID]
		switch {
		case again:
			v.add(path+".id", fmt.Sprintf("%s is given twice, first as exceptions[%d]", v.named(path+".id", e.ID), before), "give it another id")
		case !isExceptionID(e.ID):
			v.add(path+".id", v.named(path+".id", e.ID)+" is not an id of an exception", "use 1 to 63 letters, digits, dots, dashes and underscores")
		default:
			first[e.ID] = i
		}
		if e.Issuer != "" {
			v.issuer(path+".issuer", e.Issuer)
		} else if e.Client != "" {
			v.add(path+".client", "names a client without its issuer, and issuers give the same id to different clients", "add issuer")
		}
	}
}

// isExceptionID reports whether s can name an exception in records and metrics.
func isExceptionID(s string) bool {
	const most = 63
	odd := func(r rune) bool {
		return !slices.ContainsFunc([][2]rune{{'a', 'z'}, {'A', 'Z'}, {'0', '9'}}, func(in [2]rune) bool { return in[0] <= r && r <= in[1] }) &&
			!strings.ContainsRune(".-_", r)
	}
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, odd)
}
