package web

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The widths that texts from outside may have, in ems of the type that they are set in. The page
// has room for that much and the geometry test proves it.
const (
	cardEms = 20 // two lines of a card
	binEms  = 16 // one line of the bin's card
	rowEms  = 11 // one line of a list, or below a refusal
	nameEms = 8
	callEms = 9
)

// maxMarks is how many combining marks a letter may carry; piled-up marks would cover other lines.
const maxMarks = 3

// maxText is how many bytes a text from outside may have; a bound for those that weigh much and
// measure little.
const maxText = 200

// clean makes a text from outside harmless: no control or bidirectional characters, one space
// between words, and no wider than most ems.
func clean(s string, most float64) string {
	return shorten(lighten(sweep(s)), most)
}

// lighten cuts a text to maxText bytes, between letters.
func lighten(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimRight(s[:end], " ")
}

func sweep(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	marks := 0
	for _, r := range strings.ToValidUTF8(s, "") {
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case r == '\u200c' || r == '\u200d': // joiners: Persian and Indic spelling needs them
		case !unicode.IsGraphic(r):
			continue
		}
		if unicode.Is(unicode.M, r) || r == '\u200c' || r == '\u200d' {
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		b.WriteRune(r)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// isPlain tells of most texts that there is nothing to sweep.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			return false
		}
	}
	return true
}

// shorten cuts a text that is wider than most ems, between words where one ends near the cut.
func shorten(s string, most float64) string {
	const ellipsis = "…"
	width, cut := 0.0, -1
	for i, r := range s {
		width += ems(r)
		if cut < 0 && width > most-1 { // an ellipsis is one em wide
			cut = i
		}
		if width > most {
			return strings.TrimRight(backToWord(s[:cut]), " ,;:.–-/(") + ellipsis
		}
	}
	return s
}

// backToWord drops a torn word from the end, unless that costs more than a third of the text.
func backToWord(s string) string {
	if i := strings.LastIndexByte(s, ' '); i > len(s)*2/3 {
		return s[:i]
	}
	return s
}

// ems is the width of a character in ems of Noto Sans Bold, rounded up by class.
func ems(r rune) float64 {
	switch {
	case unicode.Is(unicode.Mn, r) || r == '\u200c' || r == '\u200d':
		return 0
	case strings.ContainsRune("iIljtfr.,:;'|!() ", r):
		return 0.45
	case strings.ContainsRune("mwMW@%—", r):
		return 1.02
	case r < utf8.RuneSelf && !unicode.IsUpper(r):
		return 0.65
	case r < 0x250:
		return 0.8
	}
	return 1.1 // scripts that nobody has measured
}

// lastFour is the tail of a barcode as it may be shown, whatever the core sends.
func lastFour(s string) string {
	r := []rune(sweep(s))
	return string(r[max(0, len(r)-4):])
}
