package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"iter"
	"time"

	"circdesk/kiosk"
)

// pageOfRows is how many entries are read at once: few enough to be short.
const pageOfRows = 500

// query runs one short read beside the loop.
func (r *readers) query(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	db, err := r.open()
	if err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return drain(rows, scan)
}

// rows are up to limit entries after number since.
func (j *journal) rows(ctx context.Context, since uint64, limit int) ([]row, error) {
	var all []row
	genesis := j.root()
	err := j.r.query(ctx, "SELECT "+columns+hashBefore+" FROM entry WHERE seq > ? ORDER BY seq LIMIT ?", []any{since, limit}, func(rows *sql.Rows) error {
		var r row
		if err := rows.Scan(append(r.dest(), &r.before)...); err != nil {
			return err
		}
		all = append(all, r)
		return r.fits(genesis)
	})
	return all, j.seen(err)
}

// unchecked are rows for whoever checks them.
func (j *journal) unchecked(ctx context.Context, since uint64, limit int) ([]row, error) {
	var all []row
	err := j.r.query(ctx, selectRow+" WHERE seq > ? ORDER BY seq LIMIT ?", []any{since, limit}, func(rows *sql.Rows) error {
		var r row
		err := rows.Scan(r.dest()...)
		all = append(all, r)
		return err
	})
	return all, err
}

// seen passes an error on; damage closes the journal until Mend has put it aside.
func (j *journal) seen(err error) error {
	if damaged(err) {
		j.turn.Lock()
		defer j.turn.Unlock()
		err = j.failed(err)
	}
	return err
}

// A carried is an entry with its delivery.
type carried struct {
	row
	delivery
}

const (
	withDelivery = `SELECT ` + columns + `, coalesce(q.seq, d.seq, 0), coalesce(q.state, d.state, ''),
		coalesce(q.attempts, d.attempts, 0), coalesce(q.since, d.since, 0), coalesce(q.answer, d.answer, ''),
		coalesce(q.change, d.change, 0), coalesce(q.sum, d.sum, 0)` + hashBefore + `
		FROM entry LEFT JOIN queue AS q ON q.seq = entry.seq LEFT JOIN delivered AS d ON d.seq = entry.seq `
	inQueue = `SELECT ` + columns + `, q.seq, q.state, q.attempts, q.since, q.answer, q.change, q.sum` + hashBefore + `
		FROM queue AS q JOIN entry ON entry.seq = q.seq `
)

// carried are entries with their deliveries, by a query that begins as above.
func (j *journal) carried(ctx context.Context, query string, args ...any) ([]carried, error) {
	var all []carried
	genesis := j.root()
	err := j.r.query(ctx, query, args, func(rows *sql.Rows) error {
		var c carried
		err := rows.Scan(append(append(c.row.dest(), c.delivery.dest()...), &c.before)...)
		if err == nil {
			err = c.fits(genesis)
		}
		if err == nil && c.delivery.seq != 0 && c.delivery.sum != c.delivery.total() {
			err = fmt.Errorf("delivery of entry %d: %w", c.delivery.seq, errDamaged)
		}
		all = append(all, c)
		return err
	})
	return all, j.seen(err)
}

func (c *carried) entry(zone *time.Location) (kiosk.Entry, error) {
	e, err := c.row.entry(zone)
	e.Delivery, e.Since = kiosk.Confirmed, e.At
	if c.delivery.seq != 0 {
		e.Delivery, e.Attempts = kiosk.Delivery(c.state), c.attempts
		e.Since, e.Answer = time.UnixMicro(c.since).In(zone), c.answer
	}
	return e, err
}

// pages yields the entries of a query that is asked again and again for what comes after the last one.
func (j *journal) pages(ctx context.Context, since uint64, query string) iter.Seq2[kiosk.Entry, error] {
	return func(yield func(kiosk.Entry, error) bool) {
		for {
			all, err := j.carried(ctx, query, since, pageOfRows)
			if err != nil {
				yield(kiosk.Entry{}, fmt.Errorf("read the journal: %w", err))
				return
			}
			for i := range all {
				e, err := all[i].entry(j.o.Zone)
				if !yield(e, err) || err != nil {
					return
				}
				since = e.Seq
			}
			if len(all) < pageOfRows {
				return
			}
		}
	}
}

// Journal yields the entries from number since on, in order.
func (s *Store) Journal(ctx context.Context, since uint64) iter.Seq2[kiosk.Entry, error] {
	return s.journal.pages(ctx, max(since, 1)-1, withDelivery+"WHERE entry.seq > ? ORDER BY entry.seq LIMIT ?")
}

// Queue yields the entries that have not come to an end: on their way, refused, or in need of staff.
func (s *Store) Queue(ctx context.Context) iter.Seq2[kiosk.Entry, error] {
	return s.journal.pages(ctx, 0, inQueue+"WHERE q.seq > ? ORDER BY q.seq LIMIT ?")
}

// A Verified is the result of checking the journal.
type Verified struct {
	OK      bool
	Entries uint64 // that were checked
	Head    string // hash of the last one, in hexadecimal
	BadSeq  uint64 // the first entry that does not fit; 0: none, or the journal as a whole
	Reason  string
}

// Verify checks the whole chain, and that it ends where this process has last written.
func (s *Store) Verify(ctx context.Context) (Verified, error) {
	j := s.journal
	j.turn.Lock()
	until, head := j.last, string(j.head)
	before := j.genesis()
	j.turn.Unlock()
	v := Verified{OK: true}
	for v.Entries < until {
		rows, err := j.unchecked(ctx, v.Entries, pageOfRows)
		if err != nil {
			return Verified{}, fmt.Errorf("verify: %w", err)
		}
		for i := range rows {
			if v.Reason = rows[i].check(v.Entries, before); v.Reason != "" {
				v.OK, v.BadSeq = false, v.Entries+1
				return v, nil
			}
			before = rows[i].hash
			if v.Entries++; v.Entries == until {
				break
			}
		}
		if len(rows) == 0 {
			break
		}
	}
	v.Head = hex.EncodeToString(before)
	if v.Entries < until || string(before) != head {
		v.OK, v.Reason = false, fmt.Sprintf("the journal ends at entry %d, not where it was last written", v.Entries)
	}
	return v, nil
}
