package scanner

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"circdesk/devices"
	"circdesk/devices/devicestest"

	"golang.org/x/sys/unix"
)

// fifo makes a named pipe, which the real system calls know, but no ioctl of input devices.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// feed opens a pipe for writing. What is written before anybody reads it waits.
func feed(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestAPipeStandsInForAKeyboard(t *testing.T) {
	path := fifo(t)
	w := feed(t, path)
	d := run(t, Config{Kind: Keyboard, Path: path})
	for range 2 {
		if _, err := w.Write(devicestest.Bytes(eventSize, slices.Concat(tap(20, 57, 2, 3), tap(28))...)); err != nil {
			t.Fatal(err)
		}
		d.want("t 12")
		rest(t.Context(), repeat)
	}
	if s := d.now(); s.State != devices.Ready || !strings.HasSuffix(s.Err, "a grab is refused: inappropriate ioctl for device") {
		t.Errorf("got %+v", s)
	}
	// That the other end is closed is silence.
	w.Close()
	rest(t.Context(), 3*readTimeout)
	if s := d.now(); s.State != devices.Ready || s.Opens != 1 {
		t.Errorf("without a writer: %+v", s)
	}
}

func TestAPipeStandsInForHIDPOS(t *testing.T) {
	path := fifo(t)
	w := feed(t, path)
	d := run(t, Config{Kind: HIDPOS, Path: path})
	if _, err := w.Write(slices.Concat(devicestest.POSReports("]F0", "3012300001238")...)); err != nil {
		t.Fatal(err)
	}
	d.want("]F03012300001238")
	if s := d.now(); s.State != devices.Ready || s.Err != "" {
		t.Errorf("got %+v", s)
	}
}

func TestRunOfEveryKindEndsSoon(t *testing.T) {
	for _, kind := range []string{Keyboard, HIDPOS} {
		d := run(t, Config{Kind: kind, Path: fifo(t)})
		d.until("ready", func(s devices.Status) bool { return s.State == devices.Ready })
		d.end()
	}
}
