package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// manager listens as systemd does and returns what it hears next.
func manager(t *testing.T, at string) func() string {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return func() string {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

func TestTheManagerHearsALife(t *testing.T) {
	for name, at := range map[string]string{
		"path":     filepath.Join(t.TempDir(), "notify"),
		"abstract": fmt.Sprintf("@circdesk-notify-test-%d", os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			hear, s := manager(t, at), Socket(at)
			for _, step := range []struct {
				say  func() error
				want string
			}{
				{s.Ready, "READY=1"},
				{func() error { return s.Status("3 waiting\nREADY=1") }, "STATUS=3 waiting READY=1"},
				{s.Beat, "WATCHDOG=1"},
				{s.Stopping, "STOPPING=1"},
			} {
				if err := step.say(); err != nil {
					t.Fatal(err)
				}
				if got := hear(); got != step.want {
					t.Errorf("heard %q, want %q", got, step.want)
				}
			}
		})
	}
}

func TestNobodyIsTold(t *testing.T) {
	if err := Socket("").Ready(); err != nil {
		t.Error(err)
	}
}

func TestTheManagerIsAway(t *testing.T) {
	err := Socket(filepath.Join(t.TempDir(), "gone")).Ready()
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that it is not there", err)
	}
}

func TestAManagerThatDoesNotReadHoldsUpNobody(t *testing.T) {
	at := filepath.Join(t.TempDir(), "notify")
	manager(t, at)
	start := time.Now()
	err := error(nil)
	for sent := 0; err == nil && sent < 10_000; sent++ { // net.unix.max_dgram_qlen is far below
		err = Socket(at).Beat()
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want that it took too long", err)
	}
	if took := time.Since(start); took > 10*patience {
		t.Errorf("it took %v", took)
	}
}

func TestWatchdog(t *testing.T) {
	for _, test := range []struct {
		usec, pid string
		want      time.Duration
		wrong     bool
	}{
		{usec: "", want: 0},
		{usec: "20000000", want: 10 * time.Second},
		{usec: "20000000", pid: "42", want: 10 * time.Second},
		{usec: "20000000", pid: "41", want: 0},
		{usec: "0", wrong: true},
		{usec: "-1", wrong: true},
		{usec: "20s", wrong: true},
		{usec: "9223372036854775807", wrong: true},
	} {
		env := map[string]string{"WATCHDOG_USEC": test.usec, "WATCHDOG_PID": test.pid}
		got, err := Watchdog(func(key string) string { return env[key] }, 42)
		if got != test.want || (err != nil) != test.wrong {
			t.Errorf("%v: %v, %v; want %v, wrong %v", env, got, err, test.want, test.wrong)
		}
	}
}
