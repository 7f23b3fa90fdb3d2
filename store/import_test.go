package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"circdesk/kiosk"
)

func TestAFileIsLoadedAndReported(t *testing.T) {
	d := openDesk(t)
	if _, ok := d.Age(d.now); ok {
		t.Error("an empty cache has an age")
	}
	r := d.load("patrons", "barcode,first_name,patron_type,grade,shoe_size\n21,Maya,student,3,9\n21,Mia,student,3,9\n22,Leo,student,4,9\n,Nobody,student,4,9\n")
	if r.Rows != 4 || r.Loaded != 2 || r.Bad != 2 || len(r.BadRows) != 2 || r.Refused != "" || r.Before != 0 {
		t.Errorf("%+v", r)
	}
	if len(r.Ignored) != 1 || r.Ignored[0] != "shoe_size" {
		t.Errorf("ignored %q", r.Ignored)
	}
	if d.account("21").Patron.Name != "Maya" {
		t.Error("the first row does not count")
	}
	d.now = d.now.Add(time.Hour)
	last, ok := d.LastImport()
	if age, _ := d.Age(d.now); !ok || last.Kind != "patrons" || last.Rows != 2 || age != time.Hour {
		t.Errorf("%+v, age %v", last, age)
	}
	d.reopen()
	if again, _ := d.LastImport(); again.Kind != last.Kind || !again.At.Equal(last.At) {
		t.Errorf("after a restart %+v", again)
	}
}

func people(from, to int) string {
	var b strings.Builder
	b.WriteString("barcode,first_name\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "%d,N%d\n", i, i)
	}
	return b.String()
}

func TestAFileThatLooksWrongNeedsForce(t *testing.T) {
	d := openDesk(t)
	d.load("patrons", people(0, 100))
	for name, c := range map[string]struct {
		file  string
		taken time.Time
		wrong bool
	}{
		"80 of 100":          {people(0, 80), d.now, false},
		"others":             {people(50, 150), d.now, true},
		"empty":              {people(0, 0), d.now, true},
		"older":              {people(0, 100), d.now.Add(-time.Second), true},
		"not such a file":    {"a,b\n1,2\n", d.now, true},
		"the same once more": {people(0, 100), d.now, false},
	} {
		d.load("patrons", people(0, 100), ImportOptions{Taken: d.now, Force: true})
		r := d.load("patrons", c.file, ImportOptions{Taken: c.taken})
		if (r.Refused != "") != c.wrong {
			t.Errorf("%s: refused %q, bad %d", name, r.Refused, r.Bad)
		}
		if c.wrong && d.account("99").Patron.Name != "N99" {
			t.Errorf("%s: the old snapshot is gone", name)
		}
	}
	if r := d.load("patrons", people(50, 150), ImportOptions{Taken: d.now.Add(-time.Hour), Force: true}); r.Refused != "" || r.Loaded != 100 {
		t.Errorf("with force: %+v", r)
	}
	if d.account("149").Patron.Name != "N149" {
		t.Error("the new snapshot is not there")
	}
}

func TestEntriesAreAppliedToANewSnapshot(t *testing.T) {
	d := openDesk(t)
	d.school()
	d.lend("21", "31") // will be confirmed: the file knows
	d.lend("21", "32") // never delivered
	d.lend("22", "33") // confirmed, but after the file was taken
	d.giveBack("22", "33")
	old := d.now
	if err := d.Deliver(1, kiosk.Confirmed, ""); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(time.Hour)
	d.lend("22", "33")
	if err := d.Deliver(5, kiosk.Confirmed, ""); err != nil {
		t.Fatal(err)
	}
	d.load("loans", "item,patron,checked_out,due,renewals\n34,22,2026-11-01,2026-12-01,0\n", ImportOptions{Taken: old.Add(time.Minute), Force: true})
	for item, patron := range map[kiosk.ItemID]kiosk.PatronID{"31": "", "32": "21", "33": "22"} {
		if c := d.copyOf(item); c.Loan.Patron != patron {
			t.Errorf("%s is out by %q, want %q", item, c.Loan.Patron, patron)
		}
	}
	if n := len(d.account("22").Loans); n != 2 {
		t.Errorf("22 has %d loans, want the file's and the journal's", n)
	}
}

func TestALateReturnDoesNotEndSomebodyElsesLoan(t *testing.T) {
	d := openDesk(t)
	d.school()
	d.giveBack("21", "31")
	d.now = d.now.Add(24 * time.Hour)
	d.load("loans", "item,patron,checked_out,due,renewals\n31,22,2026-11-23T12:00:00Z,2026-12-01,0\n32,22,2026-11-01,2026-12-01,0\n")
	if c := d.copyOf("31"); c.Loan.Patron != "22" {
		t.Errorf("%+v", c)
	}
}

func TestHoldsAreMarkedAgainInANewSnapshot(t *testing.T) {
	d := openDesk(t)
	d.school()
	file := "patron,title_id,item,placed,pickup_site,status\n21,t1,,2026-11-01,,pending\n22,t1,,2026-11-02,,pending\n"
	for range 2 {
		d.load("holds", file)
		if len(d.entries()) == 0 {
			back := d.act(kiosk.KindReturn, "", "31")
			back.Outcome = kiosk.OutcomeHold
			d.record(back)
			d.lend("21", "31")
		}
		if c := d.copyOf("31"); len(c.Holds) != 1 || c.Holds[0].Patron != "22" {
			t.Errorf("%+v", c.Holds)
		}
	}
}

