package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"circdesk/kiosk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func catalogues() []string { return []string{"en", "es"} }

// least is a kiosk.toml without anything that has a default, and enough a policy to go with it.
func least() (desk, policy string) {
	return "[kiosk]\nid = \"LIB-1\"\ntimezone = \"America/Los_Angeles\"\n", "version = \"1\"\n"
}

// read returns the text of a file.
func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// said is a list of complaints, one a line.
func said(all []Complaint) string {
	var s strings.Builder
	for _, c := range all {
		s.WriteString(c.String() + "\n")
	}
	return s.String()
}

func TestEveryMistakeIsNamedAtOnceWithItsLine(t *testing.T) {
	c, complaints := Parse(
		Source{"kiosk.toml", read(t, "testdata/wrong.toml")},
		Source{"policy.toml", read(t, "testdata/wrong-policy.toml")}, catalogues())
	got := said(complaints) + "\nnotes:\n" + said(c.Notes)
	golden := filepath.Join("testdata", "wrong.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got != string(read(t, golden)) {
		t.Errorf("got:\n%s", got)
	}
}

func TestTheInstalledExampleIsRight(t *testing.T) {
	c, complaints := Parse(
		Source{"kiosk.toml", read(t, "../../../systemd/kiosk.toml")},
		Source{"policy.toml", read(t, "../../../systemd/policy.toml")}, catalogues())
	if len(complaints)+len(c.Notes) > 0 {
		t.Fatalf("complaints:\n%s\nnotes:\n%s", said(complaints), said(c.Notes))
	}
	want := []Scanner{{Name: "desk", Kind: "serial", Path: "/dev/circdesk/scanner", Role: kiosk.RoleStudent,
		Dialect: "plain", Baud: 9600, Bits: 8, Parity: "none", Stop: 1}}
	if !reflect.DeepEqual(c.Scanners, want) {
		t.Errorf("scanners: %+v, want %+v", c.Scanners, want)
	}
}

// The commented lines of the example are the manual: with every key uncommented it is right as well.
func TestTheExampleWithEveryKeyIsRight(t *testing.T) {
	uncomment := func(path string) []byte {
		var s strings.Builder
		for l := range strings.Lines(string(read(t, path))) {
			s.WriteString(strings.TrimPrefix(l, "#: "))
		}
		return []byte(s.String())
	}
	c, complaints := Parse(
		Source{"kiosk.toml", uncomment("../../../systemd/kiosk.toml")},
		Source{"policy.toml", uncomment("../../../systemd/policy.toml")}, catalogues())
	if len(complaints) > 0 {
		t.Fatalf("complaints:\n%s", said(complaints))
	}
	if len(c.Barcodes) == 0 || len(c.Readers) == 0 || c.Printer == nil || c.Lamp == nil || len(c.Contacts) == 0 || c.ILS.SIP2.Address == "" || len(c.Import) == 0 {
		t.Errorf("a section is missing: %+v", c)
	}
}

