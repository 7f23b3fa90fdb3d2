package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"circdesk/kiosk"
)

// A promise is what the desk has been told and so must find again after a power cut.
type promise struct {
	acked  uint64 // entries that were acknowledged
	begun  uint64 // and with those whose Record had begun
	moves  map[uint64]journey
	fading uint64          // entries up to here may have faded
	faded  map[uint64]bool // these have
	crowds []int           // people whose import has begun
	backup uint64          // entries that were there when the first backup was begun
	kept   [][]byte        // of a journal that is damaged: what must be found in the quarantine; nil: it is not
}

// A journey is how far a delivery had come, and how far it may have come.
type journey struct{ was, is kiosk.Delivery }

func (p promise) clone() promise {
	p.moves, p.faded = maps.Clone(p.moves), maps.Clone(p.faded)
	if p.moves == nil {
		p.moves, p.faded = map[uint64]journey{}, map[uint64]bool{}
	}
	p.crowds = append([]int(nil), p.crowds...)
	return p
}

// errGoneAct is what the planted defects lead to.
var errGoneAct = errors.New("an acknowledged act is gone")

// crashAct is the act that stands under a number: a loan, its renewal and its return in turn, of seven items.
func crashAct(prefix string, seq uint64) kiosk.Act {
	n := (seq - 1) / 3
	a := kiosk.Act{
		Key: kiosk.Key(fmt.Sprintf("%s%d", prefix, seq)), Kind: kiosk.KindLoan, At: monday.Add(time.Duration(seq) * time.Second),
		Clock: kiosk.ClockSynchronised, Session: 1 + n/2, Role: kiosk.RoleStudent, Patron: kiosk.PatronID(fmt.Sprint(n % 5)),
		Item: kiosk.ItemID(fmt.Sprint(3000 + n%7)), TitleID: "t", Outcome: kiosk.OutcomeLoan, Due: dec7, Policy: "p", Class: "500",
	}
	switch (seq - 1) % 3 {
	case 1:
		a.Kind, a.Outcome, a.Renewals = kiosk.KindRenewal, kiosk.OutcomeRenewal, 1
	case 2:
		a.Kind, a.Outcome, a.Due = kiosk.KindReturn, kiosk.OutcomeReturn, kiosk.Due{}
	}
	return a
}

// An ear hears what the store logs: it keeps the first error, and tells a recorder of each fsync that
// does not go through SQLite, which the store logs for debugging.
type ear struct {
	first error
	r     *recorder // nil: nobody records
}

func (e *ear) Enabled(_ context.Context, l slog.Level) bool {
	return l >= slog.LevelError || e.r != nil
}
func (e *ear) WithAttrs([]slog.Attr) slog.Handler { return e }
func (e *ear) WithGroup(string) slog.Handler      { return e }

func (e *ear) Handle(_ context.Context, r slog.Record) error {
	text, path := r.Message, ""
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		if a.Key == "path" {
			path = a.Value.String()
		}
		return true
	})
	switch {
	case e.r != nil && r.Message == "synced":
		e.r.synced(path)
	case r.Level < slog.LevelError || e.first != nil:
	case strings.Contains(text, "snapshot"), strings.Contains(text, "not complete"):
		// It may be torn here, if its fsync was not seen.
	default:
		e.first = fmt.Errorf("logged: %s", text)
	}
	return nil
}

// crashOptions are those of a desk an hour after monday.
func crashOptions(folder string) (Options, *ear) {
	e := &ear{}
	o := killOptions(folder)
	o.Boot, o.Log = "b1", slog.New(e)
	o.Now = func() time.Time { return monday.Add(time.Hour) }
	return o, e
}

// check opens the store on what a power cut has left, and tells the first thing that is wrong with it.
func (p promise) check(folder string) error {
	o, heard := crashOptions(folder)
	s, err := Open(o)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	s.work.Wait()
	err = p.holds(s, heard.first)
	return errors.Join(err, s.Close())
}

// holds asks a store that has just been opened.
func (p promise) holds(s *Store, logged error) error {
	is := s.Stand()
	last := is.Next - 1
	switch {
	case last < p.acked:
		return fmt.Errorf("%w: %d acknowledged, %d there; %v", errGoneAct, p.acked, last, logged)
	case last > p.begun:
		return fmt.Errorf("%d begun, %d there", p.begun, last)
	case logged != nil && p.kept == nil:
		return logged
	case !is.Writable:
		return errors.New("not writable")
	}
	if err := p.entries(s); err != nil {
		return err
	}
	if err := p.cache(s); err != nil {
		return err
	}
	return goOn(s, is)
}

