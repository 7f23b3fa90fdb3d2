package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"circdesk/devices/devicestest"

	"golang.org/x/sys/unix"
)

// A scanner is one kind of scanner on a kernel's own bus. begin sends the first half of a code, as far as
// the kernel on the desk's side, and nothing that would end it.
type scanner struct {
	name  string // in the config
	what  string // for people
	node  string // what appears in /dev while it is plugged in
	plug  func(context.Context) error
	pull  func(context.Context) error
	scan  func(ctx context.Context, code string) error
	begin func(ctx context.Context, half string) error
}

// The controllers that gadgets are plugged into; each is a bus of its own.
const (
	cdcPort = iota
	keyboardPort
	posPort
	leftPort
	rightPort
	ports
)

// scanners are one of each kind.
func scanners() []scanner {
	return []scanner{cdc("cdc", "C1", "0c2e", "0b6a", cdcPort), ftdi(), uhid(), gadgetKeyboard(), pos()}
}

// loadDrivers has the kernel bring what gadgets need, and nothing that belongs to the desk's side: the unit
// must find its drivers by itself.
func loadDrivers() error {
	for _, args := range [][]string{{"dummy_hcd", fmt.Sprintf("num=%d", ports)}, {"libcomposite"}, {"usb_f_acm"}, {"usb_f_hid"}} {
		if err := modprobe(args...); err != nil {
			return err
		}
	}
	var there unix.Statfs_t
	const configfs = 0x62656570
	if err := unix.Statfs("/sys/kernel/config", &there); err != nil || there.Type == configfs {
		return err
	}
	return unix.Mount("none", "/sys/kernel/config", "configfs", 0, "")
}

func modprobe(args ...string) error {
	out, err := exec.Command("modprobe", args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("modprobe %q: %w: %s", args, err, out)
	}
	return err
}

// portOf is the kernel's name for the port of a controller: "3-1".
func portOf(controller int) (string, error) {
	found, err := filepath.Glob(fmt.Sprintf("/sys/devices/platform/dummy_hcd.%d/usb*/busnum", controller))
	if err != nil || len(found) != 1 {
		return "", errors.Join(err, fmt.Errorf("controller %d has %d buses", controller, len(found)))
	}
	number, err := os.ReadFile(found[0])
	return strings.TrimSpace(string(number)) + "-1", err
}

// A gadget is a USB device that the kernel itself plays, by what is written below /sys/kernel/config.
type gadget struct {
	name, vendor, product, serial string
	function                      string // "acm.cdc"
	controller                    int
	attributes                    map[string]string // of the function
}

func (g gadget) folder() string { return filepath.Join("/sys/kernel/config/usb_gadget", g.name) }

// make describes the device to the kernel, once.
func (g gadget) make() error {
	if _, err := os.Stat(g.folder()); err == nil {
		return nil
	}
	if err := loadDrivers(); err != nil {
		return err
	}
	for _, d := range []string{"", "strings/0x409", "configs/c.1", "functions/" + g.function} {
		if err := os.Mkdir(filepath.Join(g.folder(), d), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for _, a := range [][2]string{
		{"idVendor", "0x" + g.vendor}, {"idProduct", "0x" + g.product},
		{"strings/0x409/serialnumber", g.serial}, {"strings/0x409/manufacturer", "Bench"}, {"strings/0x409/product", g.name},
	} {
		if err := os.WriteFile(filepath.Join(g.folder(), a[0]), []byte(a[1]), 0o644); err != nil {
			return err
		}
	}
	for name, value := range g.attributes {
		if err := os.WriteFile(filepath.Join(g.folder(), "functions", g.function, name), []byte(value), 0o644); err != nil {
			return err
		}
	}
	return os.Symlink(filepath.Join(g.folder(), "functions", g.function), filepath.Join(g.folder(), "configs/c.1", g.function))
}

// plug plugs it in; one that is plugged in stays so.
func (g gadget) plug(context.Context) error {
	if err := g.make(); err != nil {
		return fmt.Errorf("make the gadget %q: %w", g.name, err)
	}
	now, err := os.ReadFile(filepath.Join(g.folder(), "UDC"))
	if err != nil || strings.TrimSpace(string(now)) != "" {
		return err
	}
	return os.WriteFile(filepath.Join(g.folder(), "UDC"), fmt.Appendf(nil, "dummy_udc.%d", g.controller), 0o644)
}

// pull pulls it out; one that is out stays so.
func (g gadget) pull(context.Context) error {
	now, err := os.ReadFile(filepath.Join(g.folder(), "UDC"))
	if err != nil || strings.TrimSpace(string(now)) == "" {
		return err
	}
	return os.WriteFile(filepath.Join(g.folder(), "UDC"), []byte("\n"), 0o644)
}

// number is what the kernel calls the function's node on the scanner's side.
func (g gadget) number(attribute string) (string, error) {
	text, err := os.ReadFile(filepath.Join(g.folder(), "functions", g.function, attribute))
	return strings.TrimSpace(string(text)), err
}

// cdc is a scanner in CDC-ACM mode.
func cdc(name, serial, vendor, product string, controller int) scanner {
	g := gadget{name: name, vendor: vendor, product: product, serial: serial, function: "acm." + name, controller: controller}
	send := func(text string) error {
		n, err := g.number("port_num")
		if err != nil {
			return err
		}
		return typeInto("/dev/ttyGS"+n, text)
	}
	return scanner{
		name: name, what: "serial, CDC (ttyACM)", node: "/dev/ttyACM*", plug: g.plug, pull: g.pull,
		scan:  func(_ context.Context, code string) error { return send(code + "\r") },
		begin: func(_ context.Context, half string) error { return send(half) },
	}
}

// typeInto sends text through a terminal and waits until it has gone.
func typeInto(path, text string) error {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("open %q: %w", path, err)
	}
	defer unix.Close(fd)
	mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	mode.Iflag, mode.Oflag, mode.Lflag = 0, 0, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, mode); err != nil {
		return err
	}
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		return fmt.Errorf("write to %q: %w", path, err)
	}
	return unix.IoctlSetInt(fd, unix.TCSBRK, 1) // until it has gone
}

