package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// AppendLine appends the record to dst as one line of JSON, at most [MaxLine] bytes
// with its line break. A longer record loses details first, then lists, and says
// so; the six mandated facts always stay. The record itself is not changed. An
// error means that the record cannot be written at all, and dst is as it was.
func (r *Record) AppendLine(dst []byte) ([]byte, error) {
	from := len(dst)
	line, err := r.append(dst)
	if err == nil && len(line)-from <= MaxLine {
		return line, nil
	}
	short := *r
	short.Truncated = true
	for _, cut := range cuts() {
		if err != nil {
			break
		}
		cut(&short)
		if line, err = short.append(line[:from]); err == nil && len(line)-from <= MaxLine {
			return line, nil
		}
	}
	if err != nil {
		return dst, fmt.Errorf("encode record: %w", err)
	}
	return dst, fmt.Errorf("encode record: %d bytes remain after all cuts, more than %d", len(line)-from, MaxLine)
}

// cuts shorten a copy of a record, the least missed first. Each replaces a slice
// and never writes into one, since the original shares them.
func cuts() []func(*Record) {
	return []func(*Record){
		func(r *Record) {
			r.Findings = append([]Finding{}, r.Findings...)
			for i := range r.Findings {
				r.Findings[i].Detail = ""
			}
		},
		func(r *Record) { r.HTTP.QueryKeys = nil },
		func(r *Record) {
			if r.Tok != nil {
				tok := *r.Tok
				tok.Scopes = nil
				r.Tok = &tok
			}
		},
		func(r *Record) {
			r.Account.Token, r.Account.Requested = head(r.Account.Token, 2), head(r.Account.Requested, 2)
			if r.Claimed != nil {
				claimed := *r.Claimed
				claimed.Accounts = head(claimed.Accounts, 2)
				r.Claimed = &claimed
			}
		},
		func(r *Record) { r.Permits, r.NotApplicable, r.Client.TLS, r.Be.TLS = nil, nil, nil, nil },
		func(r *Record) { r.Findings, r.Observations = head(r.Findings, 8), head(r.Observations, 8) },
		func(r *Record) {
			r.Op.Template, r.Account.Carrier, r.Enforced = "", "", nil
			r.Findings, r.Observations = head(r.Findings, 2), head(r.Observations, 2)
		},
	}
}

func head[T any](list []T, n int) []T { return list[:min(n, len(list))] }

// ReadRecord reads one line of JSON back, with or without its line break. It is
// strict: it takes exactly what this version of AppendLine writes, so a line that
// was edited, has unknown, repeated or misspelt fields, or comes from another
// version is an error. It reads at most [MaxLine] bytes.
func ReadRecord(line []byte) (*Record, error) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if len(line) >= MaxLine {
		return nil, fmt.Errorf("read record: the line has %d bytes, and no record has more than %d", len(line), MaxLine-1)
	}
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("read record: not a record of version %d: %w", Version, err)
	}
	if r.V != Version {
		return nil, fmt.Errorf("read record: format version %d; this program reads version %d", r.V, Version)
	}
	again, err := r.append(nil)
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	if !bytes.Equal(again[:len(again)-1], line) {
		return nil, errors.New("read record: the line is not as a sidecar writes it; it was edited or another version wrote it")
	}
	return &r, nil
}
