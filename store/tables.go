package store

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"time"
)

// An import fills a table beside the live one and swaps the names; the old one is emptied afterwards.
func beside(kind string) string { return "beside_" + kind }
func behind(kind string) string { return "behind_" + kind }

// An Imported is the last file that was loaded.
type Imported struct {
	Kind      string
	At, Taken time.Time
	Rows      int // that were loaded
	Bad       int // that were left out
}

// LastImport is the last file that was loaded; false if there was none.
func (s *Store) LastImport() (Imported, bool) {
	c := s.cache
	c.turn.Lock()
	defer c.turn.Unlock()
	var last imported
	for _, i := range c.imports {
		if last.at < i.at {
			last = i
		}
	}
	return Imported{last.kind, time.UnixMicro(last.at).In(s.o.Zone), last.takenAt().In(s.o.Zone), last.kept, last.bad}, last.kind != ""
}

// Age is how long ago the snapshot was taken: the oldest of the files of patrons, copies and loans, by
// which everything is decided; false if there is none.
func (s *Store) Age(now time.Time) (time.Duration, bool) {
	c := s.cache
	c.turn.Lock()
	defer c.turn.Unlock()
	age, ok := time.Duration(0), false
	for _, kind := range []string{"patrons", "copies", "loans"} {
		if i, is := c.imports[kind]; is {
			age, ok = max(age, now.Sub(i.takenAt())), true
		}
	}
	return age, ok
}

func (c *cache) loadImports() error {
	clear(c.imports)
	return c.w.each("SELECT * FROM imports", nil, func(rows *sql.Rows) error {
		var i imported
		if err := rows.Scan(&i.kind, &i.runs, &i.at, &i.taken, &i.rows, &i.kept, &i.bad, &i.file, &i.sum); err != nil {
			return err
		}
		c.imports[i.kind] = i
		return sound("imports", i.sum, i.columns()...)
	})
}

// inTurn runs fn in a write transaction of its own. It must be short: the loop waits for it.
func (c *cache) inTurn(fn func() error) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	return c.w.write(fn)
}

// insert tells whether a row was inserted.
func (h *held) insert(query string, args ...any) (bool, error) {
	n, err := h.count(query, args...)
	return n > 0, err
}

// count runs a statement and tells how many rows it changed.
func (h *held) count(query string, args ...any) (int64, error) {
	s, err := h.stmt(query)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

var (
	tableSQL = regexp.MustCompile(`^CREATE TABLE "?\w+"? `)
	indexSQL = regexp.MustCompile(`^CREATE (UNIQUE )?INDEX (\w+)_\d+ ON "?\w+"? `)
)

// layOut makes the table beside with the columns and indexes of the live one.
func (c *cache) layOut(kind string) error {
	var all []string
	err := c.w.each("SELECT type, sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC, name",
		[]any{kind}, func(rows *sql.Rows) error {
			var what, text string
			err := rows.Scan(&what, &text)
			if what == "table" {
				text = tableSQL.ReplaceAllString(text, "CREATE TABLE "+beside(kind)+" ")
			} else {
				text = indexSQL.ReplaceAllString(text, fmt.Sprintf("CREATE ${1}INDEX ${2}_%d ON %s ", c.imports[kind].runs+1, beside(kind)))
			}
			all = append(all, text)
			return err
		})
	if err != nil {
		return err
	}
	for _, text := range all {
		if err := c.w.once(text); err != nil {
			return err
		}
	}
	return nil
}

// once runs a statement that is not used again.
func (h *held) once(query string) error {
	if h.conn == nil {
		return fmt.Errorf("%s: %w", h.name, errNotOpen)
	}
	_, err := h.conn.ExecContext(context.Background(), query)
	return err
}

func (c *cache) rename(kind string) error {
	return cmpErr(c.w.once(fmt.Sprintf("ALTER TABLE %s RENAME TO %s", kind, behind(kind))), func() error {
		return c.w.once(fmt.Sprintf("ALTER TABLE %s RENAME TO %s", beside(kind), kind))
	})
}

// sweep drops tables that are of no use any more. It empties them in steps, because the loop waits.
func (c *cache) sweep(ctx context.Context, tables ...string) error {
	for _, table := range tables {
		n, err := c.number(ctx, fmt.Sprintf("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '%s'", table))
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if err := c.empty(ctx, table); err != nil {
			return fmt.Errorf("sweep %s: %w", table, err)
		}
	}
	return nil
}

func (c *cache) empty(ctx context.Context, table string) error {
	for n := int64(1); n > 0; {
		err := c.inTurn(func() (err error) {
			n, err = c.w.count(fmt.Sprintf("DELETE FROM %s WHERE rowid IN (SELECT rowid FROM %[1]s LIMIT %d)", table, rowsInTurn))
			return err
		})
		if err != nil || ctx.Err() != nil {
			return cmpErr(err, ctx.Err)
		}
	}
	return c.inTurn(func() error { return c.w.once("DROP TABLE " + table) })
}
