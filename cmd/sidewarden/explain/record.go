package explain

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// Record explains a decision from an audit file, by its decision id or record id.
// Digest names the policy in force, to tell whether it is still the one that
// decided; "" does not tell. The file is read line by line, and lines that are no
// record of this version are passed over and counted.
func Record(from io.Reader, id, digest string) (*Explanation, error) {
	lines := bufio.NewReaderSize(from, audit.MaxLine)
	skipped := 0
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			skipped++
			if err := pass(lines); err != nil {
				return nil, missing(id, skipped, err)
			}
			continue
		case err != nil && len(line) == 0:
			return nil, missing(id, skipped, err)
		}
		// Most lines are of other decisions: look before reading them.
		if !bytes.Contains(line, []byte(id)) {
			continue
		}
		var rec audit.Record
		if json.Unmarshal(line, &rec) != nil || rec.V != audit.Version {
			skipped++
			continue
		}
		if rec.DecisionID == id || rec.RecordID == id {
			return ofRecord(&rec, digest), nil
		}
	}
}

// pass skips the rest of a line that is too long.
func pass(lines *bufio.Reader) error {
	for {
		switch _, err := lines.ReadSlice('\n'); {
		case err == nil:
			return nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

func missing(id string, skipped int, err error) error {
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("it can not be read: %w", err)
	}
	text := fmt.Sprintf("no record has the decision id or record id %s; is it another file, or not written yet?", plain(id))
	if skipped > 0 {
		text += fmt.Sprintf(" %d lines are no records of version %d", skipped, audit.Version)
	}
	return errors.New(text)
}

// ofRecord tells what was recorded.
func ofRecord(rec *audit.Record, digest string) *Explanation {
	e := &Explanation{
		Policy: plainText(rec.Policy.Digest), Time: rec.Time, Operation: plain(rec.Op.ID),
		Request: plainText(rec.HTTP.Method + " " + rec.HTTP.Path), Identity: []Input{},
		Objects: rec.Disposition == policy.Blocked.String() || rec.Disposition == policy.WouldBlock.String(),
		Notes:   []string{"Inputs are not recorded; accounts and clients are pseudonyms."},
	}
	if n := rec.HTTP.ReqBytes; n != nil && *n > 0 {
		e.Request += fmt.Sprintf(", %d bytes of body", *n)
	}
	if rec.ClientID != "" {
		e.Identity = []Input{
			{"client", plain(rec.ClientID)},
			{"principal", plain(rec.PrincipalID)},
			{"accounts", (mask{show: true}).values(rec.Account.Token, nil)},
			{"asked for", (mask{show: true}).values(rec.Account.Requested, nil)},
		}
	}
	e.Controls = recorded(rec)
	a := Answer{Mode: "as recorded", Disposition: plainText(rec.Disposition)}
	if a.Disposition == policy.Blocked.String() || a.Disposition == policy.Failed.String() {
		a.Status = rec.Client.Status
	}
	e.Answers = []Answer{a}
	if n := rec.HTTP.StrippedFields; n > 0 {
		e.Notes = append(e.Notes, fmt.Sprintf("Header fields that were taken away before the request was forwarded: %d. Their names are not recorded.", n))
	}
	switch {
	case rec.Truncated:
		e.Notes = append(e.Notes, "The record was too long and was cut: findings may be missing.")
	case len(e.Controls) == 0:
		e.Notes = append(e.Notes, "No control had looked at it when it ended.")
	}
	if digest != "" && digest != rec.Policy.Digest {
		e.Notes = append(e.Notes, "By this configuration the policy is another one: "+digest+
			". The digest counts values behind references, and paths from the folder that the configuration is named from.")
	} else if digest != "" {
		e.Notes = append(e.Notes, "The policy is still the same.")
	}
	return e
}

// recorded returns the verdicts of a record, in order of the catalogue.
func recorded(rec *audit.Record) []Control {
	mode := func(c policy.Control) string {
		if slices.Contains(rec.Enforced, c) {
			return policy.Enforce.String()
		}
		return policy.Shadow.String()
	}
	controls := []Control{}
	for _, f := range rec.Findings {
		controls = append(controls, Control{
			ID: f.Control, Mode: f.Mode, Effect: f.Effect, Reason: f.Reason, Detail: f.Detail, Cause: f.Cause, Exception: f.Exception,
		})
	}
	for _, c := range rec.Permits {
		controls = append(controls, Control{ID: c, Mode: mode(c), Effect: policy.Permit.String()})
	}
	for _, c := range rec.NotApplicable {
		controls = append(controls, Control{ID: c, Mode: mode(c), Effect: policy.NotApplicable.String()})
	}
	slices.SortStableFunc(controls, func(a, b Control) int { return policy.Order(a.ID) - policy.Order(b.ID) })
	return controls
}
