package test_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// proof NAME TOKEN METHOD TARGET [-signer client|other|...] [-fault NAME] [-nonce]
// [-header NAME=JSON] [CLAIM=JSON...] mints a DPoP proof for a request with a token,
// which is good but for what is given; values are those of the command token. It is
// used as @NAME@. -nonce puts in the nonce of the last answer.
func (s *story) proof(_ *testscript.TestScript, args []string) error {
	if len(args) < 4 {
		return errors.New("usage: proof NAME TOKEN METHOD TARGET [CLAIM=JSON...]")
	}
	token, ok := s.tokens[args[1]]
	if !ok {
		return fmt.Errorf("no token %s was minted", args[1])
	}
	signer := signers()["client"]
	p := tokentest.Proof{
		Method: args[2], URL: publicURL + args[3], Token: token, Time: time.Now(), ID: args[0],
		Header: map[string]any{}, Claims: map[string]any{},
	}
	for rest := args[4:]; len(rest) > 0; rest = rest[1:] {
		flag := rest[0]
		if !strings.HasPrefix(flag, "-") {
			name, value, _ := strings.Cut(flag, "=")
			p.Claims[name] = claim(value)
			continue
		}
		if flag == "-nonce" {
			if p.Nonce = s.answers[len(s.answers)-1].header.Get("DPoP-Nonce"); p.Nonce == "" {
				return errors.New("the last answer has no nonce")
			}
			continue
		}
		if rest = rest[1:]; len(rest) == 0 {
			return fmt.Errorf("%s needs a value", flag)
		}
		switch flag {
		case "-signer":
			if signer = signers()[rest[0]]; signer == nil {
				return errors.New("no such signer")
			}
		case "-fault":
			p.Fault = faults()[rest[0]]
		case "-header":
			name, value, _ := strings.Cut(rest[0], "=")
			p.Header[name] = claim(value)
		default:
			return fmt.Errorf("unknown flag %s", flag)
		}
	}
	s.tokens[args[0]] = signer.Proof(p)
	return nil
}

// publicURL is where the clients of a script reach its API, whatever Host they send.
const publicURL = "https://api.example.net"
