package store

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"circdesk/kiosk"
)

const (
	crashPeople = 150 // in a file of patrons
	crashLoans  = 40  // in a file of loans
)

// A teller works at a desk whose disk is recorded. What fails is kept in err; nothing is done after it.
type teller struct {
	*Store
	r     *recorder
	now   time.Time
	early bool                   // planted: acknowledges before the commit
	skips func(name string) bool // planted: of these files, and of these folders by the store, there is no fsync
	plant func(*Store) error
	hurt  bool     // the disk is damaged: the store will say so
	steps []string // the journal's schema of a newer program; nil: of this one
	err   error
}

// then runs what may fail.
func (w *teller) then(f func() error) {
	if w.err == nil {
		w.err = f()
	}
}

func (w *teller) open() {
	w.then(func() (err error) {
		o, heard := crashOptions(w.r.folder)
		o.Now, o.journalSteps = func() time.Time { return w.now }, w.steps
		w.r.note(func(p *promise) { p.steps = w.steps })
		if w.Store, err = Open(o); err != nil {
			return err
		}
		w.work.Wait()
		if heard.first != nil && !w.hurt {
			return heard.first
		}
		last := w.Stand().Next - 1
		w.r.note(func(p *promise) { p.acked, p.begun = last, last })
		if w.plant != nil {
			return w.plant(w.Store)
		}
		return nil
	})
}

// upgrade brings a program whose journal has two more steps.
func (w *teller) upgrade() {
	w.then(func() (err error) {
		w.steps, err = new(Options).steps("journal")
		w.steps = append(w.steps, "CREATE TABLE note (seq INTEGER PRIMARY KEY) STRICT", "CREATE INDEX entry_at ON entry (at)")
		return err
	})
}

func (w *teller) close() {
	w.then(func() error { return w.Store.Close() })
}

// record writes n acts in one transaction.
func (w *teller) record(n int) {
	w.then(func() error {
		is := w.Stand()
		var acts []kiosk.Act
		for i := range uint64(n) {
			acts = append(acts, crashAct(is.Prefix, is.Next+i))
		}
		last := is.Next + uint64(n) - 1
		w.r.note(func(p *promise) { p.begun = last })
		acknowledge := func() { w.r.note(func(p *promise) { p.acked = last }) }
		if w.early {
			acknowledge()
		}
		if err := w.Record(acts); err != nil {
			return err
		}
		acknowledge()
		w.Follow()
		return nil
	})
}

// move changes a delivery.
func (w *teller) move(seq uint64, to kiosk.Delivery) {
	w.then(func() error {
		w.r.note(func(p *promise) {
			m, ok := p.moves[seq]
			if !ok {
				m.was = kiosk.Queued
			}
			p.moves[seq] = journey{m.was, to}
		})
		var err error
		if to == kiosk.Attempting {
			err = w.Attempt(seq)
		} else {
			err = w.Deliver(seq, to, "ok")
		}
		w.r.note(func(p *promise) { p.moves[seq] = journey{to, to} })
		return err
	})
}

// deliver sends entries and hears that all is well.
func (w *teller) deliver(from, to uint64) {
	for seq := from; seq <= to; seq++ {
		w.move(seq, kiosk.Attempting)
		w.move(seq, kiosk.Confirmed)
	}
}

// load imports a file: from before it may be there, from done on it must.
func (w *teller) load(kind, file string, may, must func(*promise)) {
	w.then(func() error {
		w.r.note(may)
		if w.early {
			w.r.note(must)
		}
		r, err := w.Import(context.Background(), kind, strings.NewReader(file), ImportOptions{Taken: monday, Force: true})
		if err == nil && (r.Refused != "" || r.Bad > 0) {
			err = fmt.Errorf("%+v", r)
		}
		if err == nil {
			w.r.note(must)
		}
		return err
	})
}

// crowd swaps all people.
func (w *teller) crowd(c int) {
	w.load("patrons", people(c*1000, c*1000+crashPeople),
		func(p *promise) { p.crowds = append(p.crowds, c) }, func(p *promise) { p.crowds = []int{c} })
}

