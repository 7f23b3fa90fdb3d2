package main

import (
	"context"
	"fmt"
	"io"
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
	report, err := desk.Import(ctx, kind, file, req)
	if err != nil {
		return err
	}
	if o.json {
		err = t.document(report)
	} else {
		err = t.print(t.importReport(report))
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

func (t *tool) changed(r io.Reader) time.Time {
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return info.ModTime()
		}
	}
	return t.now
}
