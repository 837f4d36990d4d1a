package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// purse holds the token that each client got from the token endpoint.
type purse struct {
	issuer *issuer
	client *http.Client
	tokens map[*party]granted
}

type granted struct {
	token string
	until time.Time
}

// token returns what a step shows; empty means no token.
func (p *purse) token(ctx context.Context, st step) (string, error) {
	now := time.Now()
	c := p.issuer.claimsOf(st.who, now)
	switch st.shown {
	case current:
		return p.current(ctx, st.who, now)
	case absent:
		return "", nil
	case expired:
		c = p.issuer.claimsOf(st.who, now.Add(-tokenLife-10*time.Minute))
	case early:
		c.NotBefore = now.Add(tokenLife / 2).Unix()
	case misplaced:
		c.Audience = "https://billing.naas.example"
	case forged, unsigned:
	}
	token, err := p.issuer.token(st.who, c)
	if err != nil {
		return "", err
	}
	switch st.shown {
	case forged:
		return p.forge(token, c)
	case unsigned:
		_, rest, _ := strings.Cut(token, ".")
		payload, _, _ := strings.Cut(rest, ".")
		return encode([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + payload + ".", nil
	case current, expired, early, misplaced, absent:
	}
	return token, nil
}

// forge gives the token more accounts than were signed.
func (p *purse) forge(token string, c claims) (string, error) {
	c.Accounts = append(c.Accounts, "acct-999999")
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("forge a token: %w", err)
	}
	header, rest, _ := strings.Cut(token, ".")
	_, signature, _ := strings.Cut(rest, ".")
	return header + "." + encode(payload) + "." + signature, nil
}

// current asks the token endpoint again when half of a token's life is over.
func (p *purse) current(ctx context.Context, who *party, now time.Time) (string, error) {
	if g, ok := p.tokens[who]; ok && now.Before(g.until) {
		return g.token, nil
	}
	form := strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.issuer.url+"/token", form)
	if err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(who.client, who.secret)
	resp, err := p.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}
	defer resp.Body.Close()
	var grant struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&grant); err != nil || grant.Token == "" {
		return "", fmt.Errorf("ask for a token: the issuer answered %s", resp.Status)
	}
	p.tokens[who] = granted{token: grant.Token, until: now.Add(tokenLife / 2)}
	return grant.Token, nil
}