// entries compares the journal with what was recorded.
func (p promise) entries(s *Store) error {
	var acts []kiosk.Act
	for e, err := range s.Journal(context.Background(), 1) {
		if err != nil {
			return err
		}
		prefix := strings.TrimSuffix(string(e.Key), fmt.Sprint(e.Seq))
		a := crashAct(prefix, e.Seq)
		acts = append(acts, a)
		if faded := e.Patron == ""; faded && e.Seq <= p.fading {
			a.Patron = ""
		} else if !faded && p.faded[e.Seq] {
			return fmt.Errorf("entry %d has its patron again", e.Seq)
		}
		if e.Seq != uint64(len(acts)) || e.Act != a {
			return fmt.Errorf("entry %d is %+v", len(acts), e.Act)
		}
		m, ok := p.moves[e.Seq]
		if !ok {
			m = journey{kiosk.Queued, kiosk.Queued}
		}
		if p.kept == nil && e.Delivery != m.was && e.Delivery != m.is {
			return fmt.Errorf("delivery of entry %d is %s, was %s or %s", e.Seq, e.Delivery, m.was, m.is)
		}
	}
	if err := s.Record(acts); err != nil {
		return fmt.Errorf("repeated: %w", err)
	}
	if next := s.Stand().Next; next != uint64(len(acts))+1 {
		return fmt.Errorf("repeating has led to number %d", next)
	}
	v, err := s.Verify(context.Background())
	if err == nil && !v.OK {
		err = fmt.Errorf("verify: %+v", v)
	}
	return err
}

// cache compares the cache with the journal, as far as it can tell.
func (p promise) cache(s *Store) error {
	type loan struct {
		patron, due string
		renewals    int
	}
	want, got := map[string]loan{}, map[string]loan{}
	for e, err := range s.Journal(context.Background(), 1) {
		if err != nil {
			return err
		}
		if want[string(e.Item)] = (loan{string(e.Patron), e.Due.String(), e.Renewals}); e.Kind == kiosk.KindReturn {
			delete(want, string(e.Item))
		}
	}
	filed := 0
	err := s.cache.beside.query(context.Background(), "SELECT item, patron, due, renewals FROM loans", nil, func(rows *sql.Rows) error {
		var item string
		var l loan
		err := rows.Scan(&item, &l.patron, &l.due, &l.renewals)
		if strings.HasPrefix(item, "9") {
			filed++
		} else {
			got[item] = l
		}
		return err
	})
	if err != nil {
		return err
	}
	if !maps.Equal(got, want) && p.kept == nil {
		return fmt.Errorf("loans in the cache %v, by the journal %v", got, want)
	}
	if filed != 0 && filed != crashLoans {
		return fmt.Errorf("%d loans of a file of %d", filed, crashLoans)
	}
	if f := s.Find(kiosk.Find{Item: "3000"}); f.Failed {
		return errors.New("the cache does not answer")
	}
	return p.crowd(s)
}

// crowd sees to it that the people of one file are there and no others.
func (p promise) crowd(s *Store) error {
	var n, least, most int
	_, err := s.cache.w.row(
		"SELECT count(*), coalesce(min(CAST(barcode AS INTEGER)), 0), coalesce(max(CAST(barcode AS INTEGER)), 0) FROM patrons", nil, &n, &least, &most)
	if err != nil || n == 0 {
		return err
	}
	for _, c := range p.crowds {
		if n == crashPeople && least == c*1000 && most == c*1000+crashPeople-1 {
			return nil
		}
	}
	return fmt.Errorf("%d people from %d to %d are no file's", n, least, most)
}

// goOn records what comes next.
func goOn(s *Store, is kiosk.JournalIs) error {
	if err := s.Record([]kiosk.Act{crashAct(is.Prefix, is.Next)}); err != nil {
		return fmt.Errorf("go on: %w", err)
	}
	if next := s.Stand().Next; next != is.Next+1 {
		return fmt.Errorf("going on has led to number %d, not %d", next, is.Next+1)
	}
	if s.cache.behind.Load() {
		return errors.New("the cache lags behind")
	}
	return nil
}

// quarantined looks for the bytes of a damaged journal.
func (p promise) quarantined(folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "quarantine", "*"))
	if err != nil {
		return err
	}
	for i, want := range p.kept {
		found := false
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			found = found || bytes.Equal(b, want)
		}
		if !found {
			return fmt.Errorf("file %d of the damaged journal is not in the quarantine: %q", i, files)
		}
	}
	return nil
}

// backedUp restores the backup, if there is one: it is refused, or holds what was there when it was begun.
func (p promise) backedUp(folder, to string) error {
	from := filepath.Join(folder, "backup.db")
	if _, err := os.Stat(from); err != nil {
		return nil
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := Restore(from, to); err != nil {
		return nil // torn, and seen to be
	}
	o, _ := crashOptions(to)
	s, err := Open(o)
	if err != nil {
		return fmt.Errorf("open what was restored: %w", err)
	}
	last := s.Stand().Next - 1
	v, err := s.Verify(context.Background())
	switch err := errors.Join(err, s.Close()); {
	case err != nil:
		return err
	case !v.OK:
		return fmt.Errorf("restored: %+v", v)
	case last < p.backup || last > p.begun:
		return fmt.Errorf("restored %d entries, %d were there", last, p.backup)
	}
	return nil
}
