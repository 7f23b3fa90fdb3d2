// Package barcode says what a scanned code stands for. It knows symbologies,
// check digits and the forms of library numbers; whether a number exists it does
// not know. It is pure: the same code and rules give the same Reading.
package barcode

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText is the longest code that is looked at, in bytes, without its AIM
// identifier.
const MaxText = 64

// A Problem is why a code cannot be used. Empty: none is known here.
type Problem string

// The problems that show in the code itself.
const (
	ProblemISBN       Problem = "isbn"        // the publisher's code: scan the library label
	ProblemCheckDigit Problem = "check_digit" // misread, or a mistake on the label
	ProblemUnreadable Problem = "unreadable"  // not text, or only a part
	ProblemTooLong    Problem = "too_long"    // longer than MaxText
)

// A Reading is what is known of a code before anything is looked up.
type Reading struct {
	Text      string    // the code as printed, at most MaxText bytes; empty if unreadable or too long
	Symbology string    // its AIM letter, empty if the scanner did not tell
	Meanings  []Meaning // what it may stand for, in the order of the rules; may be empty
	Problem   Problem   // why none of that can be used
	Warning   string    // for staff: a doubtful check digit; holds no part of the code
}

// A Meaning is one thing that a code may stand for.
type Meaning struct {
	Kind Kind
	ID   string // at most MaxText bytes; of an ISBN, its 13 digits
	Rule string // the rule's name; empty for an ISBN found without one
}

// Classify reads what a scanner sent, which may be anything. role is what the
// scanner is for: student, bin or staff.
//
// Every rule that matches adds a meaning; one whose check digit is wrong adds it
// with a Warning, or not at all if it is strict. An ISBN is never an item, unless
// a rule for items is made for 13 digits and nothing else.
func (c *Classifier) Classify(raw []byte, role string) Reading {
	aim, text := CutAIM(string(raw))
	s := scan{aim: aim, text: strings.Trim(text, " "), role: role}
	s.Symbology = aim.symbology()
	switch {
	case len(s.text) > MaxText:
		s.Problem = ProblemTooLong
		return s.Reading
	case s.text == "" || !printable(s.text) || aim.cutShort(s.text):
		s.Problem = ProblemUnreadable
		return s.Reading
	}
	s.Text = s.text
	if isbn, sure := publisher(aim, s.text); sure {
		c.book(&s, isbn)
	} else {
		c.number(&s, isbn)
	}
	return s.Reading
}

// A scan is a code on its way to its Reading.
type scan struct {
	Reading
	aim     AIM
	text    string
	role    string
	refused bool // a strict rule would have matched
}

// number reads what may be a library number. isbn is the ISBN that it may be as
// well, or empty.
func (c *Classifier) number(s *scan, isbn string) {
	c.apply(s, func(r rule) bool { return !r.Fallback })
	if len(s.Meanings) == 0 && !s.refused {
		c.apply(s, func(r rule) bool { return r.Fallback })
		s.mean(Meaning{Kind: ISBN, ID: isbn})
	}
	usable := func(m Meaning) bool { return m.Kind != ISBN }
	switch {
	case slices.ContainsFunc(s.Meanings, usable):
	case len(s.Meanings) > 0:
		s.Problem = ProblemISBN
	case s.refused:
		s.Problem = ProblemCheckDigit
	}
}

// book reads what a publisher has printed; isbn is empty if it is no ISBN.
func (c *Classifier) book(s *scan, isbn string) {
	if ean, _, cut := CutAddOn(s.text); cut {
		s.text = ean
	}
	if len(s.text) == 13 {
		c.apply(s, func(r rule) bool {
			return r.Kind == Item && !r.re.MatchString(s.text[:12]) && !r.re.MatchString(s.text+"0")
		})
	}
	if len(s.Meanings) == 0 {
		s.mean(Meaning{Kind: ISBN, ID: isbn})
		s.Problem = ProblemISBN
	}
}

// publisher tells whether text is surely a publisher's code, and the ISBN that it
// is or, if not surely, may be.
func publisher(aim AIM, text string) (isbn string, sure bool) {
	ean, _, cut := CutAddOn(text)
	if !cut {
		ean = text
	}
	isbn, ok := ISBN13(ean)
	digits := isbnDigits(ean)
	switch {
	case cut, aim.is('E', "123"):
		return isbn, true // with an add-on, or the add-on alone
	case aim.is('X', "0") && isDigits(strings.TrimSuffix(digits, "X")) && (len(digits) == 10 || len(digits) == 13):
		return isbn, true // "Bookland" of Zebra's scanners
	}
	return isbn, ok && len(digits) == 13
}

