package scanner

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"circdesk/devices"
	"circdesk/devices/devicestest"
)

// counter starts a HID-POS scanner that is plugged in and found by what it is.
func counter(t *testing.T, vendor uint16, descriptor []byte) (*desk, *devicestest.HID, *Remote) {
	t.Helper()
	bus, host := bench(t)
	h := bus.NewHID(devicestest.ID{Vendor: vendor, Product: 0x0b07, Port: "1-1.2"}, descriptor)
	h.Silent = isHoneywell(vendor)
	if err := h.Plug(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Unplug() })
	remote := NewRemote()
	d := run(t, Config{Kind: HIDPOS, Match: Match{Vendor: vendor, Product: 0x0b07}, Remote: remote, Host: host})
	return d, h, remote
}

func (d *desk) scan(h *devicestest.HID, aim, text string) {
	d.t.Helper()
	d.do(func(ctx context.Context) error { return h.Scan(ctx, aim, text) })
}

func TestReportsForBarcodes(t *testing.T) {
	d, h, _ := counter(t, 0x0c2e, devicestest.POSDescriptor())
	long := strings.Repeat("0123456789", 30)
	d.scan(h, "]F0", "3012300001238\r\n")
	d.scan(h, "]Q1", long)
	d.scan(h, "]Z6", "REVINF\x06.")
	d.scan(h, "", "no identifier")
	d.scan(h, "]d2", "[)>\x1e06\x1dS1\x1e\x04")
	d.scan(h, "]C0", strings.Repeat("9", 56))
	d.scan(h, "]C0", "")
	d.want("]F03012300001238", "]Q1"+long, "no identifier", "]d2[)>\x1e06\x1dS1\x1e\x04", "]C0"+strings.Repeat("9", 56))
	d.wantNone()
	if s := d.now(); s.Drops != 0 || s.Err != "" || s.Kind != HIDPOS || s.Path != h.Path() {
		t.Errorf("at the end %+v", s)
	}
	if got := h.Features(); len(got) != 1 || !bytes.Equal(got[0], []byte{0xFE, 1}) {
		t.Errorf("features %x", got)
	}
}

func TestTheRealTrace(t *testing.T) {
	h := &hidpos{form: usual()}
	first := raw(t, "02385D583050726F64756374204E616D653A20566F79616765722031363032670D0A426F6F74205265766973696F6E3A203A20383939320D0A536F66743F0001")
	if got := h.Feed(first); got != nil {
		t.Errorf("the first part alone gives %q", got)
	}
	last := devicestest.POSReports("]X0", "ware\r\n")[0]
	last[61] = 0x3F
	got := h.Feed(last)
	if want := "]X0Product Name: Voyager 1602gBoot Revision: : 8992Software"; len(got) != 1 || string(got[0]) != want {
		t.Errorf("got %q", got)
	}
}

func TestHostileReports(t *testing.T) {
	good := func(text string) []byte { return devicestest.POSReports("]C0", text)[0] }
	change := func(p []byte, at int, b byte) []byte { p[at] = b; return p }
	for _, c := range []struct {
		name  string
		in    [][]byte
		want  string
		drops uint64
	}{
		{"too many bytes", [][]byte{change(good("1"), 1, 57), good("2")}, "]C02", 1},
		{"the most", [][]byte{change(good("1"), 1, 255), good("2")}, "]C02", 1},
		{"short", [][]byte{good("1")[:63], good("2")}, "]C02", 1},
		{"nothing", [][]byte{{}, good("2")}, "]C02", 0},
		{"about something else", [][]byte{change(good("1"), 0, 3), good("2")}, "]C02", 0},
		{"two at once", [][]byte{append(good("1"), good("2")...)}, "]C01|]C02", 0},
		{"an end that does not come", [][]byte{change(good("1"), 63, 1), devicestest.POSReports("]A0", "2")[0]}, "]A02", 1},
		{"a byte before the identifier", [][]byte{slices.Concat([]byte{2, 1, 'x', ']', 'A', '0', '7'}, make([]byte, 57))}, "]A07", 0},
		{"control bytes", [][]byte{good("\x1b[2J\x001\r")}, "]C0[2J1", 2},
		{"10 kB", slices.Concat(devicestest.POSReports("]d1", strings.Repeat("9", 10_000)), [][]byte{good("2")}), "]C02", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &hidpos{form: usual()}
			var got [][]byte
			for _, p := range c.in {
				got = append(got, h.Feed(p)...)
			}
			if all := string(bytes.Join(got, []byte("|"))); all != c.want || h.Drops() != c.drops {
				t.Errorf("got %q with %d drops, want %q with %d", all, h.Drops(), c.want, c.drops)
			}
		})
	}
	h := &hidpos{form: usual()}
	h.Feed(change(good("1"), 63, 1))
	h.Quiet(patience)
	if got := h.Feed(good("2")); len(got) != 1 || string(got[0]) != "]C02" || h.Drops() != 1 {
		t.Errorf("after a silence: got %q with %d drops", got, h.Drops())
	}
}

