package barcode

import "strings"

// Luhn returns the check digit that follows data: every second digit from the
// right counts double (ISO/IEC 7812-1, annex B). It is the check of 14-digit
// library numbers, whether in Codabar or as Follett's "Code 39 mod 10". ok is
// false unless data is all digits and not empty.
func Luhn(data string) (check byte, ok bool) {
	if !isDigits(data) {
		return 0, false
	}
	sum := 0
	for i := range len(data) {
		n := int(data[len(data)-1-i] - '0')
		if i%2 == 0 {
			n *= 2
			n = n/10 + n%10
		}
		sum += n
	}
	return digit(10 - sum%10), true
}

// EAN returns the check digit that follows data in EAN-13, EAN-8, UPC-A, ITF-14
// and other GS1 numbers: from the right the digits weigh 3, 1, 3 … (GS1 General
// Specifications, 7.9). ok is false unless data is all digits and not empty.
func EAN(data string) (check byte, ok bool) {
	if !isDigits(data) {
		return 0, false
	}
	sum := 0
	for i := range len(data) {
		sum += int(data[len(data)-1-i]-'0') * (3 - 2*(i%2))
	}
	return digit(10 - sum%10), true
}

// mod43 are the characters of Code 39 in the order of their values (ISO/IEC
// 16388).
const mod43 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"

// Mod43 returns the check character that follows data in Code 39: the sum of all
// values modulo 43. ok is false if data is empty or has a character that Code 39
// has not; lower case is one.
func Mod43(data string) (check byte, ok bool) {
	sum := 0
	for i := range len(data) {
		v := strings.IndexByte(mod43, data[i])
		if v < 0 {
			return 0, false
		}
		sum += v
	}
	return mod43[sum%43], data != ""
}

// mod16 are the characters of Codabar in the order of their values, the start
// and stop letters last.
const mod16 = "0123456789-$:/.+ABCD"

// Mod16 returns the check character of a Codabar number, printed just before the
// stop letter. code is the whole number with its start and stop letters, in any
// of their forms, but without the check character. ok is false if it is not such
// a number.
func Mod16(code string) (check byte, ok bool) {
	start, inner, stop, ok := cutCodabar(code)
	if !ok {
		return 0, false
	}
	sum := strings.IndexByte(mod16, start) + strings.IndexByte(mod16, stop)
	for i := range len(inner) {
		sum += strings.IndexByte(mod16, inner[i])
	}
	return mod16[(16-sum%16)%16], true
}

// cutCodabar takes the start and stop letters off a Codabar number and returns
// them as A to D; scanners also send them as a to d, or as T, N, *, E.
func cutCodabar(code string) (start byte, inner string, stop byte, ok bool) {
	if len(code) < 3 {
		return 0, "", 0, false
	}
	start, inner, stop = startStop(code[0]), code[1:len(code)-1], startStop(code[len(code)-1])
	for i := range len(inner) {
		if strings.IndexByte(mod16[:16], inner[i]) < 0 {
			return 0, "", 0, false
		}
	}
	return start, inner, stop, start != 0 && stop != 0
}

// startStop returns the letter that c stands for, or 0.
func startStop(c byte) byte {
	i := strings.IndexByte("ABCDabcdTN*E", c)
	if i < 0 {
		return 0
	}
	return "ABCD"[i%4]
}

// AddOn returns the check of an EAN add-on, which is not printed but coded in the
// parity of its bars: the value modulo 4 for two digits, the weighted sum modulo
// 10 for five (GS1 General Specifications, 5.2.3). ok is false for all else.
func AddOn(digits string) (check int, ok bool) {
	if !isDigits(digits) || len(digits) != 2 && len(digits) != 5 {
		return 0, false
	}
	if len(digits) == 2 {
		return (int(digits[0]-'0')*10 + int(digits[1]-'0')) % 4, true
	}
	sum := 0
	for i := range len(digits) {
		sum += int(digits[i]-'0') * (3 + 6*(i%2))
	}
	return sum % 10, true
}

func digit(n int) byte { return '0' + byte(n%10) }

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// fits tells whether the last character of s is what check makes of the rest.
func fits(s string, check func(string) (byte, bool)) bool {
	if len(s) < 2 {
		return false
	}
	c, ok := check(s[:len(s)-1])
	return ok && c == s[len(s)-1]
}