// apply adds the meanings of those rules that are wanted and match.
func (c *Classifier) apply(s *scan, wanted func(rule) bool) {
	for _, r := range c.rules {
		if !wanted(r) || !r.isFor(s) {
			continue
		}
		if id, ok := r.id(s); ok {
			s.judge(r, id)
		}
	}
}

// isFor tells whether the rule is for such a scan, whatever its text.
func (r rule) isFor(s *scan) bool {
	return (len(r.Roles) == 0 || slices.Contains(r.Roles, s.role)) &&
		(r.Symbologies == "" || strings.Contains(r.Symbologies, s.Symbology))
}

// id returns what the rule makes of the scan's text, with its check digit.
func (r rule) id(s *scan) (string, bool) {
	for _, text := range s.texts() {
		m := r.re.FindStringSubmatchIndex(text)
		switch {
		case m == nil:
			continue
		case r.Rewrite != "":
			text = string(r.re.ExpandString(nil, r.Rewrite, text, m))
		case r.re.NumSubexp() == 1 && m[2] < 0:
			continue
		case r.re.NumSubexp() == 1:
			text = text[m[2]:m[3]]
		}
		if text != "" && len(text) <= MaxText {
			return text, true
		}
	}
	return "", false
}

// texts returns the forms of the text that a rule may mean, the likelier first:
// with and without the start and stop letters of Codabar. "A1234B" may also be a
// number in another symbology.
func (s *scan) texts() []string {
	_, inner, _, ok := cutCodabar(s.text)
	switch {
	case !ok:
		return []string{s.text}
	case s.aim.Letter == 'F':
		return []string{inner, s.text}
	case s.aim.Letter == 0:
		return []string{s.text, inner}
	}
	return []string{s.text}
}

// judge adds the meaning of id, or refuses it for its check digit.
func (s *scan) judge(r rule, id string) {
	if !s.stripped(r.Check) {
		ok := s.checks(r.Check, id)
		if !ok && r.Strict {
			s.refused = true
			return
		}
		if !ok && s.Warning == "" {
			s.Warning = fmt.Sprintf("the check digit does not fit rule %q", r.Name)
		}
		if r.Strip {
			id = strip(r.Check, id)
		}
	}
	s.mean(Meaning{r.Kind, id, r.Name})
}

// mean adds a meaning that is not there yet.
func (s *scan) mean(m Meaning) {
	same := func(old Meaning) bool { return old.Kind == m.Kind && old.ID == m.ID }
	if m.ID != "" && !slices.ContainsFunc(s.Meanings, same) {
		s.Meanings = append(s.Meanings, m)
	}
}

// stripped tells whether the scanner has checked the check character and left it
// out.
func (s *scan) stripped(c Check) bool {
	return c == CheckMod43 && s.aim.is('A', "37") || c == CheckMod16 && s.aim.is('F', "4")
}

// checks tells whether id ends with its check digit.
func (s *scan) checks(c Check, id string) bool {
	switch c {
	case CheckLuhn, CheckMod10:
		return fits(id, Luhn)
	case CheckMod43:
		return fits(id, Mod43)
	case CheckMod16:
		return s.aim.is('F', "2") || s.checks16(id)
	}
	return true
}

// checks16 checks a Codabar number, whose start and stop letters count. They are
// those of id or, where the rule has left them out, of the scan's text.
func (s *scan) checks16(id string) bool {
	if _, _, _, ok := cutCodabar(id); !ok && len(s.text) > 2 {
		id = s.text[:1] + id + s.text[len(s.text)-1:]
	}
	if len(id) < 4 {
		return false
	}
	at := len(id) - 2
	check, ok := Mod16(id[:at] + id[at+1:])
	return ok && check == id[at]
}

// strip takes the check digit off id: the last character, or in Codabar the one
// before the stop letter.
func strip(c Check, id string) string {
	if _, _, _, ok := cutCodabar(id); ok && c == CheckMod16 {
		return id[:len(id)-2] + id[len(id)-1:]
	}
	return id[:len(id)-1]
}

// printable tells whether s is text that may be shown: no control characters, no
// invisible marks that change its direction, no space but the ordinary one.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Hex shows a code to staff that is not fit to be shown as text: its first 32
// bytes in hexadecimal and its length.
func Hex(raw []byte) string {
	return fmt.Sprintf("%x (%d bytes)", raw[:min(len(raw), 32)], len(raw))
}
