package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"circdesk/store/intake"
)

// Patrons and copies change by imports only, and of copies there may be a million. So each of the two is
// a list, in a file of its own: it is written beside the desk, at one go and without a log, flushed, and
// never written again. Which file counts stands in the cache, and all connections of it have the file
// attached; so the swap is one small transaction, however long the list is.

// lists are the kinds that have a file of their own.
func lists() []string { return []string{"patrons", "copies"} }

func isList(kind string) bool { return slices.Contains(lists(), kind) }

// list is the file of a list after so many imports; of none it is empty.
func (o *Options) list(kind string, runs int) string {
	return filepath.Join(o.Folder, fmt.Sprintf("cache-%s-%d.db", kind, runs))
}

// listPart is a list that is being written.
func (o *Options) listPart(kind string) string {
	return filepath.Join(o.Folder, fmt.Sprintf("cache-%s.part", kind))
}

// The connection that writes a list: nobody reads the file before it is whole and on the disk, and one that
// is not is thrown away.
const listKeys = "_journal_mode=OFF&_synchronous=OFF&_foreign_keys=0&_dqs=0&_pragma=page_size(4096)" +
	"&_pragma=locking_mode(EXCLUSIVE)&_pragma=temp_store(1)&_pragma=cache_size(-16384)"

// A listing is a list that is being written.
type listing struct {
	o     *Options
	kind  string
	h     *held
	names []string // of the columns, as the rows have them
}

