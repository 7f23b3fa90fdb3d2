package devicestest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// A Talker is a scanner on a Port that understands commands of its dialect. It
// checks every byte that the host sends, and belongs to one goroutine.
type Talker struct {
	*Port
	Dialect string // honeywell, datalogic, gm65, ssi or gm67

	// Faults of the line, for the packets of ssi and gm67.
	BadSums int // so many packets go out with a wrong checksum
	Deaf    int // so many acknowledgements are not heard

	Sent    int      // packets, those that were sent again included
	Heard   []string // commands, oldest first
	in      []byte   // of the host, not yet a whole command
	packets bool     // scans go out in packets
	off     bool     // disabled by the host
}

// NewTalker returns the scanner on a port.
func NewTalker(p *Port, dialect string) *Talker { return &Talker{Port: p, Dialect: dialect} }

// Next waits for the host's next command, does what it says, answers, and returns
// its name. Acknowledgements are commands too.
func (t *Talker) Next(ctx context.Context) (string, error) {
	buf := make([]byte, 1024)
	for {
		name, n, err := t.parse()
		if err != nil {
			return "", fmt.Errorf("the host sends % X: %w", t.in, err)
		}
		if n > 0 {
			t.in = t.in[n:]
			if name == "" {
				continue
			}
			t.Heard = append(t.Heard, name)
			return name, nil
		}
		got, err := t.Receive(ctx, buf)
		if err != nil {
			return "", err
		}
		t.in = append(t.in, buf[:got]...)
	}
}

// parse takes one command off what has come and returns its length, 0 if it is
// not whole yet. Its name is empty for what is none.
func (t *Talker) parse() (name string, n int, err error) {
	if len(t.in) == 0 {
		return "", 0, nil
	}
	switch t.Dialect {
	case "honeywell":
		return threeBytes(t.in, map[string]string{"\x16\x07\r": "beep", "\x16\x54\r": "trigger", "\x16\x55\r": "release"})
	case "datalogic":
		name = map[byte]string{'B': "beep", 'F': "not on file", 'E': "enable", 'D': "disable", 'T': "trigger", 'X': "release"}[t.in[0]]
		if name == "" {
			return "", 0, errors.New("no such command")
		}
		switch t.in[0] {
		case 'F', 'D':
			t.off = true
		case 'E':
			t.off = false
		}
		return name, 1, nil
	case "gm65":
		return t.parseGM65()
	}
	return t.parsePacket()
}

// threeBytes knows commands of three bytes.
func threeBytes(in []byte, names map[string]string) (string, int, error) {
	if len(in) < 3 {
		return "", 0, nil
	}
	name := names[string(in[:3])]
	if name == "" {
		return "", 0, errors.New("no such command")
	}
	return name, 3, nil
}

// parseGM65 takes 7E 00 type len addr addr data crc crc, and answers.
func (t *Talker) parseGM65() (string, int, error) {
	if len(t.in) < 4 || len(t.in) < 4+2+int(t.in[3])+2 {
		return "", 0, nil
	}
	n := 4 + 2 + int(t.in[3]) + 2
	c := t.in[:n]
	sum := binary.BigEndian.Uint16(c[n-2:])
	if c[0] != 0x7E || c[1] != 0 || sum != 0xABCD && sum != xmodem(c[2:n-2]) {
		return "", 0, errors.New("not a command, or a wrong checksum")
	}
	_, err := t.master.Write(GM65Answer(0))
	return fmt.Sprintf("%d at %04X: % X", c[2], binary.BigEndian.Uint16(c[4:]), c[6:n-2]), n, err
}

// GM65Answer is what a GM65 answers to a command: 02 00 00 and its data.
func GM65Answer(data ...byte) []byte {
	a := append([]byte{2, 0, 0, byte(len(data))}, data...)
	return binary.BigEndian.AppendUint16(a, xmodem(a[2:]))
}

// xmodem is CRC-16/XMODEM, by long division.
func xmodem(p []byte) uint16 {
	var rest uint32
	for _, b := range append(append([]byte(nil), p...), 0, 0) {
		for bit := 7; bit >= 0; bit-- {
			rest = rest<<1 | uint32(b>>bit&1)
			if rest&0x10000 != 0 {
				rest ^= 0x11021
			}
		}
	}
	return uint16(rest)
}

