package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of API keys and of the file with their hashes.
const (
	// MinAPIKey is the length of the shortest key, in bytes.
	MinAPIKey = 16
	// MaxAPIKey is the length of the longest key, in bytes.
	MaxAPIKey = 256
	// MaxAPIKeyFile bounds the file, in bytes.
	MaxAPIKeyFile = 16 << 20
	// MaxAPIKeys bounds the keys of a file.
	MaxAPIKeys = 100_000
	// MaxAPIKeySalts bounds the different salts of a file: a request costs one hash
	// for each.
	MaxAPIKeySalts = 16

	minSalt, maxSalt = 16, 64
	apiKeyVersion    = "1"
)

// APIKeyEntry is one key of the file as it is written there. The key itself is not in
// it.
type APIKeyEntry struct {
	// ID names the entry for people: 1 to 64 letters, digits, dots, dashes and
	// underscores.
	ID string `json:"id"`
	// Salt is 16 to 64 random bytes, Hash the HMAC-SHA256 of the key under it (RFC
	// 2104), both in base64url without padding (RFC 4648 section 5).
	Salt string `json:"salt"`
	Hash string `json:"hash"`
	// Client is who has the key; Principal, Accounts and Scopes are what it stands for.
	Client    string   `json:"client"`
	Principal string   `json:"principal"`
	Accounts  []string `json:"accounts"`
	Scopes    []string `json:"scopes"`
	// Expires is the last day, in UTC, or a time of RFC 3339; empty means never.
	Expires  string `json:"expires,omitempty"`
	Disabled bool   `json:"disabled"`
}

