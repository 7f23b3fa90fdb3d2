package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"circdesk/kiosk"
)

// A cache is cache.db. turn is held by whoever writes, and guards what is not said otherwise.
type cache struct {
	o    *Options
	path string

	turn    sync.Mutex
	w       *held
	applied uint64 // the last entry of the journal that is in here
	imports map[string]imported

	beside *readers
	r      *held       // the loop's own connection: it waits for nobody who writes
	behind atomic.Bool // the cache cannot be read, or lags behind the journal: nothing may be found
}

func newCache(o *Options, path string) *cache {
	return &cache{
		o: o, path: path, w: newHeld(path, cacheKeys, cachePragmas()), r: newHeld(path, readKeys, readPragmas()),
		imports: map[string]imported{}, beside: newReaders(path),
	}
}

func (c *cache) close() error {
	c.turn.Lock()
	defer c.turn.Unlock()
	return errors.Join(c.beside.close(), c.r.close(), c.w.close())
}

// openCache opens the cache, or makes a new one if it is of no use, and brings it up to the journal.
func (s *Store) openCache() error {
	c := s.cache
	err := c.open(s.journal)
	if err == nil {
		return nil
	}
	s.o.Log.Error("the cache is given up and made anew", "error", err)
	if err = errors.Join(c.close(), c.remove()); err == nil {
		err = c.open(s.journal)
	}
	if err != nil {
		s.cacheFailed("open", err)
	}
	return nil
}

// cacheFailed keeps the desk from answering out of a cache that it cannot trust.
func (s *Store) cacheFailed(what string, err error) {
	if !s.cache.behind.Swap(true) {
		s.o.Log.Error("the cache cannot be used", "what", what, "error", err)
	}
}

func (c *cache) remove() error {
	var all []error
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(c.path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

func (c *cache) open(j *journal) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	if err := c.w.open(); err != nil {
		return err
	}
	if err := c.w.migrate("cache"); err != nil {
		return err
	}
	if err := c.r.open(); err != nil {
		return err
	}
	if err := c.loadImports(); err != nil {
		return err
	}
	if err := c.belong(j); err != nil {
		return err
	}
	return c.catchUpLocked(j)
}

// belong makes the cache follow this journal. What another one has marked in it stays as if the library
// system had told it.
func (c *cache) belong(j *journal) error {
	var incarnation string
	found, err := c.w.row("SELECT incarnation, seq FROM applied", nil, &incarnation, &c.applied)
	if err != nil || found && incarnation == j.incarnation && c.applied <= j.last {
		return err
	}
	c.applied = 0
	return c.w.write(func() error {
		return cmpErr(c.w.exec("INSERT OR REPLACE INTO applied VALUES (1, ?, 0)", j.incarnation), func() error {
			return cmpErr(c.w.exec("DELETE FROM holds WHERE taken_by > 0"), func() error {
				return c.w.exec("UPDATE holds SET ready_by = 0 WHERE ready_by > 0")
			})
		})
	})
}

// catchUp applies what the journal has and the cache has not.
func (c *cache) catchUp(j *journal) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	return c.catchUpLocked(j)
}

func (c *cache) catchUpLocked(j *journal) error {
	for {
		rows, err := j.rows(context.Background(), c.applied, pageOfRows)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := c.apply(rows); err != nil {
			return err
		}
	}
}

// follow applies rows that were just written to the journal.
func (c *cache) follow(j *journal, rows []row) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	if len(rows) == 0 || rows[0].seq != c.applied+1 {
		return c.catchUpLocked(j)
	}
	return c.apply(rows)
}

// apply projects rows, which come next, in one transaction.
func (c *cache) apply(rows []row) error {
	last := rows[len(rows)-1].seq
	err := c.w.write(func() error {
		for i := range rows {
			if err := c.project(&rows[i]); err != nil {
				return fmt.Errorf("entry %d: %w", rows[i].seq, err)
			}
		}
		return c.w.exec("UPDATE applied SET seq = ?", last)
	})
	if err == nil {
		c.applied = last
	}
	return err
}

// project applies an entry to a state that is older.
func (c *cache) project(r *row) error {
	return cmpErr(c.projectLoan(r, true), func() error { return c.projectHold(r) })
}

// projectLoan applies an entry to the loans. If the loans may be newer than the entry, as those of a
// snapshot may, a loan that began after it stays: a late return must not end somebody else's loan.
func (c *cache) projectLoan(r *row, newest bool) error {
	until := r.at
	if newest || r.clock == string(kiosk.ClockImpossible) {
		until = 1<<63 - 1
	}
	switch kiosk.Kind(r.kind) {
	case kiosk.KindLoan:
		if !r.patron.Valid {
			return nil // faded, so it has come back
		}
		return c.w.exec(`INSERT INTO loans (item, patron, at, due, renewals) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (item) DO UPDATE SET patron = excluded.patron, at = excluded.at, due = excluded.due,
			renewals = excluded.renewals WHERE loans.at <= ?`, r.item, r.patron.String, r.at, r.due, r.renewals, until)
	case kiosk.KindRenewal:
		return c.w.exec("UPDATE loans SET due = ?, renewals = ? WHERE item = ? AND patron = ? AND at <= ?",
			r.due, r.renewals, r.item, r.patron.String, until)
	case kiosk.KindReturn:
		return c.w.exec("DELETE FROM loans WHERE item = ? AND at <= ?", r.item, until)
	}
	return nil
}

// projectHold marks the hold that an entry fulfils or makes ready.
func (c *cache) projectHold(r *row) error {
	switch {
	case r.kind == string(kiosk.KindLoan) && r.patron.Valid:
		return c.w.exec(`UPDATE holds SET taken_by = ? WHERE rowid = (SELECT rowid FROM holds
			WHERE patron = ? AND taken_by = 0 AND (item = ? OR title_id = ? AND wanted = '')
			ORDER BY item = ? DESC, placed, rowid LIMIT 1)`, r.seq, r.patron.String, r.item, r.title, r.item)
	case r.kind == string(kiosk.KindReturn) && r.outcome == string(kiosk.OutcomeHold):
		return c.w.exec(`UPDATE holds SET item = ?, ready = 1, ready_by = iif(ready, ready_by, ?)
			WHERE rowid = (SELECT rowid FROM (SELECT rowid, placed FROM holds WHERE taken_by = 0 AND item = ?
			UNION ALL SELECT rowid, placed FROM holds WHERE taken_by = 0 AND title_id = ? AND item = '')
			ORDER BY placed, rowid LIMIT 1)`, r.item, r.seq, r.item, r.title)
	}
	return nil
}
