package pn5180

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Registers.
const (
	systemConfig = 0x00
	irqStatus    = 0x02
	irqClear     = 0x03
	timerReload  = 0x0C
	crcRx        = 0x12
	rxStatus     = 0x13
	txConfig     = 0x18
	crcTx        = 0x19
	rfStatus     = 0x1D
	systemStatus = 0x24
)

// Bits of irqStatus.
const (
	irqRx      = 1 << 0
	irqTx      = 1 << 1
	irqIdle    = 1 << 2
	irqFieldOn = 1 << 9
	irqSOF     = 1 << 14
	irqError   = 1 << 17
	allIRQs    = 0x000FFFFF
)

// Commands to the chip.
const (
	writeRegister = 0x00
	orRegister    = 0x01
	andRegister   = 0x02
	readRegister  = 0x04
	eepromRead    = 0x07
	sendData      = 0x09
	readData      = 0x0A
	loadRFConfig  = 0x11
	rfOn          = 0x16
	rfOff         = 0x17
)

// isOn is the bit of rfStatus that tells that the chip makes a field.
const isOn = 1 << 17

// probe is written to a register that nothing here uses, and read back at once.
const probe = 0x15693

// versionsAt is where the EEPROM begins to tell versions.
const versionsAt = 0x10

// How long the chip takes, and how long it may.
const (
	resetTime = time.Millisecond      // 10 µs would do
	bootTime  = 3 * time.Millisecond  // 2.3 to 2.5 ms
	bootLimit = 50 * time.Millisecond // beyond bootTime

	// busyRise is how long after a frame BUSY may still be about to rise. Who sees
	// it low earlier than that does not know whether the chip has begun.
	busyRise  = 100 * time.Microsecond
	busyLimit = 100 * time.Millisecond
	busyPoll  = 20 * time.Microsecond  // and an eighth of the time that has passed
	irqPoll   = 250 * time.Microsecond // and a quarter of the time that has passed
)

// frame sends w, one frame on the bus, receives r if there is one, and waits
// until the chip has dealt with it.
func (d *Dev) frame(w, r []byte) error {
	if err := d.whileBusy(time.Now(), true); err != nil {
		return err
	}
	if err := d.conn.Tx(w, r); err != nil {
		return fmt.Errorf("%w: %w", ErrChip, err)
	}
	return d.whileBusy(time.Now(), false)
}

// whileBusy waits until BUSY is low, since a moment. rose tells that it is enough
// to see it low; otherwise it has to have been high, or time to rise.
func (d *Dev) whileBusy(since time.Time, rose bool) error {
	for {
		// Read the clock first: a late look at a line still counts as one.
		passed := time.Since(since)
		if d.busy.Read() == gpio.High {
			rose = true
		} else if rose || passed >= busyRise {
			return nil
		}
		if passed >= busyLimit {
			return fmt.Errorf("%w: busy for %v", ErrChip, busyLimit)
		}
		d.rest(max(busyPoll, passed/8))
	}
}

// ask sends a command and returns its reply of n bytes, which is a second frame.
func (d *Dev) ask(n int, command ...byte) ([]byte, error) {
	if err := d.frame(command, nil); err != nil {
		return nil, err
	}
	reply := make([]byte, n)
	err := d.frame(bytes.Repeat([]byte{0xFF}, n), reply)
	return reply, err
}

// tell sends a command that has no reply.
func (d *Dev) tell(command ...byte) error { return d.frame(command, nil) }

func (d *Dev) write(reg byte, value uint32) error {
	return d.tell(binary.LittleEndian.AppendUint32([]byte{writeRegister, reg}, value)...)
}

func (d *Dev) setBits(reg byte, bits uint32) error {
	return d.tell(binary.LittleEndian.AppendUint32([]byte{orRegister, reg}, bits)...)
}

func (d *Dev) keepBits(reg byte, bits uint32) error {
	return d.tell(binary.LittleEndian.AppendUint32([]byte{andRegister, reg}, bits)...)
}

func (d *Dev) read(reg byte) (uint32, error) {
	reply, err := d.ask(4, readRegister, reg)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(reply), nil
}

func (d *Dev) readEEPROM(at byte, n int) ([]byte, error) {
	return d.ask(n, eepromRead, at, byte(n))
}

// tryMemory makes sure that there is a chip, which a bus alone can look like.
func (d *Dev) tryMemory() error {
	if err := d.write(timerReload, probe); err != nil {
		return err
	}
	got, err := d.read(timerReload)
	if err == nil && got != probe {
		err = fmt.Errorf("%w: it does not keep what it is told (%08X)", ErrChip, got)
	}
	return err
}

// inField reads rfStatus and makes sure that the field is still on. A chip that
// has restarted by itself, as it does when its supply breaks down for a moment,
// has none, which looks like a field without tags.
func (d *Dev) inField() (status uint32, err error) {
	status, err = d.read(rfStatus)
	if err == nil && (status&isOn == 0 || status>>27 != 0) {
		err = fmt.Errorf("%w: its field is off, it may have restarted (%08X)", ErrChip, status)
	}
	return status, err
}

// await waits until one of the IRQs in mask is set, but no longer than limit, and
// returns them all. Time running out is no error; a command that the chip did not
// like is one. irqError among what is returned is a reception that failed.
func (d *Dev) await(ctx context.Context, mask uint32, limit time.Duration) (uint32, error) {
	start := time.Now()
	for {
		passed := time.Since(start) // before the look that decides
		status, err := d.read(irqStatus)
		if err == nil && status&irqError != 0 {
			err = d.complaint(status)
		}
		switch {
		case err != nil:
			return 0, err
		case status&mask != 0 || passed >= limit:
			return status, nil
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		}
		d.rest(min(max(irqPoll, passed/4), limit-passed))
	}
}

// complaint says what the chip did not like about a command; nil if it was none.
func (d *Dev) complaint(irq uint32) error {
	status, err := d.read(systemStatus)
	if err != nil {
		return err
	}
	var why string
	switch {
	case irq&^allIRQs != 0:
		why = "no chip" // a bus without one is all ones
	case status&(1<<8) != 0:
		why = "a parameter error"
	case status&(1<<7) != 0:
		why = "a syntax error"
	case status&(1<<6) != 0:
		why = "a semantic error"
	default:
		return nil
	}
	return fmt.Errorf("%w: it reports %s (IRQ %08X, status %08X)", ErrChip, why, irq, status)
}
