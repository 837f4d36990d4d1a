package compile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/account"
)

// soon is how long before its end a delegation or an exception is warned of.
const soon = 30 * 24 * time.Hour

// delegate reads the delegations. No problem names an account: it is a customer's.
func (c *compiler) delegate(operations []*planned) {
	var all []account.Delegation
	given := map[string]string{} // what an earlier delegation gives, by its field
	for i, cfg := range c.cfg.Account.Delegation {
		field := fmt.Sprintf("account.delegation[%d]", i)
		d := account.Delegation{
			Issuer: cfg.Issuer, Client: cfg.Client, Accounts: c.accountsOf(field, cfg), Until: cfg.Expires.Until(),
		}
		for j, name := range cfg.Operations {
			at := fmt.Sprintf("%s.operations[%d]", field, j)
			id, ok := c.operationNamed(operations, at, name)
			switch {
			case !ok:
			case slices.Contains(d.Operations, id):
				c.warn(at, id+" is given twice", "remove one")
			default:
				d.Operations = append(d.Operations, id)
			}
		}
		c.repeated(field, d, given)
		c.doubtDeadline(field+".expires", cfg.Expires, "what only this delegation opened to the partner is denied")
		all = append(all, d)
	}
	if len(all) == 0 {
		return
	}
	c.partners = account.NewDelegations(all)
	for _, p := range operations {
		if c.modeOf(p.key, policy.AzDelegate) != policy.Off {
			p.account.Partners = c.partners
		}
	}
}

// operationNamed returns the id of an operation that the configuration names, as it
// does under operations, or reports a problem.
func (c *compiler) operationNamed(operations []*planned, field, name string) (string, bool) {
	var ids []string
	for _, p := range operations {
		if p.operation.ID == policy.UnmatchedID {
			continue
		}
		if slices.Contains(p.names(), name) {
			return p.operation.ID, true
		}
		ids = append(ids, p.operation.ID)
	}
	c.problem(field, "the contract has no such operation", config.DidYouMean(name, ids))
	return "", false
}

// repeated warns of accounts that a delegation gives, and the same delegation or
// one with the same partner, operations and end gave before.
func (c *compiler) repeated(field string, d account.Delegation, given map[string]string) {
	operations := slices.Sorted(slices.Values(d.Operations))
	what := strings.Join(append([]string{d.Issuer, d.Client, d.Until.String()}, operations...), "\x00")
	again, first, by := 0, 0, ""
	for i, one := range d.Accounts {
		key := what + "\x00\x00" + one
		if earlier, ok := given[key]; ok {
			if again++; again == 1 {
				first, by = i+1, earlier
			}
			continue
		}
		given[key] = field
	}
	if again > 0 {
		c.warn(field, fmt.Sprintf("%d of its accounts, the first being number %d, are in %s already, with the same operations and end", again, first, by),
			"remove them here or there")
	}
}

// doubtDeadline warns of what has ended, or will soon.
func (c *compiler) doubtDeadline(field string, d config.Deadline, then string) {
	if d.IsZero() {
		return
	}
	switch left := d.Until().Sub(c.Now()); {
	case left <= 0:
		c.warn(field, "expired with "+d.String()+": "+then, "renew it, or remove it")
	case left <= soon:
		c.warn(field, "expires with "+d.String()+", within 30 days: then "+then, "renew it in time, or let it end")
	}
}

// accountsOf returns the accounts of a delegation, in place or from its file.
func (c *compiler) accountsOf(field string, cfg config.Delegation) []string {
	if cfg.AccountsFile == "" {
		return cfg.Accounts
	}
	field += ".accounts_file"
	data, err := ReadUpTo(cfg.AccountsFile, maxListBytes)
	if err != nil {
		c.problem(field, err.Error(), "check its path and permissions")
		return nil
	}
	accounts, err := parseAccounts(data)
	if err != nil {
		c.problem(field, err.Error(), "write one account per line, and nothing else")
		return nil
	}
	sum := sha256.Sum256(data)
	c.lists = append(c.lists, sum[:]...)
	return accounts
}

// maxListBytes bounds a list of accounts: some hundred thousand.
const maxListBytes = 8 << 20

// parseAccounts reads one account per line. What looks like another form is
// refused, because an account is compared as it stands there. Errors name lines,
// never accounts.
func parseAccounts(data []byte) ([]string, error) {
	switch {
	case len(data) > maxListBytes:
		return nil, fmt.Errorf("the file has more than %d bytes", maxListBytes)
	case !utf8.Valid(data):
		return nil, errors.New("the file is not UTF-8 text")
	}
	var accounts []string
	n := 0
	for line := range bytes.Lines(data) {
		n++
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		switch trimmed := bytes.TrimSpace(line); {
		case len(trimmed) == 0:
			return nil, fmt.Errorf("line %d is empty", n)
		case len(trimmed) != len(line):
			return nil, fmt.Errorf("line %d begins or ends with white space", n)
		}
		accounts = append(accounts, string(line))
	}
	if len(accounts) == 0 {
		return nil, errors.New("the file names no account")
	}
	return accounts, nil
}
