package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/token"
)

// keyOptions are the flags of api-key: what an entry says of its key.
type keyOptions struct {
	token.APIKeyEntry
	saltFrom string
}

func apiKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "api-key",
		Short: "Make entries for the file of API keys",
		Long: `Make entries for the file that credential.api_key.file names: {"version": 1, "keys": [ENTRY, ...]}. An entry has a salted
hash of its key and not the key.`,
	}
	cmd.AddCommand(apiKeyHashCommand(), apiKeyNewCommand())
	return cmd
}

func apiKeyHashCommand() *cobra.Command {
	var o keyOptions
	cmd := &cobra.Command{
		Use:   "hash --id ID --client CLIENT",
		Short: "Print the entry of a key that is read from standard input",
		Long: `Read a key from standard input, one line, and print its entry as JSON. The key is not printed.

The hash is fast: it protects random keys, which nobody finds by trying, and no key that a person made up. Replace those
by one of 'sidewarden api-key new'.

Exits with 1 when standard input holds no key.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := readKey(cmd.InOrStdin())
			if err != nil {
				return err
			}
			entry, err := o.entryOf(key)
			if err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), entry)
		},
	}
	return o.flagsOn(cmd)
}

func apiKeyNewCommand() *cobra.Command {
	var o keyOptions
	cmd := &cobra.Command{
		Use:   "new --id ID --client CLIENT",
		Short: "Make a random key, and print it with its entry",
		Long: `Make a random key of 256 bits, and print it with its entry as JSON: {"key": KEY, "entry": ENTRY}. The key is printed this
once; it cannot be found out from the entry.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key := randomText(32)
			entry, err := o.entryOf(key)
			if err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), struct {
				Key   string            `json:"key"`
				Entry token.APIKeyEntry `json:"entry"`
			}{key, entry})
		},
	}
	return o.flagsOn(cmd)
}

func (o *keyOptions) flagsOn(cmd *cobra.Command) *cobra.Command {
	f := cmd.Flags()
	f.StringVar(&o.ID, "id", "", "name of the entry: letters, digits, dots, dashes and underscores, at most 64")
	f.StringVar(&o.Client, "client", "", "client that has the key")
	f.StringVar(&o.Principal, "principal", "", "principal that the key stands for")
	f.StringArrayVar(&o.Accounts, "account", nil, "account of the client; may be repeated")
	f.StringArrayVar(&o.Scopes, "scope", nil, "scope of the key; may be repeated")
	f.StringVar(&o.Expires, "expires", "", "last day of the key, as 2027-01-31; default: never")
	f.StringVar(&o.saltFrom, "salt-from", "", fmt.Sprintf("file with keys whose last salt is used, as a file has at most %d; default: a new salt", token.MaxAPIKeySalts))
	for _, name := range []string{"id", "client"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flags are defined above
		}
	}
	return cmd
}

// readKey reads a key, and never repeats it.
func readKey(in io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, token.MaxAPIKey+3)) // a line break, and one byte too many
	if err != nil {
		return "", err
	}
	key := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if !token.IsAPIKey(key) {
		return "", noError{fmt.Sprintf("standard input is no API key: one line of %d to %d printable characters without spaces", token.MinAPIKey, token.MaxAPIKey)}
	}
	return key, nil
}

// entryOf returns the entry of a key under the salt of a file, or a new one. What serve
// would refuse, or never accept, is refused here.
func (o *keyOptions) entryOf(key string) (token.APIKeyEntry, error) {
	e := o.APIKeyEntry
	e.Salt = randomText(16)
	others, err := o.others()
	if err != nil {
		return e, err
	}
	if len(others) > 0 {
		e.Salt = others[len(others)-1].Salt
	}
	var ok bool
	if e.Hash, ok = token.HashAPIKey(e.Salt, key); !ok {
		return e, errors.New("the salt can not be used") // it was made or read above
	}
	if e.Accounts == nil {
		e.Accounts = []string{}
	}
	if e.Scopes == nil {
		e.Scopes = []string{}
	}
	if err := readsAsEntry(e); err != nil {
		return e, usageError{byFlag(err)}
	}
	if until := config.Deadline(e.Expires).Until(); !until.IsZero() && !until.After(time.Now()) {
		return e, usageError{"--expires: " + e.Expires + " is over, so that the key would never be accepted; name a day to come, or leave it out"}
	}
	if _, err := token.NewAPIKeys(keysOf(append(others, e))); err != nil {
		return e, usageError{byFlag(err)}
	}
	return e, nil
}

// others are the entries of the file whose salt is used; none without one.
func (o *keyOptions) others() ([]token.APIKeyEntry, error) {
	if o.saltFrom == "" {
		return nil, nil
	}
	data, err := readFile(o.saltFrom, token.MaxAPIKeyFile)
	if err != nil {
		return nil, err
	}
	entries, err := token.ReadAPIKeys(data)
	if err == nil {
		_, err = token.NewAPIKeys(keysOf(entries))
	}
	if err != nil {
		return nil, noError{strconv.Quote(o.saltFrom) + ": " + strings.TrimPrefix(err.Error(), "token: ")}
	}
	return entries, nil
}

// keysOf are options of a stage with entries, which is made to see whether it takes them.
func keysOf(entries []token.APIKeyEntry) token.APIKeyOptions {
	return token.APIKeyOptions{Header: "X-API-Key", Issuer: "api-keys", Entries: entries}
}

// readsAsEntry reports what is wrong with a file in which the entry is alone.
func readsAsEntry(e token.APIKeyEntry) error {
	text, err := json.Marshal(struct {
		Version int                 `json:"version"`
		Keys    []token.APIKeyEntry `json:"keys"`
	}{1, []token.APIKeyEntry{e}})
	if err == nil {
		_, err = token.ReadAPIKeys(text)
	}
	return err
}

// byFlag tells what is wrong with the new entry by the flag that its member comes from.
func byFlag(err error) string {
	flags := map[string]string{
		"id": "--id", "client": "--client", "principal": "--principal", "accounts": "--account", "scopes": "--scope", "expires": "--expires",
	}
	text := strings.TrimPrefix(err.Error(), "token: ")
	_, member, _ := strings.Cut(text, ": member ")
	name, cause, _ := strings.Cut(member, ": ")
	if flag, ok := flags[name]; ok {
		return flag + ": " + cause
	}
	return text
}

// randomText is n random bytes in base64url.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func printJSON(w io.Writer, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}