// loans swaps all loans that the library system knows of.
func (w *teller) loans(c int) {
	var b strings.Builder
	b.WriteString("item,patron,checked_out,due,renewals\n")
	for i := range crashLoans {
		fmt.Fprintf(&b, "9%d%03d,21,2026-11-01,2026-12-01,0\n", c, i)
	}
	w.load("loans", b.String(), func(p *promise) { p.filed = append(p.filed, c) }, func(p *promise) { p.filed = []int{c} })
}

func (w *teller) fade() {
	w.then(func() error {
		last := w.Stand().Next - 1
		w.now = w.now.Add(48 * time.Hour)
		w.r.note(func(p *promise) { p.fading = last })
		n, err := w.Fade(context.Background())
		if err != nil || n == 0 {
			return fmt.Errorf("%d entries have faded, %v", n, err)
		}
		gone := map[uint64]bool{}
		for e, err := range w.Journal(context.Background(), 1) {
			if err != nil {
				return err
			}
			gone[e.Seq] = e.Patron == ""
		}
		w.r.note(func(p *promise) { p.faded = gone })
		return nil
	})
}

func (w *teller) backup() {
	w.then(func() error {
		last := w.Stand().Next - 1
		w.r.note(func(p *promise) { p.backup = min(cmp.Or(p.backup, last), last) })
		if err := w.Backup(context.Background(), filepath.Join(w.r.folder, "backup.db")); err != nil {
			return err
		}
		w.r.note(func(p *promise) { p.backup, p.copied = last, true })
		return nil
	})
}

// checkpoints makes both logs go back into their files every few pages.
func (w *teller) checkpoints(pages int) {
	w.then(func() error {
		for _, h := range []*held{w.journal.w, w.cache.w} {
			if _, err := h.row(fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", pages), nil, new(int)); err != nil {
				return err
			}
		}
		return nil
	})
}

// The stories, each from an empty folder.
var crashStories = map[string]func(*teller){
	"the first day": func(w *teller) {
		w.open()
		w.record(1)
		w.record(3)
		w.deliver(1, 2)
		w.record(1)
		w.close()
	},
	"restarts": func(w *teller) {
		for range 4 {
			w.open()
			w.record(2)
			w.record(1)
			w.close()
		}
	},
	"checkpoints": func(w *teller) {
		w.open()
		w.checkpoints(12)
		for i := range 14 {
			w.record(1 + i%3)
			w.deliver(uint64(i+1), uint64(i+1))
		}
	},
	"imports": func(w *teller) {
		w.open()
		w.checkpoints(40)
		w.record(4)
		w.loans(1)
		w.record(1)
		w.crowd(1)
		w.record(1)
		w.loans(2)
		w.loans(3)
		w.record(1)
		w.crowd(2)
		w.record(2)
		w.close()
	},
	"a newer program": func(w *teller) {
		w.open()
		w.record(3)
		w.deliver(1, 1)
		w.record(2)
		w.close()
		w.upgrade()
		w.open()
		w.record(1)
		w.close()
		w.open()
		w.record(1)
	},
	// The cache's log is never flushed here, so what was loaded is in the snapshots alone.
	"imports in a row": func(w *teller) {
		w.open()
		w.loans(1)
		w.record(1)
		w.loans(2)
		w.loans(3)
		w.record(1)
	},
	"a backup": func(w *teller) {
		w.open()
		w.record(5)
		w.backup()
		w.record(2)
		w.backup()
		w.record(1)
		w.close()
	},
	"names fade": func(w *teller) {
		w.open()
		w.loans(1)
		w.record(9)
		w.deliver(1, 7)
		w.fade()
		w.record(2)
		w.deliver(8, 9)
		w.fade()
		w.record(1)
	},
}

// comeBack is what happens after a power cut or a kill.
func comeBack(w *teller) {
	w.open()
	w.record(1)
	w.record(2)
}
