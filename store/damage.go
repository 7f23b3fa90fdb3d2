package store

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// code is SQLite's primary result code of an error; 0 if it is none of SQLite's.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// damaged tells whether an error means that a file holds what was not written to it.
func damaged(err error) bool {
	switch code(err) {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB, lib.SQLITE_FORMAT, lib.SQLITE_SCHEMA, lib.SQLITE_MISMATCH:
		return true
	}
	// A value that is not of its column's type: the tables are STRICT, so nobody has written it. database/sql has
	// no name for that error.
	return errors.Is(err, errDamaged) || err != nil && strings.Contains(err.Error(), "sql: Scan error")
}

// spoilt tells whether an error means that a cache is to be made anew. That costs little, so it is made anew
// too where a newer program has written it, or where SQLite does not know its format or its tables.
func spoilt(err error) bool {
	return damaged(err) || errors.Is(err, ErrNewer) || code(err) == lib.SQLITE_ERROR
}

// refuses tells whether SQLite takes a file for read-only that the system would let us write to: then a byte
// of its header says so.
func refuses(path string, err error) bool {
	return code(err) == lib.SQLITE_READONLY && unix.Access(path, unix.W_OK) == nil
}

// full tells whether an error means that the disk is full.
func full(err error) bool { return code(err) == lib.SQLITE_FULL }

// stamp is the beginning of a name in the quarantine.
func stamp() string { return time.Now().UTC().Format("20060102T150405.000000000Z") }

