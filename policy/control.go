package policy

import (
	_ "embed" // the catalogue is data
	"encoding/json"
	"fmt"
	"sync"
)

// Control is the id of a named protection of the catalogue, such as "az.account".
// The part before the dot is its config family, such as "az".
type Control string

// The controls that have a check in this version. The catalogue has all of them.
const (
	InFrame      Control = "in.frame"
	InPath       Control = "in.path"
	InHdr        Control = "in.hdr"
	PathGateway  Control = "path.gateway"
	MTLSClient   Control = "mtls.client"
	InRoute      Control = "in.route"
	InMethod     Control = "in.method"
	TokPresent   Control = "tok.present"
	TokSig       Control = "tok.sig"
	KeyValid     Control = "key.valid"
	TokIss       Control = "tok.iss"
	TokTyp       Control = "tok.typ"
	TokAud       Control = "tok.aud"
	TokTime      Control = "tok.time"
	TokTTL       Control = "tok.ttl"
	TokBind      Control = "tok.bind"
	TokRevoked   Control = "tok.revoked"
	AzDefault    Control = "az.default"
	AzScope      Control = "az.scope"
	AzAccount    Control = "az.account"
	AzDelegate   Control = "az.delegate"
	InCtype      Control = "in.ctype"
	RateApp      Control = "rate.app"
	RateCustomer Control = "rate.customer"
	RateQuota    Control = "rate.quota"
	TokReplay    Control = "tok.replay"
	InSize       Control = "in.size"
	InWellformed Control = "in.wellformed"
	InSchema     Control = "in.schema"
	OutSize      Control = "out.size"
	OutSchema    Control = "out.schema"
)

// Family says how an answer of the backend reads for a control (measurement
// plan, signal table). It is not the config family.
type Family string

// The families.
const (
	AuthN      Family = "authn"
	AuthZOp    Family = "authz-op"
	AuthZObj   Family = "authz-obj"
	AuthZField Family = "authz-field"
	Input      Family = "input"
	Output     Family = "output"
	Rate       Family = "rate"
	WAF        Family = "waf"
	Abuse      Family = "abuse"
	Path       Family = "path"
	Transport  Family = "transport"
	Log        Family = "log"
)

// Entry is what the catalogue says of one control.
type Entry struct {
	ID     Control `json:"id"`
	Title  string  `json:"title"`
	Family Family  `json:"family"`
	// Phase is "head", "limit", "body" or "response"; a control of the head that
	// must read the body is evaluated in the body phase.
	Phase string `json:"phase"`
	// Status is the HTTP status of the answer when the control blocks.
	Status int `json:"status"`
	// MinLayer and SecondLayer are where an assessor expects enforcement.
	MinLayer    string `json:"minLayer"`
	SecondLayer string `json:"secondLayer"`
	// Needs lists the controls that must enforce wherever this one does.
	Needs []Control `json:"needs"`
	// Implemented controls have a check and a docs page.
	Implemented bool     `json:"implemented"`
	OWASP       []string `json:"owasp"`
	ASVS        []string `json:"asvs"`
}

//go:embed catalogue.json
var catalogueJSON []byte

type index struct {
	entries []Entry
	at      map[Control]int
}

//nolint:gochecknoglobals // an immutable table, decoded once from embedded data that a test decodes too
var catalogue = sync.OnceValue(func() index {
	var entries []Entry
	if err := json.Unmarshal(catalogueJSON, &entries); err != nil {
		panic(fmt.Sprintf("policy: the embedded catalogue is broken: %v", err))
	}
	at := make(map[Control]int, len(entries))
	for i, e := range entries {
		at[e.ID] = i
	}
	return index{entries: entries, at: at}
})

// Catalogue returns every control in order of evaluation. The caller may keep and
// change the returned slice.
func Catalogue() []Entry { return append([]Entry(nil), catalogue().entries...) }

// Lookup returns the catalogue's entry of a control, and false for an unknown id.
func Lookup(c Control) (Entry, bool) {
	i, ok := catalogue().at[c]
	if !ok {
		return Entry{}, false
	}
	return catalogue().entries[i], true
}

// Order returns the place of a control in the order of evaluation, and -1 for an
// unknown id.
func Order(c Control) int {
	if i, ok := catalogue().at[c]; ok {
		return i
	}
	return -1
}
