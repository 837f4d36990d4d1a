package schema

// decimal is an exact decimal number. The zero value is 0.
type decimal struct{}

// parseDecimal returns the number of a JSON literal (RFC 8259, section 6).
func parseDecimal(text []byte) decimal { panic("not built") }

// compare returns -1, 0 or 1 as a is below, equal to or above b.
func (a decimal) compare(b decimal) int { panic("not built") }

// integer reports whether a has no fraction.
func (a decimal) integer() bool { panic("not built") }

// multipleOf reports whether a is d times an integer, exactly; d is above 0.
func (a decimal) multipleOf(d decimal) bool { panic("not built") }

// fits reports whether a is an integer of 32 or 64 bits, in two's complement.
func (a decimal) fits(bits int) bool { panic("not built") }

// appendCanonical appends the one text that all literals of the number share.
func (a decimal) appendCanonical(dst []byte) []byte { panic("not built") }
