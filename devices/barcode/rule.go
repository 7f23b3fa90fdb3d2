package barcode

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Kind is what a code stands for.
type Kind string

// The kinds of codes.
const (
	Patron  Kind = "patron"
	Item    Kind = "item"
	ISBN    Kind = "isbn"    // a publisher's number, which no copy has for itself
	Command Kind = "command" // printed on the kiosk's panel
	Foreign Kind = "foreign" // another library's
)

// A Check names a check digit.
type Check string

// The check digits that a Rule can ask for.
const (
	NoCheck    Check = "none"
	CheckLuhn  Check = "luhn"  // 14-digit library numbers
	CheckMod10 Check = "mod10" // Follett's name for luhn on a Code 39 label
	CheckMod43 Check = "mod43" // Code 39
	CheckMod16 Check = "mod16" // Codabar; the scanner must send start and stop letters
)

// A Rule says what the codes of one form stand for.
type Rule struct {
	Name string // for people, unique; empty: its number

	// Pattern is a regular expression (RE2) for the whole code, without AIM
	// identifier. The id is its group if it has one, else the whole code.
	Pattern string
	// Rewrite makes the id instead: a template in which $1 or ${name} stands for a
	// group, as in regexp.Expand.
	Rewrite string
	// Symbologies are AIM letters, "AF" for Code 39 and Codabar; empty: any. A
	// scanner that does not tell the symbology is believed.
	Symbologies string
	// Roles are the scanners that the rule is for: student, bin, staff; empty: all.
	Roles []string
	// Fallback rules are for codes that no other rule has matched.
	Fallback bool

	Check  Check // of the id; empty: none
	Strict bool  // a wrong check digit makes the code invalid, not just doubtful
	Strip  bool  // take the check digit off the id

	Kind Kind
}

// DefaultRules are for a school library that has said nothing about its labels:
// 14-digit numbers (2 for patrons, 3 for items), Follett's P, T and X numbers,
// and whatever else is short and simple, which may be either. A Follett number
// may be stored without its space, so both forms are offered.
//
// Panel commands are printed in Code 128: in Code 39 a % may shift.
func DefaultRules() []Rule {
	return []Rule{
		{Name: "command", Pattern: `%([A-Z_]{1,30})%`, Kind: Command},
		{Name: "patron-14", Pattern: `2\d{13}`, Check: CheckLuhn, Kind: Patron},
		{Name: "item-14", Pattern: `3\d{13}`, Check: CheckLuhn, Kind: Item},
		{Name: "follett-patron", Pattern: `P ?(\d{1,7})`, Rewrite: "P $1", Kind: Patron},
		{Name: "follett-patron-plain", Pattern: `P\d{1,7}`, Kind: Patron},
		{Name: "follett-item", Pattern: `([TX]) ?(\d{1,7})`, Rewrite: "$1 $2", Kind: Item},
		{Name: "follett-item-plain", Pattern: `[TX]\d{1,7}`, Kind: Item},
		{Name: "any-patron", Pattern: `[0-9A-Za-z]{3,14}`, Fallback: true, Kind: Patron},
		{Name: "any-item", Pattern: `[0-9A-Za-z]{3,14}`, Fallback: true, Kind: Item},
	}
}

// A Complaint is one fault in a list of rules.
type Complaint struct {
	Rule  int    // which one, counted from 1
	Name  string // its name, may be empty
	Field string // as in the config: "pattern"
	Text  string // what is wrong, with the offending value
}

func (c Complaint) Error() string {
	return fmt.Sprintf("rule %d %q: %s: %s", c.Rule, c.Name, c.Field, c.Text)
}

// A Classifier knows what codes stand for. It does not change and may be used
// from everywhere at once.
type Classifier struct {
	rules []rule
}

type rule struct {
	Rule
	re *regexp.Regexp // Pattern for the whole text
}

// New makes a Classifier of rules. Its error joins a Complaint for each fault.
func New(rules []Rule) (*Classifier, error) {
	c := &Classifier{}
	var faults []error
	for i, r := range rules {
		say := func(field, format string, args ...any) {
			faults = append(faults, Complaint{i + 1, r.Name, field, fmt.Sprintf(format, args...)})
		}
		if j := slices.IndexFunc(rules[:i], func(old Rule) bool { return old.Name == r.Name }); j >= 0 && r.Name != "" {
			say("name", "%q is the name of rule %d too", r.Name, j+1)
		}
		checkWords(r, say)
		re := compile(r, say)
		r.Name = cmp.Or(r.Name, strconv.Itoa(i+1))
		c.rules = append(c.rules, rule{r, re})
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return c, nil
}

// checkWords says which of the rule's words are not known.
func checkWords(r Rule, say func(field, format string, args ...any)) {
	if !slices.Contains([]Kind{Patron, Item, ISBN, Command, Foreign}, r.Kind) {
		say("kind", "%q is not patron, item, isbn, command or foreign", r.Kind)
	}
	if !slices.Contains([]Check{"", NoCheck, CheckLuhn, CheckMod10, CheckMod43, CheckMod16}, r.Check) {
		say("check", "%q is not none, luhn, mod10, mod43 or mod16", r.Check)
	}
	if unchecked := r.Check == "" || r.Check == NoCheck; unchecked && r.Strict {
		say("strict", "there is no check digit to be strict about")
	} else if unchecked && r.Strip {
		say("strip", "there is no check digit to strip")
	}
	for _, role := range r.Roles {
		if !slices.Contains([]string{"student", "bin", "staff"}, role) {
			say("roles", "%q is not student, bin or staff", role)
		}
	}
	for _, letter := range r.Symbologies {
		if !strings.ContainsRune(letters, letter) {
			say("symbologies", "%q is not one of the AIM letters %s", letter, letters)
		}
	}
}

// compile returns the rule's pattern, or nil if it complained.
func compile(r Rule, say func(field, format string, args ...any)) *regexp.Regexp {
	if r.Pattern == "" {
		say("pattern", "it is empty")
		return nil
	}
	re, err := regexp.Compile(r.Pattern)
	if err != nil {
		say("pattern", "%v", err)
		return nil
	}
	if r.Rewrite == "" && re.NumSubexp() > 1 {
		say("pattern", "%q has %d groups; without a rewrite it may have one", r.Pattern, re.NumSubexp())
	}
	if !printable(r.Rewrite) {
		say("rewrite", "%q has control characters", r.Rewrite)
	}
	for _, group := range groups(r.Rewrite) {
		n, err := strconv.Atoi(group)
		if err != nil {
			n = re.SubexpIndex(group)
		}
		if n < 0 || n > re.NumSubexp() {
			say("rewrite", "%q is not a group of the pattern %q", group, r.Pattern)
		}
	}
	whole, err := regexp.Compile(`\A(?:` + r.Pattern + `)\z`)
	if err != nil {
		say("pattern", "%q cannot be made to match a whole code: %v", r.Pattern, err)
	}
	return whole
}

// groups returns the names and numbers that a template uses.
func groups(template string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`\$\$|\$(?:(\w+)|\{(\w+)\})`).FindAllStringSubmatch(template, -1) {
		if name := m[1] + m[2]; name != "" {
			names = append(names, name)
		}
	}
	return names
}
