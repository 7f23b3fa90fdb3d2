package devicestest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"circdesk/devices/devicestest"

	"golang.org/x/sys/unix"
)

const grab = 0x40044590

// keyboard plugs a scanner that types into a new bus.
func keyboard(t *testing.T) (*devicestest.Bus, *devicestest.Keyboard) {
	t.Helper()
	bus, err := devicestest.NewBus(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k := bus.NewKeyboard(devicestest.ID{Vendor: 0x0c2e, Product: 0x0b61, Serial: "A1", Port: "1-1.2"}, "us")
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Unplug(); err != nil {
			t.Error(err)
		}
	})
	return bus, k
}

func reader(t *testing.T, bus *devicestest.Bus, path string) *os.File {
	t.Helper()
	f, err := bus.Open(path, os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// pressed reads the codes of the keys that went down, until the reader has nothing.
func pressed(t *testing.T, f *os.File) (codes []uint16, dropped bool) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for {
		if err := f.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := f.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) {
			return codes, dropped
		}
		if err != nil {
			t.Fatal(err)
		}
		for e := buf[:n]; len(e) > 0; e = e[devicestest.EventSize:] {
			e := e[devicestest.EventSize-8 : devicestest.EventSize]
			typ, code, value := binary.NativeEndian.Uint16(e), binary.NativeEndian.Uint16(e[2:]), binary.NativeEndian.Uint32(e[4:])
			if typ == 1 && value == 1 {
				codes = append(codes, code)
			}
			dropped = dropped || typ == 0 && code == 3
		}
	}
}

// strike presses and releases a key.
func strike(t *testing.T, k *devicestest.Keyboard, code uint16) {
	t.Helper()
	if err := k.Send(t.Context(), devicestest.Key(code, devicestest.Down), devicestest.Report,
		devicestest.Key(code, devicestest.Up), devicestest.Report); err != nil {
		t.Fatal(err)
	}
}

func TestAGrabIsForOne(t *testing.T) {
	bus, k := keyboard(t)
	a, b := reader(t, bus, k.Path()), reader(t, bus, k.Path())
	strike(t, k, 30)
	if _, err := bus.Ioctl(a, grab, []byte{1, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Ioctl(b, grab, []byte{1, 0, 0, 0}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("the second grab: %v", err)
	}
	strike(t, k, 31)
	gotA, _ := pressed(t, a)
	gotB, _ := pressed(t, b)
	if len(gotA) != 2 || len(gotB) != 1 || len(bus.Console()) != 1 {
		t.Errorf("got %v, %v, console %v", gotA, gotB, bus.Console())
	}
	a.Close()
	if _, err := bus.Ioctl(b, grab, []byte{1, 0, 0, 0}); err != nil {
		t.Errorf("after the first has closed: %v", err)
	}
}

func TestAnInhibitedKeyboardSaysNothing(t *testing.T) {
	bus, k := keyboard(t)
	f := reader(t, bus, k.Path())
	if err := k.Inhibit(true); err != nil {
		t.Fatal(err)
	}
	strike(t, k, 30)
	if got, _ := pressed(t, f); len(got) > 0 || len(bus.Console()) > 0 {
		t.Errorf("got %v, console %v", got, bus.Console())
	}
}

func TestASlowReaderIsToldThatEventsWereLost(t *testing.T) {
	bus, k := keyboard(t)
	f := reader(t, bus, k.Path())
	hasty, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5000 {
		if err := k.Send(hasty, devicestest.Key(30, devicestest.Down), devicestest.Key(30, devicestest.Up)); err != nil {
			t.Fatal(err)
		}
	}
	before, dropped := pressed(t, f)
	if len(before) == 5000 || dropped {
		t.Fatalf("%d keys, dropped %v", len(before), dropped)
	}
	strike(t, k, 31)
	if after, dropped := pressed(t, f); len(after) != 1 || !dropped {
		t.Errorf("afterwards %v, dropped %v", after, dropped)
	}
}

func TestAnUnpluggedKeyboardIsGone(t *testing.T) {
	bus, k := keyboard(t)
	f := reader(t, bus, k.Path())
	path := k.Path()
	if err := errors.Join(k.Unplug(), k.Unplug()); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Read(make([]byte, 100)); n > 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d, %v", n, err)
	}
	if _, err := bus.Ioctl(f, grab, []byte{1, 0, 0, 0}); !errors.Is(err, unix.ENODEV) {
		t.Errorf("ioctl: %v", err)
	}
	if _, err := bus.Open(path, os.O_RDONLY); !errors.Is(err, unix.ENOENT) {
		t.Errorf("open: %v", err)
	}
	if err := k.Plug(); err != nil || k.Path() == path {
		t.Errorf("again at %q, %v", k.Path(), err)
	}
	if k.Plug() == nil {
		t.Error("plugged in twice")
	}
}

func TestACharacterThatNoKeyHas(t *testing.T) {
	bus, k := keyboard(t)
	f := reader(t, bus, k.Path())
	if _, err := bus.Ioctl(f, grab, []byte{1, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if err := k.Type(t.Context(), "ß"); err == nil || !strings.Contains(err.Error(), `cannot type 'ß'`) {
		t.Errorf("got %v", err)
	}
}

func TestReportsOfAScannerKeepTheirBounds(t *testing.T) {
	bus, err := devicestest.NewBus(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := bus.NewHID(devicestest.ID{Vendor: 0x0c2e, Product: 1, Port: "1-1"}, devicestest.POSDescriptor())
	h.Silent = true
	if err := h.Plug(); err != nil {
		t.Fatal(err)
	}
	defer h.Unplug()
	f := reader(t, bus, h.Path())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if h.Scan(ctx, "]C0", "1") == nil {
		t.Error("it speaks before it was set to barcode reports")
	}
	if _, err := bus.Ioctl(f, 0xC0004806|2<<16, []byte{0xFE, 1}); err != nil {
		t.Fatal(err)
	}
	if err := h.Scan(t.Context(), "]C0", strings.Repeat("1", 57)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for _, more := range []byte{1, 0} {
		if n, err := f.Read(buf); n != 64 || err != nil || buf[63] != more {
			t.Errorf("%d bytes, %v, more %d", n, err, buf[63])
		}
	}
	if _, err := f.Write([]byte{0xFD, 3, 0x16, 7, 0x0D}); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Wrote(t.Context()); err != nil || !bytes.Equal(got, []byte{0xFD, 3, 0x16, 7, 0x0D}) {
		t.Errorf("got % X, %v", got, err)
	}
}
