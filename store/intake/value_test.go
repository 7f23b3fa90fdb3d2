package intake

import (
	"strings"
	"testing"
	"time"
)

func TestMoney(t *testing.T) {
	for s, want := range map[string]int64{
		"2.50": 250, "$2.50": 250, "$ 2.50": 250, " 2.5 ": 250, "2": 200, "0": 0, "0.00": 0, ".5": 50, "1,234.50": 123450,
		"12,345,678.00": -1, "1,234,567": 123456700, "9999999.99": 999999999, "007": 700,
		"": -1, "$": -1, ".": -1, "2.": -1, "2.505": -1, "-2.50": -1, "+2": -1, "(2.50)": -1, "2,50": -1, ",250": -1, "1234,567": -1,
		"1,23.00": -1, "1 234": -1, "2.5 0": -1, "$$2": -1, "two": -1, "1e3": -1, "٣": -1, "10000000": -1, "99999999999999999999": -1, "1,,000": -1,
	} {
		got, reason := parseMoney(s)
		if (reason == "") != (want >= 0) || want >= 0 && got != want {
			t.Errorf("%q: %d %q, want %d", s, got, reason, want)
		}
	}
}

func TestDates(t *testing.T) {
	zone := losAngeles(t)
	tests := []struct {
		s        string
		us       bool
		day, due string // day "": refused
		at       string
	}{
		{"2026-11-24", false, "2026-11-24", "2026-11-24", "2026-11-24T00:00:00-08:00"},
		{" 20261124 ", false, "2026-11-24", "2026-11-24", "2026-11-24T00:00:00-08:00"},
		{"2028-02-29", false, "2028-02-29", "2028-02-29", "2028-02-29T00:00:00-08:00"},
		{"2026-07-01 00:00:00", false, "2026-07-01", "2026-07-01", "2026-07-01T00:00:00-07:00"},
		{"2026-07-01 23:59:00", false, "2026-07-01", "2026-07-01", "2026-07-01T23:59:00-07:00"},
		{"2026-07-01T13:05", false, "2026-07-01", "2026-07-01T13:05:00-07:00", "2026-07-01T13:05:00-07:00"},
		{"2026-07-01T13:05:09.250Z", false, "2026-07-01", "2026-07-01T13:05:09Z", "2026-07-01T13:05:09.25Z"},
		{"2026-07-01T00:00:00+02:00", false, "2026-07-01", "2026-07-01T00:00:00+02:00", "2026-07-01T00:00:00+02:00"},
		{"2026-07-01 13:05:09-0730", false, "2026-07-01", "2026-07-01T13:05:09-07:30", "2026-07-01T13:05:09-07:30"},
		{"11/24/2026", true, "2026-11-24", "2026-11-24", "2026-11-24T00:00:00-08:00"},
		{"1/2/26", true, "2026-01-02", "2026-01-02", "2026-01-02T00:00:00-08:00"},
		{"12/31/99", true, "2099-12-31", "2099-12-31", "2099-12-31T00:00:00-08:00"},
		{"11/24/2026 12:05 AM", true, "2026-11-24", "2026-11-24T00:05:00-08:00", "2026-11-24T00:05:00-08:00"},
		{"11/24/2026 12:05pm", true, "2026-11-24", "2026-11-24T12:05:00-08:00", "2026-11-24T12:05:00-08:00"},
		{"2026-11-24", true, "2026-11-24", "2026-11-24", "2026-11-24T00:00:00-08:00"},
		{"11/24/2026", false, "", "", ""},
		{"", true, "", "", ""}, {"0000-00-00", false, "", "", ""}, {"2026-13-01", false, "", "", ""}, {"2026-02-29", false, "", "", ""},
		{"24/11/2026", true, "", "", ""}, {"11/24", true, "", "", ""}, {"11/24/226", true, "", "", ""}, {"//", true, "", "", ""}, {"1/-2/26", true, "", "", ""},
		{"2026-11-24 25:00", false, "", "", ""}, {"2026-11-24 1:60", false, "", "", ""}, {"2026-11-24 0:05 AM", false, "", "", ""},
		{"2026-11-24 13:05 PM", false, "", "", ""}, {"2026-11-24T", false, "", "", ""}, {"2026-11-24 x", false, "", "", ""},
		{"2026-11-24 13:05+1", false, "", "", ""}, {"2026-11-24 13:05+25:00", false, "", "", ""}, {"2026-11-24 13:05:1", false, "", "", ""},
		{"2026-11-24 13:05:01.", false, "", "", ""}, {"2026-11-2٤", false, "", "", ""}, {"1800-01-01", false, "", "", ""},
		{strings.Repeat("2", 50), true, "", "", ""},
	}
	for _, test := range tests {
		m, reason := parseMoment(test.s, test.us, zone)
		if (reason == "") != (test.day != "") {
			t.Errorf("%q: %+v %q", test.s, m, reason)
		}
		if test.day == "" {
			continue
		}
		if got := m.at.Format(time.RFC3339Nano); m.day != test.day || m.due() != test.due || got != test.at {
			t.Errorf("%q: day %s, due %s, at %s", test.s, m.day, m.due(), got)
		}
	}
}

// How a UID is written others know. What a spreadsheet has done to it, no notation can mend.
func TestCardUIDs(t *testing.T) {
	o := Options{Card: func(written string) (uid, reason string) {
		if written == "08112233" {
			return "", "is a random UID"
		}
		return "<" + written + ">", ""
	}}
	for cell, want := range map[string]string{
		"1c:78": "{Line:2 UID:<1c:78> Patron:7}", `"120,62143"`: "{Line:2 UID:<120,62143> Patron:7}", `"=""0477688511"""`: "{Line:2 UID:<0477688511> Patron:7}",
		"08112233": "!2 card_uid: is a random UID", "": "!2 card_uid: is empty",
		"3.22034E+09": "!2 card_uid: was rounded by a spreadsheet (E+); export the file again without opening it in one",
	} {
		same(t, collect(open(t, "cards", "card_uid,patron\n"+cell+",7\n", o).Rows()), want)
	}
	same(t, collect(open(t, "patrons", "barcode,card_uid\n1,\n", o).Rows()),
		"{Line:2 Barcode:1 Name: Type:student Grade: Homeroom: Language: Inactive:false Expires: DistrictID: CardUID: PIN:}")
}

func TestLanguages(t *testing.T) {
	for s, want := range map[string]string{"en": "en", "ES": "es", "es-MX": "es-mx", "Spanish": "es", "english": "en", "Español": "es", "": "", "x": "", "Tagalog": "", "e1": "", "es-419": "es-419", "es-é": ""} {
		if got := language(s); got != want {
			t.Errorf("%q: %q", s, got)
		}
	}
}

func TestCopyStatuses(t *testing.T) {
	for s, want := range map[string]string{"": "available", "a": "available", "checked out": "available", "lost": "lost", "l": "lost",
		"out for repairs": "repair", "weeded": "withdrawn", "in transit": "in transit"} {
		if got := status(s); got != want {
			t.Errorf("%q: %q", s, got)
		}
	}
}
