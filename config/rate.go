package config

import (
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Rate is a sustained number of requests per second, minute or hour: 100/s, 5/m,
// 1000/h. The zero value is no rate.
type Rate struct {
	Count int64
	Unit  string // s, m or h
}

// ParseRate reads a rate as it is written in the file.
func ParseRate(s string) (Rate, error) {
	if !rateForm.MatchString(s) {
		return Rate{}, badValue{quote(s) + " is not a rate", "write a whole number from 1 up per s, m or h, for example 100/s"}
	}
	count, unit := cutCount(s)
	return Rate{Count: count, Unit: unit}, nil
}

// cutCount splits what matched a pattern that bounds the digits.
func cutCount(s string) (int64, string) {
	digits, unit, _ := strings.Cut(s, "/")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return math.MaxInt64, unit
	}
	return n, unit
}

// PerSecond returns the rate in requests per second; 0 for no rate.
func (r Rate) PerSecond() float64 {
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[r.Unit]
	if per == 0 {
		return 0
	}
	return float64(r.Count) / per.Seconds()
}

// String returns the rate as it is written in the file; "" for no rate.
func (r Rate) String() string {
	if r.IsZero() {
		return ""
	}
	return strconv.FormatInt(r.Count, 10) + "/" + r.Unit
}

// IsZero reports whether this is no rate.
func (r Rate) IsZero() bool { return r == Rate{} }

// MarshalYAML returns the rate as a string.
func (r Rate) MarshalYAML() (any, error) { return r.String(), nil }

// UnmarshalYAML reads a string.
func (r *Rate) UnmarshalYAML(n *yaml.Node) error {
	if n.ShortTag() != "!!str" {
		return badValue{"a rate is expected, not " + kindOf(n), "write a number per s, m or h, for example 100/s"}
	}
	v, err := ParseRate(n.Value)
	*r = v
	return err
}

func (r *Rate) describe() scalarType {
	return scalarType{"rate", map[string]any{"type": "string", "pattern": ratePattern}}
}

// The windows of a quota: calendar periods in UTC.
const (
	WindowHour  = "hour"
	WindowDay   = "day"
	WindowMonth = "month"
)

// Quota is a total in a window: 1000000/day, also /hour and /month. The zero
// value is no quota.
type Quota struct {
	Count  int64
	Window string // hour, day or month
}

// ParseQuota reads a quota as it is written in the file.
func ParseQuota(s string) (Quota, error) {
	if !quotaForm.MatchString(s) {
		return Quota{}, badValue{quote(s) + " is not a quota", "write a whole number from 1 up per hour, day or month, for example 1000000/day"}
	}
	count, window := cutCount(s)
	return Quota{Count: count, Window: window}, nil
}

// String returns the quota as it is written in the file; "" for no quota.
func (q Quota) String() string {
	if q.IsZero() {
		return ""
	}
	return strconv.FormatInt(q.Count, 10) + "/" + q.Window
}

// IsZero reports whether this is no quota.
func (q Quota) IsZero() bool { return q == Quota{} }

// MarshalYAML returns the quota as a string.
func (q Quota) MarshalYAML() (any, error) { return q.String(), nil }

// UnmarshalYAML reads a string.
func (q *Quota) UnmarshalYAML(n *yaml.Node) error {
	if n.ShortTag() != "!!str" {
		return badValue{"a quota is expected, not " + kindOf(n), "write a number per hour, day or month, for example 1000000/day"}
	}
	v, err := ParseQuota(n.Value)
	*q = v
	return err
}

func (q *Quota) describe() scalarType {
	return scalarType{"quota", map[string]any{"type": "string", "pattern": quotaPattern}}
}
