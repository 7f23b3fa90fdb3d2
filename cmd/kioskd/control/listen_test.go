package control

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// left is a socket that a killed daemon has left behind.
func left(t *testing.T, path string) {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
}

func TestListen(t *testing.T) {
	for name, before := range map[string]func(t *testing.T, path string){
		"first start":   func(*testing.T, string) {},
		"after a crash": left,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "control.sock")
			before(t, path)
			ln, err := Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			info, err := os.Stat(path)
			if err != nil || info.Mode() != os.ModeSocket|0o660 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if err := knock(path); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestListenTakesNothingFromOthers(t *testing.T) {
	for name, test := range map[string]struct {
		before func(t *testing.T, path string)
		want   string
	}{
		"a file": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "something else than a socket is there"},
		"a link to a socket": {func(t *testing.T, path string) {
			left(t, path+"2")
			if err := os.Symlink(path+"2", path); err != nil {
				t.Fatal(err)
			}
		}, "something else than a socket is there"},
		"another daemon": {func(t *testing.T, path string) {
			ln, err := Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { ln.Close() })
		}, "another kioskd is running"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "control.sock")
			test.before(t, path)
			was, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			ln, err := Listen(path)
			if err == nil {
				ln.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if is, err := os.Lstat(path); err != nil || !os.SameFile(was, is) {
				t.Errorf("it is gone: %v", err)
			}
		})
	}
}

func TestListenBelowAMissingFolder(t *testing.T) {
	if _, err := Listen(filepath.Join(t.TempDir(), "circdesk", "control.sock")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

func TestListenOnAPathThatIsTooLong(t *testing.T) {
	_, err := Listen("/" + strings.Repeat("x", 108))
	if err == nil || !strings.Contains(err.Error(), "has 109 bytes; a socket's may have 107") {
		t.Errorf("got %v", err)
	}
}
