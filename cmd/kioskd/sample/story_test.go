package sample

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"circdesk/cmd/kioskd/config"
	"circdesk/devices/barcode"
	"circdesk/kiosk"
)

// A desk is the core itself with the sample's policy and, for a cache, the sample's files.
type desk struct {
	t      *testing.T
	files  Files
	school library
	setup  *kiosk.Setup
	rules  *barcode.Classifier
	now    time.Time
	state  kiosk.State
}

// stand sets a desk up at ten in the morning of a day.
func stand(t *testing.T, today string) *desk {
	t.Helper()
	f := School(today)
	c, complaints := config.Parse(
		config.Source{Name: "kiosk.toml", Text: []byte("[kiosk]\nid = \"DEMO-1\"\nsite = \"0123\"\ntimezone = \"America/Los_Angeles\"\nlanguages = [\"en\", \"es\"]\n")},
		config.Source{Name: "policy.toml", Text: f.Policy}, []string{"en", "es"})
	if len(complaints) > 0 {
		t.Fatal(complaints)
	}
	rules, err := barcode.New([]barcode.Rule{
		{Name: "card", Pattern: `2` + Site + `\d{9}`, Check: barcode.CheckLuhn, Strict: true, Kind: barcode.Patron},
		{Name: "label", Pattern: `3(?:` + Site + `|` + OtherSite + `)\d{9}`, Check: barcode.CheckLuhn, Strict: true, Kind: barcode.Item},
		{Name: "elsewhere", Pattern: `[23]\d{13}`, Fallback: true, Kind: barcode.Foreign},
	})
	if err != nil {
		t.Fatal(err)
	}
	day, err := time.ParseInLocation(time.DateOnly, today, c.Kiosk.Zone)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, files: f, school: open(t, f), setup: c.Setup(), rules: rules, now: day.Add(10 * time.Hour)}
	d.clear()
	return d
}

// clear begins anew: what was lent before is on the shelf again.
func (d *desk) clear() {
	d.state = kiosk.New(d.setup, d.now, 0)
	d.happen(kiosk.JournalIs{Writable: true, Prefix: "DEMO-1-0-", Next: 1})
	d.happen(kiosk.DeviceIs{Name: "desk", Role: kiosk.RoleStudent, Ready: true})
}

// happen steps the core and answers it until it asks no more.
func (d *desk) happen(ev kiosk.Event) {
	var out []kiosk.Effect
	d.state, out = kiosk.Step(d.state, d.now, ev)
	for _, effect := range out {
		switch e := effect.(type) {
		case kiosk.Find:
			d.happen(kiosk.Found{Call: e.Call, Account: d.account(e.Patron), Copy: d.copy(e.Item)})
		case kiosk.Record:
			d.happen(kiosk.Recorded{Call: e.Call, OK: true})
		default:
			d.t.Fatalf("no answer to %T", e)
		}
	}
}

// scan holds something under a scanner and tells what became of it: outcome and fault of the newest line,
// else the fault, else the screen.
func (d *desk) scan(role kiosk.Role, p Part) string {
	d.now = d.now.Add(time.Second)
	r := d.rules.Classify([]byte(p.Code), string(role))
	ev := kiosk.Scanned{Source: "desk", Role: role, Code: r.Text}
	if r.Problem == barcode.ProblemISBN {
		ev.Problem = kiosk.FaultISBN
	}
	for _, m := range r.Meanings {
		switch m.Kind {
		case barcode.Patron:
			ev.Patron = kiosk.PatronID(m.ID)
		case barcode.Item:
			ev.Item = kiosk.ItemID(m.ID)
		case barcode.Foreign:
			ev.Problem = kiosk.FaultNotOurs
		}
	}
	d.happen(ev)
	lines := d.state.Lines
	if role == kiosk.RoleBin {
		lines = d.state.Bin.Lines
	}
	if len(lines) > 0 {
		return strings.TrimSpace(fmt.Sprintf("%s %s", lines[0].Outcome, lines[0].Fault))
	}
	return string(d.state.Mode)
}

