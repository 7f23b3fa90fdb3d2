package barcode

import "strings"

// An AIM is a symbology identifier of ISO/IEC 15424 without its flag "]". The
// zero AIM means that the scanner did not tell.
//
//	A Code 39    E EAN/UPC   I ITF      S 2 of 5    e GS1 DataBar
//	C Code 128   F Codabar   L PDF417   X other     z Aztec
//	d DataMatrix G Code 93   M MSI      Z no bars
//	             H Code 11   Q QR
type AIM struct {
	Letter   byte // the symbology
	Modifier byte // a digit: what the scanner did with it
}

// letters are the symbologies of AIM.
const letters = "ACEFGHILMQSXZdez"

// CutAIM takes an AIM identifier off a scan. It leaves alone what only looks like
// one: the flag must be followed by a known letter and a digit.
func CutAIM(s string) (aim AIM, rest string) {
	if len(s) < 3 || s[0] != ']' || strings.IndexByte(letters, s[1]) < 0 || !isDigits(s[2:3]) {
		return AIM{}, s
	}
	return AIM{s[1], s[2]}, s[3:]
}

// symbology returns the letter, or "" for the zero AIM.
func (a AIM) symbology() string {
	if a.Letter == 0 {
		return ""
	}
	return string(rune(a.Letter))
}

// is tells whether a is the given symbology with one of the given modifiers.
func (a AIM) is(letter byte, modifiers string) bool {
	return a.Letter == letter && strings.IndexByte(modifiers, a.Modifier) >= 0
}

// cutShort tells whether text can only be a part of an ITF code. A beam that
// leaves the bars sideways reads a shorter one, and ITF has no stop that would
// show it; but its digits always come in pairs, and no label is so short.
func (a AIM) cutShort(text string) bool {
	return a.is('I', "01") && (len(text) < 6 || len(text)%2 != 0)
}
