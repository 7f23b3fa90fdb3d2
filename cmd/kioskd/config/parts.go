package config

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"circdesk/kiosk"
)

func readReaders(tables []*table, names map[string]string) []Reader {
	var all []Reader
	ports := map[string]string{}
	for _, t := range tables {
		r := readReader(t)
		unique(t, "name", r.Name, names)
		unique(t, "spi", r.SPI, ports)
		t.end()
		all = append(all, r)
	}
	return all
}

func readReader(t *table) Reader {
	r := Reader{
		Name:    required(t, "name", name),
		Chip:    required(t, "chip", oneOf("mfrc522", "pn5180")),
		SPI:     required(t, "spi", path),
		Reset:   required(t, "reset", pin),
		Busy:    value(t, "busy", "", pin),
		Use:     value(t, "use", "", oneOf("cards", "tags", "both")),
		Role:    value(t, "role", kiosk.RoleStudent, oneOf(kiosk.RoleStudent, kiosk.RoleBin, kiosk.RoleStaff)),
		Speed:   value(t, "speed", 0, whole(100_000, 10_000_000)),
		Gain:    value(t, "gain", 0, gain),
		Poll:    value(t, "poll", 0, span(10*time.Millisecond, time.Second)),
		Shallow: value(t, "shallow", false, boolean),
		Read:    value(t, "read", "", memory),
		KeyFile: value(t, "key_file", "", path),
	}
	pn := r.Chip == "pn5180"
	if pn && r.Speed > fastestPN5180 {
		t.complain(join(t.path, "speed"), "%d is more than %d, which is all that a pn5180 can follow", r.Speed, fastestPN5180)
	}
	switch {
	case pn && !t.has("busy"):
		t.complain(join(t.path, "busy"), "is missing; a pn5180 cannot be read without it")
	case r.Chip == "mfrc522" && t.has("busy"):
		t.complain(join(t.path, "busy"), "does not belong here; an mfrc522 has no such pin")
	}
	for key, wrong := range map[string]bool{
		"use": r.Chip == "mfrc522" && (r.Use == "tags" || r.Use == "both"), "gain": pn && t.has("gain"),
		"read": pn && t.has("read"), "key_file": pn && t.has("key_file"), "shallow": r.Chip == "mfrc522" && t.has("shallow"),
	} {
		if wrong {
			t.complain(join(t.path, key), "is not for a chip %q", r.Chip)
		}
	}
	if r.Use == "" {
		r.Use = map[string]string{"mfrc522": "cards", "pn5180": "tags"}[r.Chip]
	}
	return r
}

// fastestPN5180 is the fastest bus that the chip can follow, in hertz; an mfrc522 takes more.
const fastestPN5180 = 7_000_000

// pin reads the name of a GPIO line.
func pin(raw any) (string, error) {
	s, err := text(raw)
	if err == nil && !regexp.MustCompile(`^(GPIO[0-9]{1,3}|gpiochip[0-9]{1,3}:[0-9]{1,3})$`).MatchString(s) {
		return "", fmt.Errorf(`%q is not a pin, like "GPIO25" or "gpiochip0:25"`, s)
	}
	return s, err
}

// gain reads the gain of an MFRC522's receiver in dB.
func gain(raw any) (int, error) {
	n, err := whole(0, 48)(raw)
	steps := []int{18, 23, 33, 38, 43, 48}
	if err == nil && !slices.Contains(steps, n) {
		return 0, fmt.Errorf("%d is not one of the chip's steps %v (dB)", n, steps)
	}
	return n, err
}

// memory reads which part of a card is read beside its number.
func memory(raw any) (string, error) {
	s, err := text(raw)
	if err == nil && !regexp.MustCompile(`^(ntag|classic):([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])$`).MatchString(s) {
		return "", fmt.Errorf(`%q is not a part of a card's memory, like "ntag:4" or "classic:8"`, s)
	}
	return s, err
}

func readCards(t *table) Cards {
	defer t.end()
	c := Cards{Notations: list(t, "notations", oneOf("hex", "hex_reversed", "decimal", "decimal_reversed", "wiegand", "wiegand_reversed", "cascade"))}
	if !t.has("notations") {
		c.Notations = []string{"hex", "decimal_reversed"}
	}
	for i, n := range c.Notations {
		for _, before := range c.Notations[:i] {
			if strings.TrimSuffix(before, "_reversed") == strings.TrimSuffix(n, "_reversed") {
				t.note(element(join(t.path, "notations"), i), "has no effect; %q, which comes first, reads every %q", before, n)
			}
		}
	}
	return c
}

func readTag(t *table) Tag {
	defer t.end()
	tag := Tag{
		Security:     value(t, "security", "afi", oneOf("none", "afi", "eas", "both")),
		AFIIn:        value(t, "afi_in", 0x07, octet),
		AFIOut:       value(t, "afi_out", 0xC2, octet),
		PasswordFile: value(t, "password_file", "", path),
	}
	if tag.AFIIn == tag.AFIOut {
		t.complain(join(t.path, "afi_out"), "is the same as afi_in; no gate could tell them apart")
	}
	return tag
}

// octet reads one byte: 7, or "C2" in hexadecimal.
func octet(raw any) (byte, error) {
	if s, ok := raw.(string); ok {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) != 1 {
			return 0, fmt.Errorf(`%q is not a byte in hexadecimal, like "C2"`, s)
		}
		return b[0], nil
	}
	n, err := whole(0, 255)(raw)
	return byte(n), err
}

func readPrinter(t *table, there bool, names map[string]string) *Printer {
	defer t.end()
	if !there {
		return nil
	}
	p := &Printer{
		Name:    value(t, "name", "printer", name),
		Path:    required(t, "path", text),
		Kind:    value(t, "kind", "", oneOf("usb", "serial", "tcp")),
		Baud:    value(t, "baud", 19200, speed),
		Columns: value(t, "columns", 42, whole(20, 96)),
	}
	unique(t, "name", p.Name, names)
	return p
}

func readLamp(t *table, there bool, names map[string]string) *Lamp {
	defer t.end()
	if !there {
		return nil
	}
	l := &Lamp{
		Name:   value(t, "name", "lamp", name),
		Green:  value(t, "green", "", pin),
		Amber:  value(t, "amber", "", pin),
		Red:    value(t, "red", "", pin),
		Buzzer: value(t, "buzzer", "", pin),
	}
	unique(t, "name", l.Name, names)
	if l.Green+l.Amber+l.Red+l.Buzzer == "" {
		t.complain(t.path, `needs at least one of "green", "amber", "red" and "buzzer"`)
	}
	return l
}

func readContacts(tables []*table, names map[string]string) []Contact {
	var all []Contact
	for _, t := range tables {
		c := Contact{
			Name:   required(t, "name", name),
			Line:   required(t, "line", pin),
			Means:  required(t, "means", oneOf("bin_full", "door_open")),
			Closed: value(t, "when", "closed", oneOf("closed", "open")) == "closed",
		}
		unique(t, "name", c.Name, names)
		t.end()
		all = append(all, c)
	}
	return all
}
