package devicestest

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A stroke is a key that goes down and up while others are held.
type stroke struct {
	key          uint16
	shift, altgr bool
}

// events are what a keyboard sends for it, with the usages in between that real
// ones send.
func (s stroke) events() []Event {
	var before, after []Event
	if s.altgr {
		before = append(before, Key(altgrKey, Down), Report)
		after = append(after, Key(altgrKey, Up), Report)
	}
	if s.shift {
		before = append(before, Key(shiftKey, Down), Report)
		after = append([]Event{Key(shiftKey, Up), Report}, after...)
	}
	scan := Event{4, 4, 0x70000 + int32(s.key)}
	all := append(before, scan, Key(s.key, Down), Report, scan, Key(s.key, Up), Report)
	return append(all, after...)
}

// usStroke is how a US keyboard types r.
func usStroke(r rune) (stroke, bool) {
	const (
		plain   = "\x1b1234567890-=\b\tqwertyuiop[]\n\x00asdfghjkl;'`\x00\\zxcvbnm,./"
		shifted = "\x00!@#$%^&*()_+\x00\x00QWERTYUIOP{}\x00\x00ASDFGHJKL:\"~\x00|ZXCVBNM<>?"
	)
	switch r {
	case ' ':
		return stroke{key: 57}, true
	case '\r':
		return stroke{key: 28}, true
	case 0:
		return stroke{}, false
	}
	if i := strings.IndexRune(plain, r); i >= 0 {
		return stroke{key: uint16(i + 1)}, true
	}
	i := strings.IndexRune(shifted, r)
	return stroke{key: uint16(i + 1), shift: true}, i >= 0
}

// strokesFor is how a scanner that is set to a layout types r. Scanners' manuals
// say it as here: which key of a US keyboard is pressed.
func strokesFor(layout string, r rune) ([]stroke, error) {
	for line := range strings.Lines(differences(layout)) {
		first, n := utf8.DecodeRuneInString(line)
		if first == r {
			var all []stroke
			for _, word := range strings.Fields(line[n:]) {
				s, ok := strokeOf(word)
				if !ok {
					return nil, fmt.Errorf("layout %q: no key %q", layout, word)
				}
				all = append(all, s)
			}
			return all, nil
		}
	}
	s, ok := usStroke(r)
	if !ok {
		return nil, fmt.Errorf("layout %q cannot type %q", layout, r)
	}
	return []stroke{s}, nil
}

// strokeOf reads one word of differences: the US character of a key, after "G"
// for AltGr; "SP" is the space bar, "102" the key that US keyboards do not have.
func strokeOf(word string) (stroke, bool) {
	switch word {
	case "SP":
		return stroke{key: 57}, true
	case "102":
		return stroke{key: 86}, true
	case "S102":
		return stroke{key: 86, shift: true}, true
	case "G102":
		return stroke{key: 86, altgr: true}, true
	}
	altgr := len(word) == 2 && word[0] == 'G'
	r, _ := utf8.DecodeLastRuneInString(word)
	s, ok := usStroke(r)
	s.altgr = altgr
	return s, ok
}

// differences says, a line each, what is pressed for a character where that is
// not what a US keyboard presses.
func differences(layout string) string {
	// Most of the continent has these in common.
	const continental = "\" @\n& ^\n/ &\n( *\n) (\n= )\n? _\n; <\n: >\n- /\n_ ?\n< 102\n> S102\n"
	const nordic = continental + "+ -\n` + SP\n^ } SP\n' \\\n* |\n@ G2\n$ G4\n{ G7\n[ G8\n] G9\n} G0\n~ G] SP\nå [\nÅ {\n€ Ge\n"
	switch layout {
	case "uk":
		return "\" @\n@ \"\n# \\\n~ |\n\\ 102\n| S102\n£ #\n€ G4\n"
	case "de":
		return continental + "y z\nz y\nY Z\nZ Y\n` + SP\n^ ` SP\n# \\\n' |\n+ ]\n* }\n| G102\n@ Gq\n{ G7\n[ G8\n] G9\n} G0\n\\ G-\n~ G]\n" +
			"ä '\nö ;\nü [\nÄ \"\nÖ :\nÜ {\nß -\n€ Ge\né = e\n"
	case "fr":
		return "1 !\n2 @\n3 #\n4 $\n5 %\n6 ^\n7 &\n8 *\n9 (\n0 )\n& 1\n\" 3\n' 4\n( 5\n- 6\n_ 8\n) -\n" +
			"a q\nq a\nz w\nw z\nA Q\nQ A\nZ W\nW Z\nm ;\nM :\n, m\n; ,\n: .\n! /\n? M\n. <\n/ >\n" +
			"^ G9\n~ G2 SP\n# G3\n{ G4\n[ G5\n| G6\n` G7 SP\n\\ G8\n@ G0\n] G-\n} G=\n$ ]\n* \\\n% \"\n< 102\n> S102\né 2\nê [ e\nç 9\n€ Ge\n"
	case "es":
		return continental + "' -\n` [ SP\n^ { SP\n+ ]\n* }\n\\ G`\n| G1\n@ G2\n# G3\n~ G4 SP\n[ G[\n] G]\n{ G'\n} G\\\nñ ;\nÑ :\ná ' a\n€ Ge\n"
	case "nordic", "se", "fi":
		return nordic + "| G102\n\\ G-\nö ;\nä '\n"
	case "dk":
		return nordic + "| G=\n\\ G102\næ ;\nø '\n"
	case "no":
		return nordic + "| `\n\\ =\nø ;\næ '\n"
	}
	return ""
}
