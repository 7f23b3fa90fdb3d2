package intake

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// A marcField is a tag and what stands in the field, with '$' before each subfield's letter.
type marcField struct{ tag, value string }

// iso is a record in ISO 2709; scheme is 'a' for UTF-8, ' ' for MARC-8.
func iso(scheme byte, fields ...marcField) string {
	var directory, body strings.Builder
	for _, f := range fields {
		v := f.value
		if f.tag >= "010" {
			v = "  " + strings.ReplaceAll(v, "$", "\x1f")
		}
		fmt.Fprintf(&directory, "%s%04d%05d", f.tag, len(v)+1, body.Len())
		body.WriteString(v + "\x1e")
	}
	base := 24 + directory.Len() + 1
	return fmt.Sprintf("%05dnam %c22%05d   4500%s\x1e%s\x1d", base+body.Len()+1, scheme, base, directory.String(), body.String())
}

// marcxml is a record in MARCXML.
func marcxml(prefix string, fields ...marcField) string {
	var b strings.Builder
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;")
	fmt.Fprintf(&b, "<%srecord><%sleader>00000nam a2200000   4500</%sleader>", prefix, prefix, prefix)
	for _, f := range fields {
		if f.tag < "010" {
			fmt.Fprintf(&b, "<%scontrolfield tag=\"%s\">%s</%scontrolfield>", prefix, f.tag, escape.Replace(f.value), prefix)
			continue
		}
		fmt.Fprintf(&b, "<%sdatafield tag='%s' ind1=' ' ind2=' '>\n", prefix, f.tag)
		for _, sub := range strings.Split(f.value, "$")[1:] {
			fmt.Fprintf(&b, "  <%ssubfield code=\"%s\">%s</%ssubfield>\n", prefix, sub[:1], escape.Replace(sub[1:]), prefix)
		}
		fmt.Fprintf(&b, "</%sdatafield>", prefix)
	}
	fmt.Fprintf(&b, "</%srecord>\n", prefix)
	return b.String()
}

func maus(barcodes ...string) []marcField {
	fields := []marcField{
		{"001", "ocm 1"}, {"020", "$a0394747232"}, {"100", "$aSpiegelman, Art."}, {"245", "$aMaus :$ba survivor's tale /$cArt Spiegelman."},
	}
	for _, b := range barcodes {
		fields = append(fields, marcField{"852", "$a0123$k741.5$iSPI$p" + b + "$9$12.50$xFSC@aR@b12"})
	}
	return fields
}

const mausRow = "{Line:%d Barcode:%s TitleID:ocm 1 Title:Maus : a survivor's tale Author:Spiegelman, Art CallNumber:741.5 SPI CircType:regular Site: Status:available}"

func TestEachField852IsACopy(t *testing.T) {
	fields := maus("30123000100010", "30123000100028")
	for format, file := range map[string]string{
		"marc": iso('a', fields...), "marcxml": "\ufeff<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<collection xmlns=\"http://www.loc.gov/MARC21/slim\">" + marcxml("", fields...) + "</collection>",
	} {
		f := open(t, "copies", file, Options{Site: "0123"})
		same(t, collect(f.Rows()), fmt.Sprintf(mausRow, 1, "30123000100010"), fmt.Sprintf(mausRow, 1, "30123000100028"))
		if f.Format() != format || f.Encoding() != "UTF-8" {
			t.Errorf("format %q, encoding %q", f.Format(), f.Encoding())
		}
	}
}

func TestHoldingsByDestinysRules(t *testing.T) {
	tests := []struct{ field, want string }{
		{"$pT 1", "T 1|||regular"},
		{"$a0456$kFIC$hX$iLOW$mend$pT 1$xnote$xFSC@b12@c20260901@aREF", "T 1|0456|FIC X LOW end|ref"},
		{"$p 0001 $xFSC@a R ", "0001|||regular"},
		{"$p1$p2", "1|||regular"},
		{"$xFSC@aVID", "!852$p: is missing or empty: the copy has no barcode (the record at byte 0)"},
		{"$pé", "!852$p: has the byte 0xC3 at 1, which is in no barcode (the record at byte 0)"},
		{"$p1$hx\x1by", "!852$h: has the control character 0x1B at byte 2 (the record at byte 0)"},
	}
	for _, test := range tests {
		got := ""
		for row, bad := range open(t, "copies", iso('a', marcField{"852", test.field}), Options{Site: "0123"}).Rows() {
			if bad != nil {
				got = "!" + bad.Column + ": " + bad.Reason
				continue
			}
			c := row.(*Copy)
			got = strings.Join([]string{c.Barcode, c.Site, c.CallNumber, c.CircType}, "|")
		}
		if got != test.want {
			t.Errorf("%q: %q, want %q", test.field, got, test.want)
		}
	}
}

