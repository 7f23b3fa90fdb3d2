package intake

import (
	"bytes"
	"reflect"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// checkRows reads a file to its end and checks what must hold for any bytes.
func checkRows(t *testing.T, kind string, file []byte, o Options) {
	before := allocated()
	defer func() {
		if n := allocated() - before; n > 16<<20+1000*uint64(len(file)) {
			t.Fatalf("%d bytes allocated for a file of %d", n, len(file))
		}
	}()
	f, err := Open(kind, bytes.NewReader(file), o)
	if err != nil {
		checkText(t, "refusal", err.Error(), 8<<10)
		return
	}
	for _, h := range f.Ignored() {
		checkText(t, "ignored", h, csvCap)
	}
	last, n := 1, 0
	if strings.HasPrefix(f.Format(), "marc") {
		last = 0
	}
	for row, bad := range f.Rows() {
		n++
		line := 0
		switch {
		case bad != nil && row != nil || bad == nil && row == nil:
			t.Fatalf("%v with %v", row, bad)
		case bad != nil:
			checkText(t, "reason", bad.Reason, 1000)
			checkText(t, "column", bad.Column, csvCap)
			if line = bad.Line; bad.Fatal != nil {
				continue
			}
		default:
			line = checkRow(t, row)
		}
		if line < last || line == last && !strings.HasPrefix(f.Format(), "marc") {
			t.Fatalf("line %d after line %d", line, last)
		}
		last = line
	}
	if n > len(file)+1 {
		t.Fatalf("%d rows from %d bytes", n, len(file))
	}
}

// allocated is what was ever taken from the heap.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// checkRow checks each field of a row and gives its line.
func checkRow(t *testing.T, row Row) int {
	v := reflect.ValueOf(row).Elem()
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.String {
			checkText(t, v.Type().Field(i).Name, v.Field(i).String(), maxTitle)
		}
	}
	for _, name := range []string{"Expires", "Due"} {
		if f := v.FieldByName(name); f.IsValid() && f.String() != "" {
			checkDate(t, f.String())
		}
	}
	if amount := v.FieldByName("Amount"); amount.IsValid() && (amount.Int() < 0 || amount.Int() >= 1_000_000_000) {
		t.Fatalf("amount %d", amount.Int())
	}
	for _, name := range []string{"Barcode", "Patron", "UID"} {
		if f := v.FieldByName(name); f.IsValid() && f.String() == "" {
			t.Fatalf("%s is empty", name)
		}
	}
	return int(v.FieldByName("Line").Int())
}

func checkDate(t *testing.T, s string) {
	if _, err := time.Parse(time.DateOnly, s); err == nil {
		return
	}
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		t.Fatalf("date %q: %v", s, err)
	}
}

func checkText(t *testing.T, what, s string, limit int) {
	if !utf8.ValidString(s) || len(s) > limit || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || isBidi(r) }) {
		t.Fatalf("%s: %q", what, s)
	}
}

func FuzzCSV(f *testing.F) {
	for i, file := range []string{
		"barcode,first_name,expires,card_uid\n1,\"Maya \"\"M\"\"\",2026-11-24,04112233\n2,\"a\r\nb\",,\r\n",
		"Copy Barcode;Title\r1;x\r2;\"y\rz\"\r", "item\tpatron\tdue\n1\t2\t11/24/2026 1:05 PM\n", "\ufeffsep=;\npatron;title_id;placed\n1;2;2026-01-01T00:00:00Z\n",
		"patron,amount\n1,\"$1,234.50\"\n2,\"\n", "uid,barcode\n3220338716,7\n04:11:22:33,\x1b\n", sisHeader + "\n1,HS\n", "barcode,title\n1,Ni\xf1o\n1,Niño\n1,\x81\n",
		"barcode,title\n\"1\"x,2\n\"", "PK\x03\x04", "\xff\xfea\x00", "", "\"", ",,\n\n\x1a",
	} {
		f.Add(uint8(i), []byte(file))
	}
	f.Fuzz(func(t *testing.T, kind uint8, file []byte) {
		checkRows(t, Kinds()[int(kind)%len(Kinds())], file, Options{Site: "0123"})
	})
}