// account is what the cache would say of a patron.
func (d *desk) account(id kiosk.PatronID) *kiosk.Account {
	i := slices.IndexFunc(d.school.patrons, func(r row) bool { return r["barcode"] == string(id) })
	if i < 0 {
		return nil
	}
	p := d.school.patrons[i]
	a := &kiosk.Account{Patron: kiosk.Patron{ID: id, Name: p["first_name"], Type: p["patron_type"], Grade: p["grade"],
		Language: p["language"], Inactive: p["status"] != "A", Expires: d.date(p["expires"]), PIN: p["pin"] != ""}}
	for _, l := range d.school.loans {
		if l["patron"] == string(id) {
			c := d.copy(kiosk.ItemID(l["item"]))
			a.Loans = append(a.Loans, kiosk.Borrowed{Loan: c.Loan, Item: c.Item})
		}
	}
	for _, h := range d.school.holds {
		if h["patron"] == string(id) && h["status"] == "ready" {
			a.Ready++
		}
	}
	for _, c := range d.school.charges {
		if c["patron"] == string(id) {
			a.Charges += cents(d.t, c["amount"])
		}
	}
	return a
}

// copy is what the cache would say of an item.
func (d *desk) copy(id kiosk.ItemID) *kiosk.Copy {
	i := slices.IndexFunc(d.school.copies, func(r row) bool { return r["barcode"] == string(id) })
	if i < 0 {
		return nil
	}
	r := d.school.copies[i]
	c := &kiosk.Copy{Item: kiosk.Item{ID: id, TitleID: kiosk.TitleID(r["title_id"]), Title: r["title"], Type: r["circ_type"],
		Site: r["site"], Status: kiosk.ItemStatus(r["status"])}}
	for _, l := range d.school.loans {
		if l["item"] == string(id) {
			renewals, err := strconv.Atoi(l["renewals"])
			if err != nil {
				d.t.Fatal(err)
			}
			c.Out, c.Loan = true, kiosk.Loan{Item: id, Patron: kiosk.PatronID(l["patron"]), Due: kiosk.DueOn(d.date(l["due"])), Renewals: renewals}
		}
	}
	for _, h := range d.school.holds {
		if h["item"] == string(id) || h["item"] == "" && h["title_id"] == r["title_id"] {
			c.Holds = append(c.Holds, kiosk.Hold{Patron: kiosk.PatronID(h["patron"]), TitleID: kiosk.TitleID(h["title_id"]),
				Item: kiosk.ItemID(h["item"]), Site: h["pickup_site"], Ready: h["status"] == "ready"})
		}
	}
	return c
}

// date reads a date; "" is none.
func (d *desk) date(s string) kiosk.Date {
	if s == "" {
		return kiosk.Date{}
	}
	date, err := kiosk.ParseDate(s)
	if err != nil {
		d.t.Fatal(err)
	}
	return date
}

// days are those on which a demo could go wrong: an ordinary one, within and before a recess, around the
// end of the term, in summer, long after the calendar, on a leap day, and the first day of a test's clock.
func days() []string {
	return strings.Fields("2026-12-01 2026-11-24 2026-12-20 2026-12-25 2027-06-08 2027-06-09 2027-06-10 2027-06-11 2027-07-04 2028-02-29 2000-01-01")
}

