package schema

// isDate accepts a full-date of RFC 3339, section 5.6.
func isDate(s []byte) bool {
	if len(s) != len("0000-00-00") || s[4] != '-' || s[7] != '-' {
		return false
	}
	year, a := digits(s[:4])
	month, b := digits(s[5:7])
	day, c := digits(s[8:])
	if !a || !b || !c || month < 1 || month > 12 || day < 1 {
		return false
	}
	return day <= days(year, month)
}

// days returns how many days a month has, in the proleptic Gregorian calendar.
func days(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && year%100 != 0 || year%400 == 0 {
			return 29
		}
		return 28
	}
	return 31
}

// isDateTime accepts a date-time of RFC 3339, section 5.6. A leap second may be where
// one can be: at the end of a minute before midnight, UTC.
func isDateTime(s []byte) bool {
	const date, form = len("0000-00-00"), len("0000-00-00T00:00:00")
	if len(s) <= form || !isDate(s[:date]) || s[date]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return false
	}
	hour, a := digits(s[11:13])
	minute, b := digits(s[14:16])
	second, c := digits(s[17:form])
	if !a || !b || !c || hour > 23 || minute > 59 || second > 60 {
		return false
	}
	rest := s[form:]
	if rest[0] == '.' {
		n := 1
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		if n == 1 {
			return false
		}
		rest = rest[n:]
	}
	offset, ok := zone(rest)
	if !ok {
		return false
	}
	const day = 24 * 60
	return second < 60 || (hour*60+minute-offset+2*day)%day == day-1
}

// zone returns the minutes that a time-offset is before UTC.
func zone(s []byte) (minutes int, ok bool) {
	if len(s) == 1 {
		return 0, s[0]|0x20 == 'z'
	}
	if len(s) != len("+00:00") || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	hour, a := digits(s[1:3])
	minute, b := digits(s[4:])
	minutes = 60*hour + minute
	if s[0] == '-' {
		minutes = -minutes
	}
	return minutes, a && b && hour <= 23 && minute <= 59
}

// digits returns the number of a few digits.
func digits(s []byte) (n int, ok bool) {
	for _, c := range s {
		if !isDigit(c) {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}
