package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"circdesk/kiosk"
)

// Record makes acts durable, in one transaction with one flush. Their keys must be the next free ones. Acts that stand in the journal already under the same keys are left
// as they are, without an error. After an ErrUnknown nothing is written until Mend has found out.
func (s *Store) Record(acts []kiosk.Act) error {
	if len(acts) == 0 {
		return nil
	}
	rows, err := s.journal.record(acts)
	if err != nil {
		return err
	}
	s.wake()
	s.recorded, s.stale = append(s.recorded, rows...), true
	return nil
}

// Follow brings the cache up to what was recorded. Whoever calls Record calls it when nobody waits any
// more: the entries are safe already, and Find does it first anyway.
func (s *Store) Follow() {
	if !s.stale {
		return
	}
	rows := s.recorded
	s.recorded, s.stale = nil, false
	switch err := s.cache.follow(s.journal, rows); {
	case errors.Is(err, errLater):
		s.stale = true // what was missed is read from the journal
	case err != nil:
		// The entries are safe. Nothing is found until the cache has been brought up to them.
		s.cacheFailed("follow the journal", err)
		if full(err) {
			s.journal.makeRoom()
			s.mendCache()
		}
	}
}

// record returns the rows that it has written: none if they were there.
func (j *journal) record(acts []kiosk.Act) ([]row, error) {
	j.turn.Lock()
	defer j.turn.Unlock()
	first, err := j.number(acts[0].Key)
	if err != nil {
		return nil, err
	}
	if first <= j.last {
		return nil, j.repeated(first, acts)
	}
	switch j.tight(); {
	case !j.writable:
		return nil, ErrNotWritable
	case j.reserve && !inReserve(acts):
		return nil, ErrReserve
	}
	for i, a := range acts {
		if want := j.key(j.last + 1 + uint64(i)); a.Key != want {
			return nil, fmt.Errorf("key %q is not the next one, %q", a.Key, want)
		}
	}
	rows, err := j.write(acts)
	if full(err) {
		return j.again(acts, err)
	}
	return rows, err
}

// again writes acts in the room that is kept for returns, once the proof of mending has made it certain
// that they were not written the first time.
func (j *journal) again(acts []kiosk.Act, cause error) ([]row, error) {
	j.goToReserve()
	first := j.last + 1
	if err := j.mendNow(); err != nil {
		return nil, errors.Join(cause, err)
	}
	switch {
	case j.last >= first:
		return nil, j.repeated(first, acts)
	case !inReserve(acts):
		return nil, ErrReserve
	}
	return j.write(acts)
}

// number is the number at the end of a key of this kiosk.
func (j *journal) number(key kiosk.Key) (uint64, error) {
	k := string(key)
	n, err := strconv.ParseUint(k[strings.LastIndexByte(k, '-')+1:], 10, 63)
	if err != nil || n == 0 || !strings.HasPrefix(k, j.o.Kiosk+"-") {
		return 0, fmt.Errorf("key %q is not one of this kiosk", key)
	}
	return n, nil
}

// repeated compares acts with the entries that have their keys.
func (j *journal) repeated(first uint64, acts []kiosk.Act) error {
	for i, a := range acts {
		var old row
		found, err := j.w.row(selectRow+" WHERE seq = ?", []any{first + uint64(i)}, old.dest()...)
		if err != nil {
			return fmt.Errorf("repeat %q: %w", a.Key, err)
		}
		if !found || !old.same(rowOf(first+uint64(i), a)) {
			return fmt.Errorf("%w: %q", ErrOtherAct, a.Key)
		}
	}
	return nil
}

// write appends acts. What is in memory follows only when they are durable.
func (j *journal) write(acts []kiosk.Act) ([]row, error) {
	head, change, session, newest := j.head, j.change, j.session, j.newest
	rows := make([]row, 0, len(acts))
	err := j.w.write(func() error {
		for i, a := range acts {
			r := rowOf(j.last+1+uint64(i), a)
			r.boot, r.boottime = j.o.Boot, j.o.SinceBoot().Microseconds()
			r.seal(head)
			if err := j.w.exec(insertRow, r.values()...); err != nil {
				return err
			}
			if j.delivers(a.Kind) {
				change++
				if err := j.enqueue(r.seq, change); err != nil {
					return err
				}
			}
			head, session = r.hash, max(session, r.session)
			if a.Clock != kiosk.ClockImpossible {
				newest = max(newest, r.at)
			}
			rows = append(rows, r)
		}
		return nil
	})
	if err != nil {
		return nil, j.failed(err)
	}
	j.note(len(acts), int(change-j.change))
	j.last, j.head, j.change, j.session, j.newest = j.last+uint64(len(acts)), head, change, session, newest
	j.acknowledge()
	return rows, nil
}

// delivers tells whether the library system is told of a kind: of circulation, not of tags and cards.
func (j *journal) delivers(kind kiosk.Kind) bool {
	switch kind {
	case kiosk.KindLoan, kiosk.KindRenewal, kiosk.KindReturn:
		return j.o.Delivers
	}
	return false
}

// enqueue gives an entry to the library system.
func (j *journal) enqueue(seq, change uint64) error {
	d := delivery{seq: seq, state: string(kiosk.Queued), since: j.o.Now().UnixMicro(), change: change}
	d.sum = d.total()
	return j.w.exec("INSERT INTO queue VALUES (?, ?, ?, ?, ?, ?, ?)", d.values()...)
}

// note keeps the figures.
func (j *journal) note(entries, queued int) {
	f := &j.figures
	f.Lock()
	defer f.Unlock()
	f.entries += uint64(entries)
	f.queued += queued
}

// failed closes the journal for writing until Mend has looked. Whatever failed before COMMIT has not
// happened; of COMMIT itself nobody knows.
func (j *journal) failed(err error) error {
	j.writable = false
	if damaged(err) {
		j.rotten = err
	}
	if errors.Is(err, ErrUnknown) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotWritable, err)
}