// Every card of the cast does what its story says, on any day.
func TestThePeopleOfTheCast(t *testing.T) {
	for _, today := range days() {
		d := stand(t, today)
		c := d.files.Cast
		for _, story := range []struct {
			card  Part
			lang  string
			mode  kiosk.Mode
			loans int
			book  Part
			want  string
		}{
			{c.Maya, "en", kiosk.ModeBorrow, 0, c.Regular, "loan"},
			{c.Mateo, "es", kiosk.ModeBorrow, 1, c.Picture, "loan"},
			{c.AtLimit, "en", kiosk.ModeBorrow, 5, c.Regular, "refused too_many"},
			{c.AtLimit, "en", kiosk.ModeBorrow, 5, c.Textbook, "loan"},
			{c.Overdue, "es", kiosk.ModeBlocked, 0, Part{}, ""},
			{c.Charged, "en", kiosk.ModeBlocked, 0, Part{}, ""},
			{c.HoldReady, "en", kiosk.ModeBorrow, 0, c.OnHold, "loan"},
			{c.CanRenew, "en", kiosk.ModeBorrow, 1, c.Renewable, "renewal"},
			{c.CannotRenew, "es", kiosk.ModeBorrow, 1, c.Wanted, "refused renewal_hold"},
			{c.Teacher, "en", kiosk.ModeBorrow, 6, c.Regular, "loan"},
			{c.Librarian, "en", kiosk.ModePIN, 0, Part{}, ""},
			{c.UnknownCard, "en", kiosk.ModeUnknownCard, 0, Part{}, ""},
		} {
			d.clear()
			d.scan(kiosk.RoleStudent, story.card)
			if s := d.state; s.Mode != story.mode || s.Lang != story.lang || len(s.Account.Loans) != story.loans {
				t.Errorf("%s, %s: %s in %s with %d loans", today, story.card.Name, s.Mode, s.Lang, len(s.Account.Loans))
			}
			if story.want == "" {
				continue
			}
			if got := d.scan(kiosk.RoleStudent, story.book); got != story.want {
				t.Errorf("%s, %s with %s: %q, want %q", today, story.card.Name, story.book.Name, got, story.want)
			}
		}
	}
}

// Every book of the cast does what its story says, on any day: at the desk, to Maya, and in the return bin.
func TestTheBooksOfTheCast(t *testing.T) {
	for _, today := range days() {
		d := stand(t, today)
		c := d.files.Cast
		for _, story := range []struct {
			book      Part
			desk, bin string
		}{
			{c.Plain[0], "loan", "already_in"},
			{c.Plain[1], "loan", "already_in"},
			{c.Plain[2], "loan", "already_in"},
			{c.Regular, "loan", "already_in"},
			{c.Picture, "loan", "already_in"},
			{c.Textbook, "loan", "already_in"},
			{c.DVD, "loan", "already_in"},
			{c.Reference, "refused not_for_loan", "already_in"},
			{c.OnHold, "refused on_hold", "hold"},
			{c.OnLoan, "refused other_person", "return"},
			{c.Renewable, "refused other_person", "return"},
			{c.Wanted, "refused other_person", "hold"},
			{c.OtherSchool, "refused other_school", "transfer"},
			{c.Lost, "refused needs_helper", "found"},
			{c.InRepair, "refused needs_helper", "repair"},
			{c.UnknownItem, "refused unknown_item", "unknown"},
			{c.PublicLibrary, "refused not_ours", "not_ours"},
			{c.ISBN, "refused isbn", "refused isbn"},
		} {
			d.clear()
			d.scan(kiosk.RoleStudent, c.Maya)
			if got := d.scan(kiosk.RoleStudent, story.book); got != story.desk {
				t.Errorf("%s, %s at the desk: %q, want %q", today, story.book.Name, got, story.desk)
			}
			d.clear()
			if got := d.scan(kiosk.RoleBin, story.book); got != story.bin {
				t.Errorf("%s, %s in the bin: %q, want %q", today, story.book.Name, got, story.bin)
			}
		}
	}
}

func TestThreeBooksInFourScans(t *testing.T) {
	d := stand(t, "2026-12-01")
	d.scan(kiosk.RoleStudent, d.files.Cast.Maya)
	for _, book := range d.files.Cast.Plain {
		d.scan(kiosk.RoleStudent, book)
	}
	if d.state.New != 3 || d.state.Mode != kiosk.ModeBorrow {
		t.Errorf("%d books on screen %s", d.state.New, d.state.Mode)
	}
}

