package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"circdesk/kiosk"
)

func TestABackupBecomesAJournalWithNewKeys(t *testing.T) {
	d := openDesk(t)
	d.school()
	a := d.lend("21", "31")
	d.lend("21", "32")
	if err := errors.Join(d.Attempt(1), d.Deliver(1, kiosk.Confirmed, "ok")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "backup")
	if err := d.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	after := d.lend("22", "33") // is not in the backup
	card := openDesk(t)
	card.lend("22", "39") // a journal that is in the way
	if err := errors.Join(card.Close(), Restore(file, card.o.Folder)); err != nil {
		t.Fatal(err)
	}
	card.open()
	e := card.entries()
	if len(e) != 2 || e[0].Act != a || e[0].Delivery != kiosk.Confirmed || e[1].Delivery != kiosk.Attempting {
		t.Errorf("%+v, want the queue intact and in doubt", e)
	}
	if b := card.lend("22", "33"); b.Key == after.Key || card.Stand().Prefix == d.Stand().Prefix {
		t.Errorf("key %q is used twice", b.Key)
	}
	if v := card.verify(); !v.OK || v.Entries != 3 {
		t.Errorf("%+v", v)
	}
	if len(card.Alarms()) != 0 {
		t.Errorf("alarms %v", card.Alarms())
	}
	if kept, _ := filepath.Glob(filepath.Join(card.o.Folder, "quarantine", "*")); len(kept) == 0 {
		t.Error("the journal that was there is gone")
	}
}

func TestADamagedBackupIsRefused(t *testing.T) {
	d := openDesk(t)
	d.lend("21", "31")
	file := filepath.Join(t.TempDir(), "backup")
	if err := d.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for i := 0; i < len(good); i += 97 {
		bad := append([]byte(nil), good...)
		bad[i] ^= 4
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Restore(file, folder); err == nil || !strings.Contains(err.Error(), "SHA-256") {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "journal.db")); err == nil {
		t.Error("something was restored")
	}
}

// childBacksUp makes backups while the child records.
func childBacksUp(s *Store, say func(string, uint64)) error {
	for n := uint64(0); ; n++ {
		is := s.Stand()
		if err := s.Backup(context.Background(), filepath.Join(s.o.Folder, fmt.Sprintf("backup-%d", n%3))); err != nil {
			return err
		}
		say("backup", is.Next-1)
	}
}

// backupSound restores what backups a kill has left, each of which must be whole.
func backupSound(t *testing.T, folder string, atLeast uint64) error {
	files, err := filepath.Glob(filepath.Join(folder, "backup-?"))
	if err != nil {
		return err
	}
	newest := uint64(0)
	for _, f := range files {
		to := t.TempDir()
		if err := Restore(f, to); err != nil {
			return err
		}
		s, err := Open(killOptions(to))
		if err != nil {
			return err
		}
		newest = max(newest, s.Stand().Next-1)
		if err := errors.Join(agree(s), s.Close()); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	if newest < atLeast {
		return fmt.Errorf("the newest backup ends at %d, one up to %d was promised", newest, atLeast)
	}
	return nil
}

func TestABackupOutlivesAKill(t *testing.T) {
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range 20 {
		folder := t.TempDir()
		w := killOnce(t, folder, "", rng)
		if err := backupSound(t, folder, w.backup); err != nil {
			t.Fatal(err)
		}
	}
}
