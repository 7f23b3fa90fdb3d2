package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"circdesk/cmd/kioskd/control"
	"circdesk/devices"
	"circdesk/kiosk"
	"circdesk/store"
	"circdesk/web"
)

// answers is the daemon as the control socket asks it.
type answers struct{ d *daemon }

// Status is the desk at a glance.
func (a *answers) Status(ctx context.Context) (control.Status, error) {
	d, now := a.d, time.Now()
	s := d.loop.Latest()
	st := control.Status{
		Kiosk: d.config.Kiosk.ID, Name: d.config.Kiosk.Name, Version: version(), UptimeS: int64(now.Sub(d.started).Seconds()),
		Screen: s.Mode, Session: kiosk.View(s).Session, Clock: s.Clock, Library: a.libraryIs(s),
	}
	st.Entries, st.Queue, st.NeedsStaff = d.store.Counts()
	if age, ok := d.store.Age(now); ok {
		st.CacheAgeS = new(int64(age.Seconds()))
	}
	if i, ok := d.store.LastImport(); ok {
		st.LastImport = &control.Imported{Kind: i.Kind, At: i.At, Taken: i.Taken, Rows: i.Rows, Bad: i.Bad}
	}
	st.LastFile = d.tried.Load()
	for _, alarm := range s.Alarms {
		st.Alarms = append(st.Alarms, control.Alarm{Code: alarm.Alarm, Text: web.Sentence(alarm.Alarm), Since: alarm.Since})
	}
	var err error
	st.Devices, err = a.Devices(ctx)
	return st, err
}

func (a *answers) libraryIs(s kiosk.State) string {
	switch {
	case a.d.library == nil && a.d.config.ILS.Kind == "none":
		return "none"
	case s.Offline, a.d.library == nil: // nobody delivers to it yet
		return "down"
	}
	return "up"
}

// Devices is the device list.
func (a *answers) Devices(context.Context) ([]control.Device, error) {
	var list []control.Device
	for _, s := range a.d.plugged.list.All() {
		list = append(list, deviceOf(s, a.d.roleOf(s.Name)))
	}
	return list, nil
}

func deviceOf(s devices.Status, role kiosk.Role) control.Device {
	return control.Device{
		Name: s.Name, Kind: s.Kind, Path: s.Path, Role: role, State: string(s.State), Since: s.Since, Error: s.Err,
		Opens: s.Opens, Reads: s.Reads, Repeats: s.Repeats, Drops: s.Drops,
	}
}

// Journal yields the journal.
func (a *answers) Journal(ctx context.Context, since uint64) iter.Seq2[kiosk.Entry, error] {
	return a.d.store.Journal(ctx, since)
}

// Queue yields what has not reached the library system.
func (a *answers) Queue(ctx context.Context) iter.Seq2[kiosk.Entry, error] {
	return a.d.store.Queue(ctx)
}

// Verify checks the journal's chain.
func (a *answers) Verify(ctx context.Context) (control.Verified, error) {
	v, err := a.d.store.Verify(ctx)
	return control.Verified(v), err
}

// Stats counts what happened.
func (a *answers) Stats(ctx context.Context, from, until time.Time) ([]control.Stat, error) {
	if until.IsZero() {
		until = time.Unix(1<<40, 0) // after all that a clock can say
	}
	got, err := a.d.store.Stats(ctx, from, until)
	var all []control.Stat
	for _, s := range got {
		all = append(all, control.Stat{Day: s.Day.String(), Hour: s.Hour, Kind: s.Kind, Grade: s.Grade, Type: s.ItemType, Class: s.Class, Count: s.Count})
	}
	return all, err
}

// Backup makes a copy of the journal beside it, which is gone when use returns.
func (a *answers) Backup(ctx context.Context, use func(io.Reader, string) error) error {
	folder, err := os.MkdirTemp(a.d.config.Kiosk.State, store.Scratch)
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "journal.db")
	if err := a.d.store.Backup(ctx, path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return use(f, hex.EncodeToString(hash.Sum(nil)))
}

// Settle ends a delivery by hand.
func (a *answers) Settle(_ context.Context, key kiosk.Key, why string) error {
	return a.d.store.Settle(key, why)
}

// Import loads a file.
func (a *answers) Import(ctx context.Context, kind string, r io.Reader, req control.ImportRequest) (control.ImportReport, error) {
	got, err := a.d.store.Import(ctx, kind, r, store.ImportOptions{
		Name: req.Name, Taken: req.Taken, Force: req.Force, Headers: a.d.config.Import[kind], Cards: a.d.config.Cards.Notations,
	})
	report := control.ImportReport{
		Kind: kind, Name: req.Name, Taken: req.Taken, Rows: got.Rows, Loaded: got.Loaded, Before: got.Before,
		Refused: got.Refused, Bad: got.Bad, Ignored: got.Ignored,
	}
	for _, b := range got.BadRows {
		report.BadRows = append(report.BadRows, control.BadRow(b))
	}
	tried := control.Tried{At: time.Now(), ImportReport: report}
	if err != nil {
		tried.Refused = err.Error()
	}
	a.d.tried.Store(&tried)
	return report, err
}
