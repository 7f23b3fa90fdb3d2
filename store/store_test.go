package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"circdesk/kiosk"
)

var (
	monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	dec7   = kiosk.DueOn(kiosk.Date{Year: 2026, Month: 12, Day: 7})
)

// A desk is a Store in a folder of its own, at a time that the test sets.
type desk struct {
	*Store
	t   testing.TB
	o   Options
	now time.Time
}

func openDesk(t testing.TB, change ...func(*Options)) *desk {
	d := &desk{t: t, now: monday}
	d.o = Options{Folder: t.TempDir(), Kiosk: "LIB-1", Site: "0123", Boot: "b1", Delivers: true, Now: func() time.Time { return d.now }}
	for _, c := range change {
		c(&d.o)
	}
	d.open()
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func (d *desk) open() {
	d.t.Helper()
	var err error
	if d.Store, err = Open(d.o); err != nil {
		d.t.Fatal(err)
	}
	d.work.Wait() // a busy machine may take longer than Open waits
}

// reopen is a restart.
func (d *desk) reopen() {
	d.t.Helper()
	if err := d.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.open()
}

// act is an act with the next free key.
func (d *desk) act(kind kiosk.Kind, patron kiosk.PatronID, item kiosk.ItemID) kiosk.Act {
	is := d.Stand()
	a := kiosk.Act{
		Key: kiosk.Key(fmt.Sprintf("%s%d", is.Prefix, is.Next)), Kind: kind, At: d.now, Clock: kiosk.ClockSynchronised, Session: 7,
		Role: kiosk.RoleStudent, Patron: patron, Item: item, TitleID: "t1", Outcome: kiosk.Outcome(kind), Policy: "2026-27.1",
		Grade: "3", ItemType: "regular", Class: "500",
	}
	if kind != kiosk.KindReturn {
		a.Due = dec7
	}
	return a
}

func (d *desk) record(acts ...kiosk.Act) {
	d.t.Helper()
	if err := d.Record(acts); err != nil {
		d.t.Fatal(err)
	}
	d.Follow() // as the loop does once the screen has been shown
}

func (d *desk) lend(patron kiosk.PatronID, item kiosk.ItemID) kiosk.Act {
	d.t.Helper()
	a := d.act(kiosk.KindLoan, patron, item)
	d.record(a)
	return a
}

func (d *desk) giveBack(patron kiosk.PatronID, item kiosk.ItemID) kiosk.Act {
	d.t.Helper()
	a := d.act(kiosk.KindReturn, patron, item)
	d.record(a)
	return a
}

func (d *desk) load(kind, file string, o ...ImportOptions) ImportReport {
	d.t.Helper()
	opts := ImportOptions{Name: kind + ".csv", Taken: d.now}
	if len(o) > 0 {
		opts = o[0]
	}
	r, err := d.Import(d.t.Context(), kind, strings.NewReader(file), opts)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// school is small: two students, three copies of which two are of one title.
func (d *desk) school() {
	d.t.Helper()
	for _, f := range [][2]string{
		{"patrons", "barcode,first_name,patron_type,grade,expires\n21,Maya,student,3,2027-06-30\n22,Leo,student,4,\n"},
		{"copies", "barcode,title_id,title,author,call_number,circ_type,site,status\n" +
			"31,t1,Frog and Toad,Lobel,E LOB,regular,,available\n32,t1,Frog and Toad,Lobel,E LOB,regular,0123,available\n33,t2,Whales,Simon,599.5 SIM,regular,,available\n"},
	} {
		if r := d.load(f[0], f[1]); r.Refused != "" || r.Bad != 0 {
			d.t.Fatalf("%s: %+v", f[0], r)
		}
	}
}

func (d *desk) copyOf(id kiosk.ItemID) kiosk.Copy {
	d.t.Helper()
	f := d.Find(kiosk.Find{Call: 9, Item: id})
	if f.Call != 9 || f.Failed || f.Copy == nil {
		d.t.Fatalf("copy %q: %+v", id, f)
	}
	return *f.Copy
}

func (d *desk) account(id kiosk.PatronID) kiosk.Account {
	d.t.Helper()
	f := d.Find(kiosk.Find{Call: 9, Patron: id})
	if f.Failed || f.Account == nil {
		d.t.Fatalf("patron %q: %+v", id, f)
	}
	return *f.Account
}

func (d *desk) entries() []kiosk.Entry {
	d.t.Helper()
	var all []kiosk.Entry
	for e, err := range d.Journal(d.t.Context(), 0) {
		if err != nil {
			d.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func (d *desk) verify() Verified {
	d.t.Helper()
	v, err := d.Verify(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

func TestALoanIsFoundAtOnceAndAfterARestart(t *testing.T) {
	d := openDesk(t)
	d.school()
	a := d.lend("21", "31")
	for range 2 {
		c := d.copyOf("31")
		want := kiosk.Loan{Item: "31", Patron: "21", At: d.now, Due: dec7}
		if !c.Out || c.Loan != want || c.Spare != 0 {
			t.Fatalf("copy %+v, want it out by %+v and none counted as spare, since nobody waits", c, want)
		}
		acc := d.account("21")
		if len(acc.Loans) != 1 || acc.Loans[0].Item.Title != "Frog and Toad" || acc.Patron.Name != "Maya" ||
			acc.Patron.Expires != (kiosk.Date{Year: 2027, Month: 6, Day: 30}) {
			t.Fatalf("account %+v", acc)
		}
		if e := d.entries(); len(e) != 1 || e[0].Act != a || e[0].Delivery != kiosk.Queued || e[0].Boot != "b1" {
			t.Fatalf("journal %+v, want %+v", e, a)
		}
		if got := d.LastSession(); got != 7 {
			t.Fatalf("last session %d", got)
		}
		d.reopen()
	}
}

func TestAReturnEndsTheLoan(t *testing.T) {
	d := openDesk(t)
	d.school()
	d.lend("21", "31")
	d.giveBack("21", "31")
	if c := d.copyOf("31"); c.Out || c.Loan != (kiosk.Loan{}) {
		t.Errorf("copy %+v", c)
	}
	if acc := d.account("21"); len(acc.Loans) != 0 {
		t.Errorf("account %+v", acc)
	}
}

func TestARenewalMovesTheDay(t *testing.T) {
	d := openDesk(t)
	d.school()
	d.lend("21", "31")
	a := d.act(kiosk.KindRenewal, "21", "31")
	a.Renewals, a.Due = 1, kiosk.DueAt(time.Date(2026, 12, 21, 15, 0, 0, 0, time.FixedZone("", -8*3600)))
	d.record(a)
	if l := d.copyOf("31").Loan; l.Renewals != 1 || l.Due.String() != a.Due.String() {
		t.Errorf("loan %+v", l)
	}
}

func TestARepeatedKeyHasNoSecondEffect(t *testing.T) {
	d := openDesk(t)
	d.school()
	a, b := d.act(kiosk.KindLoan, "21", "31"), d.act(kiosk.KindLoan, "21", "33")
	b.Key = d.journal.key(2)
	acts := []kiosk.Act{a, b}
	for range 3 {
		d.record(acts...)
		d.reopen()
	}
	if n := len(d.entries()); n != 2 {
		t.Errorf("%d entries", n)
	}
	other := a
	other.Item = "32"
	for _, acts := range [][]kiosk.Act{{other}, {other, b}, {b, d.act(kiosk.KindLoan, "22", "32")}} {
		if err := d.Record(acts); err == nil {
			t.Errorf("%+v was taken", acts)
		}
	}
	if err := d.Record([]kiosk.Act{other}); !errors.Is(err, ErrOtherAct) {
		t.Errorf("another act under the same key: %v", err)
	}
}

func TestOnlyTheNextKeyIsTaken(t *testing.T) {
	d := openDesk(t)
	a := d.lend("21", "31")
	good := d.act(kiosk.KindLoan, "21", "32")
	for _, key := range []kiosk.Key{"", "LIB-1", d.journal.key(3), "LIB-1-0-2", "LIB-2" + good.Key[5:], good.Key + "0", "LIB-1-x--2"} {
		b := good
		b.Key = key
		if err := d.Record([]kiosk.Act{b}); err == nil {
			t.Errorf("key %q was taken", key)
		}
	}
	d.record(good)
	if !d.Stand().Writable || d.entries()[0].Act != a {
		t.Error("the journal has suffered")
	}
}

func TestHoldsAreServedInTurn(t *testing.T) {
	d := openDesk(t)
	d.school()
	d.load("holds", "patron,title_id,item,placed,pickup_site,status\n"+
		"22,t1,,2026-11-02,,pending\n21,t1,,2026-11-01,,pending\n23,t2,33,2026-11-03,9999,pending\n")
	c := d.copyOf("31")
	if len(c.Holds) != 2 || c.Holds[0].Patron != "21" || c.Holds[1].Patron != "22" {
		t.Fatalf("holds %+v, want 21 before 22", c.Holds)
	}
	back := d.act(kiosk.KindReturn, "", "31")
	back.Outcome = kiosk.OutcomeHold
	d.record(back)
	if c = d.copyOf("31"); len(c.Holds) != 2 || !c.Holds[0].Ready || c.Holds[0].Item != "31" {
		t.Errorf("after the return: %+v", c.Holds)
	}
	if d.account("21").Ready != 1 || d.account("22").Ready != 0 {
		t.Error("the wrong patron's hold is ready")
	}
	if c = d.copyOf("32"); len(c.Holds) != 1 || c.Spare != 0 {
		t.Errorf("the other copy: %+v, want 22's hold and nothing spare", c)
	}
	d.lend("21", "31")
	if c = d.copyOf("31"); len(c.Holds) != 1 || d.account("21").Ready != 0 {
		t.Errorf("after the loan: %+v", c)
	}
	if b := d.account("21").Loans[0]; b.Wanted {
		t.Errorf("wanted though a copy is spare: %+v", b)
	}
	d.lend("24", "32")
	if b := d.account("21").Loans[0]; !b.Wanted {
		t.Errorf("not wanted though nothing is spare: %+v", b)
	}
}

func TestEveryPragmaIsInForce(t *testing.T) {
	d := openDesk(t)
	if err := d.cache.r.mend(); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*held{d.journal.w, d.cache.w, d.cache.r} {
		if len(h.want) < 10 {
			t.Errorf("%s: only %d pragmas are read back", h.name, len(h.want))
		}
		if err := h.readBack(); err != nil {
			t.Error(err)
		}
	}
	bad := newHeld(d.journal.path, strings.Replace(journalKeys, "FULL", "NORMAL", 1), journalPragmas())
	if err := bad.open(); !errors.Is(err, errSetting) {
		t.Errorf("synchronous NORMAL: %v", err)
	}
}

func TestTheChainShowsEveryChange(t *testing.T) {
	d := openDesk(t)
	d.school()
	d.lend("21", "31")
	d.giveBack("21", "31")
	d.lend("22", "33")
	if v := d.verify(); !v.OK || v.Entries != 3 || len(v.Head) != 64 {
		t.Fatalf("%+v", v)
	}
	for _, c := range []string{
		"key = 'x'", "kind = 'x'", "at = 1", "boot = 'x'", "boottime = 1", "clock = 'x'", "session = 1", "role = 'x'",
		"patron = 'x'", "digest = x'01'", "salt = x'01'", "item = 'x'", "title = 'x'", "due = 'x'", "renewals = 9", "outcome = 'x'",
		"policy = 'x'", "grade = 'x'", "item_type = 'x'", "class = 'x'", "card = 'x'", "hash = x'01'", "seq = 9",
	} {
		change := fmt.Sprintf("UPDATE entry SET %s WHERE seq = 2", c)
		if v := planted(d, change); v.OK || v.BadSeq != 2 {
			t.Errorf("%s: %+v", c, v)
		}
	}
	if v := planted(d, "DELETE FROM entry WHERE seq = 3"); v.OK {
		t.Errorf("the last entry is gone: %+v", v)
	}
	if v := planted(d, "UPDATE entry SET patron = NULL, salt = NULL"); !v.OK {
		t.Errorf("faded: %+v", v)
	}
}

// planted verifies with a change that is undone afterwards.
func planted(d *desk, change string) Verified {
	d.t.Helper()
	w := d.journal.w
	for _, q := range []string{"PRAGMA foreign_keys = 0", "CREATE TABLE keep AS SELECT * FROM entry", change} {
		if err := w.once(q); err != nil {
			d.t.Fatal(err)
		}
	}
	v := d.verify()
	for _, q := range []string{"DELETE FROM entry", "INSERT INTO entry SELECT * FROM keep", "DROP TABLE keep"} {
		if err := w.once(q); err != nil {
			d.t.Fatal(err)
		}
	}
	return v
}

func TestDeliveriesGoTheirWay(t *testing.T) {
	d := openDesk(t)
	d.lend("21", "31")
	d.lend("21", "32")
	c := d.lend("21", "33")
	select {
	case <-d.Added():
	default:
		t.Error("nobody was woken")
	}
	steps := []struct {
		do             func() error
		queued, staff  int
		waiting, queue []uint64
	}{
		{func() error { return d.Attempt(1) }, 3, 0, []uint64{1, 2, 3}, []uint64{1, 2, 3}},
		{func() error { return d.Deliver(1, kiosk.Confirmed, "ok") }, 2, 0, []uint64{2, 3}, []uint64{2, 3}},
		{func() error { return d.Deliver(2, kiosk.HandedOver, "file") }, 1, 0, []uint64{3}, []uint64{3}},
		{func() error { return d.Deliver(3, kiosk.NeedsStaff, "no") }, 0, 1, nil, []uint64{3}},
		{func() error { return d.Settle(c.Key, "asked") }, 0, 0, nil, nil},
	}
	for i, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		waiting, err := d.Waiting(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var ids []uint64
		for _, e := range waiting {
			ids = append(ids, e.Seq)
		}
		var all []uint64
		for e, err := range d.Queue(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e.Seq)
		}
		_, queued, staff := d.Counts()
		if !slices.Equal(ids, s.waiting) || !slices.Equal(all, s.queue) || queued != s.queued || staff != s.staff {
			t.Errorf("step %d: waiting %v, queue %v, %d, %d; want %+v", i, ids, all, queued, staff, s)
		}
		d.reopen()
		if _, q, s := d.Counts(); q != queued || s != staff {
			t.Errorf("step %d: %d, %d after a restart", i, q, s)
		}
	}
	e := d.entries()
	if e[0].Attempts != 1 || e[0].Answer != "ok" || e[2].Delivery != kiosk.Settled || e[2].Answer != "asked" {
		t.Errorf("journal %+v", e)
	}
	for _, err := range []error{d.Attempt(1), d.Deliver(9, kiosk.Confirmed, ""), d.Settle(c.Key, ""), d.Settle("LIB-1-x-1", "")} {
		if !errors.Is(err, ErrNoDelivery) {
			t.Errorf("%v, want ErrNoDelivery", err)
		}
	}
}

func TestWithoutALibrarySystemEntriesAreConfirmed(t *testing.T) {
	d := openDesk(t, func(o *Options) { o.Delivers = false })
	d.lend("21", "31")
	if e := d.entries(); e[0].Delivery != kiosk.Confirmed || !e[0].Since.Equal(d.now) {
		t.Errorf("%+v", e[0])
	}
}

// A desk without a reader keeps no wishes about tags that it will never see.
func TestWithoutAReaderNoWishIsKept(t *testing.T) {
	for noTags, want := range map[bool]kiosk.TagWish{false: kiosk.WishClear, true: ""} {
		d := openDesk(t, func(o *Options) { o.NoTags = noTags })
		d.school()
		d.lend("21", "31")
		if c := d.copyOf("31"); !c.Out || c.Pending != want {
			t.Errorf("NoTags %v: out %v, pending %q", noTags, c.Out, c.Pending)
		}
	}
}
