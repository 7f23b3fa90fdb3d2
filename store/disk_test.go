package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"circdesk/kiosk"
)

// childDisk makes this binary a child that has a small disk of its own, in a mount namespace.
const childDisk = "CIRCDESK_TEST_DISK"

// onSmallDisk runs a test of this binary again in a child, with a disk of 24 MiB at a folder. Without root
// it needs user namespaces.
func onSmallDisk(t *testing.T, use func(t *testing.T, folder string)) {
	if folder := os.Getenv(childDisk); folder != "" {
		if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=24m"); err != nil {
			t.Fatal(err)
		}
		use(t, folder)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}

// stuff fills the disk to the last byte.
func stuff(t *testing.T, folder string) (filler string) {
	t.Helper()
	filler = filepath.Join(folder, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := fill(f, 1<<30); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return filler
}

// promptly fails if the desk does not see within a second that the disk is full.
func promptly(t *testing.T, began time.Time) {
	t.Helper()
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

// returnsOnly checks a desk on a full disk.
func returnsOnly(t *testing.T, d *desk) {
	t.Helper()
	if is := d.Stand(); !is.Writable || !is.Reserve {
		t.Errorf("%+v", is)
	}
	if !d.account("21").Patron.Expires.IsZero() && d.copyOf("31").Item.Title != "Frog and Toad" {
		t.Error("reading has suffered")
	}
	for i := range 500 {
		item := kiosk.ItemID(fmt.Sprint("9", i))
		d.giveBack("", item)
		d.record(d.act(kiosk.KindTagSet, "", item))
	}
	if err := d.Record([]kiosk.Act{d.act(kiosk.KindLoan, "21", "32")}); !errors.Is(err, ErrReserve) {
		t.Errorf("a loan on a full disk: %v", err)
	}
	if got := d.Alarms(); len(got) != 1 || got[0] != kiosk.AlarmDisk {
		t.Errorf("alarms %v", got)
	}
}

func TestAFullDiskTakesReturnsAndHeals(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, folder string) {
		d := openDesk(t, func(o *Options) { o.Folder, o.Ballast = folder, 8<<20 })
		d.school()
		d.lend("21", "31")
		filler := stuff(t, folder)
		if err := d.Backup(t.Context(), filepath.Join(folder, "copy")); !errors.Is(err, errNoRoom) {
			t.Errorf("a backup takes the room for returns: %v", err)
		}
		began := time.Now()
		if err := d.Record([]kiosk.Act{d.act(kiosk.KindLoan, "21", "32")}); !errors.Is(err, ErrReserve) {
			t.Errorf("a loan on a full disk: %v", err)
		}
		promptly(t, began)
		returnsOnly(t, d)
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		d.Mend()
		d.lend("21", "32")
		if is := d.Stand(); is.Reserve || len(d.Alarms()) != 0 {
			t.Errorf("after there is room again: %+v, %v", is, d.Alarms())
		}
		if v := d.verify(); !v.OK || v.Entries != 1002 {
			t.Errorf("%+v", v)
		}
	})
}

func TestAWriteThatFailsForWantOfRoomIsTriedAgain(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, folder string) {
		d := openDesk(t, func(o *Options) { o.Folder, o.Ballast = folder, 8<<20 })
		d.school()
		d.journal.ballast.size = 0 // nobody sees it coming
		stuff(t, folder)
		var err error
		for i := 0; err == nil && i < 5000; i++ { // until what the log has room for is used up
			err = d.Record([]kiosk.Act{d.act(kiosk.KindLoan, "21", kiosk.ItemID(fmt.Sprint(i)))})
		}
		if !errors.Is(err, ErrReserve) {
			t.Fatalf("%v", err)
		}
		returnsOnly(t, d)
		d.reopen()
		if v := d.verify(); !v.OK {
			t.Errorf("%+v", v)
		}
		if err := agreeLoans(d); err != nil {
			t.Error(err)
		}
	})
}

// agreeLoans compares the cache's loans with the journal.
func agreeLoans(d *desk) error {
	n := 0
	for _, e := range d.entries() {
		if e.Kind == kiosk.KindLoan {
			n++
		}
	}
	if got := len(d.account("21").Loans); got != n {
		return fmt.Errorf("%d loans in the cache, %d in the journal", got, n)
	}
	return nil
}

func TestAReadOnlyDiskHeals(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, folder string) {
		d := openDesk(t, func(o *Options) { o.Folder, o.Ballast = folder, 1<<20 })
		d.school()
		a := d.lend("21", "31")
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		remount := func(flags uintptr) {
			if err := syscall.Mount("", folder, "", syscall.MS_REMOUNT|flags, ""); err != nil {
				t.Fatal(err)
			}
		}
		remount(syscall.MS_RDONLY)
		d.open()
		if is := d.Stand(); is.Writable {
			t.Errorf("%+v", is)
		}
		if err := d.Record([]kiosk.Act{d.act(kiosk.KindLoan, "21", "32")}); err == nil {
			t.Error("a loan was taken")
		}
		remount(0)
		d.Mend()
		if is := d.Stand(); !is.Writable || is.Next != 2 {
			t.Errorf("%+v", is)
		}
		d.record(a)
		d.lend("21", "32")
		if n := len(d.account("21").Loans); n != 2 || len(d.Alarms()) != 0 {
			t.Errorf("%d loans, alarms %v", n, d.Alarms())
		}
	})
}

// A bind mount makes the folder read-only for whoever opens a file, and leaves those that are open as they
// are: so does the kernel where a card fails.
func TestADiskThatTurnsReadOnlyIsSeenAtOnce(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, folder string) {
		d := openDesk(t, func(o *Options) { o.Folder, o.Ballast = folder, 1<<20 })
		d.school()
		d.lend("21", "31")
		mount := func(flags uintptr) {
			if err := syscall.Mount(folder, folder, "", syscall.MS_BIND|flags, ""); err != nil {
				t.Fatal(err)
			}
		}
		mount(0)
		mount(syscall.MS_REMOUNT | syscall.MS_RDONLY)
		if err := d.Record([]kiosk.Act{d.act(kiosk.KindLoan, "21", "32")}); !errors.Is(err, ErrNotWritable) {
			t.Errorf("a loan on a read-only disk: %v", err)
		}
		d.Mend()
		if is := d.Stand(); is.Writable || is.Next != 2 {
			t.Errorf("%+v", is)
		}
		if d.copyOf("31").Item.Title != "Frog and Toad" {
			t.Error("reading has suffered")
		}
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Fatal(err)
		}
		d.Mend()
		d.lend("21", "32")
		if v := d.verify(); !v.OK || v.Entries != 2 {
			t.Errorf("%+v", v)
		}
	})
}
