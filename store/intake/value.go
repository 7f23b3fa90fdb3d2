package intake

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// short is a value as a reason quotes it.
func short(s string) string {
	if len(s) <= 40 {
		return s
	}
	return strings.ToValidUTF8(s[:40], "") + "…"
}

// clean trims a text. Line breaks and TABs become spaces, bidi controls go, and any other control
// character is a reason to refuse it.
func clean(s string) (text, reason string) {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return cleanRunes(s)
		}
	}
	return s, ""
}

func cleanRunes(s string) (text, reason string) {
	odd := func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == utf8.RuneError || isBidi(r)
	}
	if !strings.ContainsFunc(s, odd) {
		return s, ""
	}
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			if !strings.HasSuffix(b.String(), " ") {
				b.WriteByte(' ')
			}
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return "", fmt.Sprintf("has the control character 0x%02X at byte %d", r, i+1)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			return "", fmt.Sprintf("is not UTF-8: byte %d is 0x%02X", i+1, s[i])
		case isBidi(r):
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String()), ""
}

// isBidi tells the invisible marks that turn text around, and the byte order mark.
func isBidi(r rune) bool {
	return r == '\u061c' || r == '\u200e' || r == '\u200f' || r >= '\u202a' && r <= '\u202e' ||
		r >= '\u2066' && r <= '\u2069' || r == '\ufeff'
}

// code is a barcode or another number of the library system: printable ASCII. The form ="0123", with which
// exports keep a spreadsheet from eating zeros, is 0123.
func code(s string) (text, reason string) {
	s = strings.TrimSpace(s)
	if len(s) >= 3 && strings.HasPrefix(s, `="`) && s[len(s)-1] == '"' {
		s = strings.TrimSpace(s[2 : len(s)-1])
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return "", fmt.Sprintf("has the byte 0x%02X at %d, which is in no barcode", s[i], i+1)
		}
	}
	if len(s) > maxCode {
		return "", fmt.Sprintf("has %d bytes; the limit is %d", len(s), maxCode)
	}
	if rounded(s) {
		return "", "was rounded by a spreadsheet (E+); export the file again without opening it in one"
	}
	return s, ""
}

// rounded tells 2.1E+13, into which spreadsheets turn long numbers.
func rounded(s string) bool {
	mantissa, exponent, ok := strings.Cut(s, "E+")
	return ok && mantissa != "" && exponent != "" && strings.Trim(mantissa, "0123456789.,") == "" && digits(exponent)
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// parseMoney reads 2.50, $2.50 or 1,234.50 as minor units.
func parseMoney(s string) (minor int64, reason string) {
	s = strings.TrimSpace(s)
	bad := fmt.Sprintf("is %q, which is no amount like 2.50", short(s))
	whole, fraction, point := strings.Cut(strings.TrimSpace(strings.TrimPrefix(s, "$")), ".")
	if groups := strings.Split(whole, ","); len(groups) > 1 {
		for i, g := range groups {
			if len(g) != 3 && i > 0 || len(g) == 0 || len(g) > 3 {
				return 0, bad
			}
		}
		whole = strings.Join(groups, "")
	}
	switch {
	case s == "":
		return 0, "is empty"
	case whole+fraction == "" || !digits(whole) || !digits(fraction) || point && fraction == "" || len(fraction) > 2:
		return 0, bad
	case len(whole) > 7:
		return 0, fmt.Sprintf("is %q, which is more than 9,999,999.99", short(s))
	}
	minor, err := strconv.ParseInt(whole+(fraction + "00")[:2], 10, 64)
	if err != nil {
		return 0, bad
	}
	return minor, ""
}

// A moment is a date with or without a time.
type moment struct {
	day   string // ISO 8601 date
	at    time.Time
	timed bool // it has a time that means something
}

// due is a date, or RFC 3339 if the hour counts. Midnight and 23:59 without an offset are how databases
// write a date.
func (m moment) due() string {
	if m.timed {
		return m.at.Format(time.RFC3339)
	}
	return m.day
}

// parseMoment reads a date in ISO 8601, if us also mm/dd/yy and mm/dd/yyyy, with or without a time.
func parseMoment(s string, us bool, zone *time.Location) (m moment, reason string) {
	s = strings.TrimSpace(s)
	if s == "" {
		return m, "is empty"
	}
	if len(s) > 40 {
		return m, "is no date: it is too long"
	}
	date, clock := s, ""
	if i := strings.IndexAny(s, "Tt "); i > 0 {
		date, clock = s[:i], strings.TrimSpace(s[i+1:])
		if clock == "" {
			return m, fmt.Sprintf("is %q, which is no date", s)
		}
	}
	y, mo, d, ok := isoDay(date)
	if !ok && us {
		y, mo, d, ok = usDay(date)
	}
	if !ok {
		return m, fmt.Sprintf("is %q, which is no date like 2026-11-24%s", s, map[bool]string{true: " or 11/24/2026"}[us])
	}
	if y < 1900 || y > 2199 || mo < 1 || mo > 12 || d < 1 || d > monthLength(y, mo) {
		return m, fmt.Sprintf("is %q, a day that the calendar does not have", s)
	}
	m.day = string([]byte{byte('0' + y/1000), byte('0' + y/100%10), byte('0' + y/10%10), byte('0' + y%10), '-',
		byte('0' + mo/10), byte('0' + mo%10), '-', byte('0' + d/10), byte('0' + d%10)})
	if clock == "" {
		m.at = time.Date(y, time.Month(mo), d, 0, 0, 0, 0, zone)
		return m, ""
	}
	c, ok := parseClock(clock)
	if !ok {
		return m, fmt.Sprintf("is %q, which has no time like 13:05 or 1:05 PM", s)
	}
	if c.offset != nil {
		zone = c.offset
	}
	m.at = time.Date(y, time.Month(mo), d, c.hour, c.minute, c.second, c.micro*1000, zone)
	m.timed = c.offset != nil || c.hour+c.minute+c.second != 0 && (c.hour != 23 || c.minute != 59)
	return m, ""
}

// isoDay reads 2026-11-24 or 20261124.
func isoDay(s string) (y, m, d int, ok bool) {
	if len(s) == 10 && s[4] == '-' && s[7] == '-' {
		return number(s[:4]), number(s[5:7]), number(s[8:]), number(s[:4]) >= 0 && number(s[5:7]) >= 0 && number(s[8:]) >= 0
	}
	if len(s) == 8 && digits(s) {
		return number(s[:4]), number(s[4:6]), number(s[6:]), true
	}
	return 0, 0, 0, false
}

// usDay reads 11/24/26 or 11/24/2026. Two digits are a year from 2000 on: a card that ends in 99 is meant
// to end late.
func usDay(s string) (y, m, d int, ok bool) {
	first, rest, _ := strings.Cut(s, "/")
	second, year, _ := strings.Cut(rest, "/")
	if len(first) > 2 || len(second) > 2 || len(year) != 2 && len(year) != 4 {
		return 0, 0, 0, false
	}
	y, m, d = number(year), number(first), number(second)
	ok = y >= 0 && m >= 0 && d >= 0
	if len(year) == 2 {
		y += 2000
	}
	return y, m, d, ok
}

// number reads a few digits; -1 if it is none.
func number(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || i > 6 {
			return -1
		}
		n = 10*n + int(s[i]-'0')
	}
	if s == "" {
		return -1
	}
	return n
}

