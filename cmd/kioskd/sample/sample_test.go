package sample

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const monday = "2026-11-30"

// A row is one line of a CSV file by its header.
type row map[string]string

// read parses a CSV file, whose header must be as given.
func read(t *testing.T, file []byte, header string) []row {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(all[0], " "); got != header {
		t.Fatalf("the header is %q, want %q", got, header)
	}
	var rows []row
	for _, fields := range all[1:] {
		r := row{}
		for i, name := range all[0] {
			r[name] = fields[i]
		}
		rows = append(rows, r)
	}
	return rows
}

// A library is the sample's files, read.
type library struct{ patrons, copies, loans, holds, charges []row }

// open reads the files with the default headers of design section 6.
func open(t *testing.T, f Files) library {
	t.Helper()
	return library{
		read(t, f.Patrons, "barcode district_id last_name first_name nickname patron_type grade homeroom status expires language pin card_uid"),
		read(t, f.Copies, "barcode title_id title author isbn call_number circ_type site price status parts sublocation"),
		read(t, f.Loans, "item patron checked_out due renewals"),
		read(t, f.Holds, "patron title_id item placed pickup_site status"),
		read(t, f.Charges, "patron item reason amount currency created"),
	}
}

// count counts the rows in which a column has a value.
func count(rows []row, column, value string) int {
	n := 0
	for _, r := range rows {
		if r[column] == value {
			n++
		}
	}
	return n
}

// by finds rows by a column, which must not have a value twice.
func by(t *testing.T, rows []row, column string) map[string]row {
	t.Helper()
	all := map[string]row{}
	for _, r := range rows {
		if _, twice := all[r[column]]; twice {
			t.Errorf("%s %q is there twice", column, r[column])
		}
		all[r[column]] = r
	}
	return all
}

// cents reads money, which must have two decimals.
func cents(t *testing.T, s string) int64 {
	t.Helper()
	major, err := strconv.ParseFloat(s, 64)
	if err != nil || len(s)-strings.Index(s, ".") != 3 {
		t.Errorf("%q is not an amount like 2.50", s)
	}
	return int64(math.Round(100 * major))
}

// numbered complains unless code is a 14-digit library number of the kind and its check digit is right. It
// reckons the check from the left, unlike the code that made it.
func numbered(t *testing.T, code, kind string) {
	t.Helper()
	sum := 0
	for i, r := range code {
		n := int(r-'0') * (2 - i%2)
		sum += n/10 + n%10
	}
	if len(code) != 14 || strings.Trim(code, "0123456789") != "" || code[:1] != kind || sum%10 != 0 {
		t.Errorf("%q is not a library number of 14 digits that begins with %s", code, kind)
	}
}

func TestThePatronsAreThoseOfASchool(t *testing.T) {
	l := open(t, School(monday))
	for column, want := range map[string]map[string]int{
		"patron_type": {"student": 200, "teacher": 8, "librarian": 1},
		"status":      {"A": 206, "I": 3},
	} {
		for value, n := range want {
			if got := count(l.patrons, column, value); got != n {
				t.Errorf("%d patrons have the %s %q, want %d", got, column, value, n)
			}
		}
	}
	for _, grade := range strings.Fields("K 1 2 3 4 5 6 7 8") {
		if n := count(l.patrons, "grade", grade); n < 18 || n > 27 {
			t.Errorf("%d students are in grade %s", n, grade)
		}
	}
	expired, spanish, nicknamed := 0, 0, 0
	for _, p := range l.patrons {
		numbered(t, p["barcode"], "2")
		if p["expires"] != "" && p["expires"] < monday {
			expired++
		}
		if p["patron_type"] == "student" && p["language"] == "es" {
			spanish++
		}
		if p["nickname"] != "" {
			nicknamed++
		}
		if !slices.Contains([]string{"en", "es"}, p["language"]) || p["first_name"] == "" || p["last_name"] == "" || p["homeroom"] == "" {
			t.Errorf("incomplete: %v", p)
		}
	}
	if expired != 2 || spanish < 50 || nicknamed < 3 {
		t.Errorf("%d are expired, %d students speak Spanish, %d have a nickname", expired, spanish, nicknamed)
	}
	for _, column := range []string{"barcode", "district_id", "card_uid"} {
		by(t, l.patrons, column)
	}
}

