package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"sync"
	"time"

	"circdesk/kiosk"
)

// ahead is how much before its time a name may fade, so that it need not be looked for every minute.
func (o Options) ahead() time.Duration { return min(time.Hour, o.Retention/24) }

// Fade takes the patrons out of entries that are delivered, older than the retention, and of books that
// have come back. It tells of how many. The chain still fits, and no byte of the names stays in the files.
func (s *Store) Fade(ctx context.Context) (int, error) {
	if s.cache.behind.Load() {
		return 0, nil // nobody knows what has come back
	}
	now := s.o.Now()
	due, err := s.fading(ctx, now.Add(-s.o.Retention), 1)
	if err != nil {
		return 0, fmt.Errorf("fade: %w", err)
	}
	if len(due) > 0 {
		due, err = s.fading(ctx, now.Add(-s.o.Retention+s.o.ahead()), math.MaxInt)
	}
	if err == nil && len(due) > 0 {
		err = s.journal.fade(due)
	}
	if err == nil {
		err = s.wipe(ctx, len(due) > 0)
	}
	if err != nil {
		return 0, fmt.Errorf("fade: %w", err)
	}
	return len(due), nil
}

// fading are the numbers of entries until then whose patron is of no more use, at most limit.
func (s *Store) fading(ctx context.Context, until time.Time, limit int) ([]uint64, error) {
	var due []uint64
	since := uint64(0)
	for {
		page, err := s.journal.named(ctx, since, until)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			since = r.seq
			n := 0
			err := s.cache.beside.query(ctx, "SELECT count(*) FROM loans WHERE item = ? AND patron = ?",
				[]any{r.item, r.patron}, func(rows *sql.Rows) error { return rows.Scan(&n) })
			if err != nil {
				return nil, err
			}
			if n == 0 {
				due = append(due, r.seq)
			}
			if len(due) == limit {
				return due, nil
			}
		}
		if len(page) < pageOfRows {
			return due, nil
		}
	}
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

// fade takes the patrons out of entries, a few at a time.
func (j *journal) fade(due []uint64) error {
	for len(due) > 0 {
		few := due[:min(len(due), rowsInTurn)]
		due = due[len(few):]
		err := j.inTurn(func() error {
			for _, seq := range few {
				if err := j.w.exec("UPDATE entry SET patron = NULL, salt = NULL WHERE seq = ?", seq); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
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

// wipe takes what has faded out of the snapshots, and out of the write-ahead logs, where secure_delete
// does not reach.
func (s *Store) wipe(ctx context.Context, faded bool) error {
	s.unwiped = s.unwiped || faded
	if s.unwiped {
		if err := s.cache.forget(ctx); err != nil {
			return err
		}
	}
	if err := s.fadeSnapshots(ctx, s.unwiped); err != nil || !s.unwiped {
		return err
	}
	for _, f := range []struct {
		turn *sync.Mutex
		h    *held
	}{{&s.journal.turn, s.journal.w}, {&s.cache.turn, s.cache.w}} {
		if err := truncate(f.turn, f.h); err != nil {
			return err
		}
	}
	s.unwiped = false
	return nil
}

// forget deletes the holds that were fulfilled.
func (c *cache) forget(ctx context.Context) error {
	return cmpErr(ctx.Err(), func() error {
		return c.inTurn(func() error { return c.w.exec("DELETE FROM holds WHERE taken_by > 0") })
	})
}

// truncate writes the log back into the file and cuts it off.
func truncate(turn sync.Locker, h *held) error {
	turn.Lock()
	defer turn.Unlock()
	var busy, log, done int
	if _, err := h.row("PRAGMA wal_checkpoint(TRUNCATE)", nil, &busy, &log, &done); err != nil {
		return fmt.Errorf("%s: %w", h.name, err)
	}
	if busy != 0 {
		return fmt.Errorf("%s: somebody reads the log that is to be cut off", h.name)
	}
	return nil
}
