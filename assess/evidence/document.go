package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// MaxDocument is the largest document that ReadDocument accepts, in bytes.
const MaxDocument = 32 << 20

// Document is what the admin listener answers on /cells.
type Document struct {
	// Cells are sorted by operation and by order of evaluation of the control.
	Cells []Cell `json:"cells"`
	// Since is when counting began.
	Since time.Time `json:"since"`
}

// Cell says who enforces one control of one operation, and on what evidence.
type Cell struct {
	Operation string         `json:"operation"`
	Control   policy.Control `json:"control"`
	Class     Class          `json:"class"`
	Modifiers []Modifier     `json:"modifiers"`
	Gateway   Counts         `json:"gateway"`
	Backend   Counts         `json:"backend"`
	Strata    []Stratum      `json:"strata"`
	// Requests counts the requests that the control judged, Undecided those that it
	// could not decide for a reason of its own.
	Requests  uint64 `json:"requests"`
	Undecided uint64 `json:"undecided"`
	// Confounded counts violations that decide nothing, because the request
	// violated another control too.
	Confounded uint64 `json:"confounded"`
}

// Counts are the trials of one cell or stratum at one position.
type Counts struct {
	State State `json:"state"`
	// N counts valid trials, K those that leaked. At the gateway the number of
	// attempts is not known: N is 0.
	N uint64 `json:"n"`
	K uint64 `json:"k"`
	// Ambiguous answers can mean both, such as a refusal without a baseline;
	// unattributable ones are about something else.
	Ambiguous      uint64 `json:"ambiguous"`
	Unattributable uint64 `json:"unattributable"`
	// Principals is how many callers' violations leaked, as far as they were told
	// apart; all callers without a proven client are one.
	Principals int `json:"principals,omitempty"`
	// Unproven reports that nothing shows that what arrived came through the gateway.
	Unproven bool `json:"unproven,omitempty"`
	// Answers counts the trials by response class; strata alone have it.
	Answers map[policy.ResponseClass]uint64 `json:"answers,omitempty"`
}

// Stratum is the share of one reason and one backend instance in a cell. The
// instance is empty when the request was not forwarded.
type Stratum struct {
	Reason   policy.Reason `json:"reason"`
	Instance string        `json:"instance"`
	// Gateway is nil when nothing was counted there.
	Gateway *Counts `json:"gateway,omitempty"`
	Backend Counts  `json:"backend"`
}

// Has reports whether the cell carries a modifier.
func (c *Cell) Has(m Modifier) bool { return slices.Contains(c.Modifiers, m) }

// ReadDocument reads one document, as Document marshals. It refuses unknown
// fields, words that this version does not know, numbers that cannot be, bytes
// after the end, and more than MaxDocument bytes.
func ReadDocument(r io.Reader) (Document, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxDocument+1))
	if err != nil {
		return Document{}, fmt.Errorf("read cells: %w", err)
	}
	if len(b) > MaxDocument {
		return Document{}, fmt.Errorf("read cells: longer than %d bytes; read the cells of one sidecar only", MaxDocument)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var doc Document
	if err := decoder.Decode(&doc); err != nil {
		return Document{}, fmt.Errorf("read cells: not a document of this version: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Document{}, errors.New("read cells: there is more after the document")
	}
	if doc.Cells == nil {
		return Document{}, errors.New("read cells: cells is missing")
	}
	for i := range doc.Cells {
		if err := doc.Cells[i].valid(); err != nil {
			return Document{}, fmt.Errorf("read cells: cells[%d]: %w", i, err)
		}
	}
	return doc, nil
}

func (c *Cell) valid() error {
	switch {
	case c.Operation == "":
		return errors.New("operation is missing")
	case c.Control == "":
		return errors.New("control is missing")
	case !slices.Contains(Classes(), c.Class):
		return errors.New("class is not known; is the sidecar of another version?")
	}
	for _, m := range c.Modifiers {
		if !slices.Contains(Modifiers(), m) {
			return errors.New("a modifier is not known; is the sidecar of another version?")
		}
	}
	if err := c.Gateway.valid(); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	if err := c.Backend.valid(); err != nil {
		return fmt.Errorf("backend: %w", err)
	}
	for i := range c.Strata {
		if err := c.Strata[i].valid(); err != nil {
			return fmt.Errorf("strata[%d]: %w", i, err)
		}
	}
	return nil
}

func (s *Stratum) valid() error {
	if s.Gateway != nil {
		if err := s.Gateway.valid(); err != nil {
			return fmt.Errorf("gateway: %w", err)
		}
	}
	if err := s.Backend.valid(); err != nil {
		return fmt.Errorf("backend: %w", err)
	}
	return nil
}

func (c *Counts) valid() error {
	switch {
	case !slices.Contains(States(), c.State):
		return errors.New("state is not known; is the sidecar of another version?")
	case c.K > c.N && c.N > 0:
		return errors.New("more leaks than trials")
	case c.Principals < 0:
		return errors.New("principals is negative")
	}
	return nil
}
