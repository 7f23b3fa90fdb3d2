package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"circdesk/kiosk"

	lib "modernc.org/sqlite/lib"
)

// Backup writes a consistent copy of the journal to path, and its SHA-256 to path.sha256, while the desk
// goes on. Both are on the disk when it returns. At any moment before there is at path what was there, or
// the whole copy, and never a sum that does not fit.
func (s *Store) Backup(ctx context.Context, path string) error {
	part := path + ".part"
	err := removeDB(part)
	for _, step := range []func() error{
		func() error { return s.journal.fitsAt(part) },
		func() error { return s.journal.copyTo(ctx, part) },
	} {
		err = cmpErr(err, step)
	}
	if err != nil {
		return fmt.Errorf("backup: %w", errors.Join(err, removeDB(part)))
	}
	sum, err := settle(part)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := os.Remove(path + ".sha256"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("backup: %w", err)
	}
	if err := cmpErr(toDisk(filepath.Dir(path)), func() error { return putInPlace(part, path) }); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	line := fmt.Sprintf("%s  %s\n", sum, filepath.Base(path))
	if err := writeWhole(path+".sha256", []byte(line)); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// fitsAt tells whether a copy of the journal at path leaves room for returns.
func (j *journal) fitsAt(path string) error {
	size := int64(0)
	for _, end := range []string{"", "-wal"} {
		if info, err := os.Stat(j.path + end); err == nil {
			size += info.Size()
		}
	}
	return ballast{path, j.ballast.size}.spare(size)
}

// copyTo writes one state of the journal to another file, on a connection of its own.
func (j *journal) copyTo(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", dsn(j.path, copyKeys))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}

// settle brings a file to the disk and returns its SHA-256.
func settle(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), flush(f)
}

// writeWhole writes a small file, all of it or nothing.
func writeWhole(path string, text []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return err
	}
	if _, err := settle(part); err != nil {
		return err
	}
	return putInPlace(part, path)
}

// putInPlace renames a file that is on the disk, and brings the name to the disk.
func putInPlace(part, path string) error {
	return cmpErr(os.Rename(part, path), func() error { return toDisk(filepath.Dir(path)) })
}

// toDisk brings a file to the disk, or the names in a folder.
func toDisk(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(flush(f), f.Close())
}

// Restore makes a backup the journal of a folder. It has a new incarnation from now on, so that no key of
// it is ever used twice, and whatever was waiting is asked for before it is sent, since it may have been
// sent after the backup. A journal that is there is kept in the quarantine. No Store may be open there.
//
// Until the copy is whole and on the disk, nothing has changed. From then on it is the journal: if Restore
// is cut off, Open puts it in place.
func Restore(from, folder string) error {
	if err := compareSum(from); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	part := filepath.Join(folder, "journal.restoring")
	if err := errors.Join(removeDB(part), copyFile(from, part)); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := renew(part); err != nil {
		return fmt.Errorf("restore %q: %w", from, errors.Join(err, removeDB(part)))
	}
	if _, err := settle(part); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := putInPlace(part, filepath.Join(folder, successor)); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return finishRestore(folder)
}

// successor is the name of a journal that takes the place of the one that is there.
const successor = "journal.restored"

// finishRestore puts a restored journal in place, if there is one. What it has done, it need not undo: it
// begins again where it was cut off.
func finishRestore(folder string) error {
	_ = removeDB(filepath.Join(folder, "journal.restoring")) // of a Restore that was cut off early; it only takes room
	fresh, path := filepath.Join(folder, successor), filepath.Join(folder, "journal.db")
	switch _, err := os.Lstat(fresh); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("restore: %w", err)
	}
	// The cache first: the quarantine brings to the disk that it is gone.
	for _, step := range []func() error{
		func() error { return removeDB(filepath.Join(folder, "cache.db")) },
		func() error { return quarantine(path, "replaced") },
		func() error { return putInPlace(fresh, path) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	return nil
}

// compareSum checks a backup against its checksum, if there is one beside it.
func compareSum(path string) error {
	text, err := os.ReadFile(path + ".sha256")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	want, _, _ := strings.Cut(string(text), " ")
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%q is damaged: its SHA-256 is %s, must be %s", path, got, want)
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// renew checks a copy of a journal from end to end and gives it a new incarnation.
func renew(path string) error {
	o := Options{examined: math.MaxUint64}.complete()
	j := newJournal(&o, path)
	j.w.opened = func() error { return cmpErr(j.known(), j.begin) }
	if err := j.w.open(); err != nil {
		return errors.Join(err, j.close())
	}
	err := cmpErr(j.familiar(), func() error { return cmpErr(j.examine(), j.renew) })
	if err = errors.Join(err, j.close()); err != nil {
		return err
	}
	if _, err := os.Stat(path + "-wal"); err == nil { // the disk is full
		return errors.New("the log cannot be written back into the file")
	}
	return nil
}

// known tells whether the file is somebody's journal at all: begin would make one of an empty file.
func (j *journal) known() error {
	found, err := j.w.row("SELECT 1 FROM journal", nil, new(int))
	if err == nil && !found || code(err) == lib.SQLITE_ERROR { // there is no such table
		return errors.New("it holds no journal")
	}
	return err
}

// renew gives the journal a new incarnation. What was waiting is doubted.
func (j *journal) renew() error {
	j.incarnation = incarnation()
	return j.w.write(func() error {
		if err := j.w.exec("UPDATE journal SET incarnation = ?, sum = ?", j.incarnation, j.sum()); err != nil {
			return err
		}
		return j.doubt()
	})
}

// doubt makes every delivery that was not begun one of which nobody knows.
func (j *journal) doubt() error {
	var all []delivery
	err := j.w.each("SELECT * FROM queue WHERE state = ?", []any{kiosk.Queued}, func(rows *sql.Rows) error {
		var d delivery
		err := rows.Scan(d.dest()...)
		all = append(all, d)
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range all {
		j.change++
		d.state, d.change = string(kiosk.Attempting), j.change
		d.sum = d.total()
		if err := j.put(d); err != nil {
			return err
		}
	}
	return nil
}