func TestTheFormIsInTheDescriptor(t *testing.T) {
	got, err := parseDescriptor(devicestest.POSDescriptor())
	if err != nil || !got.scans || !got.known || got.form != usual() || got.outputs[0xFD] != 64 {
		t.Errorf("got %+v, %v", got, err)
	}
	// Without report numbers, with 8 data bytes, a count after them and no identifier.
	other, err := parseDescriptor(raw(t, "05 8C 09 02 A1 01 75 08 95 08 09 FE 81 02 95 01 05 01 09 3B 81 02 C0"))
	want := form{size: 9, count: 8, aim: none, data: 0, room: 8, more: none}
	if err != nil || other.form != want {
		t.Errorf("got %+v, %v", other, err)
	}
	h := &hidpos{form: other.form}
	if got := h.Feed([]byte("12345678\x03")); len(got) != 1 || string(got[0]) != "123" {
		t.Errorf("got %q", got)
	}
	mouse, err := parseDescriptor(raw(t, "05 01 09 02 A1 01 05 09 19 01 29 03 75 01 95 03 81 02 C0"))
	if err != nil || mouse.scans || mouse.known {
		t.Errorf("a mouse: %+v, %v", mouse, err)
	}
	for _, c := range []struct{ hex, want string }{
		{"05", "report descriptor ends in the item at byte 0"},
		{"05 8C 27 00 00", "report descriptor ends in the item at byte 2"},
		{"FE 05 00", "report descriptor ends in the item at byte 0"},
		{"B4", "report descriptor, byte 0: pop without push"},
		{"77 FF FF FF FF 97 FF FF FF FF 81 02", "report descriptor, byte 10: 4294967295 fields of 4294967295 bits are too long"},
	} {
		if _, err := parseDescriptor(raw(t, c.hex)); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.hex, err, c.want)
		}
	}
}

func TestNewlandsReports(t *testing.T) {
	// Its descriptor says that it is a scanner, and not where anything is.
	d, h, remote := counter(t, newlandVendor, raw(t, "05 8C 09 02 A1 01 85 02 75 08 95 3F 09 12 81 02 C0"))
	report := make([]byte, 64)
	copy(report, "\x02\x05T 123")
	d.do(func(ctx context.Context) error { return h.Send(ctx, report) })
	d.want("T 123")
	remote.Send(Good) // it knows none
	if s := d.now(); s.Err != "" || len(h.Features()) > 0 {
		t.Errorf("at the end %+v", s)
	}
}

func TestHoneywellBeepsInReports(t *testing.T) {
	d, h, remote := counter(t, 0x0c2e, devicestest.POSDescriptor())
	d.scan(h, "]C0", "1")
	d.want("]C01")
	for order, want := range map[Order]string{Good: "FD 03 16 07 0D", Trigger: "FD 03 16 54 0D", Release: "FD 03 16 55 0D",
		Bad: "FD 09 16 07 0D 16 07 0D 16 07 0D"} {
		remote.Send(order)
		d.do(func(ctx context.Context) error {
			got, err := h.Wrote(ctx)
			if err == nil && (len(got) != 64 || !bytes.HasPrefix(got, raw(t, want))) {
				err = fmt.Errorf("order %q: % X", order, got)
			}
			return err
		})
	}
}

