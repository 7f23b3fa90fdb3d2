package store

import (
	"context"
	"errors"
	"fmt"

	"circdesk/kiosk"
)

// ErrNoDelivery: the entry is not on its way to the library system.
var ErrNoDelivery = errors.New("entry has no open delivery")

// Waiting are the entries that are to be delivered, in order.
func (s *Store) Waiting(ctx context.Context) ([]kiosk.Entry, error) {
	all, err := s.journal.carried(ctx, inQueue+"WHERE q.state IN ('queued', 'attempting') ORDER BY q.seq")
	if err != nil {
		return nil, fmt.Errorf("read the queue: %w", err)
	}
	entries := make([]kiosk.Entry, len(all))
	for i := range all {
		if entries[i], err = all[i].entry(s.o.Zone); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// Attempt notes, durably, that an entry is about to be sent.
func (s *Store) Attempt(seq uint64) error {
	return s.journal.move(seq, func(d *delivery) {
		d.state = string(kiosk.Attempting)
		d.attempts++
	})
}

// Deliver notes what became of an entry, and what the library system said.
func (s *Store) Deliver(seq uint64, state kiosk.Delivery, answer string) error {
	return s.journal.move(seq, func(d *delivery) { d.state, d.answer = string(state), answer })
}

// Settle ends a delivery that staff have seen to.
func (s *Store) Settle(key kiosk.Key, why string) error {
	n, err := s.journal.number(key)
	if err != nil {
		return err
	}
	var at string
	if err := s.journal.lookup(n, &at); err != nil {
		return fmt.Errorf("settle %q: %w", key, err)
	}
	if at != string(key) {
		return fmt.Errorf("settle %q: %w", key, ErrNoDelivery)
	}
	return s.Deliver(n, kiosk.Settled, why)
}

// lookup reads the key of an entry; "" if there is none.
func (j *journal) lookup(seq uint64, key *string) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	_, err := j.w.row("SELECT key FROM entry WHERE seq = ?", []any{seq}, key)
	return err
}

// ended tells whether a delivery is over.
func ended(state string) bool {
	switch kiosk.Delivery(state) {
	case kiosk.Confirmed, kiosk.HandedOver, kiosk.Settled:
		return true
	}
	return false
}

// move changes an open delivery, durably.
func (j *journal) move(seq uint64, change func(*delivery)) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	if !j.writable {
		return ErrNotWritable
	}
	j.tight()
	var was, is delivery
	err := j.w.write(func() error {
		found, err := j.w.row("SELECT * FROM queue WHERE seq = ?", []any{seq}, was.dest()...)
		switch {
		case err != nil:
			return err
		case !found:
			return ErrNoDelivery
		case was.sum != was.total():
			return errDamaged
		}
		is = was
		change(&is)
		is.since, is.change = j.o.Now().UnixMicro(), j.change+1
		is.sum = is.total()
		return j.put(is)
	})
	switch {
	case errors.Is(err, ErrNoDelivery):
		return fmt.Errorf("entry %d: %w", seq, err)
	case err != nil:
		return fmt.Errorf("entry %d: %w", seq, j.failed(err))
	}
	j.change++
	j.acknowledge()
	j.moved(was.state, is.state)
	return nil
}

// put writes a delivery into the table that it belongs to.
func (j *journal) put(d delivery) error {
	if !ended(d.state) {
		return j.w.exec("INSERT OR REPLACE INTO queue VALUES (?, ?, ?, ?, ?, ?, ?)", d.values()...)
	}
	return cmpErr(j.w.exec("DELETE FROM queue WHERE seq = ?", d.seq), func() error {
		return j.w.exec("INSERT INTO delivered VALUES (?, ?, ?, ?, ?, ?, ?)", d.values()...)
	})
}

// moved keeps the figures.
func (j *journal) moved(was, is string) {
	f := &j.figures
	f.Lock()
	defer f.Unlock()
	for _, m := range []struct {
		state string
		by    int
	}{{was, -1}, {is, 1}} {
		switch {
		case ended(m.state):
		case m.state == string(kiosk.Queued) || m.state == string(kiosk.Attempting):
			f.queued += m.by
		default:
			f.staff += m.by
		}
	}
}
