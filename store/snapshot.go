package store

import (
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"circdesk/store/intake"
)

// The last two files of each kind that were loaded are kept, compressed, so that a damaged cache can be
// rebuilt without the library system: snapshots/KIND-1.gz is the newest, KIND-2.gz the one before.
func (o Options) snapshot(kind string, n int) string {
	return filepath.Join(o.Folder, "snapshots", fmt.Sprintf("%s-%d.gz", kind, n))
}

// An origin goes with a snapshot, in its header.
type origin struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Taken   time.Time         `json:"taken"`
	Headers map[string]string `json:"headers"`
	Cards   []string          `json:"cards,omitempty"`
	knowledge
}

// newest is the number of the newest snapshot: 2 if the power went between the two renames of put.
func (o Options) newest(kind string) int {
	if exists(o.snapshot(kind, 1)) {
		return 1
	}
	return 2
}

// A keeping is a file that is kept while it is read. One that cannot be kept is still loaded.
type keeping struct {
	o    *Options
	kind string
	from origin
	f    *os.File
	zip  *gzip.Writer
	err  error // why it is not kept
}

func (k *keeping) part() string { return filepath.Join(k.o.Folder, "snapshots", k.kind+".part") }

func (o *Options) keep(kind string, from origin) *keeping {
	k := &keeping{o: o, kind: kind, from: from}
	if k.err = cmpErr(os.MkdirAll(filepath.Dir(k.part()), 0o700), func() error { return toDisk(o.Folder) }); k.err != nil {
		return k
	}
	if k.f, k.err = os.OpenFile(k.part(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); k.err != nil {
		return k
	}
	k.zip, _ = gzip.NewWriterLevel(k.f, gzip.BestSpeed) // the level is one of gzip's own
	k.zip.Extra, k.err = json.Marshal(from)
	return k
}

// Write never fails, so that the loading goes on.
func (k *keeping) Write(p []byte) (int, error) {
	if k.err == nil {
		_, k.err = k.zip.Write(p)
	}
	return len(p), nil
}

// put brings the file to the disk and makes it the newest; "" if it cannot be kept.
func (k *keeping) put() string {
	if k.err == nil {
		k.err = errors.Join(k.zip.Close(), flush(k.f))
	}
	if k.err == nil {
		k.err = move(k.o.snapshot(k.kind, 1), k.o.snapshot(k.kind, 2))
	}
	if k.err == nil {
		k.err = putInPlace(k.part(), k.o.snapshot(k.kind, 1))
	}
	if k.err != nil {
		return ""
	}
	return k.from.ID
}

// move renames a file that may not be there.
func move(from, to string) error {
	if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// takeBack makes the one before the newest again: what was put was not loaded.
func (k *keeping) takeBack() {
	newest := k.o.snapshot(k.kind, 1)
	err := os.Rename(k.o.snapshot(k.kind, 2), newest)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Remove(newest)
	}
	k.err = errors.Join(k.err, err)
}

// close gives up what was not put.
func (k *keeping) close() error {
	if k.f == nil {
		return k.err
	}
	err := errors.Join(k.err, k.f.Close())
	if gone := os.Remove(k.part()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// A kept is a snapshot that is loaded again.
type kept struct{ id string }

func (k kept) put() string { return k.id }
func (k kept) takeBack()   {}

// Scratch begins the names of folders in the state folder in which a backup is made. A kill may leave one, with
// a whole journal in it: Open removes them.
const Scratch = ".backup-"

// clear removes what a kill has left: files that were being kept, and scratch. Nobody else would find the names
// in them.
func (o *Options) clear() {
	for _, pattern := range []string{"snapshots/*.part", Scratch + "*"} {
		left, err := filepath.Glob(filepath.Join(o.Folder, pattern))
		for _, path := range left {
			err = errors.Join(err, os.RemoveAll(path))
		}
		if err != nil {
			o.Log.Warn("what a kill has left stays", "error", err)
		}
	}
}

// rebuild loads the snapshots that the cache does not have: all into a new one, or the newest if the cache
// has lost it.
func (s *Store) rebuild(ctx context.Context) error {
	var all []error
	for _, kind := range intake.Kinds() {
		err := s.reload(ctx, kind, s.o.newest(kind))
		if err != nil {
			s.o.Log.Error("a snapshot cannot be loaded", "kind", kind, "error", err)
		}
		if _, there := s.cache.loaded(kind); !there {
			err = s.reloadOlder(ctx, kind, err)
		}
		if err != nil {
			all = append(all, fmt.Errorf("rebuild %s: %w", kind, err))
		}
	}
	return errors.Join(all...)
}

// reloadOlder loads the snapshot before the newest, which cannot be loaded.
func (s *Store) reloadOlder(ctx context.Context, kind string, newest error) error {
	err := s.reload(ctx, kind, 2)
	if _, there := s.cache.loaded(kind); !there {
		return errors.Join(newest, err)
	}
	s.o.Log.Warn("the snapshot before the newest is loaded", "kind", kind)
	return err
}

// loaded is the snapshot that the cache has of a kind.
func (c *cache) loaded(kind string) (file string, ok bool) {
	c.turn.Lock()
	defer c.turn.Unlock()
	i, ok := c.imports[kind]
	return i.file, ok
}

// openSnapshot opens a snapshot and reads where it is from. Whoever calls it closes the file.
func (s *Store) openSnapshot(kind string, n int) (*os.File, *gzip.Reader, origin, error) {
	var from origin
	f, err := os.Open(s.o.snapshot(kind, n))
	if err != nil {
		return nil, nil, from, err
	}
	zip, err := gzip.NewReader(f)
	if err == nil {
		err = json.Unmarshal(zip.Extra, &from)
	}
	if err != nil {
		return nil, nil, from, errors.Join(err, f.Close())
	}
	return f, zip, from, nil
}

// lacks tells whether the cache has not what the newest snapshot of a kind holds.
func (s *Store) lacks(kind string) bool {
	_, loaded := s.cache.loaded(kind)
	f, _, from, err := s.openSnapshot(kind, s.o.newest(kind))
	if err == nil {
		return f.Close() == nil && !s.has(kind, from)
	}
	return !loaded && !errors.Is(err, fs.ErrNotExist)
}

// has tells whether a snapshot is in the cache, or a later file, of which there was no room for one.
func (s *Store) has(kind string, from origin) bool {
	have, loaded := s.cache.loaded(kind)
	return loaded && (have == from.ID || have == "")
}

// reload loads a snapshot, unless it is not there or in the cache already.
func (s *Store) reload(ctx context.Context, kind string, n int) error {
	f, zip, from, err := s.openSnapshot(kind, n)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if s.has(kind, from) {
		return nil
	}
	o := ImportOptions{Name: from.Name, Taken: from.Taken, Headers: from.Headers, Cards: from.Cards, Force: true, knows: from.knowledge}
	report, err := s.take(ctx, kind, zip, o, kept{from.ID})
	if err == nil && report.Refused != "" {
		err = errors.New(report.Refused)
	}
	return err
}

// exists tells whether there is a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// replace brings the file to the disk in the place of number n.
func (k *keeping) replace(n int) error {
	if k.err == nil {
		k.err = errors.Join(k.zip.Close(), flush(k.f))
	}
	if k.err == nil {
		k.err = putInPlace(k.part(), k.o.snapshot(k.kind, n))
	}
	return k.err
}

// fadeSnapshots takes out of the snapshots what the cache does not hold any more: loans that have ended
// and holds that were served, if there were any, and files that were replaced longer ago than the retention.
func (s *Store) fadeSnapshots(ctx context.Context, ended bool) error {
	for kind, i := range s.cache.imported() {
		newest, older := s.o.snapshot(kind, 1), s.o.snapshot(kind, 2)
		since := time.UnixMicro(min(i.at, i.taken)) // a rebuild moves the one, a wrong clock the other
		if s.o.Now().Sub(since) >= s.o.Retention && exists(newest) && exists(older) {
			if err := os.Remove(older); err != nil {
				return err
			}
		}
		for n := 1; ended && (kind == "loans" || kind == "holds") && n <= 2; n++ {
			if n == 2 && !exists(older) {
				continue
			}
			if err := s.rewrite(ctx, kind, i, n); err != nil {
				return fmt.Errorf("snapshot of %s: %w", kind, err)
			}
		}
	}
	return nil
}

// imported are the last files of each kind.
func (c *cache) imported() map[string]imported {
	c.turn.Lock()
	defer c.turn.Unlock()
	return maps.Clone(c.imports)
}

// rewrite makes a snapshot of a kind from what the cache holds now: the older one too, which has more that
// has ended, and so is a second copy.
func (s *Store) rewrite(ctx context.Context, kind string, i imported, n int) (err error) {
	k := s.o.keep(kind, origin{ID: i.file, Taken: i.takenAt(), knowledge: s.cache.knows()})
	defer func() { err = errors.Join(err, k.close()) }()
	w := csv.NewWriter(k)
	if kind == "loans" {
		err = s.dumpLoans(ctx, w)
	} else {
		err = s.dumpHolds(ctx, w)
	}
	w.Flush()
	return cmpErr(errors.Join(err, w.Error()), func() error { return k.replace(n) })
}

func (s *Store) dumpLoans(ctx context.Context, w *csv.Writer) error {
	err := w.Write([]string{"item", "patron", "checked_out", "due", "renewals"})
	return cmpErr(err, func() error {
		return s.cache.beside.query(ctx, "SELECT * FROM loans", nil, func(rows *sql.Rows) error {
			var l loanRow
			if err := rows.Scan(&l.item, &l.patron, &l.at, &l.due, &l.renewals, &l.sum); err != nil {
				return err
			}
			return cmpErr(l.sound(), func() error {
				return w.Write([]string{l.item, l.patron, instant(l.at), l.due, strconv.Itoa(l.renewals)})
			})
		})
	})
}

func (s *Store) dumpHolds(ctx context.Context, w *csv.Writer) error {
	err := w.Write([]string{"patron", "title_id", "item", "placed", "pickup_site", "status"})
	return cmpErr(err, func() error {
		return s.cache.beside.query(ctx, selectHold+"WHERE taken_by = 0", nil, func(rows *sql.Rows) error {
			var h holdRow
			if err := rows.Scan(h.dest()...); err != nil {
				return err
			}
			status := "pending"
			if h.ready {
				status = "ready"
			}
			return cmpErr(h.sound(), func() error {
				return w.Write([]string{h.patron, h.title, h.item, instant(h.placed), h.site, status})
			})
		})
	})
}

// instant is a time as a file has it; "" if it is unknown.
func instant(micro int64) string {
	if micro == 0 {
		return ""
	}
	return time.UnixMicro(micro).UTC().Format(time.RFC3339Nano)
}

// all reads r to its end, so that what is kept is whole and its checksum is compared.
func all(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}
