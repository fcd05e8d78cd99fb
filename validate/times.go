package validate

import (
	"strings"
	"time"
)

// isRFC3339 accepts a date and time of RFC 3339, section 5.6, with upper-case T and Z
// and a fraction of at most nine digits, the precision of a time.Time. A leap second
// (23:59:60) is refused, because a time.Time cannot represent it.
func isRFC3339(s string) bool {
	const shortest = len("2006-01-02T15:04:05Z")
	if len(s) < shortest || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return false
	}
	year, ok := twoDigits(s[0:2], 99)
	century := year
	year, ok2 := twoDigits(s[2:4], 99)
	year += 100 * century
	month, ok3 := twoDigits(s[5:7], 12)
	day, ok4 := twoDigits(s[8:10], 31)
	_, ok5 := twoDigits(s[11:13], 23)
	_, ok6 := twoDigits(s[14:16], 59)
	_, ok7 := twoDigits(s[17:19], 59)
	if !ok || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || !ok7 || month == 0 || day == 0 || day > daysIn(year, month) {
		return false
	}
	rest := s[19:]
	if rest[0] == '.' {
		digits := len(rest[1:]) - len(strings.TrimLeft(rest[1:], "0123456789"))
		if digits == 0 || digits > 9 {
			return false
		}
		rest = rest[1+digits:]
	}
	return rest == "Z" || isOffset(rest)
}

// isOffset accepts a sign, hours and minutes. -00:00 means that the local offset
// is unknown (RFC 3339, section 4.3).
func isOffset(s string) bool {
	if len(s) != len("+07:00") || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return false
	}
	_, ok := twoDigits(s[1:3], 23)
	_, ok2 := twoDigits(s[4:6], 59)
	return ok && ok2
}

// twoDigits returns the value of two decimal digits, which must be at most max.
func twoDigits(s string, max int) (int, bool) {
	if !digit(s[0]) || !digit(s[1]) {
		return 0, false
	}
	n := int(s[0]-'0')*10 + int(s[1]-'0')
	return n, n <= max
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// isDateTime accepts a time as package time formats it in a layout. time.Parse accepts
// more: hours of one digit, a comma as decimal point, fractions of any length that the
// layout does not have, and offsets of 24 hours. With Z07:00 in the layout, an offset of
// zero may be Z, +00:00 or -00:00.
func isDateTime(layout, s string) bool {
	t, err := time.ParseInLocation(layout, s, time.UTC)
	if err != nil {
		return false
	}
	if _, offset := t.Zone(); offset <= -24*60*60 || offset >= 24*60*60 {
		return false
	}
	var room [64]byte
	if string(t.AppendFormat(room[:0], layout)) == s {
		return true
	}
	return matchesZeroOffset(t, layout, s)
}

// matchesZeroOffset accepts the forms of a zero offset that package time does not write.
func matchesZeroOffset(t time.Time, layout, s string) bool {
	if _, offset := t.Zone(); offset != 0 {
		return false
	}
	numeric := strings.ReplaceAll(layout, "Z07", "-07")
	formatted := t.Format(numeric)
	for _, zero := range []string{"00:00", "0000", "00"} {
		if strings.HasSuffix(s, "-"+zero) && strings.HasSuffix(formatted, "+"+zero) {
			s = s[:len(s)-len(zero)-1] + "+" + zero
			break
		}
	}
	return formatted == s
}
