// Package mfrc522 drives the MFRC522 reader chip over SPI: it finds the one
// ISO 14443A card on the reader and reads NTAG and MIFARE Classic memory. It
// knows nothing of what a card means, and says its number to nobody but the
// caller: no error and no String of this package has a UID in it.
//
// The chip is watched at every step. An answer counts only if the chip's error
// register is empty, its length is right, its check bytes fit, and a second
// activation says the same. A register that cannot be true, or a wait that
// takes longer than the chip's own timer, is ErrHung, and resets the chip.
package mfrc522

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// What can go wrong. Errors of this package wrap one of these, the context's
// error, or what the bus driver said.
var (
	// ErrCollision means that more than one card answered, twice in a row. The
	// person shall hold up one card only.
	ErrCollision = errors.New("more than one card")
	// ErrNoise means that something answered, but not clearly. It is no fault of
	// the chip: a card that comes or goes does it. Ask again.
	ErrNoise = errors.New("answer is not clear")
	// ErrGone means that the card is not there, or another one is.
	ErrGone = errors.New("card is gone")
	// ErrRefused means that the card said no: a wrong key, or no such page.
	ErrRefused = errors.New("card refuses")
	// ErrHung means that the chip does not do what it is told. The error says where
	// and what a register reads. The driver resets the chip by itself after three; if
	// ErrHung goes on much longer, nobody is there.
	ErrHung = errors.New("reader chip does not work")

	errClosed = errors.New("mfrc522: closed")
)

const (
	hungLimit  = 3               // polls that end in ErrHung before a reset
	noiseLimit = 20              // polls that end in ErrNoise before a reset
	lookEvery  = time.Second     // how often an empty reader's settings are looked at
	freshEvery = 3 * time.Minute // how often an empty reader is reset for good measure
)

// A Bus is the SPI connection: mode 0, 8 bits, at most 10 MHz. An spi.Conn is one.
type Bus interface {
	Tx(w, r []byte) error
}

// Opts are a reader's settings. A zero field has its default.
type Opts struct {
	Gain int // of the receiver in dB: 18, 23, 33, 38, 43 or 48; 38. 48 hears ghosts.
}

// gainBits returns the register's three bits for a gain.
func (o Opts) gainBits() (byte, error) {
	switch o.Gain {
	case 18:
		return 2, nil
	case 23:
		return 3, nil
	case 33:
		return 4, nil
	case 0, 38:
		return 5, nil
	case 43:
		return 6, nil
	case 48:
		return 7, nil
	}
	return 0, fmt.Errorf("mfrc522: gain: %q is not 18, 23, 33, 38, 43 or 48 dB", fmt.Sprint(o.Gain))
}

// A Card is what a card says of itself when it is selected.
type Card struct {
	UID  []byte // 4, 7 or 10 bytes
	ATQA uint16
	SAK  byte
	// Random is true if the card draws its UID anew every time, as phones do. It
	// must not become anybody's key.
	Random bool
}

// String describes the card without its number.
func (c Card) String() string {
	return fmt.Sprintf("card with %d bytes of UID, ATQA %04X, SAK %02X, random %t", len(c.UID), c.ATQA, c.SAK, c.Random)
}

// GoString is String, so that no verb prints the number by accident.
func (c Card) GoString() string { return c.String() }

// same tells whether two activations found one card.
func (c Card) same(o Card) bool {
	if c.Random && o.Random {
		return c.ATQA == o.ATQA && c.SAK == o.SAK
	}
	return bytes.Equal(c.UID, o.UID) && c.ATQA == o.ATQA && c.SAK == o.SAK
}

// A Dev is a reader. It belongs to one goroutine.
type Dev struct {
	bus   Bus
	reset gpio.PinOut // nil: not wired
	gain  byte

	version byte
	reload  uint16 // what the chip's timer is set to
	w, r    [66]byte
	timer   *time.Timer // of wait
	closed  bool

	last Card // that Poll has found, if nothing else has answered since

	freshAt, lookedAt time.Time // of the last reset and the last look
	hung, noisy       int       // polls since the last good one
	resets            int

	ignoreErrors bool // a planted defect; tests set it to see themselves fail
}

// New resets the chip and sets it up. reset is the line to NRSTPD; it may be nil
// where that is tied high. New takes at most half a second. A chip that says a
// strange version is used all the same; see Warning.
func New(bus Bus, reset gpio.PinOut, o Opts) (*Dev, error) {
	gain, err := o.gainBits()
	if err != nil {
		return nil, err
	}
	d := &Dev{bus: bus, reset: reset, gain: gain}
	if err := d.start(context.Background()); err != nil {
		return nil, err
	}
	return d, nil
}

// Version returns the chip's version byte and whose it is.
func (d *Dev) Version() (byte, string) {
	switch d.version {
	case 0x91:
		return d.version, "MFRC522 v1.0"
	case 0x92:
		return d.version, "MFRC522 v2.0"
	case 0x88:
		return d.version, "FM17522"
	}
	return d.version, "unknown copy"
}