func FuzzMARC(f *testing.F) {
	good := iso('a', maus("1", "2")...)
	for _, file := range []string{
		good, good + "\r\n" + good, good[:100], good + good[:100] + good, strings.Replace(good, "0", "9", 3), good[:len(good)-1],
		iso(' ', marcField{"245", "$a\xe2a\x1b(N@\x1b(B\xeb"}, marcField{"852", "$p1$xFSC@aR@"}), "00026nam a2200025   4500\x1e\x1d", iso('a', marcField{"852", ""}),
	} {
		f.Add([]byte(file))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		s := newSource(bytes.NewReader(file))
		if len(s.window()) > 0 && sniff(file[:min(len(file), 4096)]) != formatMARC {
			file = append([]byte("00026nam a2200025 a 4500\x1e\x1d"), file...)
		}
		checkRows(t, "copies", file, Options{Site: "0123"})
	})
}

func FuzzMARCXML(f *testing.F) {
	good := marcxml("", maus("1", "2")...)
	for _, file := range []string{
		"<collection>" + good + marcxml("marc:", maus("3")...) + "</collection>", good[:200], "<record>" + good, "<record></record><record/></record>",
		"<x:record><x:datafield tag='852'><x:subfield code='p'>1&#9;</x:subfield></x:datafield></x:record>", "<record><![CDATA[</record>]]></record>", "<record", "<record>&x;</record>",
	} {
		f.Add([]byte(file))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		checkRows(t, "copies", append([]byte("<collection>"), file...), Options{Site: "0123"})
	})
}

func FuzzMARC8(f *testing.F) {
	for _, s := range []string{"\xe2a\xf2\xe3a", "\x1b(N@A\x1bs", "\xeba\xecb", "\x1b$1", "\x1b", "\x1f\xe2\x1e", "\x8d\x88\x1bga"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, isUTF8 := range []bool{false, true} {
			text, _, reason := fieldText(b, isUTF8)
			if !utf8.ValidString(text) || len(text) > 3*len(b)+3 || text != "" && reason != "" {
				t.Fatalf("%q: %q %q", b, text, reason)
			}
			if again := compose(text); reason == "" && again != text && !longRun(text) {
				t.Fatalf("%q: %+q, then %+q", b, text, again)
			}
		}
	})
}

// longRun tells letters with more marks than compose takes at once.
func longRun(s string) bool {
	n := 0
	for _, r := range s {
		if n++; !isMark(r) {
			n = 0
		}
		if n >= 15 {
			return true
		}
	}
	return false
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"2026-11-24", "11/24/26", "1/2/2026 1:05 PM", "2026-11-24T13:05:09.123+01:00", "20261124", "2026-11-24 23:59:00", "//", "T", "2026-02-30 -"} {
		f.Add(s)
	}
	zone := losAngeles(f)
	f.Fuzz(func(t *testing.T, s string) {
		for _, us := range []bool{false, true} {
			m, reason := parseMoment(s, us, zone)
			if reason != "" {
				continue
			}
			if _, err := time.Parse(time.DateOnly, m.day); err != nil || m.at.Year() < 1899 || m.at.Year() > 2200 {
				t.Fatalf("%q: %+v", s, m)
			}
			checkDate(t, m.due())
			if again, reason := parseMoment(m.due(), us, zone); reason != "" || again.due() != m.due() {
				t.Fatalf("%q: %q, then %q %q", s, m.due(), again.due(), reason)
			}
		}
	})
}

func FuzzMoney(f *testing.F) {
	for _, s := range []string{"2.50", "$1,234.50", ".5", "-1", "1,2", "9999999.99", "$ 7", "1.", ","} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		minor, reason := parseMoney(s)
		if reason != "" && minor != 0 || minor < 0 || minor > 999_999_999 {
			t.Fatalf("%q: %d %q", s, minor, reason)
		}
	})
}
