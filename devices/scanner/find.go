package scanner

import (
	"cmp"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Match names a USB device by what it says of itself, by where it is plugged
// in, or by both. The zero Match is none.
type Match struct {
	Vendor, Product uint16 // both 0: any
	Serial          string // empty: any
	Port            string // of the kernel's name for it, "1-1.2"; empty: any
}

// String is m as in the config: "0c2e:0b61:A1 at 1-1.2".
func (m Match) String() string {
	var words []string
	if m.Vendor != 0 || m.Product != 0 {
		id := fmt.Sprintf("%04x:%04x", m.Vendor, m.Product)
		if m.Serial != "" {
			id += ":" + m.Serial
		}
		words = append(words, id)
	}
	if m.Port != "" {
		words = append(words, "at "+m.Port)
	}
	return strings.Join(words, " ")
}

// fits tells whether d is what m means.
func (m Match) fits(d Match) bool {
	return (m.Vendor == 0 && m.Product == 0 || m.Vendor == d.Vendor && m.Product == d.Product) &&
		(m.Serial == "" || m.Serial == d.Serial) && (m.Port == "" || m.Port == d.Port)
}

// A candidate is a node that may be the one that is looked for.
type candidate struct {
	Match
	node  string // "/dev/input/event3"
	dir   string // of its device below /sys
	iface int    // USB interface
}

// before puts candidates into an order that does not change from boot to boot.
func (a candidate) before(b candidate) int {
	return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.iface, b.iface),
		cmp.Compare(len(a.node), len(b.node)), cmp.Compare(a.node, b.node))
}

// locate returns the node of the device that c names. Where several fit it is
// the first by port and interface: a composite scanner shows several nodes, and
// of those without a barcode's keys or page none is taken.
func locate(c Config) (string, error) {
	if c.Match == (Match{}) {
		return globbed(c.Path)
	}
	host := c.Host.orThis()
	class, prefixes := "tty", []string{"ttyACM", "ttyUSB"}
	switch c.Kind {
	case Keyboard:
		class, prefixes = "input", []string{"event"}
	case HIDPOS:
		class, prefixes = "hidraw", []string{"hidraw"}
	}
	entries, err := os.ReadDir(filepath.Join(host.Sys, "class", class))
	if err != nil {
		return "", fmt.Errorf("look for %v: %w", c.Match, err)
	}
	var found []candidate
	for _, e := range entries {
		if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(e.Name(), p) }) {
			continue
		}
		if d, ok := describe(host, class, e.Name()); ok && c.Match.fits(d.Match) && suits(c.Kind, d.dir) {
			found = append(found, d)
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no %s device %v: %w", c.kind(), c.Match, fs.ErrNotExist)
	}
	return slices.MinFunc(found, candidate.before).node, nil
}

// look names the device that c means now, "" if there is none. Another device has
// another name, and so has one whose owner or mode was changed.
func look(c Config) string {
	path, err := locate(c)
	var node unix.Stat_t
	if err != nil || unix.Stat(path, &node) != nil {
		return ""
	}
	return fmt.Sprint(path, node.Ino, node.Rdev, node.Ctim)
}

// globbed is the first file that a path with asterisks means; others are taken
// as they are.
func globbed(path string) (string, error) {
	if !strings.ContainsAny(path, "*?[") {
		return path, nil
	}
	all, err := filepath.Glob(path)
	if err != nil {
		return "", fmt.Errorf("look for %q: %w", path, err)
	}
	if len(all) == 0 {
		return "", fmt.Errorf("look for %q: %w", path, fs.ErrNotExist)
	}
	return slices.Min(all), nil
}

// describe says what /sys knows of a node; not ok if that is nothing of use.
func describe(host Host, class, name string) (d candidate, ok bool) {
	dir, err := filepath.EvalSymlinks(filepath.Join(host.Sys, "class", class, name))
	if err != nil {
		return d, false
	}
	d.node = filepath.Join(host.Dev, name)
	if class == "input" {
		d.node = filepath.Join(host.Dev, "input", name)
	}
	d.dir, d.iface = filepath.Join(dir, "device"), -1
	root := filepath.Join(host.Sys, "devices")
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	for ; len(dir) > len(root); dir = filepath.Dir(dir) {
		if d.learn(dir) {
			return d, true
		}
	}
	return d, d.Vendor != 0
}

// learn takes what one folder on the way up to the device says, and tells
// whether that was the USB device itself, which knows best. What is not on USB,
// but Bluetooth or a program's, has its numbers where the kernel's input or HID
// layer shows them.
func (d *candidate) learn(dir string) bool {
	if n, ok := hexAttr(dir, "bInterfaceNumber"); ok && d.iface < 0 {
		d.iface = int(n)
	}
	if vendor, ok := hexAttr(dir, "idVendor"); ok {
		product, _ := hexAttr(dir, "idProduct")
		d.Match = Match{Vendor: vendor, Product: product, Serial: attr(dir, "serial"), Port: filepath.Base(dir)}
		return true
	}
	if d.Vendor != 0 {
		return false
	}
	if vendor, ok := hexAttr(dir, "id/vendor"); ok {
		product, _ := hexAttr(dir, "id/product")
		d.Match = Match{Vendor: vendor, Product: product, Serial: attr(dir, "uniq"), Port: attr(dir, "phys")}
		return false
	}
	for line := range strings.Lines(attr(dir, "uevent")) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch parts := strings.Split(value, ":"); {
		case key == "HID_ID" && len(parts) == 3:
			vendor, _ := strconv.ParseUint(parts[1], 16, 32)
			product, _ := strconv.ParseUint(parts[2], 16, 32)
			d.Vendor, d.Product = uint16(vendor), uint16(product)
		case key == "HID_UNIQ":
			d.Serial = value
		case key == "HID_PHYS":
			d.Port = value
		}
	}
	return false
}

// attr is what a file of /sys says, without the line's end; empty if it is not
// there.
func attr(dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(text), "\n")
}

func hexAttr(dir, name string) (uint16, bool) {
	n, err := strconv.ParseUint(attr(dir, name), 16, 16)
	return uint16(n), err == nil
}

// suits tells whether the device in dir is one that a scanner of this kind uses.
func suits(kind, dir string) bool {
	switch kind {
	case Keyboard:
		return canType(keyBits(attr(dir, "capabilities/key")))
	case HIDPOS:
		text, err := os.ReadFile(filepath.Join(dir, "report_descriptor"))
		if err != nil {
			return false
		}
		d, err := parseDescriptor(text)
		return err == nil && d.scans
	}
	return true
}

// keyBits reads a bit map as /sys prints it: words of the kernel's length in hex,
// the highest first.
func keyBits(text string) []byte {
	words := strings.Fields(text)
	slices.Reverse(words)
	var all []byte
	for _, w := range words {
		n, err := strconv.ParseUint(w, 16, 64)
		if err != nil {
			return nil
		}
		for range bits.UintSize / 8 {
			all = append(all, byte(n))
			n >>= 8
		}
	}
	return all
}

// canType tells whether a device with these keys has the digits and Enter, which
// tells a scanner's keyboard from its volume keys.
func canType(keys []byte) bool {
	for code := uint16(key1); code <= key0; code++ {
		if !isSet(keys, code) {
			return false
		}
	}
	return isSet(keys, keyEnter)
}

// isSet tells whether a bit map has bit n.
func isSet(m []byte, n uint16) bool {
	return int(n/8) < len(m) && m[n/8]&(1<<(n%8)) != 0
}
