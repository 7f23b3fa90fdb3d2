package barcode

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func classifier(t testing.TB, rules ...Rule) *Classifier {
	t.Helper()
	c, err := New(rules)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// line prints a Reading: its meanings, then its problem and whether it warns.
func line(r Reading) string {
	var words []string
	for _, m := range r.Meanings {
		words = append(words, fmt.Sprintf("%s=%s", m.Kind, m.ID))
	}
	if r.Problem != "" {
		words = append(words, "!"+string(r.Problem))
	}
	if r.Warning != "" {
		words = append(words, "?")
	}
	return strings.Join(words, " ")
}

func TestASchoolThatHasSaidNothing(t *testing.T) {
	c := classifier(t, DefaultRules()...)
	for in, want := range map[string]string{
		"21000000000016":      "patron=21000000000016 ?",
		"20978901234560":      "patron=20978901234560",
		"30123000012348":      "item=30123000012348",
		"35555000012349":      "item=35555000012349 ?", // a published label that breaks the rule
		"]F031234000010064":   "item=31234000010064",
		"a31234000010064b":    "item=31234000010064",
		"]F0a31234000010064b": "item=31234000010064",

		"P 1234567":  "patron=P 1234567",
		"P1234567":   "patron=P 1234567 patron=P1234567",
		"T 123":      "item=T 123",
		"T123":       "item=T 123 item=T123",
		"X 9":        "item=X 9",
		"]A0T 123":   "item=T 123",
		" T 123 ":    "item=T 123",
		"T 12345678": "",

		"12345":           "patron=12345 item=12345",
		"ABC123":          "patron=ABC123 item=ABC123",
		"A1234567B":       "patron=A1234567B item=A1234567B",
		"]F0A1234567B":    "patron=1234567 item=1234567",
		"12":              "",
		"123456789012345": "",
		"LIB-00123":       "",
		"41234567890123":  "patron=41234567890123 item=41234567890123",

		"%FINISH%":     "command=FINISH",
		"]C0%FINISH%":  "command=FINISH",
		"%%":           "",
		"%FINISH%\x00": "!unreadable",

		"9780306406157":         "isbn=9780306406157 !isbn",
		"]E09780306406157":      "isbn=9780306406157 !isbn",
		"]X09780306406157":      "isbn=9780306406157 !isbn",
		"]X00306406152":         "isbn=9780306406157 !isbn",
		"]X09780306406158":      "!isbn",
		"978-0-306-40615-7":     "isbn=9780306406157 !isbn",
		"978030640615751299":    "isbn=9780306406157 !isbn",
		"977147396801205":       "!isbn",
		"]E3978030640615751299": "isbn=9780306406157 !isbn",
		"]E251299":              "!isbn",
		"]E105":                 "!isbn",
		"9780306406158":         "patron=9780306406158 item=9780306406158", // no ISBN
		"4006381333931":         "patron=4006381333931 item=4006381333931",
		"0306406152":            "patron=0306406152 item=0306406152 isbn=9780306406157",
		"0-306-40615-2":         "isbn=9780306406157 !isbn",

		"]I0301230":   "patron=301230 item=301230",
		"]I03012":     "!unreadable",
		"]I030123":    "!unreadable",
		"]I130123000": "patron=30123000 item=30123000",

		"":                      "!unreadable",
		"   ":                   "!unreadable",
		"]F0":                   "!unreadable",
		"30123\x1d00":           "!unreadable",
		"30123\xff":             "!unreadable",
		"\u202e30123":           "!unreadable",
		"\x1b]0;x\x07":          "!unreadable",
		strings.Repeat("3", 64): "",
		strings.Repeat("3", 65): "!too_long",
	} {
		if got := line(c.Classify([]byte(in), "student")); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestHostileCodesAreOnlyText(t *testing.T) {
	c := classifier(t, DefaultRules()...)
	for _, in := range []string{`</script><img onerror>`, `'; DROP`, `=HYPERLINK()`, `%s%n`, `../../`} {
		r := c.Classify([]byte(in), "bin")
		if r.Text != in || len(r.Meanings) > 0 || r.Problem != "" {
			t.Errorf("%q: %+v", in, r)
		}
	}
}

func TestRules(t *testing.T) {
	luhn := Rule{Pattern: `\d{6,14}`, Check: CheckLuhn, Kind: Item}
	with := func(r Rule, change func(*Rule)) Rule { change(&r); return r }
	for _, c := range []struct {
		name     string
		rules    []Rule
		in, want string
	}{
		{"both meanings, in order", []Rule{{Pattern: `\d+`, Kind: Item}, {Pattern: `\d{5}`, Kind: Patron}},
			"12345", "item=12345 patron=12345"},
		{"the same meaning once", []Rule{{Pattern: `\d+`, Kind: Item}, {Pattern: `\d{5}`, Kind: Item}},
			"12345", "item=12345"},
		{"the whole code", []Rule{{Pattern: `\d{5}|x`, Kind: Item}}, "123456", ""},
		{"a group", []Rule{{Pattern: `https://x\.org/\?b=(\d+)`, Kind: Patron}}, "]Q1https://x.org/?b=77", "patron=77"},
		{"a group that took no part", []Rule{{Pattern: `a(b)?`, Kind: Patron}}, "a", ""},
		{"a rewrite", []Rule{{Pattern: `(?P<n>\d+)-(\d+)`, Rewrite: "${2}/$n$$", Kind: Item}}, "12-34", "item=34/12$"},
		{"a rewrite that grows too long", []Rule{{Pattern: `(\d+)`, Rewrite: "$1$1$1", Kind: Item}},
			strings.Repeat("1", 22), ""},
		{"another library's", []Rule{{Pattern: `9\d+`, Kind: Foreign}}, "912345", "foreign=912345"},
		{"an isbn by rule", []Rule{{Pattern: `ISBN(\d+)`, Kind: ISBN}}, "ISBN12", "isbn=12 !isbn"},

		{"fallback not needed", []Rule{{Pattern: `\d+`, Kind: Item, Fallback: true}, {Pattern: `\d{5}`, Kind: Patron}},
			"12345", "patron=12345"},
		{"fallback", []Rule{{Pattern: `\d+`, Kind: Item, Fallback: true}, {Pattern: `\d{5}`, Kind: Patron}},
			"1234", "item=1234"},

		{"right symbology", []Rule{{Pattern: `\d+`, Symbologies: "AF", Kind: Item}}, "]F012345", "item=12345"},
		{"wrong symbology", []Rule{{Pattern: `\d+`, Symbologies: "AF", Kind: Item}}, "]C012345", ""},
		{"unknown symbology", []Rule{{Pattern: `\d+`, Symbologies: "AF", Kind: Item}}, "12345", "item=12345"},
		{"right role", []Rule{{Pattern: `\d+`, Roles: []string{"bin", "student"}, Kind: Item}}, "12345", "item=12345"},
		{"wrong role", []Rule{{Pattern: `\d+`, Roles: []string{"bin", "staff"}, Kind: Item}}, "12345", ""},

		{"luhn", []Rule{luhn}, "30123000012348", "item=30123000012348"},
		{"luhn, wrong", []Rule{luhn}, "30123000012345", "item=30123000012345 ?"},
		{"luhn, strict", []Rule{with(luhn, func(r *Rule) { r.Strict = true })}, "30123000012345", "!check_digit"},
		{"luhn, stripped", []Rule{with(luhn, func(r *Rule) { r.Strip = true })}, "30123000012348", "item=3012300001234"},
		{"mod10 is luhn", []Rule{with(luhn, func(r *Rule) { r.Check, r.Strict = CheckMod10, true })}, "30123000012348", "item=30123000012348"},
		{"refused, but another rule takes it", []Rule{with(luhn, func(r *Rule) { r.Strict = true }), {Pattern: `3\d+`, Kind: Patron}},
			"30123000012345", "patron=30123000012345"},
		{"refused, and no fallback", []Rule{with(luhn, func(r *Rule) { r.Strict = true }), {Pattern: `3\d+`, Kind: Patron, Fallback: true}},
			"30123000012345", "!check_digit"},
		{"a fallback can be strict", []Rule{with(luhn, func(r *Rule) { r.Strict, r.Fallback = true, true })},
			"30123000012345", "!check_digit"},
		{"the check is of the group", []Rule{{Pattern: `LA(\d+)`, Check: CheckLuhn, Strict: true, Kind: Item}}, "LA30123000012348", "item=30123000012348"},

		{"mod43", []Rule{{Pattern: `T.*`, Check: CheckMod43, Strict: true, Strip: true, Kind: Item}}, "T1234567", "item=T123456"},
		{"mod43, wrong", []Rule{{Pattern: `T.*`, Check: CheckMod43, Strict: true, Kind: Item}}, "T1234568", "!check_digit"},
		{"mod43, left out by the scanner", []Rule{{Pattern: `T.*`, Check: CheckMod43, Strict: true, Strip: true, Kind: Item}},
			"]A3T123456", "item=T123456"},

		{"mod16, letters off", []Rule{{Pattern: `\d+`, Check: CheckMod16, Strict: true, Strip: true, Kind: Item}}, "A12345673B", "item=1234567"},
		{"mod16, letters on", []Rule{{Pattern: `A\d+B`, Check: CheckMod16, Strict: true, Strip: true, Kind: Item}}, "A12345673B", "item=A1234567B"},
		{"mod16, wrong", []Rule{{Pattern: `\d+`, Check: CheckMod16, Strict: true, Kind: Item}}, "A12345674B", "!check_digit"},
		{"mod16, without letters", []Rule{{Pattern: `\d+`, Check: CheckMod16, Strict: true, Kind: Item}}, "12345673", "!check_digit"},
		{"mod16, checked by the scanner", []Rule{{Pattern: `\d+`, Check: CheckMod16, Strict: true, Strip: true, Kind: Item}}, "]F212345673", "item=1234567"},
		{"mod16, left out by the scanner", []Rule{{Pattern: `\d+`, Check: CheckMod16, Strict: true, Strip: true, Kind: Item}}, "]F41234567", "item=1234567"},
		{"mod16, in another symbology", []Rule{{Pattern: `\d+`, Check: CheckMod16, Strict: true, Kind: Item}}, "]C0A12345673B", ""},

		{"13 digits for items", []Rule{{Pattern: `\d{13}`, Kind: Item}}, "9780306406157", "item=9780306406157"},
		{"13 digits for items, with add-on", []Rule{{Pattern: `\d{13}`, Kind: Item}}, "978030640615751299", "item=9780306406157"},
		{"13 digits for items, but not these", []Rule{{Pattern: `\d{13}`, Check: CheckLuhn, Strict: true, Kind: Item}}, "9780306406157", "isbn=9780306406157 !isbn"},
		{"13 digits for patrons", []Rule{{Pattern: `\d{13}`, Kind: Patron}}, "9780306406157", "isbn=9780306406157 !isbn"},
		{"up to 13 digits", []Rule{{Pattern: `\d{5,13}`, Kind: Item}}, "9780306406157", "isbn=9780306406157 !isbn"},
		{"13 digits or more", []Rule{{Pattern: `\d{13,}`, Kind: Item}}, "9780306406157", "isbn=9780306406157 !isbn"},
		{"10 digits for items", []Rule{{Pattern: `\d{10}`, Kind: Item}}, "0306406152", "item=0306406152"},
		{"10 digits for nobody", []Rule{{Pattern: `\d{9}`, Kind: Item}}, "0306406152", "isbn=9780306406157 !isbn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := line(classifier(t, c.rules...).Classify([]byte(c.in), "student")); got != c.want {
				t.Errorf("%q: got %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestAReadingSaysWhereItComesFrom(t *testing.T) {
	c := classifier(t, Rule{Pattern: `x`, Kind: Item}, Rule{Name: "labels", Pattern: `3\d+`, Check: CheckLuhn, Kind: Item},
		Rule{Pattern: `\d+`, Kind: Patron})
	want := Reading{Text: "30123000012345", Symbology: "F", Warning: `the check digit does not fit rule "labels"`,
		Meanings: []Meaning{{Item, "30123000012345", "labels"}, {Patron, "30123000012345", "3"}}}
	if got := c.Classify([]byte("]F030123000012345"), "student"); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := c.Classify([]byte("]Q1\x00"), "student"); !reflect.DeepEqual(got, Reading{Symbology: "Q", Problem: ProblemUnreadable}) {
		t.Errorf("got %+v", got)
	}
}

func TestAllComplaintsAtOnce(t *testing.T) {
	_, err := New([]Rule{
		{Name: "good", Pattern: `\d+`, Kind: Item},
		{Name: "good", Kind: "book"},
		{Pattern: `(`, Kind: Item, Symbologies: "A?", Roles: []string{"student", "parent"}, Check: "mod11"},
		{Name: "many", Pattern: `(a)(b)`, Kind: Item, Strict: true},
		{Name: "rewrite", Pattern: `(a)`, Rewrite: "$1x ${2} $a\x07", Kind: Item, Strip: true},
		{Name: "open", Pattern: `\Qabc`, Kind: Item},
	})
	want := `rule 2 "good": name: "good" is the name of rule 1 too
rule 2 "good": kind: "book" is not patron, item, isbn, command or foreign
rule 2 "good": pattern: it is empty
rule 3 "": check: "mod11" is not none, luhn, mod10, mod43 or mod16
rule 3 "": roles: "parent" is not student, bin or staff
rule 3 "": symbologies: '?' is not one of the AIM letters ACEFGHILMQSXZdez
rule 3 "": pattern: error parsing regexp: missing closing ): ` + "`(`" + `
rule 4 "many": strict: there is no check digit to be strict about
rule 4 "many": pattern: "(a)(b)" has 2 groups; without a rewrite it may have one
rule 5 "rewrite": strip: there is no check digit to strip
rule 5 "rewrite": rewrite: "$1x ${2} $a\a" has control characters
rule 5 "rewrite": rewrite: "1x" is not a group of the pattern "(a)"
rule 5 "rewrite": rewrite: "2" is not a group of the pattern "(a)"
rule 5 "rewrite": rewrite: "a" is not a group of the pattern "(a)"
rule 6 "open": pattern: "\\Qabc" cannot be made to match a whole code: error parsing regexp: missing closing ): ` + "`" + `\A(?:\Qabc)\z` + "`"
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	if first, ok := errors.AsType[Complaint](err); !ok || first.Rule != 2 || first.Field != "name" {
		t.Errorf("as a Complaint: %+v", first)
	}
}

func TestHexIsShort(t *testing.T) {
	for in, want := range map[string]string{
		"":                      " (0 bytes)",
		"\x00\x1bA":             "001b41 (3 bytes)",
		strings.Repeat("3", 99): strings.Repeat("33", 32) + " (99 bytes)",
	} {
		if got := Hex([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzClassify gives any bytes to the default rules and to one of any making.
func FuzzClassify(f *testing.F) {
	for _, seed := range []string{"]F0a31234000010064b", "P1234567", "978030640615751299", "%FINISH%", "0306406152",
		"]A3T123456", "\x1b]0;x\x07", "\u202e1", "", "]E3", "]I0301", "A12345673B"} {
		f.Add([]byte(seed), `[A-D]?(\d+)[A-D]?`, "$1", uint8(len(seed)))
	}
	f.Fuzz(func(t *testing.T, raw []byte, pattern, rewrite string, n uint8) {
		checks := []Check{NoCheck, CheckLuhn, CheckMod10, CheckMod43, CheckMod16}
		extra := Rule{Pattern: pattern, Rewrite: rewrite, Kind: Patron, Check: checks[int(n)%len(checks)]}
		extra.Strict = extra.Check != NoCheck && n&64 != 0
		extra.Strip = extra.Check != NoCheck && n&128 != 0
		c, err := New(append(DefaultRules(), extra))
		if err != nil {
			c = classifier(t, DefaultRules()...)
		}
		r := c.Classify(raw, "student")
		if !reflect.DeepEqual(r, c.Classify(raw, "student")) {
			t.Fatalf("%q: not the same twice", raw)
		}
		if len(r.Text) > MaxText || !printable(r.Text) || !printable(r.Warning) {
			t.Fatalf("%q: text %q, warning %q", raw, r.Text, r.Warning)
		}
		if hidden := r.Problem == ProblemUnreadable || r.Problem == ProblemTooLong; hidden != (r.Text == "") {
			t.Fatalf("%q: text %q with problem %q", raw, r.Text, r.Problem)
		}
		if r.Text == "" && len(r.Meanings) > 0 {
			t.Fatalf("%q: meanings of nothing", raw)
		}
		for _, m := range r.Meanings {
			if m.ID == "" || len(m.ID) > MaxText || !printable(m.ID) {
				t.Fatalf("%q: meaning %+v", raw, m)
			}
			if isbn, ok := ISBN13(m.ID); ok && m.Kind == Item && isbn == r.Text {
				t.Fatalf("%q: an ISBN became an item by rule %q", raw, m.Rule)
			}
		}
	})
}
