package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// The settings of the files (facts: reliability 2.3, performance 1.7). The keys with an underscore are
// validated by the driver; page_size takes effect because the driver sets the journal mode after it.
const (
	shared = "_busy_timeout=5000&_foreign_keys=1&_txlock=immediate&_defensive=1&_dqs=0" +
		"&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)&_pragma=temp_store(1)"
	journalKeys = "_journal_mode=WAL&_synchronous=FULL&" + shared +
		"&_pragma=page_size(1024)&_pragma=secure_delete(1)&_pragma=cache_size(-4096)"
	cacheKeys = "_journal_mode=WAL&_synchronous=NORMAL&" + shared +
		"&_pragma=page_size(1024)&_pragma=secure_delete(1)&_pragma=cache_size(-4096)"
	copyKeys = "mode=ro&" + shared
	readKeys = "mode=ro&_query_only=1&" + shared + "&_pragma=cache_size(-2048)"
)

// dsn is what the driver opens path by. The "file:" form is needed for mode=ro to count.
func dsn(path, keys string) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: keys}).String()
}

// A pragma is a setting and the value that must be read back.
type pragma struct{ name, value string }

func sharedPragmas() []pragma {
	return []pragma{
		{"busy_timeout", "5000"}, {"foreign_keys", "1"}, {"trusted_schema", "0"}, {"cell_size_check", "1"},
		{"temp_store", "1"}, {"journal_mode", "wal"}, {"page_size", "1024"}, {"mmap_size", "0"},
	}
}

func journalPragmas() []pragma {
	return append(sharedPragmas(), pragma{"synchronous", "2"}, pragma{"secure_delete", "1"},
		pragma{"cache_size", "-4096"}, pragma{"wal_autocheckpoint", "1000"})
}

func cachePragmas() []pragma {
	return append(sharedPragmas(), pragma{"synchronous", "1"}, pragma{"secure_delete", "1"},
		pragma{"cache_size", "-4096"}, pragma{"wal_autocheckpoint", "1000"})
}

func readPragmas() []pragma {
	return append(sharedPragmas(), pragma{"query_only", "1"}, pragma{"cache_size", "-2048"})
}

// A held is one connection to a database file that stays open, with every statement prepared once.
// It is not safe for concurrent use.
type held struct {
	name   string // for errors: the file's base name
	dsn    string
	want   []pragma
	opened func() error // reads what the owner keeps in memory; called after every open
	db     *sql.DB
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt
	hung   map[string]string // lists that are attached: name -> path
	broken bool              // the connection's state is unknown
}

func newHeld(path, keys string, want []pragma) *held {
	return &held{name: filepath.Base(path), dsn: dsn(path, keys), want: want, opened: func() error { return nil }}
}