// parsePacket takes a packet of SSI, or the 00 that wakes the scanner.
func (t *Talker) parsePacket() (string, int, error) {
	if t.in[0] == 0 {
		return "", 1, nil
	}
	n := int(t.in[0]) + 2
	if len(t.in) < n {
		return "", 0, nil
	}
	var sum uint16
	for _, b := range t.in[:n-2] {
		sum += uint16(b)
	}
	if n < 6 || t.in[2] != 4 || sum+binary.BigEndian.Uint16(t.in[n-2:]) != 0 {
		return "", 0, errors.New("not a packet, or a wrong checksum")
	}
	name, err := t.command(t.in[1], t.in[3], t.in[4:n-2])
	if err == nil && name != "ACK" && name != "NAK" {
		_, err = t.master.Write(Packet(0xD0, 0))
	}
	return name, n, err
}

// command does what a packet says and returns its name.
func (t *Talker) command(opcode, status byte, data []byte) (string, error) {
	switch opcode {
	case 0xD0:
		return "ACK", nil
	case 0xD1:
		return "NAK", nil
	case 0xC6:
		enable := []byte{0xFF, 0xEE, 1}
		if t.Dialect == "gm67" {
			enable[0] = 0
		}
		t.packets = t.packets || bytes.Equal(data, enable) && status == 8
		return fmt.Sprintf("set % X", data), nil
	case 0xE4:
		return "trigger", nil
	case 0xE5:
		return "release", nil
	case 0xE6:
		return fmt.Sprintf("beep % X", data), nil
	case 0xE9:
		t.off = false
		return "enable", nil
	case 0xEA:
		t.off = true
		return "disable", nil
	}
	return "", fmt.Errorf("no opcode %02X", opcode)
}

// Off tells whether the host has disabled the scanner.
func (t *Talker) Off() bool { return t.off }

// Ready waits until the host has set the scanner to packets and enabled it.
func (t *Talker) Ready(ctx context.Context) error {
	if err := t.WaitOpen(ctx); err != nil {
		return err
	}
	for {
		name, err := t.Next(ctx)
		if err != nil {
			return err
		}
		if name == "enable" && t.packets {
			return nil
		}
	}
}

// Packet is a packet of SSI from a scanner.
func Packet(opcode, status byte, data ...byte) []byte {
	p := append([]byte{byte(4 + len(data)), opcode, 0, status}, data...)
	return withSum(p)
}

// LongPacket is the one of GM67 for long codes.
func LongPacket(status byte, data ...byte) []byte {
	p := append([]byte{0xFF, 0xF4, 0, 0, 0xF4, 0, status}, data...)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	return withSum(p)
}

func withSum(p []byte) []byte {
	var sum uint16
	for _, b := range p {
		sum -= uint16(b)
	}
	return binary.BigEndian.AppendUint16(p, sum)
}

// Swap puts another scanner of the same make in its place, or takes its power for
// a moment: the port, say that of an adapter, is there all the time. It is as it
// came from the factory.
func (t *Talker) Swap() { t.packets, t.off = false, false }

// Scan sends a code of SSI's type kind in as many packets as it takes, each again
// until it is acknowledged, at most four times. It is text as long as the host has
// not asked for packets.
func (t *Talker) Scan(ctx context.Context, kind byte, text string) error {
	const room = 240
	if !t.packets {
		return t.Type(ctx, text+"\r\n")
	}
	for {
		n := min(room, len(text))
		var status byte
		if len(text) > n {
			status = 2
		}
		if err := t.deliver(ctx, status, append([]byte{kind}, text[:n]...)); err != nil {
			return err
		}
		if text = text[n:]; text == "" {
			return nil
		}
	}
}

// ScanLong sends a code in one long packet.
func (t *Talker) ScanLong(ctx context.Context, kind byte, text string) error {
	return t.exchange(ctx, LongPacket(0, append([]byte{kind}, text...)...))
}

func (t *Talker) deliver(ctx context.Context, status byte, data []byte) error {
	for try := range 4 {
		if try > 0 {
			status |= 1
		}
		err := t.exchange(ctx, Packet(0xF3, status, data...))
		if err == nil || !errors.Is(err, errAgain) {
			return err
		}
	}
	return errors.New("the host does not acknowledge a code")
}

var errAgain = errors.New("not acknowledged")

// exchange sends a packet and waits for its acknowledgement; other commands may
// come in between.
func (t *Talker) exchange(ctx context.Context, p []byte) error {
	if t.BadSums > 0 {
		t.BadSums--
		p[len(p)-1] ^= 0x55
	}
	t.Sent++
	if err := t.Type(ctx, string(p)); err != nil {
		return err
	}
	for {
		name, err := t.Next(ctx)
		switch {
		case err != nil:
			return err
		case name == "NAK":
			return errAgain
		case name == "ACK" && t.Deaf > 0:
			t.Deaf--
			return errAgain
		case name == "ACK":
			return nil
		}
	}
}
