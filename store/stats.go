package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"circdesk/kiosk"
)

// A Stat counts the acts of one kind, of one hour, grade, circulation type and call-number class. There is
// no name in it, nor in what it is counted from: entries stay when their patrons have faded.
type Stat struct {
	Day      kiosk.Date
	Hour     int
	Kind     kiosk.Kind
	Grade    string
	ItemType string
	Class    string
	Count    int
}

// Stats counts what happened from one moment on and before another, in order.
func (s *Store) Stats(ctx context.Context, from, until time.Time) ([]Stat, error) {
	counts := map[Stat]int{}
	for since, page := uint64(0), pageOfRows; page == pageOfRows; {
		page = 0
		err := s.journal.r.query(ctx, `SELECT seq, kind, at, grade, item_type, class FROM entry
			WHERE seq > ? ORDER BY seq LIMIT ?`, []any{since, pageOfRows}, func(rows *sql.Rows) error {
			var k Stat
			var at int64
			err := rows.Scan(&since, &k.Kind, &at, &k.Grade, &k.ItemType, &k.Class)
			page++
			if t := time.UnixMicro(at).In(s.o.Zone); !t.Before(from) && t.Before(until) {
				k.Day, k.Hour = kiosk.DateOf(t), t.Hour()
				counts[k]++
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("statistics: %w", err)
		}
	}
	all := slices.Collect(maps.Keys(counts))
	for i := range all {
		all[i].Count = counts[all[i]]
	}
	slices.SortFunc(all, func(a, b Stat) int {
		return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Grade, b.Grade), cmp.Compare(a.ItemType, b.ItemType), cmp.Compare(a.Class, b.Class))
	})
	return all, nil
}
