package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// losAngeles is the zone of the tests.
func losAngeles(t testing.TB) *time.Location {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func open(t testing.TB, kind, file string, o Options) *File {
	t.Helper()
	if o.Zone == nil {
		o.Zone = losAngeles(t)
	}
	f, err := Open(kind, strings.NewReader(file), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// collect prints each row, or "!line column: reason".
func collect(rows iter.Seq2[Row, *Bad]) (all []string) {
	for row, bad := range rows {
		if bad != nil {
			all = append(all, fmt.Sprintf("!%d %s: %s", bad.Line, bad.Column, bad.Reason))
			continue
		}
		all = append(all, fmt.Sprintf("%+v", reflect.ValueOf(row).Elem().Interface()))
	}
	return all
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A PIN is read, under our own name for it or another, and what is wrong with one is said without it.
func TestAPINIsReadAndNeverTold(t *testing.T) {
	for _, c := range []struct{ header, cell, want string }{
		{"pin", "0042", "0042"}, {"PIN", "12345678", "12345678"}, {"Patron PIN", " 9753 ", "9753"}, {"pin", "\"=\"\"0042\"\"\"", "0042"}, {"pin", "", ""},
	} {
		same(t, collect(open(t, "patrons", "barcode,"+c.header+"\n1,"+c.cell+"\n", Options{}).Rows()),
			"{Line:2 Barcode:1 Name: Type:student Grade: Homeroom: Language: Inactive:false Expires: DistrictID: CardUID: PIN:"+c.want+"}")
	}
	same(t, collect(open(t, "patrons", "barcode,secret\n1,0042\n", Options{Headers: map[string]string{"pin": "secret"}}).Rows()),
		"{Line:2 Barcode:1 Name: Type:student Grade: Homeroom: Language: Inactive:false Expires: DistrictID: CardUID: PIN:0042}")
	for _, cell := range []string{"753", "123456789", "97a3", "97.53", "-9753", "９７５３", "9753\x1b", strings.Repeat("9", 100)} {
		same(t, collect(open(t, "patrons", "barcode,pin\n1,"+cell+"\n2,9753\n", Options{}).Rows()),
			"!2 pin: is no PIN of 4 to 8 digits",
			"{Line:3 Barcode:2 Name: Type:student Grade: Homeroom: Language: Inactive:false Expires: DistrictID: CardUID: PIN:9753}")
	}
}

func TestEveryDefaultHeaderIsRead(t *testing.T) {
	tests := []struct {
		kind, file string
		want       []string
	}{
		{"patrons", "barcode,district_id,last_name,first_name,nickname,patron_type,grade,homeroom,status,expires,language,card_uid\n" +
			"20123000200010,1000040017,Thompson,Maya,,student,4,4A,A,2031-06-30,en,0469BD8D67A6A4\n" +
			"20123000200028,1000040054,Hernández,María José,Majo,teacher,,,I,,es,\n",
			[]string{
				"{Line:2 Barcode:20123000200010 Name:Maya Type:student Grade:4 Homeroom:4A Language:en Inactive:false Expires:2031-06-30 DistrictID:1000040017 CardUID:0469BD8D67A6A4 PIN:}",
				"{Line:3 Barcode:20123000200028 Name:Majo Type:teacher Grade: Homeroom: Language:es Inactive:true Expires: DistrictID:1000040054 CardUID: PIN:}"}},
		{"copies", "barcode,title_id,title,author,isbn,call_number,circ_type,site,price,status,parts,sublocation\n" +
			"30123000100010,T0001,\"Hello, Ruby\",\"Liukas, Linda\",,005.1 LIU,regular,0123,16.99,available,1,Nonfiction\n" +
			"30456000100010,T0002,Maus,,,,picture,0456,,lost,2,\n",
			[]string{
				"{Line:2 Barcode:30123000100010 TitleID:T0001 Title:Hello, Ruby Author:Liukas, Linda CallNumber:005.1 LIU CircType:regular Site: Status:available}",
				"{Line:3 Barcode:30456000100010 TitleID:T0002 Title:Maus Author: CallNumber: CircType:picture Site:0456 Status:lost}"}},
		{"loans", "item,patron,checked_out,due,renewals\n30123000114656,20123000200028,2026-11-16,2026-11-30,2\n" +
			"30123000114664,20123000200028,2026-11-16T08:00:00-08:00,2026-11-16T10:00:00-08:00,\n",
			[]string{
				fmt.Sprintf("{Line:2 Item:30123000114656 Patron:20123000200028 At:%d Due:2026-11-30 Renewals:2}", micro("2026-11-16T00:00:00-08:00")),
				fmt.Sprintf("{Line:3 Item:30123000114664 Patron:20123000200028 At:%d Due:2026-11-16T10:00:00-08:00 Renewals:0}", micro("2026-11-16T08:00:00-08:00"))}},
		{"holds", "patron,title_id,item,placed,pickup_site,status\n20123000200069,T1220,30123000112205,2026-11-20,0123,ready\n20123000200911,T0700,,,0456,pending\n",
			[]string{
				fmt.Sprintf("{Line:2 Patron:20123000200069 TitleID:T1220 Item:30123000112205 Placed:%d Site: Ready:true}", micro("2026-11-20T00:00:00-08:00")),
				"{Line:3 Patron:20123000200911 TitleID:T0700 Item: Placed:0 Site:0456 Ready:false}"}},
		{"charges", "patron,item,reason,amount,currency,created\n20123000200051,30123000109706,lost,17.99,USD,2026-11-19\n",
			[]string{"{Line:2 Patron:20123000200051 Amount:1799}"}},
		{"cards", "card_uid,patron\n04:69:bd:8d:67:a6:a4,20123000200010\n",
			[]string{"{Line:2 UID:04:69:bd:8d:67:a6:a4 Patron:20123000200010}"}},
	}
	for _, test := range tests {
		f := open(t, test.kind, test.file, Options{Site: "0123"})
		same(t, collect(f.Rows()), test.want...)
		if f.Format() != "csv" || len(f.Ignored()) > 0 || f.Encoding() != "UTF-8" {
			t.Errorf("%s: format %q, ignored %q, encoding %q", test.kind, f.Format(), f.Ignored(), f.Encoding())
		}
	}
}

func micro(rfc3339 string) int64 {
	at, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		panic(err)
	}
	return at.UnixMicro()
}

// sisHeader is what student information systems write for Destiny (facts: ecosystem 6.3): the columns up to
// the mail addresses and two blocks of an address, of which some systems write eleven columns in all.
const sisHeader = "Barcode,SiteShortName,DistrictID,LastName,FirstName,MiddleName,Nickname,Gender,PatronType,AccessLevel,Status,CardExpires," +
	"GradeLevel,Homeroom,GraduationYear,BirthDate,UserName,Password,EmailPrimary,EmailSecondary," +
	"AddressPrimaryLine1,AddressPrimaryLine2,AddressPrimaryCity,AddressPrimaryState,AddressPrimaryZipCode,AddressPrimaryPhoneNumberPrimary," +
	"AddressSecondaryLine1,AddressSecondaryCity,AddressSecondaryState,AddressSecondaryZipCode,AddressSecondaryPhoneNumberPrimary"

func TestTheFileOfAStudentInformationSystemIsRead(t *testing.T) {
	if n := len(strings.Split(sisHeader, ",")); n != 31 {
		t.Fatalf("the header has %d columns", n)
	}
	file := "\ufeff" + sisHeader + "\r\n" +
		`"1002334","HS","1002334","Ortega","Luz","Ana","","F","Student","Patron","A","06/30/27","05","5B","2033","02/29/16","lortega","s3cret","a@example.org","","1 Main St` + "\r\n" + `Apt 4","","LA","CA","90001","555-0100","","","","",""` + "\r\n" +
		`autoassign,HS,7,Smith,Al,,,M,Teacher,Teacher,A,,,,,,,,,,,,,,,,,,,,` + "\r\n" +
		`88,HS,8,Smith,Robert,,Bob,M,Teacher,Teacher,R,6/5/2031,,,,,,,,,,,,,,,,,,,` + "\r\n"
	f := open(t, "patrons", file, Options{})
	same(t, collect(f.Rows()),
		"{Line:2 Barcode:1002334 Name:Luz Type:student Grade:05 Homeroom:5B Language: Inactive:false Expires:2027-06-30 DistrictID:1002334 CardUID: PIN:}",
		`!4 Barcode: is "autoassign": Destiny makes the number up; export the file from Destiny itself`,
		"{Line:5 Barcode:88 Name:Bob Type:teacher Grade: Homeroom: Language: Inactive:true Expires:2031-06-05 DistrictID:8 CardUID: PIN:}")
	if f.Format() != "destiny-sis" {
		t.Errorf("format %q", f.Format())
	}
	if !slices.Contains(f.Ignored(), "Password") || slices.Contains(f.Ignored(), "LastName") || len(f.Ignored()) != 21 {
		t.Errorf("ignored %q", f.Ignored())
	}
}

func TestEveryNameOfAColumnIsKnown(t *testing.T) {
	for _, kind := range Kinds() {
		for _, c := range columns(kind) {
			for _, alias := range append([]string{c.name, strings.ToUpper(c.name), strings.ReplaceAll(c.name, "_", " ")}, c.aliases...) {
				at, _, err := find(c, []string{"x", normal(alias)}, "")
				if at != 1 || err != nil {
					t.Errorf("%s: %q stands at %d: %v", kind, alias, at, err)
				}
			}
			for _, other := range columns(kind) {
				if other.name != c.name && (slices.Contains(c.aliases, normal(other.name)) || slices.ContainsFunc(c.aliases, func(a string) bool { return slices.Contains(other.aliases, a) })) {
					t.Errorf("%s: %s and %s share a name", kind, c.name, other.name)
				}
			}
		}
	}
}

func TestTheFullHeaderForDestinyIsKnown(t *testing.T) {
	header := strings.Replace(sisHeader, "AddressSecondaryCity", "AddressPrimaryPhoneNumberSecondary,AddressSecondaryLine2,AddressSecondaryCity", 1) + ",AddressSecondaryPhoneNumberSecondary"
	f := open(t, "patrons", header+"\n1,HS,7,Smith,Al"+strings.Repeat(",", 29)+"\n", Options{})
	same(t, collect(f.Rows()), "{Line:2 Barcode:1 Name:Al Type:student Grade: Homeroom: Language: Inactive:false Expires: DistrictID:7 CardUID: PIN:}")
	if f.Format() != "destiny-sis" || len(strings.Split(header, ",")) != 34 {
		t.Errorf("format %q", f.Format())
	}
}

func TestQuotesThatOpenAnewOnEachLineAreGivenUpSoon(t *testing.T) {
	// Each line would else be the first of a row of 64 KiB.
	got := collect(open(t, "cards", "card_uid,patron\n"+strings.Repeat("a\",\"\n", 20_000)+"04112233,7\n", Options{}).Rows())
	if n := len(got); n < 19_900 || got[0] != "!2 : the row has far more fields than the header" || got[n-1] != "{Line:20002 UID:04112233 Patron:7}" {
		t.Errorf("%d rows, first %q, last %q", n, got[0], got[n-1])
	}
}

func TestDestinysReportsAreRead(t *testing.T) {
	tests := []struct{ kind, file, want string }{
		{"copies", "Title,Author,Call Number,Copy Barcode,Circulation Type,Site Short Name,Copy Status\nMaus,\"Spiegelman, Art\",741.5 SPI,T 12,R,0123,Checked Out\n",
			"{Line:2 Barcode:T 12 TitleID: Title:Maus Author:Spiegelman, Art CallNumber:741.5 SPI CircType:regular Site: Status:available}"},
		{"loans", "Patron Barcode\tCopy Barcode\tTitle\tDate Out\tDate Due\nP 1\tT 12\tMaus\t9/1/26\t09/15/2026\n",
			fmt.Sprintf("{Line:2 Item:T 12 Patron:P 1 At:%d Due:2026-09-15 Renewals:0}", micro("2026-09-01T00:00:00-07:00"))},
		{"holds", "Patron Barcode;Item Barcode;Hold Placed;Hold Status\nP 1;T 12;11/24/2026 1:05 PM;Ready\n",
			fmt.Sprintf("{Line:2 Patron:P 1 TitleID: Item:T 12 Placed:%d Site: Ready:true}", micro("2026-11-24T13:05:00-08:00"))},
		{"charges", "Patron Barcode,Amount Due\nP 1,\"$1,234.50\"\n", "{Line:2 Patron:P 1 Amount:123450}"},
	}
	for _, test := range tests {
		same(t, collect(open(t, test.kind, test.file, Options{Site: "0123"}).Rows()), test.want)
	}
}

func TestTheConfigMapsColumns(t *testing.T) {
	o := Options{Headers: map[string]string{"barcode": "Student #", "first_name": "Rufname", "expires": "gültig bis"}}
	f := open(t, "patrons", "student #;RUFNAME;Gültig-bis;Barcode\n77;Maya;11/24/26;99\n", o)
	same(t, collect(f.Rows()),
		"{Line:2 Barcode:77 Name:Maya Type:student Grade: Homeroom: Language: Inactive:false Expires:2026-11-24 DistrictID: CardUID: PIN:}")
	if !slices.Equal(f.Ignored(), []string{"Barcode"}) {
		t.Errorf("ignored %q", f.Ignored())
	}
}

func TestAFileThatIsNoneIsRefused(t *testing.T) {
	tests := []struct{ name, kind, file, want string }{
		{"empty", "patrons", "", "the file is empty"},
		{"blank lines", "patrons", "\ufeff\r\n\n  \n", "the file is empty"},
		{"no header", "patrons", "20123000200010,Thompson,Maya\n", "none of its columns (3) has a name that we know"},
		{"a column is missing", "loans", "Item,Patron,When\n1,2,3\n", `no column for due; its header is "Item", "Patron", "When"`},
		{"neither of two", "holds", "patron,status\n1,ready\n", `no column for title_id or item; its header is "patron", "status"`},
		{"twice", "patrons", "barcode,name,Bar Code\n", `the column for "barcode" twice`},
		{"UTF-16", "patrons", "\xff\xfeb\x00a\x00", "UTF-16"},
		{"UTF-16 without a mark", "patrons", "b\x00a\x00r\x00", "zero byte at offset 1"},
		{"xlsx", "patrons", "PK\x03\x04rest", "spreadsheet (.xlsx"},
		{"xls", "patrons", "\xd0\xcf\x11\xe0rest", "old spreadsheet"},
		{"binary", "patrons", "barcode\x00\x01", "zero byte"},
		{"a header with a control character", "patrons", "barcode,na\x1bme\n1,2", "column 2 has the control character 0x1B at byte 3"},
		{"PDF", "charges", "%PDF-1.7", "PDF"},
		{"HTML", "copies", "<!DOCTYPE html><html>", "web page"},
		{"other XML", "copies", "<?xml version=\"1.0\"?><svg/>", "not MARCXML"},
		{"MARCXML in Latin-1", "copies", "<?xml version='1.0' encoding='ISO-8859-1'?><collection/>", `encoding is "iso-8859-1"`},
		{"MARC of patrons", "patrons", "00026nam a2200025 a 4500\x1e\x1d", "MARC, which has copies and no patrons"},
		{"a kind that is none", "shelves", "", `"shelves" is not a kind`},
		{"a long first line", "patrons", strings.Repeat("x", 300<<10), "longer than 65536 bytes"},
		{"a quote in the header", "patrons", "\"barcode,name\n1,2\n", "the header cannot be read: has a quote that is not closed"},
		{"many columns", "patrons", "barcode" + strings.Repeat(",x", 600), "601 columns"},
	}
	for _, test := range tests {
		f, err := Open(test.kind, strings.NewReader(test.file), Options{})
		if err == nil {
			t.Errorf("%s: taken as %s", test.name, f.Format())
		} else if !strings.Contains(err.Error(), test.want) || strings.ContainsAny(err.Error(), "\n\x00\x1b") {
			t.Errorf("%s: %q, want %q", test.name, err, test.want)
		}
	}
}

func TestAMappingThatTheFileDoesNotHaveIsRefused(t *testing.T) {
	for column, want := range map[string]string{"barcode": "which the header does not have", "shoe": "no column of patrons"} {
		_, err := Open("patrons", strings.NewReader("barcode\n1\n"), Options{Headers: map[string]string{column: "Shoe size"}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", column, err)
		}
	}
}

func TestAHeaderThatMayBeARowIsNotShown(t *testing.T) {
	_, err := Open("patrons", strings.NewReader("4711,Thompson,Maya\n"), Options{})
	if err == nil || strings.Contains(err.Error(), "Thompson") || strings.Contains(err.Error(), "4711") {
		t.Errorf("%v", err)
	}
}

func TestHowRowsAreWritten(t *testing.T) {
	const ok = "{Line:2 UID:04112233 Patron:7}"
	tests := []struct {
		name, file string
		want       []string
	}{
		{"LF", "card_uid,patron\n04112233,7\n", []string{ok}},
		{"CR LF", "card_uid,patron\r\n04112233,7\r\n", []string{ok}},
		{"CR", "card_uid,patron\r04112233,7\r", []string{ok}},
		{"no end", "card_uid,patron\n04112233,7", []string{ok}},
		{"quotes", "\"card_uid\",\"patron\"\n\"04112233\",\"7\"", []string{ok}},
		{"byte order mark", "\ufeff\"card_uid\",patron\n04112233,7\n", []string{ok}},
		{"semicolon", "card_uid;patron\n04112233;7\n", []string{ok}},
		{"TAB", "card_uid\tpatron\n04112233\t7\n", []string{ok}},
		{"sep=", "sep=;\ncard_uid;patron\n04112233;7\n", []string{"{Line:3 UID:04112233 Patron:7}"}},
		{"spaces", " Card UID ,PATRON\n 04112233 , 7 \n", []string{ok}},
		{"other order", "patron,more,CardUID\n7,x,04112233\n", []string{ok}},
		{"a spreadsheet's text", "card_uid,patron\n04112233,\"=\"\"0007\"\"\"\n", []string{"{Line:2 UID:04112233 Patron:0007}"}},
		{"blank lines", "card_uid,patron\n\n   \n04112233,7\n\x1a", []string{"{Line:4 UID:04112233 Patron:7}"}},
		{"ragged", "card_uid,patron\n04112233\n04112233,7,\n04112233,7\n", []string{
			"!2 : the row has 1 fields where the header has 2", "!3 : the row has 3 fields where the header has 2", "{Line:4 UID:04112233 Patron:7}"}},
		{"text behind a quote", "card_uid,patron\n\"0411\"2233,7\n04112233,7\n", []string{
			"!2 : the row has text behind a closing quote", "{Line:3 UID:04112233 Patron:7}"}},
		{"an open quote", "card_uid,patron\n\"04112233,7\n04112233,7\n", []string{
			"!2 : the row has a quote that is not closed within 65536 bytes", "{Line:3 UID:04112233 Patron:7}"}},
		{"an open quote far from the end", "card_uid,patron\n\"04112233,7\n04112233,7\n" + strings.Repeat("\n", 70<<10), []string{
			"!2 : the row has a quote that is not closed within 65536 bytes", "{Line:3 UID:04112233 Patron:7}"}},
		{"a long row", "card_uid,patron\n" + strings.Repeat("x", 70<<10) + "\n04112233,7\n", []string{
			"!2 : the row is longer than 65536 bytes", "{Line:3 UID:04112233 Patron:7}"}},
		{"a very long row", "card_uid,patron\n" + strings.Repeat("x", 900<<10) + "\n04112233,7\n", []string{
			"!2 : the row is longer than 65536 bytes", "{Line:3 UID:04112233 Patron:7}"}},
		{"an escape", "card_uid,patron\n04112233,7\x1b[2J\n", []string{"!2 patron: has the byte 0x1B at 2, which is in no barcode"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			same(t, collect(open(t, "cards", test.file, Options{}).Rows()), test.want...)
		})
	}
}

func TestLinesAreCountedThroughQuotedLineBreaks(t *testing.T) {
	file := "barcode,title\r\n1,\"a\r\nb\"\r\n2,\"c\rd\ne\"\r\n3,f\r\n4,\"g \"\"h\"\"\"\r\n,i\r\n"
	same(t, collect(open(t, "copies", file, Options{}).Rows()),
		"{Line:2 Barcode:1 TitleID: Title:a b Author: CallNumber: CircType:regular Site: Status:available}",
		"{Line:4 Barcode:2 TitleID: Title:c d e Author: CallNumber: CircType:regular Site: Status:available}",
		"{Line:7 Barcode:3 TitleID: Title:f Author: CallNumber: CircType:regular Site: Status:available}",
		`{Line:8 Barcode:4 TitleID: Title:g "h" Author: CallNumber: CircType:regular Site: Status:available}`,
		"!9 barcode: is empty")
}

func TestEachBadValueIsNamed(t *testing.T) {
	long := strings.Repeat("x", 301)
	tests := []struct{ kind, header, row, want string }{
		{"patrons", "barcode,grade", ",4", "!2 barcode: is empty"},
		{"patrons", "Bar Code,grade", "1é,4", "!2 Bar Code: has the byte 0xC3 at 2, which is in no barcode"},
		{"patrons", "barcode,grade", "2.10123E+13,4", "!2 barcode: was rounded by a spreadsheet (E+); export the file again without opening it in one"},
		{"patrons", "barcode,grade", strings.Repeat("1", 65) + ",4", "!2 barcode: has 65 bytes; the limit is 64"},
		{"patrons", "barcode,first_name", "1,Ma\x07ya", "!2 first_name: has the control character 0x07 at byte 3"},
		{"patrons", "barcode,first_name", "1,Ma\u0085ya", "!2 first_name: has the control character 0x85 at byte 3"},
		{"patrons", "barcode,first_name", "1," + long, "!2 first_name: has 301 bytes; the limit is 100"},
		{"patrons", "barcode,status", "1,Z", `!2 status: is "z"`},
		{"patrons", "barcode,expires", "1,11/24/2026", `!2 expires: is "11/24/2026", which is no date like 2026-11-24`},
		{"patrons", "barcode,Card Expires", "1,24.11.2026", `!2 Card Expires: is "24.11.2026", which is no date like 2026-11-24 or 11/24/2026`},
		{"patrons", "barcode,expires", "1,2026-02-29", `!2 expires: is "2026-02-29", a day that the calendar does not have`},
		{"copies", "barcode,title", "1," + long, "!2 title: has 301 bytes; the limit is 300"},
		{"loans", "item,patron,due", "1,2,", "!2 due: is empty"},
		{"loans", "item,patron,due,renewals", "1,2,2026-11-24,-1", `!2 renewals: is "-1", which is no number from 0 to 9999`},
		{"loans", "item,patron,due,checked_out", "1,2,2026-11-24,yesterday", `!2 checked_out: is "yesterday", which is no date like 2026-11-24`},
		{"holds", "patron,item", "1,", "!2 title_id: is empty, and the row names no item either"},
		{"holds", "patron,item,status", "1,2,maybe", `!2 status: is "maybe"`},
		{"charges", "patron,amount", "1,", "!2 amount: is empty"},
		{"charges", "patron,amount", "1,\"2,50\"", `!2 amount: is "2,50", which is no amount like 2.50`},
		{"cards", "card_uid,patron", ",1", "!2 card_uid: is empty"},
		{"cards", "card_uid,patron", "04112233,", "!2 patron: is empty"},
	}
	for _, test := range tests {
		same(t, collect(open(t, test.kind, test.header+"\n"+test.row+"\n", Options{}).Rows()), test.want)
	}
}

// noCard reads cards' numbers and finds none.
func noCard(string) (uid, reason string) { return "", "is no number of a card" }

func TestNoReasonShowsANameOrABarcode(t *testing.T) {
	for _, file := range []string{
		"barcode,first_name\n1,Philomena\x01\n", "barcode,first_name\nPhilomena\x01,1\n",
		"barcode,first_name\n1," + strings.Repeat("Philomena", 50) + "\n", "barcode,first_name\nPhilomena,b,c\n",
		"barcode,card_uid\n1,Philomena\n",
	} {
		if got := collect(open(t, "patrons", file, Options{Card: noCard}).Rows()); len(got) != 1 || strings.Contains(got[0], "Philo") || got[0][0] != '!' {
			t.Errorf("%q", got)
		}
	}
}

func TestBidiControlsGo(t *testing.T) {
	same(t, collect(open(t, "copies", "barcode,title\n1,ab\u202ecd\u2066e\u200f\n", Options{}).Rows()),
		"{Line:2 Barcode:1 TitleID: Title:abcde Author: CallNumber: CircType:regular Site: Status:available}")
}

func TestAFamilyNameStaysHere(t *testing.T) {
	var names []string
	for row := range open(t, "patrons", "barcode,last_name,first_name,nickname\n1,Garcia,Maya,\n2,Garcia,\"Garcia, Luz\",\n3,Garcia,Ana,\"Garcia, Nita\"\n4,Garcia,,\n", Options{}).Rows() {
		names = append(names, row.(*Patron).Name)
	}
	same(t, names, "Maya", "Luz", "Nita", "")
}

func TestAnOldEncodingIsReadUntilUTF8Appears(t *testing.T) {
	const header = "barcode,title\n"
	plain := func(line int, title string) string {
		return fmt.Sprintf("{Line:%d Barcode:1 TitleID: Title:%s Author: CallNumber: CircType:regular Site: Status:available}", line, title)
	}
	tests := []struct {
		name, file, encoding string
		want                 []string
	}{
		{"Windows-1252", header + "1,Ni\xf1o \x93x\x94 \x80\n1,\"\xc9t\xe9\"\n", "Windows-1252", []string{plain(2, "Niño “x” €"), plain(3, "Été")}},
		{"UTF-8", header + "1,Niño\n1,Ni\xf1o\n", "UTF-8", []string{plain(2, "Niño"), "!3 : the row is not UTF-8: byte 5 of the row is 0xF1"}},
		{"byte order mark", "\ufeff" + header + "1,Ni\xf1o\n", "UTF-8", []string{"!2 : the row is not UTF-8: byte 5 of the row is 0xF1"}},
		{"one damaged row", header + "1,Ni\xf1o\n1,Niño\n1,Ni\xf1o\n", "Windows-1252", []string{plain(2, "Niño"), plain(3, "Niño"), "!4 : the row is not UTF-8: byte 5 of the row is 0xF1"}},
		{"neither", header + "1,x\x81\n", "UTF-8", []string{"!2 : the row is neither UTF-8 nor Windows-1252: it has the byte 0x81"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := open(t, "copies", test.file, Options{})
			same(t, collect(f.Rows()), test.want...)
			if f.Encoding() != test.encoding {
				t.Errorf("encoding %q", f.Encoding())
			}
		})
	}
}

func TestAReadErrorEndsTheReading(t *testing.T) {
	file := "card_uid,patron\n04112233,7\n04112233,8"
	broken := errors.New("the disk is gone")
	f, err := Open("cards", io.MultiReader(strings.NewReader(file), iotest.ErrReader(broken)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var last *Bad
	n := 0
	for row, bad := range f.Rows() {
		if row != nil {
			n++
		}
		last = bad
	}
	if n != 1 || last == nil || !errors.Is(last.Fatal, broken) || last.Line != 3 {
		t.Errorf("%d rows, then %+v", n, last)
	}
	if _, err := Open("cards", iotest.ErrReader(broken), Options{}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestTheFileMayComeInAnyPieces(t *testing.T) {
	var file bytes.Buffer
	file.WriteString("\ufeffbarcode;title\r\n")
	for i := range 9000 {
		fmt.Fprintf(&file, "%d;\"Título \"\"%d\"\"\r\n%s\"\r\n", i, i, strings.Repeat("ñ", i%40))
	}
	want := collect(open(t, "copies", file.String(), Options{}).Rows())
	for name, r := range map[string]io.Reader{
		"bytes": iotest.OneByteReader(bytes.NewReader(file.Bytes())), "halves": iotest.HalfReader(bytes.NewReader(file.Bytes())),
		"EOF with data": iotest.DataErrReader(bytes.NewReader(file.Bytes())),
	} {
		f, err := Open("copies", r, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := collect(f.Rows()); len(got) != 9000 || !slices.Equal(got, want) {
			t.Errorf("%s: %d rows", name, len(got))
		}
	}
}

func TestAReaderMayStopEarly(t *testing.T) {
	for range open(t, "cards", "card_uid,patron\n04112233,7\n04112233,8\n", Options{}).Rows() {
		return
	}
	t.Error("no row")
}