// removeDB removes a database that nobody has open.
func removeDB(path string) error {
	var all []error
	for _, end := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// quarantineFor is the folder for what is put aside of a file, and it is on the disk.
func quarantineFor(path string) (string, error) {
	folder := filepath.Join(filepath.Dir(path), "quarantine")
	err := os.MkdirAll(folder, 0o700)
	return folder, cmpErr(err, func() error { return toDisk(filepath.Dir(path)) })
}

// quarantine puts a database that nobody has open aside, with its log and its mark, every byte kept.
func quarantine(path, why string) error {
	folder, err := quarantineFor(path)
	if err != nil {
		return err
	}
	at := stamp()
	for _, end := range []string{"", "-wal", "-mark"} {
		to := filepath.Join(folder, fmt.Sprintf("%s-%s-%s%s", at, why, filepath.Base(path), end))
		if err := os.Rename(path+end, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := removeDB(path); err != nil { // what is left is an index of the log
		return err
	}
	return errors.Join(toDisk(folder), toDisk(filepath.Dir(path)))
}

// keepCopy puts a copy of a database that nobody has open into the quarantine.
func keepCopy(path, why string) error {
	folder, err := quarantineFor(path)
	if err != nil {
		return err
	}
	at := stamp()
	for _, end := range []string{"", "-wal", "-mark"} {
		to := filepath.Join(folder, fmt.Sprintf("%s-%s-%s%s", at, why, filepath.Base(path), end))
		err := copyFile(path+end, to)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			_, err = settle(to)
		}
		if err != nil {
			return err
		}
	}
	return toDisk(folder)
}

// examine reads the file: its pages, if they are not too many, the youngest entries, the deliveries. The
// first thing that does not fit is an error. What is older is checked when it is read.
func (j *journal) examine() error {
	if info, err := os.Stat(j.path); err != nil || info.Size() <= wholeFile {
		if err := errors.Join(err, j.w.quickCheck()); err != nil {
			return err
		}
	}
	if err := j.examineChain(j.old()); err != nil {
		return err
	}
	return j.examineDeliveries(j.old())
}

// quickCheck lets SQLite look at every page.
func (h *held) quickCheck() error {
	return h.each("PRAGMA quick_check(1)", nil, func(rows *sql.Rows) error {
		var text string
		if err := rows.Scan(&text); err != nil || text == "ok" {
			return err
		}
		return fmt.Errorf("%s: %w: %s", h.name, errDamaged, text)
	})
}

// examineChain checks the entries after a number.
func (j *journal) examineChain(old uint64) error {
	seq, before := old, j.genesis()
	if old > 0 {
		if _, err := j.w.row("SELECT hash FROM entry WHERE seq = ?", []any{old}, &before); err != nil {
			return err
		}
	}
	err := j.w.each(selectRow+" WHERE seq > ? ORDER BY seq", []any{old}, func(rows *sql.Rows) error {
		var r row
		if err := rows.Scan(r.dest()...); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		if reason := r.check(seq, before); reason != "" {
			return fmt.Errorf("%s: %w: entry %d: %s", j.w.name, errDamaged, seq+1, reason)
		}
		seq, before = r.seq, r.hash
		return nil
	})
	if err == nil && (seq != j.last || !bytes.Equal(before, j.head)) {
		err = fmt.Errorf("%s: %w: it ends at entry %d, not at %d", j.w.name, errDamaged, seq, j.last)
	}
	return err
}

// examineDeliveries checks the sum of every open delivery and of those of entries after a number, and that
// no entry is in both tables.
func (j *journal) examineDeliveries(old uint64) error {
	for table, since := range map[string]uint64{"queue": 0, "delivered": old} {
		err := j.w.each("SELECT * FROM "+table+" WHERE seq > ?", []any{since}, func(rows *sql.Rows) error {
			var d delivery
			if err := rows.Scan(d.dest()...); err != nil {
				return fmt.Errorf("%w: %w", errDamaged, err)
			}
			if d.sum != d.total() || d.seq > j.last || ended(d.state) != (table == "delivered") {
				return fmt.Errorf("%s: %w: delivery of entry %d", j.w.name, errDamaged, d.seq)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	n := 0
	_, err := j.w.row("SELECT count(*) FROM queue WHERE seq IN (SELECT seq FROM delivered)", nil, &n)
	if err != nil || n == 0 {
		return err
	}
	return fmt.Errorf("%s: %w: %d entries are delivered and are not", j.w.name, errDamaged, n)
}

// familiar compares the schema with what the program of its version made, letter by letter. One that is
// said to be newer and has our schema is not: its header is damaged.
func (j *journal) familiar() error {
	version := 0
	steps, err := j.o.steps("journal")
	if err == nil {
		_, err = j.w.row("PRAGMA user_version", nil, &version)
	}
	if err != nil {
		return err
	}
	model, err := layoutOf(steps[:min(max(version, 0), len(steps))])
	if err != nil {
		return err
	}
	got, err := j.w.layout()
	switch newer := version > len(steps); {
	case err != nil:
		return err
	case newer && got != model:
		return fmt.Errorf("%s has schema version %d, this program knows up to %d: %w", j.w.name, version, len(steps), ErrNewer)
	case newer, got != model:
		return fmt.Errorf("%s: %w: its schema", j.w.name, errDamaged)
	}
	return nil
}

// layouts are those that were made once: steps -> layout.
var layouts sync.Map

// layoutOf is the schema that steps make.
func layoutOf(steps []string) (layout string, err error) {
	key := strings.Join(steps, "\x00")
	if made, ok := layouts.Load(key); ok {
		return made.(string), nil
	}
	model := &held{name: "model", dsn: ":memory:", opened: func() error { return nil }}
	err = cmpErr(model.open(), func() error { return model.climb(steps) })
	if err == nil {
		layout, err = model.layout()
	}
	if err = errors.Join(err, model.close()); err == nil {
		layouts.Store(key, layout)
	}
	return layout, err
}

// layout is the schema as SQLite keeps it.
func (h *held) layout() (string, error) {
	var b strings.Builder
	err := h.each("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name", nil, func(rows *sql.Rows) error {
		var parts [4]string
		err := rows.Scan(&parts[0], &parts[1], &parts[2], &parts[3])
		fmt.Fprintf(&b, "%q\n", parts)
		return err
	})
	return b.String(), err
}

// wholeFile is up to which size a file is checked from end to end when it is opened: a school's, not a
// district's. What is wrong in a larger one shows when it is read.
const wholeFile = 64 << 20

// examine looks at every page and every index of those files of the cache that are not too large.
func (c *cache) examine() error {
	files := map[string]string{"main": c.path}
	for kind, path := range *c.hung.Load() {
		files["list_"+kind] = path
	}
	for name, path := range files {
		info, err := os.Stat(path)
		if err == nil && info.Size() <= wholeFile {
			err = c.w.integrity(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *held) integrity(name string) error {
	return h.each("PRAGMA "+name+".integrity_check(1)", nil, func(rows *sql.Rows) error {
		var text string
		if err := rows.Scan(&text); err != nil || text == "ok" {
			return err
		}
		return fmt.Errorf("%s, %s: %w: %s", h.name, name, errDamaged, text)
	})
}
