package devicestest_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"circdesk/devices/devicestest"

	"github.com/tarm/serial"
)

func plug(t *testing.T) *devicestest.Port {
	t.Helper()
	port, err := devicestest.Plug(filepath.Join(t.TempDir(), "scanner"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := port.Unplug(); err != nil {
			t.Error(err)
		}
	})
	return port
}

func open(t *testing.T, port *devicestest.Port) *serial.Port {
	t.Helper()
	reader, err := serial.OpenPort(&serial.Config{Name: port.Path(), Baud: 9600, ReadTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return reader
}

func wantRead(t *testing.T, reader *serial.Port, want string) {
	t.Helper()
	buf := make([]byte, 100)
	n, err := reader.Read(buf)
	if string(buf[:n]) != want || err != nil {
		t.Errorf("read %q, %v, want %q", buf[:n], err, want)
	}
}

func TestTypeWaitsForAReader(t *testing.T) {
	port := plug(t)
	typed := make(chan error)
	go func() { typed <- port.Type(t.Context(), "T 1234567\r") }()
	reader := open(t, port)
	defer reader.Close()
	if err := <-typed; err != nil {
		t.Fatal(err)
	}
	wantRead(t, reader, "T 1234567\r")
}

func TestNobodyReads(t *testing.T) {
	port := plug(t)
	expectNobody := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := port.Type(ctx, "T 1\r"); err == nil {
			t.Error("typed to nobody")
		}
	}
	expectNobody()
	reader := open(t, port)
	if err := port.WaitOpen(t.Context()); err != nil {
		t.Error(err)
	}
	reader.Close() // leaves a raw terminal behind
	expectNobody()
	reader = open(t, port)
	defer reader.Close()
	if err := port.Type(t.Context(), "T 2\r"); err != nil {
		t.Error(err)
	}
	wantRead(t, reader, "T 2\r")
}

func TestAReaderThatTakesNoMore(t *testing.T) {
	port := plug(t)
	defer open(t, port).Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := port.Type(ctx, string(make([]byte, 1<<20))); err == nil {
		t.Error("a megabyte went into a terminal that nobody reads")
	}
}

func TestUnplugAndReplug(t *testing.T) {
	port := plug(t)
	reader := open(t, port)
	defer reader.Close()
	if err := port.Unplug(); err != nil {
		t.Fatal(err)
	}
	if err := port.Unplug(); err != nil {
		t.Errorf("unplugging what is unplugged: %v", err)
	}
	if _, err := os.Lstat(port.Path()); !os.IsNotExist(err) {
		t.Errorf("the name of an unplugged port: %v", err)
	}
	if reader.Flush() == nil {
		t.Error("the old reader does not notice")
	}
	if err := port.Type(t.Context(), "T 1\r"); err == nil {
		t.Error("typed on an unplugged port")
	}
	if err := port.Replug(); err != nil {
		t.Fatal(err)
	}
	if err := port.Replug(); err == nil {
		t.Error("plugged in twice")
	}
	again := open(t, port)
	defer again.Close()
	if err := port.Type(t.Context(), "T 3\r"); err != nil {
		t.Fatal(err)
	}
	wantRead(t, again, "T 3\r")
}

func TestAPortNeedsAFreeName(t *testing.T) {
	port := plug(t)
	if second, err := devicestest.Plug(port.Path()); err == nil {
		second.Unplug()
		t.Error("two ports under one name")
	}
}
