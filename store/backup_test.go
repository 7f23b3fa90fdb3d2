package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
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

func TestWhatHoldsNoJournalIsNotRestored(t *testing.T) {
	folder := t.TempDir()
	cache := openDesk(t)
	cache.school()
	if err := cache.Close(); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, filepath.Join(cache.o.Folder, "cache.db")} {
		if err := Restore(file, folder); err == nil {
			t.Errorf("%s has become the journal", filepath.Base(file))
		}
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

// childRestores makes this binary a child that restores the backup in a folder.
const childRestores = "CIRCDESK_TEST_RESTORES"

// A restore is killed at each of its system calls in turn. What the desk finds then is the journal that
// was there, or the one that was to be.
func TestARestoreOutlivesAKill(t *testing.T) {
	if folder := os.Getenv(childRestores); folder != "" {
		runtime.LockOSThread() // strace counts the calls of each thread by itself
		if err := Restore(filepath.Join(folder, "backup"), folder); err != nil {
			t.Fatal(err)
		}
		return
	}
	fresh, was := restorable(t)
	for _, call := range []string{"renameat", "unlinkat", "fsync"} {
		done := false
		for n := 1; !done; n++ {
			folder := t.TempDir()
			if err := os.CopyFS(folder, os.DirFS(fresh)); err != nil {
				t.Fatal(err)
			}
			done = restoreUnder(t, folder, fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n))
			if err := eitherJournal(t, folder, was, done); err != nil {
				t.Errorf("killed at %s %d: %v", call, n, err)
			}
		}
	}
}

// restorable is a folder with a backup of three entries and a journal that has gone on to five, as a kill has
// left it, and the beginning of that one's keys.
func restorable(t *testing.T) (folder, prefix string) {
	t.Helper()
	d := openDesk(t)
	d.school()
	for i := range 5 {
		d.lend("21", kiosk.ItemID(fmt.Sprint(40+i)))
		if i != 2 {
			continue
		}
		if err := d.Backup(t.Context(), filepath.Join(d.o.Folder, "backup")); err != nil {
			t.Fatal(err)
		}
	}
	folder = t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(d.o.Folder)); err != nil {
		t.Fatal(err)
	}
	return folder, d.Stand().Prefix
}

// restoreUnder restores in a child, to which strace does something, and tells whether it came to its end.
func restoreUnder(t *testing.T, folder, fault string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "-qq", "-o", "/dev/null", "-e", fault, os.Args[0], "-test.run", "^TestARestoreOutlivesAKill$")
	cmd.Env = append(os.Environ(), childRestores+"="+folder)
	out, err := cmd.CombinedOutput()
	if s, killed := errors.AsType[*exec.ExitError](err); err != nil && (!killed || s.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		t.Fatalf("%v: %s", err, out)
	}
	return err == nil
}

// eitherJournal opens what a restore has left.
func eitherJournal(t *testing.T, folder, was string, done bool) error {
	s, err := Open(killOptions(folder))
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	is := s.Stand()
	v, err := s.Verify(t.Context())
	old, fresh := v.Entries == 5 && is.Prefix == was, v.Entries == 3 && is.Prefix != was
	if err != nil || !v.OK || !is.Writable || len(s.Alarms()) > 0 || !fresh && (done || !old) {
		return fmt.Errorf("%+v, %+v, alarms %v, %v", v, is, s.Alarms(), err)
	}
	return nil
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
