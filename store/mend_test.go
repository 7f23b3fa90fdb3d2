package store

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"circdesk/kiosk"
)

func TestAnUnknownOutcomeGetsOneTrueAnswer(t *testing.T) {
	for name, end := range map[string]string{"it is there": "COMMIT", "it is not there": "ROLLBACK"} {
		d := openDesk(t)
		d.school()
		d.lend("21", "31")
		a := d.act(kiosk.KindLoan, "21", "32")
		// The transaction ends in another way than COMMIT sees: as when a flush fails.
		j := d.journal
		r := rowOf(2, a)
		r.seal(j.head)
		err := j.w.write(func() error {
			return errors.Join(j.w.exec(insertRow, r.values()...), j.w.exec(end))
		})
		if !errors.Is(err, ErrUnknown) {
			t.Fatalf("%s: %v", name, err)
		}
		if err := j.failed(err); !errors.Is(err, ErrUnknown) || errors.Is(err, ErrNotWritable) {
			t.Errorf("%s: %v", name, err)
		}
		if err := d.Record([]kiosk.Act{a}); !errors.Is(err, ErrNotWritable) || d.Stand().Writable {
			t.Errorf("%s: before anybody has looked: %v", name, err)
		}
		d.Mend()
		for range 2 {
			d.record(a)
		}
		if e := d.entries(); len(e) != 2 || e[1].Act != a || d.copyOf("32").Loan.Patron != "21" {
			t.Errorf("%s: %+v", name, e)
		}
		d.reopen()
		if v := d.verify(); !v.OK || v.Entries != 2 || len(d.Alarms()) != 0 {
			t.Errorf("%s: %+v, %v", name, v, d.Alarms())
		}
	}
}

func TestADamagedCacheIsMadeAnewAtRunTime(t *testing.T) {
	d := openDesk(t)
	d.school()
	d.load("loans", "item,patron,checked_out,due,renewals\n33,22,2026-11-01,2026-12-01,0\n")
	d.lend("21", "31")
	was := answers(d.Store)
	if err := d.cache.w.once("UPDATE loans SET due = '2027-12-01' WHERE item = '33'"); err != nil {
		t.Fatal(err)
	}
	if f := d.Find(kiosk.Find{Item: "33"}); !f.Failed {
		t.Errorf("a wrong answer: %+v", f.Copy)
	}
	d.lend("21", "32") // the desk goes on
	d.giveBack("21", "32")
	d.Mend()
	d.work.Wait()
	is := answers(d.Store)
	for i := range is {
		if is[i].Copy != nil {
			is[i].Copy.Pending = was[i].Copy.Pending // 32 has been out since
		}
	}
	if !reflect.DeepEqual(is, was) {
		t.Errorf("%+v, was %+v", is, was)
	}
	if got := d.Alarms(); !slices.Equal(got, []kiosk.Alarm{kiosk.AlarmRemade}) {
		t.Errorf("alarms %v", got)
	}
	d.load("loans", "item,patron,checked_out,due,renewals\n33,22,2026-11-01,2026-12-01,0\n34,22,2026-11-01,2026-12-01,0\n")
	if got := d.Alarms(); len(got) != 0 {
		t.Errorf("alarms after a new file %v", got)
	}
}

func TestADamagedJournalIsPutAsideAtRunTime(t *testing.T) {
	d := openDesk(t)
	d.school()
	a := d.lend("21", "31")
	d.journal.failed(errDamaged)
	d.Mend()
	d.Mend()
	is := d.Stand()
	if !is.Writable || is.Next != 1 || a.Key[:len(is.Prefix)] == kiosk.Key(is.Prefix) {
		t.Errorf("%+v after %q", is, a.Key)
	}
	d.lend("21", "32")
	if n := len(d.account("21").Loans); n != 2 {
		t.Errorf("%d loans", n)
	}
	d.reopen()
	if got := d.Alarms(); !slices.Equal(got, []kiosk.Alarm{kiosk.AlarmDamaged}) {
		t.Errorf("alarms %v", got)
	}
	if err := os.RemoveAll(filepath.Join(d.o.Folder, "quarantine")); err != nil {
		t.Fatal(err)
	}
	if got := d.Alarms(); len(got) != 0 {
		t.Errorf("alarms after staff have seen to it %v", got)
	}
}