func TestAKeyboardIsNoHIDPOS(t *testing.T) {
	bus, host := bench(t)
	h := bus.NewHID(voyager(), raw(t, "05 01 09 06 A1 01 05 07 19 00 29 FF 75 08 95 06 81 00 C0"))
	if err := h.Plug(); err != nil {
		t.Fatal(err)
	}
	err := Try(Config{Name: "desk", Kind: HIDPOS, Path: h.Path(), Host: host})
	if want := `open "` + h.Path() + `": is not a scanner in HID-POS mode: its reports have no page for barcodes`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	err = Try(Config{Name: "desk", Kind: HIDPOS, Match: Match{Port: "1-1.2"}, Host: host})
	if want := "no hidpos device at 1-1.2: file does not exist"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestAThousandReplugsOfHIDPOS(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	d, h, remote := counter(t, 0x0c2e, devicestest.POSDescriptor())
	for i := range 1000 {
		code := fmt.Sprintf("%014d", i)
		d.scan(h, "]F0", code)
		d.want("]F0" + code)
		remote.Send(Good)
		if err := h.Unplug(); err != nil {
			t.Fatal(err)
		}
		h.ID.Port = fmt.Sprintf("1-1.%d", 1+i%4) // whatever port
		if err := h.Plug(); err != nil {
			t.Fatal(err)
		}
	}
	d.scan(h, "]F0", "end")
	d.want("]F0end")
	d.wantNone()
	if s := d.now(); s.Opens != 1001 || s.Reads != 1001 || s.Drops != 0 {
		t.Errorf("at the end %+v", s)
	}
	if err := h.Unplug(); err != nil {
		t.Fatal(err)
	}
	if n := openFiles(t); n > files+1 { // the poller of the runtime is one
		t.Errorf("%d open files, %d before", n, files)
	}
	d.until("back to the goroutines before", func(devices.Status) bool { return runtime.NumGoroutine() <= goroutines })
}

func TestUnpluggedInTheMiddleOfACodeOfReports(t *testing.T) {
	d, h, _ := counter(t, 0x05e0, devicestest.POSDescriptor())
	parts := devicestest.POSReports("]Q1", strings.Repeat("1", 100))
	d.do(func(ctx context.Context) error { return h.Send(ctx, parts[0]) })
	if err := h.Unplug(); err != nil {
		t.Fatal(err)
	}
	gone := time.Now()
	d.until("absent", func(s devices.Status) bool { return s.State == devices.Absent })
	if err := h.Plug(); err != nil {
		t.Fatal(err)
	}
	d.scan(h, "]Q1", "2")
	d.want("]Q12")
	d.wantNone()
	if took := time.Since(gone); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

// FuzzReports reads reports by whatever form a descriptor has.
func FuzzReports(f *testing.F) {
	f.Add(devicestest.POSDescriptor(), devicestest.POSReports("]F0", "3012300001238")[0])
	f.Add(devicestest.POSDescriptor(), bytes.Join(devicestest.POSReports("]Q1", strings.Repeat("7", 99)), nil))
	f.Add([]byte{0x05, 0x8C, 0x75, 8, 0x95, 8, 0x09, 0xFE, 0x81, 2}, []byte("12345678"))
	f.Add([]byte{0xFE, 1, 0, 0, 0xA4, 0xB4, 0x06, 0x8C, 0, 0x19, 0xFB, 0x29, 0xFF, 0x75, 8, 0x95, 5, 0x81, 2}, []byte("]A0 1"))
	f.Fuzz(func(t *testing.T, text, reports []byte) {
		d, err := parseDescriptor(text)
		if err != nil {
			d.form = usual()
		} else if !d.known {
			return
		}
		h := &hidpos{form: d.form}
		for _, code := range h.Feed(reports) {
			if len(code) == 0 || len(code) > MaxCode || bytes.ContainsAny(code, "\r\n\t\x00\x02\x03\x1b") {
				t.Fatalf("code %q", code)
			}
		}
		if len(h.code) > MaxCode {
			t.Fatalf("holds %d bytes", len(h.code))
		}
		h.Quiet(time.Hour)
		if h.open {
			t.Fatal("something is left after a long silence")
		}
	})
}