// The due dates are those of the policy: closed days move them, the end of the term bounds them.
func TestThePolicyIsInForce(t *testing.T) {
	for _, want := range []struct{ today, regular, picture, textbook, dvd string }{
		{"2026-12-01", "2026-12-15", "2026-12-08", "2027-06-10", "2026-12-04"},
		{"2026-12-10", "2027-01-09", "2026-12-17", "2027-06-10", "2026-12-13"},
		{"2026-11-24", "2026-12-08", "2026-12-01", "2027-06-10", "2026-11-27"},
		{"2027-06-01", "2027-06-10", "2027-06-08", "2027-06-10", "2027-06-04"},
		{"2027-06-10", "2027-06-24", "2027-06-17", "2028-06-08", "2027-06-13"},
	} {
		d := stand(t, want.today)
		c := d.files.Cast
		for _, loan := range []struct {
			book Part
			due  string
		}{{c.Regular, want.regular}, {c.Picture, want.picture}, {c.Textbook, want.textbook}, {c.DVD, want.dvd}} {
			d.clear()
			d.scan(kiosk.RoleStudent, c.Maya)
			d.scan(kiosk.RoleStudent, loan.book)
			if got := d.state.Lines[0].Due.String(); got != loan.due {
				t.Errorf("%s on %s: due %s, want %s", loan.book.Name, want.today, got, loan.due)
			}
		}
	}
	got := stand(t, monday).setup.Policy.Patrons
	want := map[string]kiosk.PatronType{
		"student":   {Limit: 5, Limits: map[string]int{"textbook": 20}, BlockOverdue: 3, BlockCharges: 1000},
		"teacher":   {Limit: 50, BlockOverdue: 3, BlockCharges: 1000},
		"librarian": {Limit: 50, Staff: true, PIN: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("patron types: %+v, want %+v", got, want)
	}
}

// Those who may not borrow are few and meant to be so, each for one reason.
func TestWhoIsBlocked(t *testing.T) {
	for _, today := range days() {
		d := stand(t, today)
		p, got := d.setup.Policy, map[string]int{}
		for _, r := range d.school.patrons {
			a := d.account(kiosk.PatronID(r["barcode"]))
			reasons, own := []string{}, 0
			for reason, is := range map[string]bool{
				"inactive": a.Patron.Inactive,
				"expired":  !a.Patron.Expires.IsZero() && a.Patron.Expires.Before(kiosk.DateOf(d.now)),
				"overdue":  p.Overdue(*a, d.now) >= 3,
				"charges":  a.Charges >= 1000,
			} {
				if is {
					got[reason]++
					reasons = append(reasons, reason)
				}
			}
			for _, b := range a.Loans {
				if b.Item.Type != "textbook" {
					own++
				}
			}
			if r["patron_type"] == "student" && own > 5 {
				got["above the limit"]++
			}
			if blocked := p.Blocked(*a, d.now); blocked != (len(reasons) == 1) {
				t.Errorf("%s: a patron is blocked: %v, for %v", today, blocked, reasons)
			}
		}
		want := map[string]int{"inactive": 3, "expired": 2, "overdue": 3, "charges": 3, "above the limit": 1}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", today, got, want)
		}
	}
}

// The simulator's labels are complete, and no two things of the cast end in the same four digits.
func TestTheCastHasItsLabels(t *testing.T) {
	c := School(monday).Cast
	tails := map[string]string{}
	for _, p := range append(c.People(), c.Books()...) {
		if p.Name == "" || p.What == "" || p.Story == "" || strings.Contains(p.Story, "\n") {
			t.Errorf("incomplete: %+v", p)
		}
		tail := p.Code[len(p.Code)-4:]
		if before, twice := tails[tail]; twice {
			t.Errorf("%s and %s both end in %s", before, p.Name, tail)
		}
		tails[tail] = p.Name
	}
	if people, books := len(c.People()), len(c.Books()); people != 11 || books != 18 {
		t.Errorf("%d people and %d books", people, books)
	}
	numbered(t, c.UnknownCard.Code, "2")
	numbered(t, c.UnknownItem.Code, "3")
	numbered(t, c.PublicLibrary.Code, "3")
	if !validISBN(c.ISBN.Code) {
		t.Errorf("%q is no ISBN", c.ISBN.Code)
	}
}