// lendTwice lends two books, and tells of the second, and what the journal was before it.
func (d *desk) lendTwice() (path string, old []byte, second kiosk.Act) {
	d.t.Helper()
	d.school()
	d.lend("21", "31")
	path = filepath.Join(d.o.Folder, "journal.db")
	err := d.Close()
	if err == nil {
		old, err = os.ReadFile(path)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.open()
	return path, old, d.lend("21", "32")
}

func TestALostTailIsNoticedAndItsKeysAreNotUsedAgain(t *testing.T) {
	d := openDesk(t)
	path, old, lost := d.lendTwice()
	if err := errors.Join(d.Attempt(1), d.Close(), os.WriteFile(path, old, 0o600)); err != nil {
		t.Fatal(err)
	}
	d.open()
	if got := d.Alarms(); !slices.Equal(got, []kiosk.Alarm{kiosk.AlarmLost}) {
		t.Errorf("alarms %v", got)
	}
	e := d.entries()
	if len(e) != 1 || e[0].Delivery != kiosk.Attempting {
		t.Errorf("%+v, want the first entry, asked for before it is sent", e)
	}
	if a := d.lend("22", "33"); a.Key == lost.Key {
		t.Errorf("key %q is used twice", a.Key)
	}
	if d.copyOf("32").Loan.Patron != "21" {
		t.Error("the cache has forgotten what was in the patron's hands")
	}
	d.reopen()
	if v := d.verify(); !v.OK || v.Entries != 2 {
		t.Errorf("%+v", v)
	}
}

func TestALostStateOfADeliveryIsNoticed(t *testing.T) {
	d := openDesk(t)
	d.lend("21", "31")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.o.Folder, "journal.db")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d.open()
	if err := errors.Join(d.Attempt(1), d.Close(), os.WriteFile(path, old, 0o600)); err != nil {
		t.Fatal(err)
	}
	d.open()
	if e := d.entries(); e[0].Delivery != kiosk.Attempting || !slices.Equal(d.Alarms(), []kiosk.Alarm{kiosk.AlarmLost}) {
		t.Errorf("%+v would be sent blindly, alarms %v", e[0], d.Alarms())
	}
}

func TestCardsAndTagsAreFollowed(t *testing.T) {
	d := openDesk(t, func(o *Options) {
		o.Card = func(uid string) kiosk.Credential { return kiosk.Credential("digest of " + uid) }
	})
	d.school()
	d.load("cards", "card_uid,patron\n04A1B2C3,21\n04A1B2C4,21\n")
	whose := func(c kiosk.Credential) kiosk.PatronID {
		f := d.Find(kiosk.Find{Card: c})
		if f.Account == nil {
			return ""
		}
		return f.Account.Patron.ID
	}
	e := d.act(kiosk.KindEnrolment, "22", "")
	e.Card = "digest of 04A1B2C4"
	d.now = d.now.Add(time.Second)
	e.At = d.now
	d.record(e)
	for range 2 {
		if whose("digest of 04A1B2C3") != "21" || whose("digest of 04A1B2C4") != "22" || whose("04A1B2C3") != "" {
			t.Errorf("%q, %q", whose("digest of 04A1B2C3"), whose("digest of 04A1B2C4"))
		}
		d.load("cards", "card_uid,patron\n04A1B2C3,21\n04A1B2C4,21\n", ImportOptions{Taken: monday})
	}
	for _, s := range []struct {
		kind kiosk.Kind
		want kiosk.TagWish
	}{
		{kiosk.KindLoan, kiosk.WishClear}, {kiosk.KindTagSet, kiosk.WishClear}, {kiosk.KindTagFailed, kiosk.WishClear},
		{kiosk.KindTagCleared, ""}, {kiosk.KindReturn, kiosk.WishSet}, {kiosk.KindTagSet, ""},
	} {
		d.record(d.act(s.kind, "21", "31"))
		d.reopen()
		if got := d.copyOf("31").Pending; got != s.want {
			t.Errorf("after %s: %q, want %q", s.kind, got, s.want)
		}
	}
	if entries, queued, _ := d.Counts(); entries != 7 || queued != 2 {
		t.Errorf("%d entries, %d in the queue: only circulation is delivered", entries, queued)
	}
}