// open connects, reads every pragma back and calls opened.
func (h *held) open() error {
	db, err := sql.Open("sqlite", h.dsn)
	if err != nil {
		return fmt.Errorf("open %s: %w", h.name, err)
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(context.Background())
	if err != nil {
		return fmt.Errorf("open %s: %w", h.name, errors.Join(err, db.Close()))
	}
	h.db, h.conn, h.stmts, h.hung, h.broken = db, conn, map[string]*sql.Stmt{}, map[string]string{}, false
	if err := cmpErr(h.readBack(), h.opened); err != nil {
		return errors.Join(err, h.close())
	}
	return nil
}

// cmpErr is err, or what next returns.
func cmpErr(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

// readBack compares every pragma with what it must be.
func (h *held) readBack() error {
	for _, p := range h.want {
		var got string
		if _, err := h.row("PRAGMA "+p.name, nil, &got); err != nil {
			return fmt.Errorf("open %s: %w", h.name, err)
		}
		if got != p.value {
			return fmt.Errorf("open %s: %w: pragma %s is %q, must be %q", h.name, errSetting, p.name, got, p.value)
		}
	}
	return nil
}

// close ends the connection; it is harmless when there is none.
func (h *held) close() error {
	if h.db == nil {
		return nil
	}
	var all []error
	for _, s := range h.stmts {
		all = append(all, s.Close())
	}
	all = append(all, h.conn.Close(), h.db.Close())
	h.db, h.conn, h.stmts, h.broken = nil, nil, nil, true
	return errors.Join(all...)
}

// mend reopens the connection if its state is unknown.
func (h *held) mend() error {
	if !h.broken {
		return nil
	}
	_ = h.close() // it is given up
	return h.open()
}

// stmt is the prepared form of query.
func (h *held) stmt(query string) (*sql.Stmt, error) {
	if h.conn == nil {
		return nil, fmt.Errorf("%s: %w", h.name, errNotOpen)
	}
	if s, ok := h.stmts[query]; ok {
		return s, nil
	}
	s, err := h.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	h.stmts[query] = s
	return s, nil
}

func (h *held) exec(query string, args ...any) error {
	s, err := h.stmt(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(context.Background(), args...)
	return err
}

// each calls scan for every row; the rows are closed in any case.
func (h *held) each(query string, args []any, scan func(*sql.Rows) error) error {
	s, err := h.stmt(query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), args...)
	if err != nil {
		return err
	}
	return drain(rows, scan)
}

// row reads the first row into dest; false if there is none.
func (h *held) row(query string, args []any, dest ...any) (found bool, err error) {
	err = h.each(query, args, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(dest...)
	})
	return found, err
}

// drain calls scan for every row and closes the rows, so that no read transaction outlives it.
func drain(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// write runs fn in one write transaction. Whatever fails before COMMIT has not happened; an error of
// COMMIT itself is ErrUnknown. After an error the next call starts clean, on a new connection if needed.
func (h *held) write(fn func() error) error { return h.transact("BEGIN IMMEDIATE", fn) }

// read runs fn on one state of the database.
func (h *held) read(fn func() error) error { return h.transact("BEGIN", fn) }

func (h *held) transact(begin string, fn func() error) error {
	if err := h.mend(); err != nil {
		return err
	}
	if err := h.exec(begin); err != nil {
		h.broken = true
		return fmt.Errorf("%s: begin: %w", h.name, err)
	}
	if err := fn(); err != nil {
		h.broken = h.exec("ROLLBACK") != nil
		return fmt.Errorf("%s: %w", h.name, err)
	}
	if err := h.exec("COMMIT"); err != nil {
		_ = h.exec("ROLLBACK") // lets go of the locks if it can; the connection is given up anyway
		h.broken = true
		return fmt.Errorf("%s: commit: %w: %w", h.name, ErrUnknown, err)
	}
	return nil
}

//go:embed schema
var schema embed.FS

// steps are the scripts that make a schema, one for each version.
func (o *Options) steps(folder string) ([]string, error) {
	if folder == "journal" && o.journalSteps != nil {
		return o.journalSteps, nil
	}
	names, err := fs.Glob(schema, "schema/"+folder+"/*.sql")
	var all []string
	for _, name := range names {
		err = cmpErr(err, func() error {
			script, err := fs.ReadFile(schema, name)
			all = append(all, string(script))
			return err
		})
	}
	return all, err
}

// migrate brings the schema up to the newest version known.
func (h *held) migrate(o *Options, folder string) error {
	steps, err := o.steps(folder)
	return cmpErr(err, func() error { return h.climb(steps) })
}

// climb takes the steps that have not been taken, each in one transaction.
func (h *held) climb(steps []string) error {
	var version int
	if _, err := h.row("PRAGMA user_version", nil, &version); err != nil {
		return fmt.Errorf("migrate %s: %w", h.name, err)
	}
	if version < 0 {
		return fmt.Errorf("%s: %w: schema version %d", h.name, errDamaged, version)
	}
	if version > len(steps) {
		return fmt.Errorf("%s has schema version %d, this program knows up to %d: %w", h.name, version, len(steps), ErrNewer)
	}
	for ; version < len(steps); version++ {
		if err := h.write(func() error { return h.script(steps[version], version+1) }); err != nil {
			return fmt.Errorf("migrate to version %d: %w", version+1, err)
		}
	}
	return nil
}

// script runs statements that are used once.
func (h *held) script(text string, version int) error {
	text += fmt.Sprintf(";\nPRAGMA user_version = %d", version)
	_, err := h.conn.ExecContext(context.Background(), strings.TrimSpace(text))
	return err
}
