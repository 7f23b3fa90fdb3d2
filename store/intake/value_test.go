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

func TestCardUIDs(t *testing.T) {
	tests := []struct{ s, notation, want string }{ // want in lower case: part of the reason
		{"1C78F2BF", "", "1C78F2BF"}, {"1c:78:f2:bf", "", "1C78F2BF"}, {"1C 78 F2 BF", "", "1C78F2BF"}, {"0x1C78F2BF", "", "1C78F2BF"},
		{"1C-78-F2-BF", "hex", "1C78F2BF"}, {"BFF2781C", "hex-reversed", "1C78F2BF"},
		{"3220338716", "", "1C78F2BF"}, {"3220338716", "decimal", "1C78F2BF"}, {"0477688511", "decimal-reversed", "1C78F2BF"},
		{"0477688511", "", "BFF2781C"}, {"477688511", "", "BFF2781C"},
		{"12345678", "", "12345678"}, {"12345678", "decimal", "4E61BC00"},
		{"04A1B2C3D4E5F6", "", "04A1B2C3D4E5F6"}, {"69444634445652740", "", "04A3B0EF86B7F6"},
		{"04A1B2C3D4E5F6A7B8C9", "", "04A1B2C3D4E5F6A7B8C9"}, {"08112233445566", "", "08112233445566"},
		{"3220338716", "hex", "10 characters"}, {"", "hex", "0 characters"}, {"4294967296", "", "10 characters"}, {"99999999999999999", "", "17 characters"},
		{"123456789012", "", "12 characters"}, {"GHIJKLMN", "", "no hex"}, {"3.22034E+09", "", "spreadsheet"}, {"123,45678", "", "three bytes"},
		{"08112233", "", "random"}, {"80112233", "", "random"}, {"88041122", "", "first part"}, {"00000000", "", "zero"}, {"0", "", "zero"}, {"é", "", "characters"},
	}
	for _, test := range tests {
		got, reason := uid(test.s, test.notation)
		if test.want == strings.ToUpper(test.want) && (got != test.want || reason != "") ||
			test.want != strings.ToUpper(test.want) && !strings.Contains(reason, test.want) {
			t.Errorf("%q as %q: %q %q, want %q", test.s, test.notation, got, reason, test.want)
		}
	}
	if _, err := Open("cards", strings.NewReader("card_uid,patron\n"), Options{Cards: "roman"}); err == nil {
		t.Error("a notation that is none is taken")
	}
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
