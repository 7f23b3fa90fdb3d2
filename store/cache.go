package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"circdesk/store/intake"
)

// A cache is cache.db. turn is held by whoever writes, and guards what is not said otherwise.
type cache struct {
	o    *Options
	path string

	turn    sync.Mutex
	w       *held
	origin  string // of the journal that it follows,
	applied uint64 // and the last entry of it that is in here
	imports map[string]imported
	hung    atomic.Pointer[map[string]string] // the lists that count: kind -> file; nil: not known yet

	beside *readers
	r      *held       // the loop's own connection, opened when it is needed: it waits for nobody who writes
	behind atomic.Bool // the cache cannot be read, or lags behind the journal: nothing may be found
	rotten atomic.Bool // the file is damaged: it is to be made anew
	remade atomic.Bool // it was, and no file has been loaded since
}

func newCache(o *Options, path string) *cache {
	c := &cache{
		o: o, path: path, w: newHeld(path, cacheKeys, cachePragmas()), r: newHeld(path, readKeys, readPragmas()),
		imports: map[string]imported{}, beside: newReaders(path),
	}
	for _, h := range []*held{c.w, c.r} {
		h.opened = func() error { return c.hang(h) }
	}
	c.r.broken = true // as it is after it was closed
	return c
}

func (c *cache) close() error {
	c.turn.Lock()
	defer c.turn.Unlock()
	return c.closeAll()
}

func (c *cache) closeAll() error { return errors.Join(c.beside.close(), c.r.close(), c.w.close()) }

// openWait is how long Open waits for a cache that is being filled. A school's is there by then; the desk
// of a district takes what it can meanwhile.
const openWait = 3 * time.Second

// openCache opens the cache and brings it up to the journal. One that is damaged, or has lost a list, is
// filled beside the loop.
func (s *Store) openCache() {
	s.o.clear()
	err := errors.Join(s.o.removeParts(), s.cache.open(s.journal))
	if err == nil {
		err = s.cache.examine()
	}
	if err == nil && s.wholeCache() {
		return
	}
	if err != nil {
		s.cacheFailed("open", err)
	}
	filled := s.mendCache()
	if filled == nil {
		return
	}
	wait := time.NewTimer(openWait)
	defer wait.Stop()
	select {
	case <-filled:
	case <-wait.C:
	}
}

// wholeCache tells whether there is no snapshot that the cache does not have.
func (s *Store) wholeCache() bool {
	return !slices.ContainsFunc(intake.Kinds(), s.lacks)
}

// mendCache reopens the cache, or makes a damaged one anew, and loads what it lacks, beside the loop:
// nothing is found meanwhile. The channel is closed when that is done; nil if nothing was begun.
func (s *Store) mendCache() <-chan struct{} {
	if s.rebuilding.Swap(true) {
		return nil
	}
	if !s.cache.rotten.Load() {
		if err := errors.Join(s.cache.close(), s.cache.open(s.journal)); err != nil {
			defer s.rebuilding.Store(false)
			s.cacheFailed("open again", err)
			s.o.Log.Warn("the cache still cannot be used", "error", err)
			return nil
		}
		if s.wholeCache() {
			s.rebuilding.Store(false)
			return nil
		}
	}
	s.cache.behind.Store(true)
	filled := make(chan struct{})
	s.work.Go(func() {
		defer close(filled)
		defer s.rebuilding.Store(false)
		if err := s.fillCache(s.stopped, s.cache.rotten.Load()); err != nil {
			s.o.Log.Error("the cache cannot be made anew", "error", err)
		}
	})
	return filled
}

// fillCache loads the snapshots that the cache lacks, all of them into a new one if it is damaged, and
// brings it up to the journal.
func (s *Store) fillCache(ctx context.Context, anew bool) error {
	select {
	case s.taking <- struct{}{}:
		defer func() { <-s.taking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c := s.cache
	if anew {
		s.o.Log.Error("the cache is damaged and is made anew")
		c.remade.Store(true)
		if err := c.begin(s.journal); err != nil {
			return err
		}
	}
	if err := s.rebuild(ctx); err != nil {
		// Better without one kind than without all: the next file mends it.
		s.o.Log.Error("the cache is not complete", "error", err)
	}
	c.rotten.Store(false)
	return c.attach(s.journal)
}

// begin removes the file and makes a new one.
func (c *cache) begin(j *journal) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	if err := errors.Join(c.closeAll(), removeDB(c.path)); err != nil {
		return err
	}
	return c.openAll(j) // which removes the lists
}

// cacheFailed keeps the desk from answering out of a cache that it cannot trust.
func (s *Store) cacheFailed(what string, err error) {
	if spoilt(err) || refuses(s.cache.path, err) {
		s.cache.rotten.Store(true)
	}
	if !s.cache.behind.Swap(true) {
		s.o.Log.Error("the cache cannot be used", "what", what, "error", err)
	}
}

// open opens the file; from now on it can be read.
func (c *cache) open(j *journal) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	if err := c.openAll(j); err != nil {
		return err
	}
	c.behind.Store(false)
	return nil
}

