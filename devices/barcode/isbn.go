package barcode

import "strings"

// ISBN13 returns the thirteen digits of a valid ISBN in either length (ISO 2108).
// Hyphens and spaces are ignored and a lower-case x is taken.
func ISBN13(s string) (isbn string, ok bool) {
	s = isbnDigits(s)
	switch {
	case len(s) == 13 && (s[:3] == "978" || s[:3] == "979") && fits(s, EAN):
		return s, true
	case len(s) == 10 && fits(s, isbn10Check):
		check, _ := EAN("978" + s[:9])
		return "978" + s[:9] + string(rune(check)), true
	}
	return "", false
}

// ISBN10 returns the old form of a valid ISBN in either length. A number that
// begins with 979 has none.
func ISBN10(s string) (isbn string, ok bool) {
	s, ok = ISBN13(s)
	if !ok || !strings.HasPrefix(s, "978") {
		return "", false
	}
	check, _ := isbn10Check(s[3:12])
	return s[3:12] + string(rune(check)), true
}

// isbn10Check weighs nine digits 10 to 2, modulo 11; X stands for ten.
func isbn10Check(data string) (check byte, ok bool) {
	if !isDigits(data) {
		return 0, false
	}
	sum := 0
	for i := range len(data) {
		sum += int(data[i]-'0') * (10 - i)
	}
	return "0123456789X"[(11-sum%11)%11], true
}

func isbnDigits(s string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(s))
}

// CutAddOn cuts the two or five digits of an add-on off a book's or a journal's
// EAN-13, which some scanners send as one number of 15 or 18 digits. ok is false
// for any other number.
func CutAddOn(s string) (ean, addOn string, ok bool) {
	if len(s) != 15 && len(s) != 18 || !isDigits(s) || !fits(s[:13], EAN) {
		return "", "", false
	}
	switch s[:3] {
	case "977", "978", "979":
		return s[:13], s[13:], true
	}
	return "", "", false
}
