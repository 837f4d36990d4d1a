package compile

import (
	"slices"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// filesOf lists the files that a policy is made from besides the configuration
// file: the contracts with everything that they refer to, the authorities of
// issuers, lists of accounts, API keys, and the keys and secrets that prove the gateway, and the
// sidecar to issuers. Key sets are not among them; they are read again by themselves.
func filesOf(cfg *config.Config, contracts []*openapi.Contract) []string {
	var files []string
	for _, contract := range contracts {
		files = append(files, contract.Files()...)
	}
	for _, issuer := range cfg.Token.Issuers {
		if issuer.CAFile != "" {
			files = append(files, issuer.CAFile)
		}
	}
	files = append(files, cfg.ReferencedFiles("gateway.proof")...)
	if signature := cfg.Gateway.Proof.Signature; signature != nil {
		files = append(files, signature.PublicKeys...)
	}
	files = append(files, cfg.ReferencedFiles("token")...)
	for _, d := range cfg.Account.Delegation {
		if d.AccountsFile != "" {
			files = append(files, d.AccountsFile)
		}
	}
	if keys := cfg.Credential.APIKey; keys != nil {
		files = append(files, keys.File)
	}
	slices.Sort(files)
	return slices.Compact(files)
}