func (c *cache) openAll(j *journal) error {
	c.hung.Store(nil)
	var err error
	for _, step := range []func() error{
		c.w.open, func() error { return c.w.migrate(c.o, "cache") }, c.loadImports, c.findLists, func() error { return c.hang(c.w) },
	} {
		err = cmpErr(err, step)
	}
	err = cmpErr(err, func() error { return c.attachLocked(j) })
	// The proof that the file takes what is written.
	return cmpErr(err, func() error { return c.w.write(func() error { return c.w.exec("UPDATE applied SET seq = seq") }) })
}

// attach makes the cache follow the journal, which may be another one now, and brings it up to it.
func (c *cache) attach(j *journal) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	if err := c.attachLocked(j); err != nil {
		return err
	}
	c.behind.Store(false)
	return nil
}

func (c *cache) attachLocked(j *journal) error {
	origin, last := j.whose()
	if origin == "" {
		return nil // the journal cannot be read; what is here is better than nothing
	}
	if err := c.belong(origin, last); err != nil {
		return err
	}
	return c.catchUp(j)
}

// belong makes the cache follow a journal. What another one has marked in it, or entries that are lost,
// stays as if the library system had told it.
func (c *cache) belong(origin string, last uint64) error {
	was, seq, sum := "", int64(0), int64(0)
	found, err := c.w.row("SELECT origin, seq, sum FROM applied", nil, &was, &seq, &sum)
	if err == nil && found {
		err = sound("applied", sum, was, seq)
	}
	c.origin, c.applied = origin, uint64(seq)
	switch {
	case err != nil || found && was == origin && c.applied <= last:
		return err
	case !found:
		return c.w.write(func() error { return c.isApplied(0) })
	}
	kept := last
	if was != origin {
		kept = 0
	}
	c.applied = last
	return c.w.write(func() error {
		return cmpErr(c.isApplied(last), func() error { return c.unmark(kept) })
	})
}

// isApplied notes how far the cache has followed the journal.
func (c *cache) isApplied(seq uint64) error {
	return c.w.exec("INSERT OR REPLACE INTO applied VALUES (1, ?, ?, ?)", summed(c.origin, int64(seq))...)
}

// unmark makes the marks of entries after kept the library system's own.
func (c *cache) unmark(kept uint64) error {
	if err := c.w.exec("DELETE FROM holds WHERE taken_by > ?", kept); err != nil {
		return err
	}
	var all []holdRow
	err := c.w.eachHold(selectHold+"WHERE ready_by > ?", []any{kept}, func(h holdRow) { all = append(all, h) })
	for _, h := range all {
		h.readyBy = 0
		err = cmpErr(err, func() error { return c.putHold(h) })
	}
	return err
}

// putHold writes a hold back.
func (c *cache) putHold(h holdRow) error {
	return c.w.exec("UPDATE holds SET item = ?, ready = ?, ready_by = ?, taken_by = ?, sum = ? WHERE rowid = ?",
		h.item, h.ready, h.readyBy, h.takenBy, rowSum(h.columns()...), h.line)
}

// knows is what is in here of the journal.
func (c *cache) knows() knowledge {
	c.turn.Lock()
	defer c.turn.Unlock()
	return knowledge{c.origin, c.applied}
}

// catchUp applies what the journal has and the cache has not. turn is held.
func (c *cache) catchUp(j *journal) error {
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

// errLater: the cache is being made anew or brought up to the journal, which may take long.
var errLater = errors.New("the cache is being filled")

// follow applies rows that were just written to the journal.
func (c *cache) follow(j *journal, rows []row) error {
	if !c.turn.TryLock() {
		if c.behind.Load() {
			return errLater
		}
		c.turn.Lock()
	}
	defer c.turn.Unlock()
	switch {
	case c.behind.Load():
		return nil // it catches up before it is read again
	case len(rows) == 0 || rows[0].seq != c.applied+1:
		return c.catchUp(j)
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
		return c.isApplied(last)
	})
	if err == nil {
		c.applied = last
	}
	return err
}