// IsAPIKey reports whether text has the form of a key: 16 to 256 printable ASCII bytes
// without a space.
func IsAPIKey(text string) bool {
	return len(text) >= MinAPIKey && len(text) <= MaxAPIKey && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

// HashAPIKey returns the hash of a key for the file, and false for a salt that the file
// must not have.
func HashAPIKey(salt, key string) (hash string, ok bool) {
	decoded, ok := decodeSalt(salt)
	if !ok {
		return "", false
	}
	sum := macOf(decoded, key)
	return base64.RawURLEncoding.EncodeToString(sum[:]), true
}

// macOf is a fast hash on purpose. A slow one is for what people choose; the keys here
// are random, so that nobody finds one by trying, and every request is hashed.
func macOf(salt []byte, key string) (sum [sha256.Size]byte) {
	m := hmac.New(sha256.New, salt)
	_, _ = m.Write([]byte(key)) // a hash takes everything
	m.Sum(sum[:0])
	return sum
}

func decodeSalt(text string) ([]byte, bool) {
	salt, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return salt, err == nil && len(salt) >= minSalt && len(salt) <= maxSalt && !strings.ContainsAny(text, "\r\n")
}

// ReadAPIKeys reads a file with keys: one JSON object with the members version, which
// is 1, and keys, a list of entries. The error names the entry and the member, and
// holds nothing of the content but ids and names of members.
func ReadAPIKeys(data []byte) ([]APIKeyEntry, error) {
	if len(data) > MaxAPIKeyFile {
		return nil, fmt.Errorf("has more than %d bytes", MaxAPIKeyFile)
	}
	members, err := readObject(data)
	if err != nil {
		return nil, notJSON(err)
	}
	if err := only(members, "version", "keys"); err != nil {
		return nil, err
	}
	if v := find(members, "version"); string(v) != apiKeyVersion {
		return nil, errors.New("member version: is not " + apiKeyVersion)
	}
	list := find(members, "keys")
	if list.Kind() != '[' {
		return nil, errors.New("member keys: is not a list")
	}
	values, err := elements(list)
	if err != nil {
		return nil, notJSON(err)
	}
	if len(values) == 0 || len(values) > MaxAPIKeys {
		return nil, fmt.Errorf("member keys: has %d entries; 1 to %d can be read", len(values), MaxAPIKeys)
	}
	entries := make([]APIKeyEntry, 0, len(values))
	for i, value := range values {
		e, err := readEntry(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name(i), err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// name names an entry by its id, or by its place where it has none.
func (e *APIKeyEntry) name(i int) string {
	if entryID.MatchString(e.ID) {
		return "entry " + strconv.Quote(e.ID)
	}
	return "entry number " + strconv.Itoa(i+1)
}

// entryID is the form of ids, which messages repeat.
var entryID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// notJSON tells where a file is no JSON, and not what stands there: it may be a key
// that somebody put in by mistake.
func notJSON(err error) error {
	if at, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return fmt.Errorf("byte %d: a member is given twice", at.ByteOffset)
		}
		return fmt.Errorf("byte %d: is not JSON", at.ByteOffset)
	}
	return errors.New("is not one JSON object, nested at most " + strconv.Itoa(maxDepth) + " deep, and nothing else")
}

// only refuses members that nobody reads: they would look as if they were in force.
func only(members []member, names ...string) error {
	for _, m := range members {
		known := false
		for _, name := range names {
			known = known || string(m.name) == name
		}
		if !known {
			return fmt.Errorf("a member is none of %s", strings.Join(names, ", "))
		}
	}
	return nil
}

func readEntry(value jsontext.Value) (APIKeyEntry, error) {
	var e APIKeyEntry
	if value.Kind() != '{' {
		return e, errors.New("is not an object")
	}
	members, err := readObject(value)
	if err != nil {
		return e, notJSON(err)
	}
	if id := find(members, "id"); id.Kind() == '"' {
		e.ID = unquote(id)
	}
	if err := only(members, "id", "salt", "hash", "client", "principal", "accounts", "scopes", "expires", "disabled"); err != nil {
		return e, err
	}
	for _, text := range []struct {
		name     string
		to       *string
		required bool
	}{{"id", &e.ID, true}, {"salt", &e.Salt, true}, {"hash", &e.Hash, true}, {"client", &e.Client, true}, {"principal", &e.Principal, false}, {"expires", &e.Expires, false}} {
		v := find(members, text.name)
		switch {
		case v == nil && text.required:
			return e, fmt.Errorf("member %s: is missing", text.name)
		case v == nil:
		case v.Kind() != '"':
			return e, fmt.Errorf("member %s: is not a string", text.name)
		default:
			*text.to = unquote(v)
		}
	}
	for _, list := range []struct {
		name string
		to   *[]string
	}{{"accounts", &e.Accounts}, {"scopes", &e.Scopes}} {
		if *list.to, err = readStrings(find(members, list.name)); err != nil {
			return e, fmt.Errorf("member %s: %w", list.name, err)
		}
	}
	switch v := find(members, "disabled"); {
	case v == nil:
	case v.Kind() == 't', v.Kind() == 'f':
		e.Disabled = v.Kind() == 't'
	default:
		return e, errors.New("member disabled: is neither true nor false")
	}
	return e, e.valid()
}

func readStrings(v jsontext.Value) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	if v.Kind() != '[' {
		return nil, errors.New("is not a list")
	}
	values, err := elements(v)
	if err != nil {
		return nil, notJSON(err)
	}
	var texts []string
	for i, one := range values {
		if one.Kind() != '"' || !isName(unquote(one)) {
			return nil, fmt.Errorf("value number %d is not a string of 1 to %d bytes without control characters", i+1, maxID)
		}
		texts = append(texts, unquote(one))
	}
	return texts, nil
}

// isName reports whether s can name a client, a principal, an account or a scope.
func isName(s string) bool {
	return s != "" && len(s) <= maxID && utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// valid reports what is wrong with the texts of an entry.
func (e *APIKeyEntry) valid() error {
	hash, err := base64.RawURLEncoding.Strict().DecodeString(e.Hash)
	_, salted := decodeSalt(e.Salt)
	_, dated := e.until()
	switch {
	case !entryID.MatchString(e.ID):
		return errors.New("member id: is not 1 to 64 letters, digits, dots, dashes and underscores")
	case !salted:
		return fmt.Errorf("member salt: is not base64url of %d to %d bytes without padding", minSalt, maxSalt)
	case err != nil || len(hash) != sha256.Size || strings.ContainsAny(e.Hash, "\r\n"):
		return fmt.Errorf("member hash: is not base64url of %d bytes without padding", sha256.Size)
	case !isName(e.Client):
		return fmt.Errorf("member client: is not 1 to %d bytes without control characters", maxID)
	case e.Principal != "" && !isName(e.Principal):
		return fmt.Errorf("member principal: is not at most %d bytes without control characters", maxID)
	case !dated:
		return errors.New("member expires: is neither a day, as 2027-01-31, nor a time, as 2027-01-31T18:00:00Z")
	}
	return nil
}

// until returns the first moment at which the key is over; the zero time for never.
func (e *APIKeyEntry) until() (time.Time, bool) {
	if e.Expires == "" {
		return time.Time{}, true
	}
	if len(e.Expires) == len(time.DateOnly) {
		day, err := time.Parse(time.DateOnly, e.Expires)
		return day.AddDate(0, 0, 1), err == nil
	}
	at, err := time.Parse(time.RFC3339, e.Expires)
	return at.UTC(), err == nil
}