func TestAStrayRollbackJournalIsNotPlayedBack(t *testing.T) {
	d := openDesk(t)
	a := d.lend("21", "31")
	stray := filepath.Join(d.o.Folder, "journal.db-journal")
	if err := errors.Join(d.Close(), os.WriteFile(stray, []byte("not ours"), 0o600)); err != nil {
		t.Fatal(err)
	}
	d.open()
	if e := d.entries(); len(e) != 1 || e[0].Act != a || !d.Stand().Writable {
		t.Errorf("%+v", e)
	}
	kept, err := filepath.Glob(filepath.Join(d.o.Folder, "quarantine", "*stray*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("kept %q, %v", kept, err)
	}
}

// A file that could not be looked at when the desk started is looked at before it is written to.
func TestAJournalThatCouldNotBeLookedAtIsExaminedLater(t *testing.T) {
	d := openDesk(t)
	path, old, lost := d.lendTwice()
	// The mark is a folder: reading it fails, as on a disk that gives an error for once.
	mark := path + "-mark"
	err := errors.Join(d.Close(), os.WriteFile(path, old, 0o600), os.Rename(mark, mark+".away"), os.Mkdir(mark, 0o700))
	if err != nil {
		t.Fatal(err)
	}
	d.open()
	d.Mend()
	if d.Stand().Writable {
		t.Fatal("a journal that nobody could look at is written to")
	}
	if err := errors.Join(os.Remove(mark), os.Rename(mark+".away", mark)); err != nil {
		t.Fatal(err)
	}
	d.Mend()
	if got := d.Alarms(); !slices.Equal(got, []kiosk.Alarm{kiosk.AlarmLost}) {
		t.Errorf("alarms %v", got)
	}
	if a := d.lend("22", "33"); a.Key == lost.Key {
		t.Errorf("key %q is used twice", a.Key)
	}
}

// What was promised outlives any number of attempts to open the file again.
func TestALossAtRunTimeIsNoticedAfterAFailedAttempt(t *testing.T) {
	d := openDesk(t)
	path, old, lost := d.lendTwice()
	d.journal.failed(ErrUnknown)
	if err := errors.Join(d.journal.close(), os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	d.Mend()
	if err := errors.Join(removeDB(path), os.WriteFile(path, old, 0o600)); err != nil {
		t.Fatal(err)
	}
	d.Mend()
	if got := d.Alarms(); !slices.Equal(got, []kiosk.Alarm{kiosk.AlarmLost}) {
		t.Errorf("alarms %v", got)
	}
	if a := d.lend("22", "33"); a.Key == lost.Key {
		t.Errorf("key %q is used twice", a.Key)
	}
}

// A journal that was put aside before it had been examined whole leaves nothing to examine: damage that is met
// later in the new one puts that aside too.
func TestANewJournalNeedsNoExamination(t *testing.T) {
	d := openDesk(t)
	d.journal.surveyed = false
	if err := errors.Join(d.journal.putAside(errDamaged), d.journal.start()); err != nil {
		t.Fatal(err)
	}
	d.lend("21", "31")
	d.journal.failed(errDamaged)
	d.Mend()
	if is := d.Stand(); !is.Writable || is.Next != 1 {
		t.Errorf("%+v", is)
	}
}

func TestAJournalOfAnotherVersionOfTheProgram(t *testing.T) {
	d := openDesk(t)
	d.school()
	d.lend("21", "31")
	ours, err := d.o.steps("journal")
	if err != nil {
		t.Fatal(err)
	}
	next := append(slices.Clone(ours), "ALTER TABLE journal ADD COLUMN note TEXT NOT NULL DEFAULT ''")
	for i, is := range []struct {
		steps    []string
		writable bool
	}{{next, true}, {ours, false}, {next, true}} {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d.o.journalSteps = is.steps
		d.open()
		d.Mend()
		if got := d.Stand(); got.Writable != is.writable || len(d.Alarms()) != 0 {
			t.Errorf("%d: %+v, alarms %v", i, got, d.Alarms())
		}
		if is.writable {
			d.lend("21", kiosk.ItemID([]string{"32", "", "33"}[i]))
		}
	}
	if v := d.verify(); !v.OK || v.Entries != 3 {
		t.Errorf("%+v", v)
	}
}
