package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"circdesk/kiosk"
)

// withPINs is a desk whose digest anybody can read, so that a test sees what is kept.
func withPINs(o *Options) {
	o.PIN = func(patron, pin string) string { return "digest " + patron + " " + reversed(pin) }
}

func reversed(s string) string {
	b := []byte{}
	for i := range len(s) {
		b = append(b, s[len(s)-1-i])
	}
	return string(b)
}

const pinFile = "barcode,first_name,patron_type,pin\n21,Maya,teacher,97531\n22,Leo,teacher,86420\n23,Ada,teacher,\n"

// guess types a PIN and writes down what it was worth, as the core does.
func (d *desk) guess(patron kiosk.PatronID, pin string) bool {
	d.t.Helper()
	v := d.CheckPIN(kiosk.Verify{Call: 3, Patron: patron, PIN: pin})
	if v.Call != 3 || v.Failed {
		d.t.Fatalf("%+v", v)
	}
	kind := kiosk.KindPINWrong
	if v.OK {
		kind = kiosk.KindPINRight
	}
	d.record(d.act(kind, patron, ""))
	return v.OK
}

func TestAPINIsRightForItsPatronOnly(t *testing.T) {
	d := openDesk(t, withPINs)
	d.load("patrons", pinFile)
	for _, c := range []struct {
		patron kiosk.PatronID
		pin    string
		want   bool
	}{
		{"21", "97531", true}, {"21", "86420", false}, {"22", "86420", true}, {"21", "9753", false}, {"21", "975311", false},
		{"21", "", false}, {"23", "", false}, {"23", "0000", false}, {"99", "97531", false},
	} {
		if got := d.CheckPIN(kiosk.Verify{Patron: c.patron, PIN: c.pin}); got.OK != c.want || got.Failed {
			t.Errorf("%q of %q: %+v", c.pin, c.patron, got)
		}
	}
	if !d.account("21").Patron.PIN || d.account("23").Patron.PIN {
		t.Error("whether the file has a PIN is not known")
	}
}

// A reboot, a clock that is set and a file that is not newer give no guess back; a right PIN and a newer
// file of patrons do.
func TestOnlyARightPINOrANewerFileEndsTheCount(t *testing.T) {
	d := openDesk(t, withPINs)
	d.load("patrons", pinFile)
	tries := func(what string, want int) {
		t.Helper()
		if got := d.account("21").Tries; got != want {
			t.Errorf("%s: %d tries, want %d", what, got, want)
		}
	}
	d.guess("21", "1111")
	d.guess("21", "2222")
	tries("two wrong", 2)
	d.reopen()
	tries("after a restart", 2)
	d.now = d.now.Add(-300 * 24 * time.Hour)
	d.reopen()
	tries("with an older clock", 2)
	d.guess("21", "3333")
	d.now = d.now.Add(900 * 24 * time.Hour)
	d.reopen()
	tries("with a newer clock", 3)
	if d.account("22").Tries != 0 {
		t.Error("somebody else's guesses count")
	}
	if !d.guess("21", "97531") {
		t.Error("the right one is wrong")
	}
	tries("after a right one", 0)
	d.guess("21", "1111")
	if entries, queued, _ := d.Counts(); entries != 5 || queued != 0 {
		t.Errorf("%d entries, %d of them for the library system", entries, queued)
	}
	if err := d.Close(); err != nil { // the cache is lost: the journal knows
		t.Fatal(err)
	}
	for _, name := range []string{"cache.db", "cache.db-wal", "cache.db-shm"} {
		if err := os.Remove(filepath.Join(d.o.Folder, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	d.open()
	d.work.Wait()
	tries("with a new cache", 1)
	d.now = d.now.Add(time.Minute)
	d.load("patrons", pinFile)
	tries("after a newer file", 0)
}

// The names of guesses fade as others do, and the count does not need them.
func TestGuessesFade(t *testing.T) {
	d := openDesk(t, withPINs)
	d.load("patrons", pinFile)
	d.guess("21", "1111")
	d.now = d.now.Add(25 * time.Hour)
	if n, err := d.Fade(t.Context()); n != 1 || err != nil {
		t.Errorf("%d faded, %v", n, err)
	}
	d.reopen()
	if e := d.entries(); e[0].Patron != "" || d.account("21").Tries != 1 {
		t.Errorf("%+v, %d tries", e[0], d.account("21").Tries)
	}
}

// The digits are in no file but the snapshot, which is the imported file itself.
func TestAPINIsKeptAsADigestOnly(t *testing.T) {
	d := openDesk(t, withPINs)
	d.load("patrons", pinFile)
	d.guess("21", "44444")
	d.guess("21", "97531")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(d.o.Folder, "*.db*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%q, %v", files, err)
	}
	seen := false
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("97531")) || bytes.Contains(text, []byte("44444")) {
			t.Errorf("%s has a PIN in it", name)
		}
		seen = seen || bytes.Contains(text, []byte("digest 21 13579"))
	}
	if !seen {
		t.Error("no file has the digest: the control of this test")
	}
	d.open()
}

func TestAnUnreadableCacheVerifiesNothing(t *testing.T) {
	d := openDesk(t, withPINs)
	d.load("patrons", pinFile)
	d.cache.behind.Store(true)
	if v := d.CheckPIN(kiosk.Verify{Call: 4, Patron: "21", PIN: "97531"}); !v.Failed || v.OK || v.Call != 4 {
		t.Errorf("%+v", v)
	}
	d.cache.behind.Store(false)
}
