package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	crowds []int           // people of whom one file must be there: the last that was loaded, and later ones
	filed  []int           // the same of loans
	backup uint64          // entries that the backup must hold
	copied bool            // there must be one
	steps  []string        // of the program that comes after the power cut; nil: this one
	kept   [][]byte        // of a journal that is damaged: what must be found in the quarantine; nil: it is not
}

// A journey is how far a delivery had come, and how far it may have come.
type journey struct{ was, is kiosk.Delivery }

// blank is what an empty folder promises.
func blank() promise { return promise{crowds: []int{0}, filed: []int{0}} }

func (p promise) clone() promise {
	p.moves, p.faded = maps.Clone(p.moves), maps.Clone(p.faded)
	if p.moves == nil {
		p.moves, p.faded = map[uint64]journey{}, map[uint64]bool{}
	}
	p.crowds, p.filed = slices.Clone(p.crowds), slices.Clone(p.filed)
	return p
}

// What the planted defects lead to.
var (
	errGoneAct    = errors.New("an acknowledged act is gone")
	errGoneFile   = errors.New("a file that was loaded is gone")
	errGoneBackup = errors.New("a finished backup is gone")
	errGoneKept   = errors.New("a damaged journal is gone")
	errLogged     = errors.New("logged")
)

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

// An ear hears what the store logs, and keeps the first error.
type ear struct{ first error }

func (e *ear) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (e *ear) WithAttrs([]slog.Attr) slog.Handler           { return e }
func (e *ear) WithGroup(string) slog.Handler                { return e }

func (e *ear) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	e.first = cmp.Or(e.first, fmt.Errorf("%w: %s", errLogged, text))
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
	o.journalSteps = p.steps
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
	case !is.Writable:
		return errors.Join(errors.New("not writable"), logged)
	}
	err := cmpErr(p.entries(s), func() error { return p.cache(s) })
	if p.kept == nil {
		err = errors.Join(err, logged)
	}
	return cmpErr(err, func() error { return goOn(s, is) })
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
	want, got, filed := map[string]loan{}, map[string]loan{}, map[string]int{}
	for e, err := range s.Journal(context.Background(), 1) {
		if err != nil {
			return err
		}
		if want[string(e.Item)] = (loan{string(e.Patron), e.Due.String(), e.Renewals}); e.Kind == kiosk.KindReturn {
			delete(want, string(e.Item))
		}
	}
	err := s.cache.beside.query(context.Background(), "SELECT item, patron, due, renewals FROM loans", nil, func(rows *sql.Rows) error {
		var item string
		var l loan
		err := rows.Scan(&item, &l.patron, &l.due, &l.renewals)
		if strings.HasPrefix(item, "9") {
			filed[item[1:2]]++
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
	if !slices.ContainsFunc(p.filed, func(c int) bool {
		return c == 0 && len(filed) == 0 || len(filed) == 1 && filed[fmt.Sprint(c)] == crashLoans
	}) {
		return fmt.Errorf("%w: loans %v are there, may be %d of %d", errGoneFile, filed, crashLoans, p.filed)
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
	c := least / 1000 // 0: nobody's
	switch {
	case err != nil:
		return err
	case c > 0 && (n != crashPeople || least != c*1000 || most != c*1000+crashPeople-1):
		return fmt.Errorf("%d people from %d to %d are no file's", n, least, most)
	case !slices.Contains(p.crowds, c):
		return fmt.Errorf("%w: crowd %d is there, may be %d", errGoneFile, c, p.crowds)
	}
	return nil
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
			return fmt.Errorf("%w: file %d of it is not in the quarantine: %q", errGoneKept, i, files)
		}
	}
	return nil
}

// backedUp restores the backup, if there is one: it is whole and holds what was there when it was begun.
func (p promise) backedUp(folder, to string) error {
	from := filepath.Join(folder, "backup.db")
	if _, err := os.Stat(from); err != nil {
		if p.copied {
			return errGoneBackup
		}
		return nil
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := Restore(from, to); err != nil {
		return fmt.Errorf("%w: %w", errGoneBackup, err)
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
		return fmt.Errorf("%w: restored %d entries, %d were there", errGoneBackup, last, p.backup)
	}
	return nil
}