func TestChargesAddUp(t *testing.T) {
	d := openDesk(t)
	d.school()
	d.load("charges", "patron,item,reason,amount,currency,created\n21,31,damaged,2.50,USD,2026-11-01\n21,32,lost,10,USD,2026-11-01\n")
	if got := d.account("21").Charges; got != 1250 {
		t.Errorf("%d", got)
	}
}

// broken is a file whose end does not come.
type broken struct{ r io.Reader }

var errGone = errors.New("the client has gone")

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = errGone
	}
	return n, err
}

func TestAFileThatBreaksOffChangesNothing(t *testing.T) {
	d := openDesk(t)
	d.load("patrons", people(0, 10))
	_, err := d.Import(t.Context(), "patrons", broken{strings.NewReader(people(0, 1000))}, ImportOptions{Taken: d.now})
	if !errors.Is(err, errGone) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Import(ctx, "patrons", strings.NewReader(people(0, 1000)), ImportOptions{Taken: d.now}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if f := d.Find(kiosk.Find{Patron: "500"}); f.Account != nil || f.Failed {
		t.Errorf("%+v", f)
	}
	if left, err := filepath.Glob(filepath.Join(d.o.Folder, "cache-*")); len(left) != len(lists()) || err != nil {
		t.Errorf("files: %q, %v", left, err)
	}
	if r := d.load("patrons", people(0, 20)); r.Before != 10 || r.Loaded != 20 {
		t.Errorf("%+v", r)
	}
	if n, err := d.cache.number(t.Context(), "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'be%'"); n != 0 || err != nil {
		t.Errorf("%d tables are left over, %v", n, err)
	}
}

func TestTheDeskGoesOnDuringAnImport(t *testing.T) {
	d := openDesk(t)
	d.school()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := d.Import(t.Context(), "loans", r, ImportOptions{Taken: monday.Add(-time.Hour)})
		done <- err
	}()
	fmt.Fprint(w, "item,patron,checked_out,due,renewals\n")
	for i := range 2000 {
		fmt.Fprintf(w, "9%d,22,2026-11-01,2026-12-01,0\n", i)
		if i%200 == 0 {
			d.lend("21", kiosk.ItemID(fmt.Sprint("7", i)))
			if n := len(d.account("21").Loans); n != i/200+1 {
				t.Fatalf("%d loans after %d", n, i/200+1)
			}
		}
	}
	w.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := len(d.account("21").Loans); n != 10 {
		t.Errorf("%d loans after the import", n)
	}
	if n := len(d.account("22").Loans); n != 2000 {
		t.Errorf("%d loans in the file", n)
	}
}

// Under a clock that cannot be right an entry tells no time; one after it with a good clock does.
func TestALoanUnderAWrongClockDoesNotComeBackWithoutItsReturn(t *testing.T) {
	d := openDesk(t, func(o *Options) { o.Delivers = false })
	d.school()
	loan := d.act(kiosk.KindLoan, "21", "31")
	loan.At, loan.Clock = time.Date(1970, 1, 1, 0, 5, 0, 0, time.UTC), kiosk.ClockImpossible
	d.record(loan)
	d.now = d.now.Add(24 * time.Hour)
	d.giveBack("21", "31")
	d.now = d.now.Add(24 * time.Hour)
	file := "item,patron,checked_out,due,renewals\n32,22,2026-11-01,2026-12-01,0\n"
	d.load("loans", file)
	if c := d.copyOf("31"); c.Out {
		t.Errorf("a book that is back is out by %q", c.Loan.Patron)
	}
	// And a return whose clock was wrong does not end what was lent elsewhere later.
	back := d.act(kiosk.KindReturn, "21", "31")
	back.At, back.Clock = loan.At, kiosk.ClockImpossible
	d.record(back)
	d.lend("21", "33")
	d.now = d.now.Add(24 * time.Hour)
	d.load("loans", file+"31,22,2026-11-25T12:00:00Z,2026-12-01,0\n", ImportOptions{Force: true})
	if c := d.copyOf("31"); c.Loan.Patron != "22" {
		t.Errorf("%+v", c)
	}
}

// The loan needs staff, its return was taken: whoever replays the one replays the other.
func TestOfAnItemAllLaterEntriesAreAppliedAgain(t *testing.T) {
	d := openDesk(t)
	d.school()
	d.lend("21", "31")
	d.giveBack("21", "31")
	if err := errors.Join(d.Deliver(1, kiosk.NeedsStaff, "no"), d.Deliver(2, kiosk.Confirmed, "")); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(time.Hour)
	d.load("loans", "item,patron,checked_out,due,renewals\n32,22,2026-11-01,2026-12-01,0\n")
	if c := d.copyOf("31"); c.Out {
		t.Errorf("a book that is back is out by %q", c.Loan.Patron)
	}
}

// A file that says it was taken in the future knows nothing of what came after it was loaded.
func TestAFileFromTheFutureDoesNotSwallowEntries(t *testing.T) {
	d := openDesk(t, func(o *Options) { o.Delivers = false })
	d.school()
	d.load("loans", "item,patron,checked_out,due,renewals\n32,22,2026-11-01,2026-12-01,0\n", ImportOptions{Taken: d.now.Add(72 * time.Hour)})
	d.now = d.now.Add(time.Hour)
	d.lend("21", "31")
	if err := errors.Join(d.Close(), removeDB(filepath.Join(d.o.Folder, "cache.db"))); err != nil {
		t.Fatal(err)
	}
	d.open()
	if c := d.copyOf("31"); c.Loan.Patron != "21" {
		t.Errorf("after the cache was made anew %+v", c)
	}
}
