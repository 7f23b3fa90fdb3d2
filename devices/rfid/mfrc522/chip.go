package mfrc522

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Registers.
const (
	regCommand    = 0x01
	regComIrq     = 0x04
	regError      = 0x06
	regStatus2    = 0x08
	regFIFOData   = 0x09
	regFIFOLevel  = 0x0A
	regControl    = 0x0C
	regBitFraming = 0x0D
	regColl       = 0x0E
	regMode       = 0x11
	regTxMode     = 0x12
	regRxMode     = 0x13
	regTxControl  = 0x14
	regTxASK      = 0x15
	regModWidth   = 0x24
	regRFCfg      = 0x26
	regTMode      = 0x2A
	regTPrescaler = 0x2B
	regTReloadH   = 0x2C
	regTReloadL   = 0x2D
	regVersion    = 0x37
)

// Values of regCommand.
const (
	cmdIdle       = 0x00
	cmdTransceive = 0x0C
	cmdMFAuthent  = 0x0E
	cmdSoftReset  = 0x0F
)

// Bits and settings.
const (
	powerDown = 1 << 4 // of regCommand: not awake
	irqRx     = 1 << 5
	irqIdle   = 1 << 4
	irqTimer  = 1 << 0
	crypto1On = 1 << 3 // of regStatus2
	txPlain   = 1 << 7 // of regTxControl, as it is after a reset
	antennaOn = 3
	startSend = 1 << 7 // of regBitFraming
	stopTimer = 1 << 7 // of regControl
	modeISO   = 0x3D   // CRC preset 6363
	askFull   = 0x40   // Force100ASK

	errChip   = 1<<7 | 1<<6 // of regError: WrErr, TempErr
	errColl   = 1 << 3
	errUnused = 1 << 5
)

// Times of the chip's own timer, in steps of 25 µs. The card's answer starts 91 µs
// after an activation frame; whatever takes longer gets the long time.
const (
	shortTime = 40
	longTime  = 1000
	timerStep = 25 * time.Microsecond
)

// How long to wait, where only the clock tells.
const (
	pollEvery    = 100 * time.Microsecond
	patience     = 36 * time.Millisecond // with an answer, beyond which the chip is at fault
	resetPulse   = time.Millisecond
	crystalStart = 50 * time.Millisecond
	softReset    = 150 * time.Millisecond
	fieldOff     = 6 * time.Millisecond // a card forgets within 5
	cardStart    = 5 * time.Millisecond
)

// set writes bytes to a register, all to the same one.
func (d *Dev) set(reg byte, data ...byte) error {
	d.w[0] = reg << 1
	n := 1 + copy(d.w[1:], data)
	if err := d.bus.Tx(d.w[:n], nil); err != nil {
		return fmt.Errorf("mfrc522: write register %02X: %w", reg, err)
	}
	return nil
}

// setAll writes registers in order, each with its value.
func (d *Dev) setAll(pairs ...[2]byte) error {
	for _, p := range pairs {
		if err := d.set(p[0], p[1]); err != nil {
			return err
		}
	}
	return nil
}

// get reads a register.
func (d *Dev) get(reg byte) (byte, error) {
	data, err := d.getN(reg, 1)
	if err != nil {
		return 0, err
	}
	return data[0], nil
}

// getN reads a register n times. The result is good until the next call.
func (d *Dev) getN(reg byte, n int) ([]byte, error) {
	for i := range n {
		d.w[i] = 0x80 | reg<<1
	}
	d.w[n] = 0
	if err := d.bus.Tx(d.w[:n+1], d.r[:n+1]); err != nil {
		return nil, fmt.Errorf("mfrc522: read register %02X: %w", reg, err)
	}
	return d.r[1 : n+1], nil
}

// hung is the error of a register that cannot be true.
func hung(what string, reg, value byte) error {
	return fmt.Errorf("mfrc522: %s: register %02X reads %02X: %w", what, reg, value, ErrHung)
}

// wait returns after t, or with ctx's error.
func (d *Dev) wait(ctx context.Context, t time.Duration) error {
	if d.timer == nil {
		d.timer = time.NewTimer(t)
	} else {
		d.timer.Reset(t)
	}
	select {
	case <-ctx.Done():
		d.timer.Stop()
		return context.Cause(ctx)
	case <-d.timer.C:
		return nil
	}
}