func TestNamesAreAsHardAsRealOnes(t *testing.T) {
	l := open(t, School(monday))
	all := ""
	for _, p := range l.patrons {
		all += p["first_name"] + " " + p["last_name"] + "\n"
	}
	for _, sign := range []string{"í", "ñ", "'", "-", "De la Cruz", "yan\n", "Kim\n"} {
		if !strings.Contains(all, sign) {
			t.Errorf("no name has %q", sign)
		}
	}
}

func TestTheTitlesAreOfASchoolLibrary(t *testing.T) {
	f, err := csv.NewReader(strings.NewReader(titlesCSV)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seen, spanish, kinds := map[string]bool{}, 0, map[string]int{}
	for _, r := range f[1:] {
		name, author, call, kind, isbn := r[0], r[1], r[2], r[3], r[4]
		if seen[name+author] || name == "" || author == "" || call == "" {
			t.Errorf("twice or incomplete: %q", r)
		}
		seen[name+author] = true
		kinds[kind]++
		if strings.HasPrefix(call, "SPA ") {
			spanish++
		}
		if isbn != "" && !validISBN(isbn) {
			t.Errorf("%q has the ISBN %q", name, isbn)
		}
		for _, s := range r {
			if !utf8.ValidString(s) || strings.TrimSpace(s) != s || strings.ContainsAny(s, "\u0301\u0303\u0308\ufffd") {
				t.Errorf("%q is not clean, composed UTF-8", s)
			}
		}
	}
	if n := len(f) - 1; n != 1500 || spanish < n*14/100 || spanish > n*18/100 {
		t.Errorf("%d titles, %d of them Spanish", n, spanish)
	}
	for kind, least := range map[string]int{"regular": 900, "picture": 300, "reference": 10, "textbook": 12, "dvd": 15} {
		if kinds[kind] < least {
			t.Errorf("%d titles are of type %q, want %d at least", kinds[kind], kind, least)
		}
		delete(kinds, kind)
	}
	if len(kinds) > 0 {
		t.Errorf("circulation types without a rule: %v", kinds)
	}
}

func validISBN(s string) bool {
	sum := 0
	for i, r := range s {
		sum += int(r-'0') * (1 + i%2*2)
	}
	return len(s) == 13 && strings.HasPrefix(s, "978") && sum%10 == 0
}

func TestTheCopiesAreLabelled(t *testing.T) {
	l := open(t, School(monday))
	by(t, l.copies, "barcode")
	titles := map[string]row{}
	for _, c := range l.copies {
		numbered(t, c["barcode"], "3")
		if c["barcode"][1:5] != c["site"] {
			t.Errorf("copy %q is of site %q", c["barcode"], c["site"])
		}
		if cents(t, c["price"]) < 500 || c["parts"] == "" || c["sublocation"] == "" {
			t.Errorf("incomplete: %v", c)
		}
		if first, ok := titles[c["title_id"]]; ok && first["title"] != c["title"] {
			t.Errorf("title %q is both %q and %q", c["title_id"], first["title"], c["title"])
		}
		titles[c["title_id"]] = c
	}
	got := []int{len(l.copies), len(titles), count(l.copies, "site", "0456"), count(l.copies, "site", "0123"),
		count(l.copies, "status", "lost"), count(l.copies, "status", "repair"), count(l.copies, "status", "available")}
	if want := []int{2500, 1500, 12, 2488, 6, 6, 2488}; !slices.Equal(got, want) {
		t.Errorf("copies, titles, of the other school, of this, lost, in repair, available: %v, want %v", got, want)
	}
}

func TestLoansHoldsAndChargesAreOfPatronsAndCopies(t *testing.T) {
	l := open(t, School(monday))
	patrons, copies := by(t, l.patrons, "barcode"), by(t, l.copies, "barcode")
	out := by(t, l.loans, "item")
	for _, loan := range l.loans {
		p, c := patrons[loan["patron"]], copies[loan["item"]]
		if p == nil || c == nil || c["site"] != "0123" || c["status"] != "available" || p["status"] != "A" {
			t.Errorf("loan %v of %v to %v", loan, c, p)
		}
		if loan["checked_out"] > monday || loan["checked_out"] >= loan["due"] {
			t.Errorf("loan %v is not in order on %s", loan, monday)
		}
	}
	claims := map[string]bool{}
	for _, h := range l.holds {
		c, isOut := copies[h["item"]], out[h["item"]] != nil
		if patrons[h["patron"]] == nil || h["item"] != "" && (c == nil || c["title_id"] != h["title_id"]) {
			t.Errorf("hold %v of nobody or on nothing", h)
		}
		if ready := h["status"] == "ready"; ready == isOut && h["item"] != "" || ready && h["item"] == "" || h["placed"] > monday {
			t.Errorf("hold %v: the copy is out: %v", h, isOut)
		}
		if claim := h["patron"] + h["title_id"]; claims[claim] {
			t.Errorf("hold %v is there twice", h)
		} else {
			claims[claim] = true
		}
	}
	for _, loan := range l.loans {
		if claims[loan["patron"]+copies[loan["item"]]["title_id"]] {
			t.Errorf("somebody waits for a book he has: %v", loan)
		}
	}
	for _, c := range l.charges {
		if patrons[c["patron"]] == nil || copies[c["item"]] == nil || cents(t, c["amount"]) <= 0 || c["currency"] != "USD" || c["created"] > monday {
			t.Errorf("charge %v", c)
		}
	}
}

func TestTheDeskHasSomethingToDo(t *testing.T) {
	l := open(t, School(monday))
	overdue, today, renewed := 0, 0, 0
	for _, loan := range l.loans {
		switch {
		case loan["due"] < monday:
			overdue++
		case loan["due"] == monday:
			today++
		}
		if loan["renewals"] != "0" {
			renewed++
		}
	}
	wholeTitle := 0
	for _, h := range l.holds {
		if h["item"] == "" {
			wholeTitle++
		}
	}
	got := []int{len(l.loans), overdue, today, len(l.holds), count(l.holds, "status", "ready"), wholeTitle,
		count(l.holds, "pickup_site", "0456"), len(l.charges)}
	if want := []int{220, 18, 6, 25, 8, 11, 2, 15}; !slices.Equal(got, want) || renewed < 10 {
		t.Errorf("loans, overdue, due today, holds, ready, on a title, for the other school, charges: %v, want %v; renewed: %d",
			got, want, renewed)
	}
}

func TestTheSameDayGivesTheSameBytes(t *testing.T) {
	a, b := School(monday), School(monday)
	for i, file := range [][2][]byte{{a.Patrons, b.Patrons}, {a.Copies, b.Copies}, {a.Loans, b.Loans}, {a.Holds, b.Holds},
		{a.Charges, b.Charges}, {a.Policy, b.Policy}} {
		if !bytes.Equal(file[0], file[1]) {
			t.Errorf("file %d differs", i)
		}
	}
	if a.Cast != b.Cast {
		t.Error("the cast differs")
	}
}

func TestTheDateMovesTheLoans(t *testing.T) {
	a, b := School("2026-11-30"), School("2026-12-02")
	before, after := open(t, a), open(t, b)
	if !bytes.Equal(a.Copies, b.Copies) || a.Cast != b.Cast {
		t.Error("the date moves more than dates")
	}
	for i, loan := range before.loans {
		for _, column := range []string{"checked_out", "due"} {
			was, err := time.Parse(time.DateOnly, loan[column])
			if err != nil {
				t.Fatal(err)
			}
			want := was.AddDate(0, 0, 2).Format(time.DateOnly)
			if loan["due"] == "2027-06-10" && column == "due" {
				want = "2027-06-10" // a textbook's
			}
			if got := after.loans[i][column]; got != want {
				t.Errorf("loan %d is %s on %s, want %s", i, column, got, want)
			}
		}
	}
}

func TestADateThatIsNoneIsAMistakeOfTheProgram(t *testing.T) {
	defer func() {
		if said := fmt.Sprint(recover()); !strings.Contains(said, `"today"`) {
			t.Errorf("the panic says %q", said)
		}
	}()
	School("today")
}