// newListing begins a list. Whoever calls it calls close.
func (o *Options) newListing(kind string) (*listing, error) {
	l := &listing{o: o, kind: kind, h: newHeld(o.listPart(kind), listKeys, []pragma{{"journal_mode", "off"}, {"synchronous", "0"}})}
	err := removeDB(o.listPart(kind))
	for _, step := range []func() error{l.h.open, l.makeTable} {
		err = cmpErr(err, step)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// script is what makes the table, and what makes its indexes.
func (l *listing) script() (table, indexes string, err error) {
	text, err := schema.ReadFile("schema/list/" + l.kind + ".sql")
	table, indexes, _ = strings.Cut(string(text), ") STRICT;")
	return table + ") STRICT", indexes, err
}

func (l *listing) makeTable() error {
	table, _, err := l.script()
	err = cmpErr(err, func() error { return l.h.once(table) })
	return cmpErr(err, func() error {
		return l.h.each("SELECT name FROM pragma_table_info(?)", []any{l.kind}, func(rows *sql.Rows) error {
			var name string
			err := rows.Scan(&name)
			l.names = append(l.names, name)
			return err
		})
	})
}

// finish makes the indexes and looks for rows that stand there twice, the later of which are taken out
// and told of.
func (l *listing) finish(twice func(line int)) error {
	_, indexes, err := l.script()
	err = cmpErr(err, func() error { return l.h.once(indexes) })
	err = cmpErr(err, func() error { return l.unique(twice) })
	if err != nil {
		return err
	}
	// All is written, and the disk can begin while we look at it again.
	flushed := make(chan error, 1)
	go func() { flushed <- toDisk(l.o.listPart(l.kind)) }()
	return errors.Join(l.h.quickCheck(), <-flushed)
}

func (l *listing) unique(twice func(line int)) error {
	n := 0
	_, err := l.h.row(fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM %s GROUP BY barcode HAVING count(*) > 1)", l.kind), nil, &n)
	if err != nil || n == 0 {
		return err
	}
	later := fmt.Sprintf("FROM %[1]s WHERE rowid NOT IN (SELECT min(rowid) FROM %[1]s GROUP BY barcode)", l.kind)
	err = l.h.each("SELECT rowid "+later+" ORDER BY rowid", nil, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		twice(lineOf(id))
		return err
	})
	return cmpErr(err, func() error { return l.h.once("DELETE " + later) })
}

// against tells how many rows an older list has and, if it is asked, how many of them are not in this one.
func (l *listing) against(older string, compare bool) (before, lost int, err error) {
	if err = l.h.hang("older", older); err != nil {
		return 0, 0, err
	}
	_, err = l.h.row("SELECT count(*) FROM older."+l.kind, nil, &before)
	if err == nil && before > 0 && compare {
		_, err = l.h.row(fmt.Sprintf("SELECT count(*) FROM older.%[1]s AS old WHERE NOT EXISTS (SELECT 1 FROM main.%[1]s AS new WHERE new.barcode = old.barcode)", l.kind), nil, &lost)
	}
	return before, lost, err
}

// put brings the file to the disk and gives it its name, which nobody knows yet.
func (l *listing) put(runs int) error {
	part := l.o.listPart(l.kind)
	if err := l.h.close(); err != nil {
		return err
	}
	if err := toDisk(part); err != nil {
		return err
	}
	return putInPlace(part, l.o.list(l.kind, runs))
}

// close gives up what was not put.
func (l *listing) close() error { return errors.Join(l.h.close(), removeDB(l.o.listPart(l.kind))) }

// hang attaches a list to the connection, in place of the one that was there under the same name.
func (h *held) hang(name, path string) error {
	if h.conn == nil {
		return fmt.Errorf("%s: %w", h.name, errNotOpen)
	}
	if h.hung[name] == path {
		return nil
	}
	if h.hung[name] != "" {
		if err := h.once("DETACH " + name); err != nil {
			return err
		}
		delete(h.hung, name)
	}
	uri := strings.ReplaceAll(dsn(path, "mode=ro&immutable=1"), "'", "''")
	if err := h.once(fmt.Sprintf("ATTACH '%s' AS %s", uri, name)); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	h.hung[name] = path
	return h.once(fmt.Sprintf("PRAGMA %s.cache_size = -1024", name))
}

// hang attaches the lists that count to a connection of the cache.
func (c *cache) hang(h *held) error {
	now := c.hung.Load()
	if now == nil {
		return nil // nobody knows yet
	}
	for kind, path := range *now {
		if err := h.hang("list_"+kind, path); err != nil {
			return err
		}
	}
	return nil
}

// findLists finds the files of the lists that count, and removes others. A list that was never loaded is
// empty. turn is held.
func (c *cache) findLists() error {
	now := map[string]string{}
	for _, kind := range lists() {
		now[kind] = c.o.list(kind, c.imports[kind].runs)
	}
	files, err := filepath.Glob(filepath.Join(c.o.Folder, "cache-*.db"))
	if err != nil {
		return err
	}
	for _, path := range files {
		if !slices.Contains(slices.Collect(maps.Values(now)), path) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	for kind, path := range now {
		if _, there := os.Stat(path); there == nil {
			continue
		}
		if c.imports[kind].runs > 0 {
			return fmt.Errorf("%s: %w: the file is gone", filepath.Base(path), errDamaged)
		}
		err = cmpErr(err, func() error { return c.o.emptyList(kind) })
	}
	c.hung.Store(&now)
	return err
}

// removeParts removes lists that were not finished when the power went. Nothing may be under way.
func (o *Options) removeParts() error {
	var all []error
	for _, kind := range lists() {
		all = append(all, removeDB(o.listPart(kind)))
	}
	return errors.Join(all...)
}

// emptyList makes the list that was never loaded.
func (o *Options) emptyList(kind string) error {
	l, err := o.newListing(kind)
	if err != nil {
		return err
	}
	defer l.close()
	return cmpErr(l.finish(func(int) {}), func() error { return l.put(0) })
}

// runList loads a list. The file is read on this goroutine and written on another.
func (l *loading) runList(ctx context.Context, rows iter.Seq2[intake.Row, *intake.Bad]) (err error) {
	part, err := l.s.o.newListing(l.kind)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, part.close()) }()
	if err := l.pour(ctx, rows, part); err != nil {
		return err
	}
	l.report.Loaded = l.report.Rows - l.report.Bad
	if info, err := os.Stat(l.s.o.listPart(l.kind)); err == nil {
		if err := l.s.journal.ballast.spare(info.Size()); err != nil { // the indexes are at most as large
			return err
		}
	}
	if err := part.finish(l.again); err != nil {
		return err
	}
	l.sortBad()
	older := l.s.cache.listNow(l.kind)
	if older == "" {
		return errNotOpen
	}
	before, lost, err := part.against(older, !l.o.Force)
	if err != nil || l.tooFew(before, lost) {
		return err
	}
	l.file = l.keeper.put()
	if err := l.swapList(ctx, part); err != nil {
		l.keeper.takeBack()
		return err
	}
	return nil
}

