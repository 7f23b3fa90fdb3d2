package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"circdesk/kiosk"
)

// ahead is how much before its time a name may fade, so that it need not be looked for every minute.
func (o Options) ahead() time.Duration { return min(time.Hour, o.Retention/24) }

// Fade takes the patrons out of entries that are delivered, older than the retention, and of books that
// have come back, and out of all that tells the same. It tells of how many entries. The chain still fits, and
// no byte of the names stays in the files. While a file is loaded or the cache made anew it does nothing.
func (s *Store) Fade(ctx context.Context) (int, error) {
	select {
	case s.taking <- struct{}{}:
		defer func() { <-s.taking }()
	default:
		return 0, nil
	}
	if s.cache.behind.Load() || !s.journal.takes() {
		return 0, nil // nobody knows what has come back, or could write it down
	}
	d, err := s.due(ctx)
	if err == nil {
		err = s.wipe(ctx, d)
	}
	if err != nil {
		return 0, fmt.Errorf("fade: %w", err)
	}
	return len(d.names), nil
}

// A fading is what is of no more use: numbers of entries until then.
type fading struct {
	until   time.Time
	names   []uint64 // whose patron goes
	answers []uint64 // and those of which goes what the library system, or staff, had to say
}

// due is what is to fade. Once something has come to its time, all that comes soon goes with it.
func (s *Store) due(ctx context.Context) (d fading, err error) {
	old := s.o.Now().Add(-s.o.Retention)
	for _, look := range []struct {
		until time.Time
		limit int
	}{{old, 1}, {old.Add(s.o.ahead()), math.MaxInt}} {
		d.until = look.until
		if d.names, err = s.named(ctx, look.until, look.limit); err != nil {
			return d, err
		}
		if d.answers, err = s.journal.answered(ctx, look.until, look.limit); err != nil || len(d.names)+len(d.answers) == 0 {
			return d, err
		}
	}
	return d, nil
}

// named are the numbers of entries until then whose patron is of no more use, at most limit.
func (s *Store) named(ctx context.Context, until time.Time, limit int) ([]uint64, error) {
	var due []uint64
	origin, _ := s.journal.whose()
	for since := uint64(0); ; {
		page, err := s.journal.named(ctx, since, until)
		if err != nil || len(page) == 0 {
			return due, err
		}
		over, err := s.cache.over(ctx, origin, page)
		s.suspect(err)
		if due = append(due, over...); err != nil || len(due) >= limit || len(page) < pageOfRows {
			return due[:min(len(due), limit)], err
		}
		since = page[len(page)-1].seq
	}
}

// over are the numbers of entries whose book the patron does not have any more. The cache tells, at one moment,
// who has which of the books, and how far it has followed the journal: of later entries it knows nothing.
func (c *cache) over(ctx context.Context, origin string, page []row) (over []uint64, err error) {
	var items []any
	for _, r := range page {
		items = append(items, r.item)
	}
	followed, has := uint64(0), map[string]string{}
	query := fmt.Sprintf(`SELECT seq, coalesce(item, ''), coalesce(patron, ''), coalesce(at, 0), coalesce(due, ''), coalesce(renewals, 0), loans.sum
		FROM applied LEFT JOIN loans ON item IN (?%s) WHERE origin = ?`, strings.Repeat(", ?", len(items)-1))
	err = c.beside.query(ctx, query, append(items, origin), func(rows *sql.Rows) error {
		var l loanRow
		var sum sql.NullInt64
		err := rows.Scan(&followed, &l.item, &l.patron, &l.at, &l.due, &l.renewals, &sum)
		if l.sum = sum.Int64; err == nil && sum.Valid {
			err = l.sound()
		}
		has[l.item] = l.patron
		return err
	})
	for _, r := range page {
		if err == nil && r.seq <= followed && has[r.item] != r.patron.String {
			over = append(over, r.seq)
		}
	}
	return over, err
}

// named are entries that still have a patron and whose delivery has come to an end. Who owns which card is
// not what somebody has read: enrolments stay.
func (j *journal) named(ctx context.Context, since uint64, until time.Time) ([]row, error) {
	var all []row
	err := j.r.query(ctx, `SELECT seq, item, patron FROM entry WHERE seq > ? AND patron IS NOT NULL AND at <= ? AND kind <> ?
		AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.seq = entry.seq) ORDER BY seq LIMIT ?`,
		[]any{since, until.UnixMicro(), kiosk.KindEnrolment, pageOfRows}, func(rows *sql.Rows) error {
			var r row
			err := rows.Scan(&r.seq, &r.item, &r.patron)
			all = append(all, r)
			return err
		})
	return all, err
}

// answered are the numbers of deliveries that ended until then and still have an answer, at most limit.
func (j *journal) answered(ctx context.Context, until time.Time, limit int) ([]uint64, error) {
	var all []uint64
	for since := uint64(0); ; since = all[len(all)-1] {
		was := len(all)
		err := j.r.query(ctx, "SELECT seq FROM delivered WHERE seq > ? AND answer <> '' AND since <= ? ORDER BY seq LIMIT ?",
			[]any{since, until.UnixMicro(), min(limit, pageOfRows)}, func(rows *sql.Rows) error {
				var seq uint64
				err := rows.Scan(&seq)
				all = append(all, seq)
				return err
			})
		if err != nil || len(all)-was < pageOfRows {
			return all, err
		}
	}
}

