package pn5180

import (
	"context"
	"fmt"
	"time"
)

const (
	fieldLimit = 50 * time.Millisecond // for the field to come on
	powerUp    = 5 * time.Millisecond  // what the slowest card takes to start
	forgetful  = 6 * time.Millisecond  // 5 ms without a field, and every tag has forgotten its state
	stateMask  = 7
	waiting    = 1 // the transceiver's state in which it takes a frame

	// longest is the most bytes of an answer that may be asked for: beyond 255
	// the chip checks no CRC, and beyond 284 it hears no more.
	longest = 250
)

// How long things take in the air.
const (
	tagByte  = 302 * time.Microsecond // ISO 15693 at 26 kbit/s, both ways
	cardByte = 85 * time.Microsecond  // ISO 14443A at 106 kbit/s
	slack    = 5 * time.Millisecond   // for the chip and this program
	noAnswer = time.Millisecond       // after which nobody will begin to answer
	shortest = 4                      // bytes of the shortest answer, with its ends
)

// A call is what is sent into the air, and what may come back.
type call struct {
	frame  []byte        // without CRC where the chip adds one
	bits   byte          // of the last byte; 0: all
	expect int           // bytes of the longest answer
	writes bool          // a tag may be busy with it for a while
	turn   time.Duration // how long after noAnswer the answer may still begin
	unit   time.Duration // what a byte takes
}

// listen sets the field up for tags or for cards.
func (d *Dev) listen(to air) error {
	// A tag that writes hears nothing, and loses what it writes with its field.
	d.rest(time.Until(d.writing))
	if d.speaks == to && d.fieldOn {
		return nil // each transmit makes sure of it
	}
	if d.fieldOn {
		if err := d.stopField(); err != nil {
			return err
		}
	}
	return d.startField(to)
}

// renew lets every tag and card forget its state.
func (d *Dev) renew() error {
	to := d.speaks
	d.speaks = nothing
	return d.listen(to)
}

func (d *Dev) startField(to air) error {
	if err := d.loadConfig(to); err != nil {
		return err
	}
	if err := d.write(irqClear, allIRQs); err != nil {
		return err
	}
	d.rest(time.Until(d.offSince.Add(forgetful)))
	// From here on it may be on, whatever happens.
	d.fieldOn = true
	if err := d.tell(rfOn, 0); err != nil {
		return err
	}
	status, err := d.await(context.Background(), irqFieldOn, fieldLimit)
	if err != nil {
		return err
	}
	if status&irqFieldOn == 0 {
		return fmt.Errorf("%w: its field does not come on (IRQ %08X)", ErrChip, status)
	}
	// A chip that restarted before the field came on has lost its configuration; one
	// that does so from here on loses the field too.
	if err := d.loadConfig(to); err != nil {
		return err
	}
	if err := d.write(irqClear, allIRQs); err != nil {
		return err
	}
	d.rest(powerUp)
	d.speaks, d.quiet, d.unclear = to, false, false
	return nil
}

func (d *Dev) stopField() error {
	if err := d.tell(rfOff, 0); err != nil {
		return err
	}
	d.fieldOn, d.speaks, d.offSince = false, nothing, time.Now()
	return nil
}

// loadConfig sets the transmitter and the receiver up.
func (d *Dev) loadConfig(to air) error {
	tx, rx := byte(0x0D), byte(0x8D)
	switch {
	case to == cards:
		tx, rx = 0x00, 0x80
	case d.opts.Shallow:
		tx = 0x0E
	}
	return d.tell(loadRFConfig, tx, rx)
}

// exchange sends a call and returns the answer.
func (d *Dev) exchange(ctx context.Context, c call) ([]byte, error) {
	if err := d.transmit(ctx, c); err != nil {
		return nil, err
	}
	// An answer begins after 0.3 ms and takes longer than this; the chip remembers.
	d.rest(noAnswer)
	status, err := d.await(ctx, irqSOF|irqRx, c.turn)
	if err != nil {
		return nil, err
	}
	if status&(irqSOF|irqRx|irqError) == 0 {
		return nil, ErrNoTag
	}
	if status&irqRx == 0 {
		d.rest(shortest*c.unit - noAnswer)
		status, err = d.await(ctx, irqRx, time.Duration(c.expect+3)*c.unit+slack)
		if err != nil {
			return nil, err
		}
	}
	if status&irqRx == 0 {
		return nil, fmt.Errorf("%w: it breaks off", ErrCRC)
	}
	d.unheard = false
	reply, err := d.answer(status, c.expect)
	if err == nil {
		d.writing = time.Time{}
	}
	return reply, err
}

// transmit sends a call into the air.
func (d *Dev) transmit(ctx context.Context, c call) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if d.unheard {
		// A late answer must not come in between clearing IRQs and stopping.
		if err := d.keepBits(systemConfig, 0xFFFFFFF8); err != nil {
			return err
		}
	}
	if err := d.write(irqClear, allIRQs); err != nil {
		return err
	}
	if err := d.keepBits(systemConfig, 0xFFFFFFF8); err != nil {
		return err
	}
	if err := d.setBits(systemConfig, 3); err != nil {
		return err
	}
	state, err := d.inField()
	if err != nil {
		return err
	}
	if is := state >> 24 & stateMask; is != waiting {
		return fmt.Errorf("%w: it is in state %d and does not send", ErrChip, is)
	}
	onAir := time.Duration(len(c.frame)+3) * c.unit
	if d.unheard = true; c.writes {
		d.writing = time.Now().Add(onAir + writeTurn)
	}
	if err := d.tell(append([]byte{sendData, c.bits}, c.frame...)...); err != nil {
		return err
	}
	d.rest(onAir)
	status, err := d.await(ctx, irqTx, onAir+slack)
	if err == nil && status&irqTx == 0 {
		err = fmt.Errorf("%w: it does not send (IRQ %08X)", ErrChip, status)
	}
	return err
}

// answer fetches what was received, if it is sound. irq may say otherwise.
func (d *Dev) answer(irq uint32, expect int) ([]byte, error) {
	status, err := d.read(rxStatus)
	if err != nil {
		return nil, err
	}
	n, err := received(status, expect)
	if err == nil && irq&irqError != 0 {
		err = fmt.Errorf("%w: its reception failed", ErrCRC)
	}
	if err != nil {
		return nil, err
	}
	return d.ask(n, readData, 0)
}

// received returns how many bytes were received, or what was wrong with them.
func received(status uint32, expect int) (int, error) {
	n := int(status & 0x1FF)
	switch {
	case status&(1<<18) != 0:
		return 0, fmt.Errorf("%w (at bit %d)", ErrCollision, status>>19&0x7F)
	case status&(1<<16) != 0:
		return 0, fmt.Errorf("%w: wrong CRC or parity", ErrCRC)
	case status&(1<<17) != 0:
		return 0, fmt.Errorf("%w: wrong framing", ErrCRC)
	case status>>13&7 != 0:
		return 0, fmt.Errorf("%w: %d bits after %d bytes", ErrProtocol, status>>13&7, n)
	case n == 0 || n > expect:
		return 0, fmt.Errorf("%w: %d bytes, not 1 to %d", ErrProtocol, n, expect)
	}
	return n, nil
}