// Warning returns what is strange about the chip, or nothing.
func (d *Dev) Warning() string {
	v, name := d.Version()
	if v == 0x91 || v == 0x92 {
		return ""
	}
	return fmt.Sprintf("the reader chip says version %02X (%s); it is used all the same", v, name)
}

// Resets returns how often the chip was reset after the first time.
func (d *Dev) Resets() int { return d.resets }

// Close switches the antenna off. It may be called again.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	return d.set(regTxControl, txPlain)
}

// Poll returns the card on the reader, or none. It takes the chip a millisecond
// if there is none. A card was activated twice with the same result before it is
// returned, and nobody else answered after it was told to be quiet.
func (d *Dev) Poll(ctx context.Context) ([]Card, error) {
	card, err := d.find(ctx)
	switch {
	case err == nil:
		d.hung, d.noisy = 0, 0
		return []Card{card}, nil
	case errors.Is(err, errSilent):
		return nil, d.idle(ctx)
	}
	return nil, d.failed(ctx, err)
}

// Present tells whether c still lies on the reader. A single no can be a card
// that was moved: ask again before it counts.
func (d *Dev) Present(ctx context.Context, c Card) (bool, error) {
	if d.closed {
		return false, errClosed
	}
	found, err := d.sight(ctx, wupa)
	if unclear(err) {
		first := err
		if found, err = d.sight(ctx, wupa); err != nil {
			err = verdict(first, err)
		}
	}
	switch {
	case err == nil:
		d.hung, d.noisy = 0, 0
		return found.same(c), nil
	case errors.Is(err, errSilent):
		return false, d.idle(ctx)
	}
	return false, d.failed(ctx, err)
}

// find looks for one card with two equal activations, or errSilent. Before the
// second activation of a card that was not there last time, all cards lose their
// power, so that none sleeps unheard.
func (d *Dev) find(ctx context.Context) (Card, error) {
	if d.closed {
		return Card{}, errClosed
	}
	last := d.last
	first, err1 := d.sight(ctx, wupa)
	if err1 != nil && !unclear(err1) {
		return Card{}, err1
	}
	if err1 != nil || !first.same(last) {
		if err := d.blink(ctx); err != nil {
			return Card{}, err
		}
	}
	card, err2 := d.sight(ctx, wupa)
	if err := verdict(err1, err2); err != nil {
		return Card{}, err
	}
	if !card.same(first) {
		return Card{}, noise("find a card", "two activations differ")
	}
	if err := d.alone(ctx, card); err != nil {
		return Card{}, err
	}
	d.last = card
	return card, nil
}

// verdict is what two activations say together. Two cards collide twice; a card
// that comes or goes does so once.
func verdict(first, second error) error {
	switch {
	case second != nil && !unclear(second):
		return second
	case errors.Is(first, ErrCollision) && errors.Is(second, ErrCollision):
		return second
	case first != nil || second != nil:
		return fmt.Errorf("mfrc522: find a card: %w (first: %v; then: %v)", ErrNoise, first, second)
	}
	return nil
}

// alone makes sure that nobody answers now that card was told to be quiet. A
// weaker card goes unheard beside a stronger one until then. It is not told to be
// quiet, as it would not answer the next time.
func (d *Dev) alone(ctx context.Context, card Card) error {
	other, err := d.activate(ctx, reqa)
	switch {
	case errors.Is(err, errSilent):
		return nil
	case err != nil:
		return err
	case other.same(card):
		return nil // a copy that does not obey HLTA
	}
	return fmt.Errorf("mfrc522: find a card: a second one answered: %w", ErrCollision)
}

// unclear tells whether err may be gone the next moment.
func unclear(err error) bool {
	return errors.Is(err, ErrCollision) || errors.Is(err, ErrNoise)
}

// idle looks after a reader with no card on it. Silence alone does not clear the
// chip: the card of a failed poll may just have gone back to sleep.
func (d *Dev) idle(ctx context.Context) error {
	now := time.Now()
	switch {
	case now.Sub(d.freshAt) >= freshEvery:
		return d.restart(ctx)
	case now.Sub(d.lookedAt) < lookEvery:
		return nil
	}
	d.lookedAt = now
	d.hung, d.noisy = 0, 0
	err := d.look()
	if errors.Is(err, ErrHung) {
		return d.restart(ctx)
	}
	return err
}

// failed counts an error of a poll and resets the chip if there were too many.
func (d *Dev) failed(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, ErrHung):
		d.hung++
	case errors.Is(err, ErrNoise):
		d.noisy++
	default:
		return err
	}
	if d.hung < hungLimit && d.noisy < noiseLimit {
		return err
	}
	d.hung, d.noisy = 0, 0
	if failed := d.restart(ctx); failed != nil {
		return fmt.Errorf("%w; and reset: %w", err, failed)
	}
	return fmt.Errorf("%w; was reset", err)
}