func TestWhatIsNotSaidHasItsDefault(t *testing.T) {
	desk, policy := least()
	c, complaints := Parse(Source{"kiosk.toml", []byte(desk)}, Source{"policy.toml", []byte(policy)}, catalogues())
	if len(complaints) > 0 {
		t.Fatalf("complaints:\n%s", said(complaints))
	}
	want := &Config{
		Kiosk: Kiosk{ID: "LIB-1", Name: "LIB-1", Zone: c.Kiosk.Zone, Languages: []string{"en"},
			State: "/var/lib/circdesk", Runtime: "/run/circdesk", Policy: "/etc/circdesk/policy.toml"},
		Session: Session{Idle: 40 * time.Second, Warn: 20 * time.Second},
		Web:     Web{Listen: "127.0.0.1:8080"},
		Cards:   Cards{Notations: []string{"hex", "decimal_reversed"}},
		Tag:     Tag{Security: "afi", AFIIn: 0x07, AFIOut: 0xC2},
		ILS:     ILS{Kind: "none", Out: "/var/lib/circdesk/out"},
		Import:  map[string]map[string]string{},
		Policy: kiosk.Policy{Version: "1", Patrons: map[string]kiosk.PatronType{},
			Rules: map[kiosk.RuleFor]kiosk.Rule{}},
		Notes: []Complaint{{"kiosk.toml", 0, "scanner", "there is none, so nothing can be scanned"}},
		file:  c.file,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if got := c.Kiosk.Zone.String(); got != "America/Los_Angeles" {
		t.Errorf("zone %q", got)
	}
}

func TestThePolicyIsWhatTheCoreNeeds(t *testing.T) {
	desk, _ := least()
	desk += "[session]\nidle = \"1m\"\nwarn = \"30s\"\n"
	policy := `
version = "2026-27.1"
[calendar]
open      = ["mon", "fri"]
hours     = "07:30-16:00"
closed    = ["2026-11-26", "2026-12-21..2027-01-08", 2027-05-31]
term_ends = ["2027-06-10"]
[[patron_type]]
id            = "student"
limit         = 5
limits        = { textbook = 20 }
block_overdue = 3
block_charges = 1000
[[patron_type]]
id    = "librarian"
staff = true
pin   = true
[[rule]]
patron   = "student"
item     = "regular"
days     = 14
renewals = 1
grace    = 2
[[rule]]
patron = "student"
item   = "textbook"
until  = 2027-06-10
[[rule]]
patron = "student"
item   = "reference"
hours  = 2
`
	c, complaints := Parse(Source{"kiosk.toml", []byte(desk)}, Source{"policy.toml", []byte(policy)}, catalogues())
	if len(complaints) > 0 {
		t.Fatalf("complaints:\n%s", said(complaints))
	}
	day := func(s string) kiosk.Date {
		d, err := kiosk.ParseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := &kiosk.Setup{
		Zone: c.Kiosk.Zone, Languages: []string{"en"}, Idle: time.Minute, Warn: 30 * time.Second, NoGate: true,
		Policy: kiosk.Policy{
			Version: "2026-27.1",
			Calendar: kiosk.Calendar{
				Open: map[time.Weekday]bool{time.Monday: true, time.Friday: true},
				From: 7*time.Hour + 30*time.Minute, To: 16 * time.Hour,
				Closed: []kiosk.Span{{First: day("2026-11-26"), Last: day("2026-11-26")},
					{First: day("2026-12-21"), Last: day("2027-01-08")}, {First: day("2027-05-31"), Last: day("2027-05-31")}},
				TermEnds: []kiosk.Date{day("2027-06-10")},
			},
			Patrons: map[string]kiosk.PatronType{"student": {Limit: 5, Limits: map[string]int{"textbook": 20},
				BlockOverdue: 3, BlockCharges: 1000}, "librarian": {Staff: true, PIN: true}},
			Rules: map[kiosk.RuleFor]kiosk.Rule{
				{Patron: "student", Item: "regular"}:   {Days: 14, Renewals: 1, Grace: 2},
				{Patron: "student", Item: "textbook"}:  {Until: day("2027-06-10")},
				{Patron: "student", Item: "reference"}: {Hours: 2},
			},
		},
	}
	if got := c.Setup(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestOneMistakeIsOneComplaint(t *testing.T) {
	for _, test := range []struct{ name, desk, policy, want string }{
		{"syntax", "[kiosk]\nid = LIB-1\n", "",
			"kiosk.toml:2: column 6: unexpected character U+004C 'L' at start of value"},
		{"key twice", "site = \"1\"\nsite = \"2\"", "", `kiosk.toml:5: column 1: key site is already defined`},
		{"array for table", "[[web]]\n", "", "kiosk.toml:4: web: a list is not one table; write [web]"},
		{"table for array", "[scanner]\nname = \"x\"", "",
			"kiosk.toml:4: scanner: a table is not a list of tables; write [[scanner]]"},
		{"list of something else", "languages = [\"en\"]\n\n[import]\npatrons = 1", "",
			"kiosk.toml:7: import.patrons: 1 is not one table; write [import.patrons]"},
		{"unknown language", "languages = [\"en\",\n\"fr\"]", "", `kiosk.toml:5: kiosk.languages[1]: "fr" is not "en" or "es"`},
		{"no language", "languages = []", "", "kiosk.toml:4: kiosk.languages: is empty; leave it out instead"},
		{"unprintable", `site = "\u001b[2J"`, "", `kiosk.toml:4: kiosk.site: "\x1b[2J" has characters that cannot be printed`},
		{"spaces", `site = "0123 "`, "", `kiosk.toml:4: kiosk.site: "0123 " has spaces at its ends`},
		{"number for text", `site = 123`, "", `kiosk.toml:4: kiosk.site: 123 is not text in quotes`},
		{"hostname", "[web]\nlisten = \"desk.local:8080\"", "",
			`kiosk.toml:5: web.listen: "desk.local:8080" is not this machine alone; the page is for the desk's own screen: 127.0.0.1 or localhost`},
		{"all addresses", "[web]\nlisten = \":8080\"", "",
			`kiosk.toml:5: web.listen: ":8080" is not this machine alone; the page is for the desk's own screen: 127.0.0.1 or localhost`},
		{"neither path nor match", "[[scanner]]\nname = \"a\"", "", "kiosk.toml:4: scanner[0]: needs a path, a match or a port"},
		{"path and match", "[[scanner]]\nname = \"a\"\npath = \"/dev/x\"\nmatch = \"0c2e:0b61\"", "",
			`kiosk.toml:4: scanner[0]: has "path" and "match"; only one of them can be meant`},
		{"path and port", "[[scanner]]\nname = \"a\"\npath = \"/dev/x\"\nport = \"1-1\"", "",
			`kiosk.toml:4: scanner[0]: has "path" and "port"; only one of them can be meant`},
		{"no port", "[[scanner]]\nname = \"a\"\nport = \"ttyUSB0\"", "",
			`kiosk.toml:6: scanner[0].port: "ttyUSB0" is not a USB port as the kernel calls it, like "1-1.2"`},
		{"no kind", "[[scanner]]\nname = \"a\"\npath = \"/dev/x\"\nkind = \"usb\"\nlayout = \"us\"", "",
			`kiosk.toml:7: scanner[0].kind: "usb" is not "serial", "keyboard" or "hidpos"`},
		{"a layout of a serial scanner", "[[scanner]]\nname = \"a\"\npath = \"/dev/x\"\nlayout = \"us\"", "",
			`kiosk.toml:7: scanner[0].layout: does not belong here; only a scanner of kind "keyboard" has one`},
		{"a dialect of a keyboard", "[[scanner]]\nname = \"a\"\nkind = \"keyboard\"\nport = \"1-1\"\ndialect = \"ssi\"", "",
			`kiosk.toml:8: scanner[0].dialect: does not belong here; a scanner of kind "keyboard" has no serial line`},
		{"a line of a HID-POS scanner", "[[scanner]]\nname = \"a\"\nkind = \"hidpos\"\nmatch = \"0c2e:0b61\"\nstop = 1", "",
			`kiosk.toml:8: scanner[0].stop: does not belong here; a scanner of kind "hidpos" has no serial line`},
		{"two alike", "[[scanner]]\nname = \"a\"\nmatch = \"0c2e:0b61\"\n[[scanner]]\nname = \"b\"\nmatch = \"0c2e:0b61\"\nport = \"1-1\"", "",
			"kiosk.toml:7: scanner[1]: is found by the same as scanner[0] in line 4; tell them apart by their ports"},
		{"two in one port", "[[scanner]]\nname = \"a\"\nport = \"1-1\"\n[[scanner]]\nname = \"b\"\nport = \"1-1\"", "",
			"kiosk.toml:7: scanner[1]: is found by the same as scanner[0] in line 4; tell them apart by their ports"},
		{"one port for two", "[[scanner]]\nname = \"a\"\npath = \"/dev/x\"\n[[scanner]]\nname = \"b\"\npath = \"/dev/x\"", "",
			`kiosk.toml:9: scanner[1].path: "/dev/x" is also scanner[0].path in line 6`},
		{"scanner and reader of one name", "[[scanner]]\nname = \"a\"\npath = \"/dev/x\"\n[[reader]]\nname = \"a\"\n" +
			"chip = \"mfrc522\"\nspi = \"/dev/spidev0.0\"\nreset = \"GPIO25\"", "",
			`kiosk.toml:8: reader[0].name: "a" is also scanner[0].name in line 5`},
		{"busy pin of a chip without", "[[reader]]\nname = \"a\"\nchip = \"mfrc522\"\nspi = \"/dev/spidev0.0\"\n" +
			"reset = \"GPIO25\"\nbusy = \"GPIO24\"", "",
			"kiosk.toml:9: reader[0].busy: does not belong here; an mfrc522 has no such pin"},
		{"tags on a chip without", "[[reader]]\nname = \"a\"\nchip = \"mfrc522\"\nspi = \"/dev/spidev0.0\"\n" +
			"reset = \"GPIO25\"\nuse = \"tags\"", "", `kiosk.toml:9: reader[0].use: is not for a chip "mfrc522"`},
		{"a gain between", "[[reader]]\nname = \"a\"\nchip = \"mfrc522\"\nspi = \"/dev/spidev0.0\"\n" +
			"reset = \"GPIO25\"\ngain = 40", "", `kiosk.toml:9: reader[0].gain: 40 is not one of the chip's steps [18 23 33 38 43 48] (dB)`},
		{"a bus that is too fast", "[[reader]]\nname = \"a\"\nchip = \"pn5180\"\nspi = \"/dev/spidev0.0\"\n" +
			"reset = \"GPIO25\"\nbusy = \"GPIO24\"\nspeed = 10_000_000", "", `kiosk.toml:10: reader[0].speed: 10000000 is more than 7000000, which is all that a pn5180 can follow`},
		{"a gate that cannot tell", "[tag]\nafi_in = \"C2\"", "", "kiosk.toml:4: tag.afi_out: is the same as afi_in; no gate could tell them apart"},
		{"no notation", "[cards]\nnotations = [\"hex\", \"roman\"]", "",
			`kiosk.toml:5: cards.notations[1]: "roman" is not "hex", "hex_reversed", "decimal", "decimal_reversed", "wiegand", "wiegand_reversed" or "cascade"`},
		{"half a byte", "[tag]\nafi_in = \"7\"", "", `kiosk.toml:5: tag.afi_in: "7" is not a byte in hexadecimal, like "C2"`},
		{"a lamp without lines", "[lamp]", "", `kiosk.toml:4: lamp: needs at least one of "green", "amber", "red" and "buzzer"`},
		{"a contact for nothing", "[[contact]]\nname = \"a\"\nline = \"GPIO5\"\nmeans = \"rain\"", "",
			`kiosk.toml:7: contact[0].means: "rain" is not "bin_full" or "door_open"`},
		{"two groups", "[[barcode]]\nkind = \"item\"\npattern = '(\\d)(\\d)'", "",
			"kiosk.toml:6: barcode[0].pattern: `(\\d)(\\d)` has 2 groups; without a rewrite it may have one"},
		{"pattern that ends itself", "[[barcode]]\nkind = \"item\"\npattern = '\\Qabc'", "",
			"kiosk.toml:6: barcode[0].pattern: is not a pattern: missing closing ): `\\A(?:\\Qabc)\\z`"},
		{"quoted key", "\"a b\" = 1", "", `kiosk.toml:4: kiosk."a b": is not known`},
		{"section of the next version", "[staff]\npin = 1", "", "kiosk.toml:4: staff: is not known"},
		{"no such day", "", "[calendar]\nclosed = [2026-02-29]", "policy.toml:3: column 19: impossible date"},
		{"opens at 25", "", "[calendar]\nhours = \"25:00-26:00\"",
			`policy.toml:3: calendar.hours: "25:00-26:00" is not the hours of a day, like "07:30-16:00"`},
		{"half a day", "", "[calendar]\nhours = \"07:30\"",
			`policy.toml:3: calendar.hours: "07:30" is not the hours of a day, like "07:30-16:00"`},
		{"rule for nobody", "", "[[rule]]\npatron = \"teacher\"\nitem = \"regular\"\ndays = 3",
			`policy.toml:3: rule[0].patron: there is no patron type "teacher"`},
		{"all three periods", "", "[[patron_type]]\nid = \"a\"\n[[rule]]\npatron = \"a\"\nitem = \"b\"\ndays = 3\nhours = 1\nuntil = 2027-06-10",
			`policy.toml:4: rule[0]: has "days" and "hours" and "until"; only one of them can be meant`},
	} {
		t.Run(test.name, func(t *testing.T) {
			desk, policy := least()
			if strings.HasPrefix(test.desk, "[kiosk]") {
				desk = ""
			}
			_, got := Parse(Source{"kiosk.toml", []byte(desk + test.desk)},
				Source{"policy.toml", []byte(policy + test.policy)}, catalogues())
			if strings.TrimSpace(said(got)) != test.want {
				t.Errorf("got:\n%swant:\n%s", said(got), test.want)
			}
		})
	}
}

func TestWhatLooksOddIsRight(t *testing.T) {
	for _, test := range []struct{ name, desk, policy string }{
		{"byte order mark and CRLF", "\ufeff[kiosk]\r\nid = \"A\"\r\ntimezone = \"UTC\"\r\n", ""},
		{"dotted keys", "kiosk.id = \"A\"\nkiosk.timezone = \"UTC\"\nils.kind = \"destiny\"", ""},
		{"any free port", "[web]\nlisten = \"localhost:0\"", ""},
		{"a fast bus", "[[reader]]\nname = \"a\"\nchip = \"mfrc522\"\nspi = \"/dev/spidev0.0\"\nreset = \"GPIO25\"\nspeed = 10_000_000", ""},
		{"match", "[[scanner]]\nname = \"a\"\nmatch = \"0c2e:0b61:A:1\"", ""},
		{"two alike in two ports", "[[scanner]]\nname = \"a\"\nmatch = \"0c2e:0b61\"\nport = \"1-1\"\n" +
			"[[scanner]]\nname = \"b\"\nmatch = \"0c2e:0b61\"\nport = \"1-1.2\"", ""},
		{"two alike with serial numbers", "[[scanner]]\nname = \"a\"\nmatch = \"0c2e:0b61:1\"\n[[scanner]]\nname = \"b\"\nmatch = \"0c2e:0b61:2\"", ""},
		{"two kinds for one port", "[[scanner]]\nname = \"a\"\nkind = \"hidpos\"\nport = \"1-1\"\n[[scanner]]\nname = \"b\"\nmatch = \"0c2e:0b61\"", ""},
		{"named group", "[[barcode]]\nkind = \"item\"\npattern = '(?P<n>\\d+)X'\nrewrite = '${n}$$'", ""},
		{"a header for PINs", "[import.patrons]\npin = \"Patron PIN\"", ""},
		{"open till midnight", "", "[calendar]\nhours = \"00:00-24:00\""},
	} {
		t.Run(test.name, func(t *testing.T) {
			desk, policy := least()
			if strings.Contains(test.desk, "UTC") {
				desk = ""
			}
			_, got := Parse(Source{"kiosk.toml", []byte(desk + test.desk)},
				Source{"policy.toml", []byte(policy + test.policy)}, catalogues())
			if len(got) > 0 {
				t.Errorf("complaints:\n%s", said(got))
			}
		})
	}
}

func TestMatchIsTakenApart(t *testing.T) {
	got, err := match("0C2E:0b61:A:1")
	if want := (Match{Vendor: 0x0c2e, Product: 0x0b61, Serial: "A:1"}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestScannersOfEveryKind(t *testing.T) {
	desk, policy := least()
	desk += `
[[scanner]]
name    = "a"
path    = "/dev/ttyS0"
dialect = "ssi"
baud    = 19200
parity  = "even"
[[scanner]]
name   = "b"
kind   = "keyboard"
match  = "05e0:1200"
port   = "1-1.2"
layout = "fr"
role   = "bin"
[[scanner]]
name = "c"
kind = "hidpos"
port = "1-1.3"
[[scanner]]
name = "d"
kind = "keyboard"
path = "/dev/input/by-path/*-event-kbd"
`
	c, complaints := Parse(Source{"kiosk.toml", []byte(desk)}, Source{"policy.toml", []byte(policy)}, catalogues())
	if len(complaints) > 0 {
		t.Fatalf("complaints:\n%s", said(complaints))
	}
	want := []Scanner{
		{Name: "a", Kind: "serial", Path: "/dev/ttyS0", Role: kiosk.RoleStudent, Dialect: "ssi", Baud: 19200, Bits: 8, Parity: "even", Stop: 1},
		{Name: "b", Kind: "keyboard", Match: Match{Vendor: 0x05e0, Product: 0x1200, Port: "1-1.2"}, Role: kiosk.RoleBin, Layout: "fr"},
		{Name: "c", Kind: "hidpos", Match: Match{Port: "1-1.3"}, Role: kiosk.RoleStudent},
		{Name: "d", Kind: "keyboard", Path: "/dev/input/by-path/*-event-kbd", Role: kiosk.RoleStudent, Layout: "us"},
	}
	if !reflect.DeepEqual(c.Scanners, want) {
		t.Errorf("got  %+v\nwant %+v", c.Scanners, want)
	}
}

func TestANotationThatNothingIsLeftForIsNoted(t *testing.T) {
	desk, policy := least()
	desk += "[cards]\nnotations = [\"hex_reversed\", \"decimal\",\n\"hex\", \"wiegand\"]\n"
	c, complaints := Parse(Source{"kiosk.toml", []byte(desk)}, Source{"policy.toml", []byte(policy)}, catalogues())
	const want = "kiosk.toml:6: cards.notations[2]: has no effect; \"hex_reversed\", which comes first, reads every \"hex\"\n"
	if notes := said(c.Notes); len(complaints) > 0 || !strings.Contains(notes, want) || !reflect.DeepEqual(c.Cards.Notations, []string{"hex_reversed", "decimal", "hex", "wiegand"}) {
		t.Errorf("%v, %s, notes:\n%s", c.Cards, said(complaints), notes)
	}
}

func TestTagsAreChangedWhereAGateAsksThem(t *testing.T) {
	reader := func(chip, use string) string {
		return "[[reader]]\nname = \"a\"\nchip = \"" + chip + "\"\nspi = \"/dev/spidev0.0\"\nreset = \"GPIO25\"\nuse = \"" + use + "\"\n" +
			map[string]string{"pn5180": "busy = \"GPIO24\"\n"}[chip]
	}
	for _, test := range []struct {
		name, desk string
		noGate     bool
	}{
		{"a pad", reader("pn5180", "tags"), false},
		{"a pad for both", reader("pn5180", "both") + "[tag]\nsecurity = \"eas\"\n", false},
		{"a pad and no gate", reader("pn5180", "tags") + "[tag]\nsecurity = \"none\"\n", true},
		{"a pad for cards", reader("pn5180", "cards"), true},
		{"a card reader", reader("mfrc522", "cards"), true},
		{"no reader", "", true},
	} {
		desk, policy := least()
		c, complaints := Parse(Source{"kiosk.toml", []byte(desk + test.desk)}, Source{"policy.toml", []byte(policy)}, catalogues())
		if got := c.Setup().NoGate; len(complaints) > 0 || got != test.noGate {
			t.Errorf("%s: %v, %s", test.name, got, said(complaints))
		}
	}
}

func TestLoadFollowsTheConfigToItsPolicy(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	desk, _ := least()
	policy := filepath.Join(dir, "policy.toml")
	path := write("kiosk.toml", desk+"policy = \""+policy+"\"\n")

	_, got := Load(path, catalogues())
	if want := path + `:4: kiosk.policy: "` + policy + "\" cannot be read: no such file or directory\n"; said(got) != want {
		t.Errorf("without a policy, got:\n%swant:\n%s", said(got), want)
	}
	write("policy.toml", "version = \"7\"\nversoin = 1\n")
	c, got := Load(path, catalogues())
	if want := policy + ":2: versoin: is not known; did you mean \"version\"?\n"; said(got) != want {
		t.Errorf("got:\n%swant:\n%s", said(got), want)
	}
	if c.Policy.Version != "7" {
		t.Errorf("version %q", c.Policy.Version)
	}
	if got, want := c.About("kiosk.state", "is full").String(), path+":1: kiosk.state: is full"; got != want {
		t.Errorf("about a default: %q, want %q: the line of its section", got, want)
	}
	_, got = Load(filepath.Join(dir, "kioks.toml"), catalogues())
	if want := filepath.Join(dir, "kioks.toml") + ": cannot be read: no such file or directory\n"; said(got) != want {
		t.Errorf("without a config, got:\n%swant:\n%s", said(got), want)
	}
	_, got = Load(write("relative.toml", desk+"policy = \"policy.toml\"\n"), catalogues())
	if len(got) != 1 || !strings.Contains(got[0].Text, "is not a full path") {
		t.Errorf("with a relative policy, got:\n%s", said(got))
	}
}

func TestLoadReadsKeysAndPasswords(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	desk, policy := least()
	desk += "policy = \"" + file("policy.toml", policy) + "\"\n" +
		"[[reader]]\nname = \"a\"\nchip = \"mfrc522\"\nspi = \"/dev/spidev0.0\"\nreset = \"GPIO25\"\nkey_file = \"" + dir + "/card.key\"\n" +
		"[tag]\npassword_file = \"" + dir + "/tag.password\"\n"
	path := file("kiosk.toml", desk)

	_, got := Load(path, catalogues())
	if want := path + `:10: reader[0].key_file: "` + dir + "/card.key\" cannot be read: no such file or directory\n" +
		path + `:12: tag.password_file: "` + dir + "/tag.password\" cannot be read: no such file or directory\n"; said(got) != want {
		t.Errorf("without the files, got:\n%swant:\n%s", said(got), want)
	}
	file("card.key", "A0A1A2A3A4\n")
	file("tag.password", "0F0F0F0F 12345678\n")
	_, got = Load(path, catalogues())
	if want := path + `:10: reader[0].key_file: "` + dir + "/card.key\" does not hold 12 hexadecimal digits\n" +
		path + `:12: tag.password_file: "` + dir + "/tag.password\" does not hold 8 hexadecimal digits\n"; said(got) != want {
		t.Errorf("with too little and too much, got:\n%swant:\n%s", said(got), want)
	}
	file("card.key", "A0A1A2A3A4A5\n")
	file("tag.password", " 0F0F0F0F")
	c, got := Load(path, catalogues())
	if len(got) > 0 || c.Readers[0].Key != "A0A1A2A3A4A5" || c.Tag.Password != "0F0F0F0F" {
		t.Errorf("%+v, %s", c.Readers, said(got))
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"days", "days", 0}, {"day", "days", 1}, {"lanugages", "languages", 2}, {"baud", "bauds!", 2}, {"", "id", 2}, {"grace", "trade", 2}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("%q to %q: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/wrong.toml", "testdata/wrong-policy.toml", "../../../systemd/kiosk.toml", "../../../systemd/policy.toml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, text)
	}
	f.Add([]byte("a = "+strings.Repeat("[", 300)+strings.Repeat("]", 300)), []byte("a"+strings.Repeat(".a", 300)+" = 1"))
	f.Add([]byte("[[scanner]]\n[scanner.x]\n[[scanner.y]]\n[[scanner]]"), []byte("rule = [1, {}, []]\npatron_type = [{limits={a=1}}]"))
	f.Fuzz(func(t *testing.T, desk, policy []byte) {
		c, complaints := Parse(Source{"kiosk.toml", desk}, Source{"policy.toml", policy}, catalogues())
		for _, said := range append(complaints, c.Notes...) {
			text := map[string][]byte{"kiosk.toml": desk, "policy.toml": policy}[said.File]
			if said.Text == "" || said.Line < 0 || said.Line > 1+strings.Count(string(text), "\n") {
				t.Errorf("complaint %+v", said)
			}
		}
		if len(complaints) == 0 && (c.Kiosk.ID == "" || c.Kiosk.Zone == nil || len(c.Kiosk.Languages) == 0 || c.Policy.Version == "") {
			t.Errorf("no complaint about %+v", c)
		}
	})
}