// start resets the chip both ways and sets it up.
func (d *Dev) start(ctx context.Context) error {
	if err := d.pulse(ctx); err != nil {
		return err
	}
	if err := d.softReset(ctx); err != nil {
		return err
	}
	if err := d.setUp(); err != nil {
		return err
	}
	v, err := d.get(regVersion)
	switch {
	case err != nil:
		return err
	case v == 0x00 || v == 0xFF:
		return hung("nobody on the bus", regVersion, v)
	}
	d.version = v
	d.freshAt = time.Now()
	d.lookedAt = d.freshAt
	return d.look()
}

// restart starts the chip anew.
func (d *Dev) restart(ctx context.Context) error {
	d.resets++
	return d.start(ctx)
}

// pulse pulls the reset line, if there is one.
func (d *Dev) pulse(ctx context.Context) error {
	if d.reset == nil {
		return nil
	}
	err := d.reset.Out(gpio.Low)
	if err == nil {
		// The line must not stay low, even if ctx is done.
		err = d.wait(ctx, resetPulse)
		err = errors.Join(err, d.reset.Out(gpio.High))
	}
	if err != nil {
		return fmt.Errorf("mfrc522: pull the reset line: %w", err)
	}
	return d.wait(ctx, crystalStart)
}

// softReset gives the command of that name and waits until the chip is awake.
func (d *Dev) softReset(ctx context.Context) error {
	if err := d.set(regCommand, cmdSoftReset); err != nil {
		return err
	}
	for since := time.Now(); ; {
		late := time.Since(since) > softReset
		v, err := d.get(regCommand)
		switch {
		case err != nil:
			return err
		case v&powerDown == 0:
			return nil
		case late:
			return hung("wake after a reset", regCommand, v)
		}
		if err := d.wait(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// setUp writes all settings and switches the antenna on.
func (d *Dev) setUp() error {
	err := d.setAll(
		[2]byte{regTxMode, 0x00}, [2]byte{regRxMode, 0x00}, [2]byte{regModWidth, 0x26},
		[2]byte{regTMode, 0x80}, [2]byte{regTPrescaler, 0xA9},
		[2]byte{regTReloadH, longTime >> 8}, [2]byte{regTReloadL, longTime & 0xFF},
		[2]byte{regTxASK, askFull}, [2]byte{regMode, modeISO},
		[2]byte{regRFCfg, d.gain<<4 | 0x08},
	)
	if err != nil {
		return err
	}
	d.reload = longTime
	v, err := d.get(regTxControl)
	if err != nil {
		return err
	}
	if err := d.set(regTxControl, v|antennaOn); err != nil {
		return err
	}
	// Bits behind a collision are of no use to anybody.
	return d.set(regColl, 0x00)
}

// blink takes the power from all cards and gives it back.
func (d *Dev) blink(ctx context.Context) error {
	if err := d.antenna(txPlain); err != nil {
		return err
	}
	err := d.wait(ctx, fieldOff)
	// The antenna must not stay off, even if ctx is done.
	if err = errors.Join(err, d.antenna(txPlain|antennaOn)); err != nil {
		return err
	}
	return d.wait(ctx, cardStart)
}

// antenna sets regTxControl and makes sure that it is set.
func (d *Dev) antenna(v byte) error {
	if err := d.set(regTxControl, v); err != nil {
		return err
	}
	got, err := d.get(regTxControl)
	if err == nil && got != v {
		err = hung(fmt.Sprintf("set to %02X", v), regTxControl, got)
	}
	return err
}

// look makes sure that the chip still has the settings that it cannot work
// without. A wrong one is bad wiring, or a supply that has dipped.
func (d *Dev) look() error {
	for _, want := range [][3]byte{
		{regMode, 0xFF, modeISO}, {regTxASK, 0xFF, askFull}, {regTxControl, antennaOn, antennaOn}, {regStatus2, crypto1On, 0},
	} {
		v, err := d.get(want[0])
		if err != nil {
			return err
		}
		if v&want[1] != want[2] {
			return hung(fmt.Sprintf("set to %02X", want[2]), want[0], v)
		}
	}
	return nil
}

// timeout sets the chip's own timer.
func (d *Dev) timeout(steps uint16) error {
	if d.reload == steps {
		return nil
	}
	d.reload = 0 // unknown until both bytes are written
	err := d.setAll([2]byte{regTReloadH, byte(steps >> 8)}, [2]byte{regTReloadL, byte(steps)})
	if err == nil {
		d.reload = steps
	}
	return err
}

// load puts a command's bytes into the chip, with nothing left of the last one.
func (d *Dev) load(data []byte) error {
	err := d.setAll([2]byte{regCommand, cmdIdle}, [2]byte{regComIrq, 0x7F}, [2]byte{regFIFOLevel, 0x80})
	if err != nil {
		return err
	}
	return d.set(regFIFOData, data...)
}

// errSilent is the answer of nobody, within the time of the chip's timer.
var errSilent = fmt.Errorf("mfrc522: nobody answers: %w", ErrGone)

// exchange sends tx, its last byte with only so many bits (0: all), and returns
// what came back and the bits that count in its last byte (0: all). The answer is
// good until the next exchange.
func (d *Dev) exchange(ctx context.Context, what string, tx []byte, bits byte) (rx []byte, last byte, err error) {
	if err := d.load(tx); err != nil {
		return nil, 0, err
	}
	begun := time.Now()
	err = d.setAll([2]byte{regBitFraming, bits}, [2]byte{regCommand, cmdTransceive}, [2]byte{regBitFraming, startSend | bits})
	if err != nil {
		return nil, 0, err
	}
	if err := d.await(ctx, what, begun, irqRx|irqIdle); err != nil {
		return nil, 0, err
	}
	return d.collect(what)
}

// await waits until the chip has raised one of done's bits. The chip's timer says
// that nobody answered; if it says so too early, or nobody says anything until
// patience ends, the chip is at fault. The command was given after begun. Times
// are taken so that a process that has to wait for its turn blames nobody.
func (d *Dev) await(ctx context.Context, what string, begun time.Time, done byte) error {
	soonest := time.Duration(d.reload) * timerStep / 2
	for since := time.Now(); ; {
		late := time.Since(since) > patience
		irq, err := d.get(regComIrq)
		early := time.Since(begun) < soonest
		switch {
		case err != nil:
			return err
		case irq == 0xFF: // the highest bit never reads 1
			return d.abandon(hung(what, regComIrq, irq))
		case irq&done != 0:
			return nil
		case irq&irqTimer != 0 && !early:
			return errSilent
		case irq&irqTimer != 0 || late:
			return d.abandon(hung(what, regComIrq, irq))
		}
		if err := d.wait(ctx, pollEvery); err != nil {
			return d.abandon(err)
		}
	}
}

// abandon gives up an exchange because of err. A timer that ran on would end the
// next one.
func (d *Dev) abandon(err error) error {
	return errors.Join(err, d.setAll([2]byte{regCommand, cmdIdle}, [2]byte{regControl, stopTimer}))
}

// collect fetches an answer, if the chip is happy with it.
func (d *Dev) collect(what string) (rx []byte, last byte, err error) {
	if err := d.complaint(what); err != nil {
		return nil, 0, err
	}
	n, err := d.get(regFIFOLevel)
	switch {
	case err != nil:
		return nil, 0, err
	case n == 0 || n > 64:
		return nil, 0, hung(what, regFIFOLevel, n)
	}
	data, err := d.getN(regFIFOData, int(n))
	if err != nil {
		return nil, 0, err
	}
	rx = append(make([]byte, 0, 64), data...)
	v, err := d.get(regControl)
	return rx, v & 7, err
}

// complaint returns what the chip's error register says.
func (d *Dev) complaint(what string) error {
	v, err := d.get(regError)
	switch {
	case err != nil:
		return err
	case d.ignoreErrors || v&^errUnused == 0:
		return nil
	case v == 0xFF || v&errChip != 0:
		return hung(what, regError, v)
	case v&errColl != 0:
		return fmt.Errorf("mfrc522: %s: register %02X reads %02X: %w", what, regError, v, ErrCollision)
	}
	return fmt.Errorf("mfrc522: %s: register %02X reads %02X: %w", what, regError, v, ErrNoise)
}

// noise is the error of an answer that is not what it should be.
func noise(what, why string) error {
	return fmt.Errorf("mfrc522: %s: %s: %w", what, why, ErrNoise)
}
