package schema

// stringFormat returns what judges a string format that is asserted; nil if it is not
// one. The numeric formats int32 and int64 are not strings.
func stringFormat(name string) func(text []byte) bool {
	switch name {
	case "byte":
		return isBase64
	case "date":
		return isDate
	case "date-time":
		return isDateTime
	case "email":
		return isEmail
	case "hostname":
		return isHostname
	case "ipv4":
		return isIPv4
	case "ipv6":
		return isIPv6
	case "uri":
		return isURI
	case "uuid":
		return isUUID
	}
	return nil
}

// isUUID accepts the text form of RFC 9562, section 4, of any version.
func isUUID(s []byte) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

// isHostname accepts a name of RFC 1123, section 2.1: labels of letters, digits and
// hyphens.
func isHostname(s []byte) bool {
	const longest, longestLabel = 253, 63
	if len(s) == 0 || len(s) > longest {
		return false
	}
	label := 0
	for i, c := range s {
		switch {
		case c == '.':
			if label == 0 || s[i-1] == '-' {
				return false
			}
			label = 0
			continue
		case c == '-':
			if label == 0 {
				return false
			}
		case !isDigit(c) && !isLetter(c):
			return false
		}
		if label++; label > longestLabel {
			return false
		}
	}
	return label > 0 && s[len(s)-1] != '-'
}

// isBase64 accepts what RFC 4648, section 4, gives, with padding and without line
// breaks.
func isBase64(s []byte) bool {
	if len(s)%4 != 0 {
		return false
	}
	for padding := 0; padding < 2 && len(s) > 0 && s[len(s)-1] == '='; padding++ {
		s = s[:len(s)-1]
	}
	for _, c := range s {
		if !isDigit(c) && !isLetter(c) && c != '+' && c != '/' {
			return false
		}
	}
	return len(s)%4 != 1
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