// wipe takes out of all files what fades: the journal comes last, so that whatever is cut short is done again.
// Then it cuts off the write-ahead logs, where secure_delete does not reach.
func (s *Store) wipe(ctx context.Context, d fading) error {
	left, err := s.cache.leftOver(ctx)
	if err != nil {
		return err
	}
	s.unwiped = s.unwiped || len(left)+len(d.names)+len(d.answers) > 0
	err = s.cache.sweep(ctx, left...)
	if err == nil && len(d.names) > 0 {
		err = s.cache.forget(ctx)
	}
	err = cmpErr(err, func() error { return s.fadeSnapshots(ctx, len(d.names) > 0) })
	s.suspect(err)
	for _, step := range []func() error{
		func() error { return s.journal.fewInTurn(ctx, d.names, d.until, s.journal.fade) },
		func() error { return s.journal.fewInTurn(ctx, d.answers, d.until, s.journal.hush) },
		s.cutLogs,
	} {
		err = cmpErr(err, step)
	}
	return err
}

// suspect keeps the desk from answering out of a cache in which damage was met.
func (s *Store) suspect(err error) {
	if spoilt(err) {
		s.cacheFailed("fade", err)
	}
}

// leftOver are the tables of imports that were killed.
func (c *cache) leftOver(ctx context.Context) (tables []string, err error) {
	err = c.beside.query(ctx, "SELECT name FROM sqlite_schema WHERE type = 'table' AND (name GLOB ? OR name GLOB ?)",
		[]any{beside("*"), behind("*")}, func(rows *sql.Rows) error {
			var name string
			err := rows.Scan(&name)
			tables = append(tables, name)
			return err
		})
	return tables, err
}

// fade takes the patron out of an entry. The journal may be another one by now: so it looks again.
func (j *journal) fade(seq uint64, until time.Time) error {
	return j.w.exec(`UPDATE entry SET patron = NULL, salt = NULL WHERE seq = ? AND at <= ?
		AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.seq = entry.seq)`, seq, until.UnixMicro())
}

// hush takes the answer out of a delivery.
func (j *journal) hush(seq uint64, until time.Time) error {
	var d delivery
	found, err := j.w.row("SELECT * FROM delivered WHERE seq = ? AND since <= ?", []any{seq, until.UnixMicro()}, d.dest()...)
	switch {
	case err != nil || !found:
		return err
	case d.sum != d.total():
		return fmt.Errorf("delivery of entry %d: %w", seq, errDamaged)
	}
	d.answer = ""
	return j.w.exec("UPDATE delivered SET answer = '', sum = ? WHERE seq = ?", d.total(), seq)
}

// fewInTurn runs fn for every entry, a few in each transaction.
func (j *journal) fewInTurn(ctx context.Context, all []uint64, until time.Time, fn func(uint64, time.Time) error) error {
	for few := range slices.Chunk(all, rowsInTurn) {
		err := cmpErr(ctx.Err(), func() error {
			return j.inTurn(func() (err error) {
				for _, seq := range few {
					err = cmpErr(err, func() error { return fn(seq, until) })
				}
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// takes tells whether the journal can be written.
func (j *journal) takes() bool {
	j.turn.Lock()
	defer j.turn.Unlock()
	return j.writable
}

// inTurn runs fn in a write transaction of its own.
func (j *journal) inTurn(fn func() error) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	if !j.writable {
		return ErrNotWritable
	}
	if err := j.w.write(fn); err != nil {
		return j.failed(err)
	}
	return nil
}

// logged tells whether a kill or a power cut has left a log: names that had faded may stand in it.
func (o *Options) logged() bool {
	return slices.ContainsFunc([]string{"journal.db-wal", "cache.db-wal"}, func(name string) bool {
		info, err := os.Stat(filepath.Join(o.Folder, name))
		return err == nil && info.Size() > 0
	})
}

// cutLogs empties the logs if names may stand in them.
func (s *Store) cutLogs() error {
	if !s.unwiped {
		return nil
	}
	err := truncate(&s.journal.turn, s.journal.w)
	err = cmpErr(err, func() error { return truncate(&s.cache.turn, s.cache.w) })
	s.unwiped = err != nil
	return err
}

// forget deletes the holds that were fulfilled.
func (c *cache) forget(ctx context.Context) error {
	return cmpErr(ctx.Err(), func() error {
		return c.inTurn(func() error { return c.w.exec("DELETE FROM holds WHERE taken_by > 0") })
	})
}

// truncate writes the log back into the file and cuts it off. It waits for nobody who reads: the loop may
// be waiting for it.
func truncate(turn sync.Locker, h *held) error {
	turn.Lock()
	defer turn.Unlock()
	var busy, log, done int
	err := h.once("PRAGMA busy_timeout = 0")
	err = cmpErr(err, func() error {
		_, err := h.row("PRAGMA wal_checkpoint(TRUNCATE)", nil, &busy, &log, &done)
		return err
	})
	if h.conn != nil && h.once("PRAGMA busy_timeout = 5000") != nil {
		h.broken = true // the next connection begins with its own settings
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h.name, err)
	}
	if busy != 0 {
		return fmt.Errorf("%s: somebody reads the log that is to be cut off", h.name)
	}
	return nil
}
