package devicestest

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// String names the simulated port.
func (c *PN5180) String() string { return "simulated PN5180" }

// LimitSpeed is of no consequence here.
func (c *PN5180) LimitSpeed(physic.Frequency) error { return nil }

// Close gives the port up; it can be connected again.
func (c *PN5180) Close() error {
	c.set(func() { c.connected = false })
	return nil
}

// Connect refuses what the chip or the kernel would not do.
func (c *PN5180) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.connected:
		return nil, errors.New("connect the PN5180: already connected")
	case f > 7*physic.MegaHertz:
		return nil, fmt.Errorf("connect the PN5180: %s is more than 7 MHz", f)
	case mode != spi.Mode0 || bits != 8:
		return nil, fmt.Errorf("connect the PN5180: %s, %d bits", mode, bits)
	}
	c.connected = true
	return pnConn{c}, nil
}

// A pnConn is the connected port.
type pnConn struct{ chip *PN5180 }

func (p pnConn) String() string       { return p.chip.String() }
func (p pnConn) Duplex() conn.Duplex  { return conn.Full }
func (p pnConn) MaxTxSize() int       { return 4096 }
func (p pnConn) packet(w []byte) bool { return len(w) > 0 && len(w) <= 4096 }

// Tx is one frame.
func (p pnConn) Tx(w, r []byte) error {
	if len(w) == 0 {
		w = make([]byte, len(r))
	}
	if !p.packet(w) || len(r) != 0 && len(r) != len(w) {
		return fmt.Errorf("send %d and receive %d bytes on the %s: wrong lengths", len(w), len(r), p)
	}
	copy(r, p.chip.Transfer(w))
	return nil
}

// TxPackets is a frame for each packet, or one for those held together by KeepCS.
func (p pnConn) TxPackets(packets []spi.Packet) error {
	for _, packet := range packets {
		if packet.KeepCS {
			return errors.New("keep NSS low on the PN5180: it would hang")
		}
		if err := p.Tx(packet.W, packet.R); err != nil {
			return err
		}
	}
	return nil
}

// BusyPin returns the BUSY line as a pin of the host.
func (c *PN5180) BusyPin() gpio.PinIO { return pnPin{c, "BUSY", false} }

// ResetPin returns the RESET_N line as a pin of the host.
func (c *PN5180) ResetPin() gpio.PinIO { return pnPin{c, "RESET_N", true} }

// A pnPin is a pin at the other end of one of the chip's lines.
type pnPin struct {
	chip  *PN5180
	name  string
	reset bool
}

func (p pnPin) String() string                 { return p.name }
func (p pnPin) Halt() error                    { return nil }
func (p pnPin) Name() string                   { return p.name }
func (p pnPin) Number() int                    { return -1 }
func (p pnPin) Function() string               { return "" }
func (p pnPin) Pull() gpio.Pull                { return gpio.PullNoChange }
func (p pnPin) DefaultPull() gpio.Pull         { return gpio.PullNoChange }
func (p pnPin) WaitForEdge(time.Duration) bool { return false }
func (p pnPin) PWM(gpio.Duty, physic.Frequency) error {
	return fmt.Errorf("PWM on %s: not here", p.name)
}

// In is for BUSY; RESET_N as an input floats.
func (p pnPin) In(gpio.Pull, gpio.Edge) error { return nil }

// Read returns BUSY. Whoever reads RESET_N has made an input of it.
func (p pnPin) Read() gpio.Level {
	if p.reset {
		return gpio.High
	}
	return gpio.Level(p.chip.Busy())
}

// Out sets RESET_N.
func (p pnPin) Out(l gpio.Level) error {
	if !p.reset {
		return errors.New("drive BUSY: it is the chip's own output")
	}
	p.chip.SetReset(bool(l))
	return nil
}