func monthLength(y, m int) int {
	switch {
	case m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0):
		return 29
	case m == 2:
		return 28
	case m == 4 || m == 6 || m == 9 || m == 11:
		return 30
	}
	return 31
}

// A clock is a time of day.
type clock struct {
	hour, minute, second, micro int
	offset                      *time.Location // nil: the zone of the school
}

// parseClock reads 13:05, 13:05:09.123, 1:05 PM, with Z, +01:00 or +0100 behind.
func parseClock(s string) (c clock, ok bool) {
	s, c.offset, ok = parseOffset(s)
	if !ok {
		return c, false
	}
	upper := strings.ToUpper(s)
	bare := strings.TrimSuffix(strings.TrimSuffix(upper, "AM"), "PM")
	half, s := upper[len(bare):], strings.TrimSpace(bare)
	s, fraction, point := strings.Cut(s, ".")
	if point && (fraction == "" || len(fraction) > 9 || !digits(fraction)) {
		return c, false
	}
	c.micro = max(0, number((fraction + "000000")[:6]))
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 || len(parts[0]) > 2 || len(parts[1]) != 2 {
		return c, false
	}
	c.hour, c.minute = number(parts[0]), number(parts[1])
	if len(parts) == 3 {
		if c.second = number(parts[2]); len(parts[2]) != 2 {
			return c, false
		}
	}
	if half != "" {
		if c.hour < 1 || c.hour > 12 {
			return c, false
		}
		if c.hour %= 12; half == "PM" {
			c.hour += 12
		}
	}
	return c, c.hour >= 0 && c.hour < 24 && c.minute >= 0 && c.minute < 60 && c.second >= 0 && c.second < 60
}

// parseOffset cuts the offset from UTC off a time.
func parseOffset(s string) (rest string, offset *time.Location, ok bool) {
	if n := len(s) - 1; n >= 0 && (s[n] == 'Z' || s[n] == 'z') {
		return s[:n], time.UTC, true
	}
	i := strings.LastIndexAny(s, "+-")
	if i < 0 {
		return s, nil, true
	}
	hhmm := strings.Replace(s[i+1:], ":", "", 1)
	hour, minute := number(hhmm[:len(hhmm)/2]), number(hhmm[len(hhmm)/2:])
	if len(hhmm) != 4 || hour < 0 || hour > 15 || minute < 0 || minute > 59 {
		return s, nil, false
	}
	seconds := hour*3600 + minute*60
	if s[i] == '-' {
		seconds = -seconds
	}
	if seconds == 0 {
		return s[:i], time.UTC, true
	}
	return s[:i], time.FixedZone("", seconds), true
}