func TestTitlesAndAuthors(t *testing.T) {
	long := strings.Repeat("and so on ", 30)
	tests := []struct{ title, author, want string }{
		{"$aHoles /$cLouis Sachar.", "$aSachar, Louis,$d1954-", "Holes|Sachar, Louis"},
		{"$aMaus$ba survivor's tale", "$aTolkien, J. R. R.", "Maus : a survivor's tale|Tolkien, J. R. R."},
		{"$aNaruto.$nVol. 3,$pIn pursuit /", "$aKing, Martin Luther, Jr.,", "Naruto. Vol. 3, In pursuit|King, Martin Luther, Jr."},
		{"$aHoles :$b" + long, "", "Holes|"},
		{"$6880-01$aMe\u0301xico", "$aLo\u0301pez", "México|López"},
		{"$a\u0098The \u009cgiver /", "", "The giver|"},
	}
	for _, test := range tests {
		file := iso('a', marcField{"100", test.author}, marcField{"245", test.title}, marcField{"245", "$aagain"}, marcField{"852", "$p1"})
		for row, bad := range open(t, "copies", file, Options{}).Rows() {
			if bad != nil {
				t.Fatalf("%q: %+v", test.title, bad)
			}
			if c := row.(*Copy); c.Title+"|"+c.Author != test.want {
				t.Errorf("%q: %q", test.title, c.Title+"|"+c.Author)
			}
		}
	}
}

