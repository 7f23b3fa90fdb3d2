package store

import (
	"os"
	"path/filepath"
	"testing"
)

// A kill between two renames leaves only the snapshot before the newest, and so may a check of the disk.
func TestTheOlderSnapshotServesWhereTheNewestIsMissing(t *testing.T) {
	for name, hurt := range map[string]func(*desk) error{
		"the cache is damaged": func(d *desk) error {
			d.cacheFailed("test", errDamaged)
			d.Mend()
			d.work.Wait()
			return nil
		},
		"the cache is gone": func(d *desk) error {
			if err := d.Close(); err != nil {
				return err
			}
			defer d.open()
			return removeDB(d.cache.path)
		},
	} {
		d := openDesk(t, small)
		for range 2 {
			d.school()
			d.load("loans", "item,patron,checked_out,due,renewals\n32,22,2026-11-01,2026-12-01,0\n")
		}
		for _, kind := range []string{"patrons", "loans"} {
			if err := os.Remove(d.o.snapshot(kind, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := hurt(d); err != nil {
			t.Fatal(err)
		}
		if d.account("21").Patron.Name != "Maya" || d.copyOf("32").Loan.Patron != "22" {
			t.Errorf("%s: %+v", name, d.copyOf("32"))
		}
		d.load("patrons", people(0, 10), ImportOptions{Taken: d.now, Force: true})
		for n, want := range map[int]bool{1: true, 2: true} {
			if _, err := os.Stat(d.o.snapshot("patrons", n)); (err == nil) != want {
				t.Errorf("%s: snapshot %d: %v", name, n, err)
			}
		}
	}
}

// The only snapshot that there is stays, however old it is.
func TestTheOlderSnapshotDoesNotGoBeforeThereIsANewerOne(t *testing.T) {
	d := openDesk(t, small)
	for range 2 {
		d.school()
	}
	if err := os.Remove(d.o.snapshot("patrons", 1)); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(2 * d.Store.o.Retention)
	d.fade()
	left, err := filepath.Glob(filepath.Join(d.o.Folder, "snapshots", "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("%q, %v", left, err)
	}
}

func TestWhatWasNotLoadedIsTakenBack(t *testing.T) {
	d := openDesk(t, small)
	write := func(n int, text string) {
		if err := os.WriteFile(d.o.snapshot("loans", n), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := d.Store.o.keep("loans", origin{})
	defer k.close()
	write(1, "not loaded")
	write(2, "before")
	for _, want := range []string{"before", ""} {
		k.takeBack()
		if got, _ := os.ReadFile(d.o.snapshot("loans", 1)); string(got) != want || k.err != nil {
			t.Errorf("%q, want %q, %v", got, want, k.err)
		}
	}
}