// ftdi is a scanner behind an adapter. QEMU plays it, so the bench outside is asked.
func ftdi() scanner {
	order := func(format string, args ...any) error {
		_, err := fmt.Printf("@ftdi "+format+"\n", args...)
		return err
	}
	return scanner{
		name: "ftdi", what: "serial, FTDI (ttyUSB)", node: "/dev/ttyUSB*",
		plug: func(context.Context) error {
			if at, err := filepath.Glob("/dev/ttyUSB*"); err != nil || len(at) > 0 {
				return err
			}
			return order("plug")
		},
		pull: func(context.Context) error {
			if at, err := filepath.Glob("/dev/ttyUSB*"); err != nil || len(at) == 0 {
				return err
			}
			return order("unplug")
		},
		scan: func(_ context.Context, code string) error { return order("send %q", code+"\r") },
		begin: func(ctx context.Context, half string) error {
			before, err := received("/dev/ttyUSB0")
			if err != nil {
				return err
			}
			if err := order("send %q", half); err != nil {
				return err
			}
			return until(ctx, func(context.Context) error {
				now, err := received("/dev/ttyUSB0")
				if err == nil && now < before+len(half) {
					err = fmt.Errorf("%d of %d bytes have come", now-before, len(half))
				}
				return err
			})
		},
	}
}

// received is how many bytes a serial port has got so far. It may be in use.
func received(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	var counters [20]int32 // struct serial_icounter_struct (linux/serial.h)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGICOUNT, uintptr(unsafe.Pointer(&counters)))
	if errno != 0 {
		return 0, fmt.Errorf("count what %q has received: %w", path, errno)
	}
	return int(counters[4]), nil
}

// pos is a scanner in HID-POS mode.
func pos() scanner {
	g := gadget{name: "hidpos", vendor: "0c2e", product: "0b67", serial: "P1", function: "hid.pos", controller: posPort,
		attributes: map[string]string{"report_length": "64", "no_out_endpoint": "1", "report_desc": string(devicestest.POSDescriptor())}}
	send := func(ctx context.Context, reports [][]byte) error {
		path, err := g.hidNode()
		if err != nil {
			return err
		}
		return report(ctx, path, reports)
	}
	return scanner{
		name: "hidpos", what: "HID-POS (hidraw)", node: "hidraw 00000C2E:00000B67", plug: g.plug, pull: g.pull,
		scan: func(ctx context.Context, code string) error {
			return send(ctx, devicestest.POSReports("]C0", code))
		},
		begin: func(ctx context.Context, half string) error {
			first := devicestest.POSReports("]C0", half)[0]
			first[len(first)-1] = 1 // more is to come
			return send(ctx, [][]byte{first})
		},
	}
}

// hidNode is the scanner's side of a HID function.
func (g gadget) hidNode() (string, error) {
	number, err := g.number("dev")
	if err != nil {
		return "", err
	}
	link, err := os.Readlink("/sys/dev/char/" + number)
	return "/dev/" + filepath.Base(link), err
}

// report sends reports through a HID gadget, at a scanner's pace and each once the other side has taken the
// one before.
func report(ctx context.Context, path string, reports [][]byte) error {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if limit, ok := ctx.Deadline(); ok {
		if err := f.SetWriteDeadline(limit); err != nil {
			return err
		}
	}
	pace := time.NewTicker(keyPace)
	defer pace.Stop()
	for _, r := range reports {
		<-pace.C
		if _, err := f.Write(r); err != nil {
			return fmt.Errorf("send a report through %q: %w", path, err)
		}
	}
	return nil
}
