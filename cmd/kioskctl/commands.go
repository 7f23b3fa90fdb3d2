package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"circdesk/cmd/kioskd/control"
)

func (t *tool) status(ctx context.Context, desk *control.Client, o order) error {
	st, err := desk.Status(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return t.document(st)
	}
	return t.print(t.glance(st))
}

func (t *tool) devices(ctx context.Context, desk *control.Client, o order) error {
	all, err := desk.Devices(ctx)
	if err != nil {
		return err
	}
	if !o.json {
		return t.print(t.deviceTable(all))
	}
	for _, d := range all {
		if err := t.document(d); err != nil {
			return err
		}
	}
	return nil
}

func (t *tool) journal(ctx context.Context, desk *control.Client, o order) error {
	n := 0
	for l, err := range desk.Journal(ctx, o.since) {
		if err != nil {
			return err
		}
		if !o.json && n == 0 {
			err = t.print(journalHead())
		}
		if err == nil && o.json {
			err = t.document(l)
		} else if err == nil {
			err = t.print(t.journalLine(l))
		}
		if err != nil {
			return err
		}
		n++
	}
	switch {
	case n > 0 || o.json:
		return nil
	case o.since > 0:
		return t.print(fmt.Sprintf("The journal has no entry from number %d on.\n", o.since))
	}
	return t.print("The journal is empty.\n")
}

func (t *tool) queue(ctx context.Context, desk *control.Client, o order) error {
	all, err := desk.Queue(ctx)
	if err != nil {
		return err
	}
	if !o.json {
		return t.print(t.queueTable(all))
	}
	for _, w := range all {
		if err := t.document(w); err != nil {
			return err
		}
	}
	return nil
}

func (t *tool) stats(ctx context.Context, desk *control.Client, o order) error {
	all, err := desk.Stats(ctx, o.from, o.until)
	if err != nil {
		return err
	}
	if !o.json {
		return t.print(statsTable(all, cmp.Or(o.by, "day")))
	}
	for _, s := range all {
		if err := t.document(s); err != nil {
			return err
		}
	}
	return nil
}

func (t *tool) verify(ctx context.Context, desk *control.Client, o order) error {
	v, err := desk.Verify(ctx)
	if err != nil {
		return err
	}
	if o.json {
		err = t.document(v)
	} else {
		err = t.print(verdict(v))
	}
	if err == nil && !v.OK {
		return errSaid
	}
	return err
}

func (t *tool) settle(ctx context.Context, desk *control.Client, o order) error {
	if err := desk.Settle(ctx, o.words[0], o.why); err != nil {
		return err
	}
	if o.json {
		return t.document(struct{}{})
	}
	return t.print(fmt.Sprintf("%s is settled.\n", plain(o.words[0])))
}

// backup copies the journal. At any moment there is at FILE what was there, or the whole copy, and never a
// sum that does not fit.
func (t *tool) backup(ctx context.Context, desk *control.Client, o order) error {
	path := o.words[0]
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // if it still has that name
	sum, err := desk.Backup(ctx, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Remove(path + ".sha256"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncFolder(path); err != nil {
		return err
	}
	if err := putInPlace(f, path); err != nil {
		return err
	}
	if err := writeWhole(path+".sha256", fmt.Sprintf("%s  %s\n", sum, filepath.Base(path))); err != nil {
		return err
	}
	if o.json {
		return t.document(map[string]string{"file": path, "sha256": sum})
	}
	return t.print(fmt.Sprintf("The journal is in %s.\n", plain(path)))
}

// writeWhole writes a small file, all of it or nothing.
func writeWhole(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return putInPlace(f, path)
}

// putInPlace renames a file that is on the disk, and brings the name to the disk.
func putInPlace(f *os.File, path string) error {
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(path)
}

// syncFolder makes the names in path's folder durable.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// load is the command import.
func (t *tool) load(ctx context.Context, desk *control.Client, o order) error {
	kind, path := o.words[0], o.words[1]
	file, changed, err := t.open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	req := control.ImportRequest{Taken: o.taken, Force: o.force}
	if path != "-" {
		req.Name = filepath.Base(path)
	}
	if req.Taken.IsZero() {
		req.Taken = changed
	}
	report, err := desk.Import(ctx, kind, t.progress(file), req)
	if err != nil {
		return err
	}
	if o.json {
		err = t.document(report)
	} else {
		err = t.print(t.importReport(report, 20))
	}
	if err == nil && report.Refused != "" {
		return errSaid
	}
	return err
}

// open opens a file, or the standard input for "-", and tells when it was last changed: now, if that
// is a pipe.
func (t *tool) open(path string) (io.ReadCloser, time.Time, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, time.Time{}, err
		}
		return f, t.changed(f), nil
	}
	return io.NopCloser(t.in), t.changed(t.in), nil
}

// large is the size from which a file's progress is shown.
const large = 16 << 20

// progress shows how much of a large file has been read, every tenth of it.
func (t *tool) progress(r io.Reader) io.Reader {
	f, ok := r.(*os.File)
	if !ok {
		return r
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() < large {
		return r
	}
	return &shown{f, info.Size(), 0, t.err}
}

// A shown file says how far it has been read.
type shown struct {
	io.Reader
	size, read int64
	to         io.Writer
}

func (s *shown) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	before := s.read * 10 / s.size
	s.read += int64(n)
	if now := s.read * 10 / s.size; now > before {
		fmt.Fprintf(s.to, "%d %% read\n", now*10)
	}
	return n, err
}

func (t *tool) changed(r io.Reader) time.Time {
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return info.ModTime()
		}
	}
	return t.now
}