func TestABadRecordIsNamedAndTheRestGoesOn(t *testing.T) {
	good := iso('a', maus("1")...)
	n := len(good)
	damage := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	tests := []struct{ name, bad, want string }{
		{"length", "00999" + good[5:], `leader: says "00999" bytes where the record has 221`},
		{"no number", "x" + good[1:], `leader: says "x0221" bytes`},
		{"base", good[:12] + "00099" + good[17:], `leader: says that the fields begin at "00099"`},
		{"directory", damage("001000600000", "001000700000"), `directory: says that a field "001" has "0007" bytes at "00000"`},
		{"directory far out", damage("001000600000", "001999999999"), `directory: says that a field "001"`},
		{"not UTF-8", damage("Maus", "Ma\xe9s"), "245: is not UTF-8: byte 7 of the field is 0xE9"},
		{"short", "00007x\x1d", ": has only 7 bytes"},
		{"cut off", good[:n/2], `leader: says "00221" bytes where the record has 331`},
		{"long", good[:n-1] + strings.Repeat("x", 120_000) + "\x1d", "is longer than 99999 bytes"},
		{"very long", good[:n-1] + strings.Repeat("x", 600_000) + "\x1d", "is longer than 99999 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := collect(open(t, "copies", good+"\r\n"+test.bad+good, Options{Site: "0123"}).Rows())
			if len(got) != 3 || !strings.HasPrefix(got[1], "!2 "+strings.TrimPrefix(test.want, "is ")) && !strings.Contains(got[1], test.want) ||
				!strings.HasSuffix(got[1], fmt.Sprintf("(the record at byte %d)", n+2)) ||
				got[0] != fmt.Sprintf(mausRow, 1, "1") || got[2] != fmt.Sprintf(mausRow, 3, "1") {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestAFileThatEndsWithinARecordSaysSo(t *testing.T) {
	good := iso('a', maus("1")...)
	for name, file := range map[string]string{
		"marc":    good + good[:100],
		"marcxml": "<collection>" + marcxml("", maus("1")...) + marcxml("", maus("2")...)[:100],
	} {
		got := collect(open(t, "copies", file, Options{Site: "0123"}).Rows())
		if len(got) != 2 || !strings.HasPrefix(got[1], "!2 : is cut off: the file ends within it (the record at byte ") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAFileWithoutCopiesIsRefusedAtItsEnd(t *testing.T) {
	for _, file := range []string{iso('a', maus()...), "<collection>" + marcxml("", maus()...)} {
		var fatal error
		for _, bad := range open(t, "copies", file, Options{}).Rows() {
			fatal = bad.Fatal
		}
		if fatal == nil || !strings.Contains(fatal.Error(), "none of the 1 records has a copy") {
			t.Errorf("%v", fatal)
		}
	}
}

func TestARecordWithoutCopiesIsPassedOver(t *testing.T) {
	file := iso('a', maus()...) + iso('a', maus("1")...)
	same(t, collect(open(t, "copies", file, Options{Site: "0123"}).Rows()), fmt.Sprintf(mausRow, 2, "1"))
}

func TestMARCXMLInItsManyForms(t *testing.T) {
	one, two := maus("1"), maus("2")
	want := []string{fmt.Sprintf(mausRow, 1, "1"), fmt.Sprintf(mausRow, 2, "2")}
	for name, file := range map[string]string{
		"plain":    "<collection>" + marcxml("", one...) + marcxml("", two...) + "</collection>",
		"prefixed": "<marc:collection xmlns:marc='x'>" + marcxml("marc:", one...) + marcxml("marc:", two...) + "</marc:collection>",
		"harvested": "<OAI-PMH><ListRecords><record><header/><metadata>" + marcxml("marc:", one...) + "</metadata></record>" +
			"<record><header><identifier>x</identifier></header><metadata>" + marcxml("marc:", two...) + "</metadata></record></ListRecords></OAI-PMH>",
		"harvested without prefix": "<OAI-PMH><ListRecords><record><header/><metadata>" + marcxml("", one...) + "</metadata></record>" +
			"<record><metadata>" + marcxml("", two...) + "</metadata></record></ListRecords></OAI-PMH>",
		"attributes and comments": "<collection><!-- x -->" + strings.Replace(marcxml("", one...), "<record>", "<record\n type='Bibliographic' >", 1) +
			strings.ReplaceAll(marcxml("", two...), "</record>", "</record  >") + "</collection>",
		"CDATA": "<collection>" + strings.Replace(marcxml("", one...), "Maus :", "<![CDATA[Maus :]]>", 1) + marcxml("", two...),
	} {
		t.Run(name, func(t *testing.T) {
			same(t, collect(open(t, "copies", file, Options{Site: "0123"}).Rows()), want...)
		})
	}
}

func TestABadXMLRecordIsNamedAndTheRestGoesOn(t *testing.T) {
	good := marcxml("", maus("1")...)
	tests := []struct{ name, bad, want string }{
		{"ampersand", strings.Replace(good, "Maus", "Maus & co", 1), "is not well-formed XML at byte"},
		{"entity", strings.Replace(good, "Maus", "&lol;", 1), "is not well-formed XML at byte"},
		{"control character", strings.Replace(good, "Maus", "Ma\x01us", 1), "is not well-formed XML at byte"},
		{"not UTF-8", strings.Replace(good, "Maus", "Ma\xe9us", 1), "is not well-formed XML at byte"},
		{"no end", strings.Replace(good, "</record>", strings.Repeat(" ", 2*xmlCap), 1), "is longer than 1048576 bytes or does not end"},
		{"long", strings.Replace(good, "Maus", strings.Repeat("Maus", xmlCap), 1), "is longer than 1048576 bytes or does not end"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := collect(open(t, "copies", "<collection>"+good+test.bad+good+"</collection>", Options{Site: "0123"}).Rows())
			if len(got) != 3 || !strings.HasPrefix(got[1], "!2 : "+test.want) || !strings.Contains(got[1], fmt.Sprintf("(the record at byte %d)", 12+len(good))) ||
				got[2] != fmt.Sprintf(mausRow, 3, "1") {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestAnXMLBombDoesNothing(t *testing.T) {
	bomb := "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'><!ENTITY c SYSTEM 'file:///etc/passwd'>]><collection>" +
		strings.Replace(marcxml("", maus("1")...), "Maus", "X", 1)
	for _, entity := range []string{"&b;", "&c;"} {
		got := collect(open(t, "copies", strings.Replace(bomb, "X", entity, 1), Options{}).Rows())
		if len(got) < 1 || !strings.Contains(got[0], "not well-formed") {
			t.Errorf("%q", got)
		}
	}
}

func TestManyOpenRecordsAreNotReadOverAndOver(t *testing.T) {
	// A million tags without an end would be a million searches of a megabyte.
	file := "<collection>" + strings.Repeat("<record>", 1<<20)
	if got := collect(open(t, "copies", file, Options{}).Rows()); len(got) > 100 {
		t.Errorf("%d rows", len(got))
	}
}

func TestMARCMayComeInAnyPieces(t *testing.T) {
	var isos, xmls bytes.Buffer
	xmls.WriteString("<collection>")
	for i := range 3000 {
		isos.WriteString(iso('a', maus(fmt.Sprint(i))...))
		xmls.WriteString(marcxml("", maus(fmt.Sprint(i))...))
	}
	for _, file := range [][]byte{isos.Bytes(), xmls.Bytes()} {
		for _, r := range []io.Reader{bytes.NewReader(file), iotest.OneByteReader(bytes.NewReader(file)), iotest.DataErrReader(bytes.NewReader(file))} {
			f, err := Open("copies", r, Options{Site: "0123"})
			if err != nil {
				t.Fatal(err)
			}
			got := collect(f.Rows())
			if len(got) != 3000 || got[2999] != fmt.Sprintf(mausRow, 3000, "2999") {
				t.Errorf("%d rows", len(got))
			}
		}
	}
}

func TestMARC8(t *testing.T) {
	tests := []struct{ marc8, want string }{
		{"plain", "plain"},
		{"\xe2a\xe2e", "áé"},                       // the mark stands before its letter
		{"Espa\xe4nol", "Español"},                 //
		{"\xf0c\xe8u\xe8O", "çüÖ"},                 //
		{"\xe3\xf2a \xf2\xe3a \xe3\xe2a", "ậ ậ ấ"}, // marks below come first, whatever the order
		{"\xa1\xb1\xa2\xb2\xb5\xb6\xc7\xc8\xc3\xb8", "ŁłØøæœß€©ı"},
		{"\xe9z\xe9s\xf1e\xe7Z\xeau", "žšęŻů"},
		{"\xacO\xe2\xbco", "ƠOớo"},
		{"\xebt\xecsar", "t͡sar"},
		{"\xe2x", "x\u0301"},
		{"a\xe2", "á"},
		{"H\x1bb2\x1bsO", "H2O"},
		{"\x1bga\x1bs-ray", "α-ray"},
		{"\x88The \x89giver", "The giver"},
		{"x \x1b(N@ABC\x1b(B y", "x … y"},
		{"\x1b$1!0!!0\"\x1b(B", "…"},
		{"a\x1b)N\xc1\xc2 b", "a… b"},
		{"a\x1b)N\xc1\x1b)!E\xe2e", "a…é"},
		{"México", "México"}, // UTF-8, although the record says otherwise
	}
	for _, test := range tests {
		got, _, reason := fieldText([]byte(test.marc8), false)
		if got != test.want || reason != "" {
			t.Errorf("%q: %q %q, want %q", test.marc8, got, reason, test.want)
		}
	}
	for _, wrong := range []string{"\xaf", "\x80", "\xff", "x\xbb", "\xfc"} {
		if got, _, reason := fieldText([]byte(wrong), false); reason == "" {
			t.Errorf("%q: %q", wrong, got)
		}
	}
}

func TestARecordInMARC8(t *testing.T) {
	file := iso(' ', marcField{"100", "$aGarc\xe2ia M\xe2arquez, Gabriel,$d1928-"}, marcField{"245", "$aCien a\xe4nos de soledad /"}, marcField{"852", "$p1$hFIC GAR"})
	f := open(t, "copies", file, Options{})
	same(t, collect(f.Rows()), "{Line:1 Barcode:1 TitleID: Title:Cien años de soledad Author:García Márquez, Gabriel CallNumber:FIC GAR CircType:regular Site: Status:available}")
	if f.Encoding() != "MARC-8" {
		t.Errorf("encoding %q", f.Encoding())
	}
	got := collect(open(t, "copies", iso(' ', marcField{"245", "$ax\xff"}, marcField{"852", "$p1"})+iso(' ', maus("1")...), Options{}).Rows())
	if len(got) != 2 || got[0] != "!1 245: has the byte 0xFF, which MARC-8 does not have (the record at byte 0)" {
		t.Errorf("%q", got)
	}
}

func TestCompositionsAreThoseOfUnicode(t *testing.T) {
	n := 0
	for pair, both := range pairs() {
		n++
		if got := compose(string(pair[:])); got != string(both) || compose(got) != got {
			t.Errorf("%q: %q", string(pair[:]), got)
		}
	}
	if n != 825 { // of Unicode 15: compositions of a character and a mark from U+0300 to U+036F
		t.Errorf("%d pairs", n)
	}
	for s, want := range map[string]string{
		"e\u0323\u0302": "ệ", "e\u0302\u0323": "ệ", "a\u0327\u0301": "á\u0327", "o\u031b\u0301": "ớ", "q\u0303": "q\u0303",
		"a\u0300\u0301": "à\u0301", "\u0301a": "\u0301a", "plain": "plain", "": "",
	} {
		if got := compose(s); got != want {
			t.Errorf("%+q: %+q, want %+q", s, got, want)
		}
	}
	if got := compose("e" + strings.Repeat("\u0301", 1000)); !utf8.ValidString(got) || !strings.HasPrefix(got, "é") {
		t.Errorf("%d bytes", len(got))
	}
}

func TestEverySignOfANSELIsThere(t *testing.T) {
	var missing []byte
	for b := 0xa1; b <= 0xfe; b++ {
		if _, reason := decodeMARC8([]byte{byte(b), 'x'}); reason != "" {
			missing = append(missing, byte(b))
		}
	}
	want := []byte{0xaf, 0xbb, 0xbe, 0xbf}
	for b := byte(0xc9); b < 0xe0; b++ {
		want = append(want, b)
	}
	if want = append(want, 0xfc, 0xfd); !slices.Equal(missing, want) {
		t.Errorf("% X", missing)
	}
}