// pour writes all rows into the list.
func (l *loading) pour(ctx context.Context, rows iter.Seq2[intake.Row, *intake.Bad], part *listing) error {
	batches, failed, done := make(chan []filed, 4), make(chan struct{}), make(chan error, 1)
	go func() {
		err := part.feed(batches)
		if err != nil {
			close(failed)
		}
		done <- err
	}()
	err := l.load(ctx, rows, func(batch []filed) error {
		select {
		case batches <- batch:
			return nil
		case <-failed:
			return errStopped
		}
	})
	close(batches)
	if errors.Is(err, errStopped) {
		return <-done
	}
	return errors.Join(err, <-done)
}

// errStopped: the list cannot be written, for a reason that whoever writes it gives.
var errStopped = errors.New("stopped")

// again leaves a row out that was loaded already.
func (l *loading) again(line int) {
	l.report.Loaded--
	l.report.Bad++
	if l.more++; l.more <= badsShown {
		l.report.BadRows = append(l.report.BadRows, BadRow{Line: line, Column: "barcode", Reason: twiceInFile})
	}
}

// swapList makes the new list the one that counts. The cache says so on the disk before the old one goes.
func (l *loading) swapList(ctx context.Context, part *listing) error {
	c := l.s.cache
	c.turn.Lock()
	defer c.turn.Unlock()
	older := c.listNow(l.kind)
	if older == "" {
		return errNotOpen
	}
	is := l.imported()
	if err := cmpErr(ctx.Err(), func() error { return part.put(is.runs) }); err != nil {
		return err
	}
	newer := c.o.list(l.kind, is.runs)
	err := c.w.flushed(func() error {
		if _, again := l.keeper.(kept); l.kind == "patrons" && !again {
			if err := c.w.exec("DELETE FROM tries"); err != nil {
				return err
			}
		}
		return c.putImported(is)
	})
	if errors.Is(err, ErrUnknown) {
		return err // the new one may be the one that counts
	}
	if err != nil {
		return errors.Join(err, os.Remove(newer))
	}
	c.imports[l.kind] = is
	now := maps.Clone(*c.hung.Load())
	now[l.kind] = newer
	c.hung.Store(&now)
	// The file is loaded. What fails now is mended later.
	if err := c.hang(c.w); err != nil {
		l.s.cacheFailed("attach a list", err)
	}
	if err := os.Remove(older); err != nil {
		l.s.o.Log.Warn("an old list stays until the next start", "error", err)
	}
	return nil
}

// listNow is the file of a list that counts; "" while the cache is not open.
func (c *cache) listNow(kind string) string {
	if now := c.hung.Load(); now != nil {
		return (*now)[kind]
	}
	return ""
}

// flushed is a write that is on the disk when it returns, as others of the cache are not.
func (h *held) flushed(fn func() error) error {
	err := cmpErr(h.mend(), func() error { return h.once("PRAGMA synchronous = FULL") })
	err = cmpErr(err, func() error { return h.write(fn) })
	if h.conn != nil && h.once("PRAGMA synchronous = NORMAL") != nil {
		h.broken = true // the next connection begins with its own settings
	}
	return err
}
