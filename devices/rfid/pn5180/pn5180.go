// Package pn5180 drives the PN5180, a reader chip on an SPI bus: it lists,
// reads and writes library tags of ISO 15693 and tells the numbers of ISO 14443A
// cards. It knows frames, registers and deadlines, and nothing of what a tag's
// bytes or a card mean. It never sends a command that locks anything.
package pn5180

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/spi"
)

// MaxHertz is the fastest clock that the chip's bus bears.
const MaxHertz = 7_000_000

// What can be wrong. Errors are told apart by errors.Is.
var (
	// ErrChip means that the chip hangs, answers nonsense or is not there. It has
	// been reset by the time a caller sees the error.
	ErrChip = errors.New("reader chip does not work")
	// ErrNoTag means silence.
	ErrNoTag = errors.New("no tag answers")
	// ErrCollision means that more than one answered at once.
	ErrCollision = errors.New("more than one answers")
	// ErrCRC means that an answer was damaged on its way.
	ErrCRC = errors.New("damaged answer")
	// ErrProtocol means that an answer is not what the question allows.
	ErrProtocol = errors.New("answer makes no sense")
	// ErrNotWritten means that a tag does not hold what it was told to keep.
	ErrNotWritten = errors.New("tag does not hold what was written")
	// ErrPassword means that a tag did not accept a password.
	ErrPassword = errors.New("tag does not accept the password")
)

// A TagError is the error code of ISO 15693-3 in a tag's answer.
type TagError byte

// Error names the code.
func (e TagError) Error() string {
	names := map[TagError]string{
		0x01: "command not supported", 0x02: "command not recognised", 0x03: "option not supported",
		0x0F: "unknown error", 0x10: "no such block", 0x11: "already locked", 0x12: "locked",
		0x13: "not programmed", 0x14: "not locked",
	}
	name, known := names[e]
	if !known && e >= 0xA0 && e <= 0xDF {
		name = "the maker's own error"
	} else if !known {
		name = "unassigned error"
	}
	return fmt.Sprintf("tag says %02X: %s", byte(e), name)
}

// A UID is a tag's number as it is printed: E0, the maker, and so on.
type UID [8]byte

// String returns the number in hexadecimal.
func (u UID) String() string { return strings.ToUpper(hex.EncodeToString(u[:])) }

// wire returns the number as it is sent.
func (u UID) wire() []byte {
	w := slices.Clone(u[:])
	slices.Reverse(w)
	return w
}

// Opts are what a pad may need. The zero value suits most.
type Opts struct {
	// Shallow modulates by 10 % in place of 100 %. Some antennas reach further.
	Shallow bool
}

// A Dev is a PN5180. It belongs to one goroutine.
//
// Every method but Close returns soon after its ctx is done. An operation that
// fails with ErrChip leaves a chip that was reset, or will be at the next one.
type Dev struct {
	conn  spi.Conn
	reset gpio.PinOut
	busy  gpio.PinIn
	opts  Opts
	timer *time.Timer // the one that rest waits for

	versions [3]string
	stale    bool // must be reset before it is used
	speaks   air
	fieldOn  bool
	offSince time.Time    // when the field was last switched off
	quiet    bool         // tags were told to be quiet since the field came on
	writing  time.Time    // until when a tag may be busy with a write
	unheard  bool         // there may still be an answer to the last call
	unclear  bool         // cards are in states that nobody knows
	known    map[UID]bool // the last inventory
}

// An air is what the field is set up for.
type air int

const (
	nothing air = iota
	tags        // ISO 15693
	cards       // ISO 14443A
)

// New resets the chip behind conn and returns it, with its field off. conn has
// mode 0, 8 bits and at most MaxHertz.
func New(conn spi.Conn, reset gpio.PinOut, busy gpio.PinIn, opts Opts) (*Dev, error) {
	if conn == nil || reset == nil || busy == nil {
		return nil, errors.New("open PN5180: needs a bus, a reset pin and a busy pin")
	}
	d := &Dev{conn: conn, reset: reset, busy: busy, opts: opts, timer: stopped(), known: map[UID]bool{}}
	// Without a chip, BUSY must not float; not every pin can pull.
	if busy.In(gpio.PullDown, gpio.NoEdge) != nil {
		if err := busy.In(gpio.PullNoChange, gpio.NoEdge); err != nil {
			return nil, fmt.Errorf("open PN5180: busy pin %q: %w", busy.Name(), err)
		}
	}
	if err := d.restart(); err != nil {
		return nil, fmt.Errorf("open PN5180: %w", err)
	}
	return d, nil
}

// Versions returns the versions of the chip, of its firmware and of its settings.
func (d *Dev) Versions() (product, firmware, eeprom string) {
	return d.versions[0], d.versions[1], d.versions[2]
}

// Close switches the field off. The bus and the pins stay the caller's.
func (d *Dev) Close() error {
	if err := d.stopField(); err != nil {
		return fmt.Errorf("close PN5180: %w", err)
	}
	return nil
}

// Sleep switches the field off until it is needed again.
func (d *Dev) Sleep(ctx context.Context) error {
	return d.do(ctx, "sleep", d.stopField)
}

// Strength returns what the chip's gain control makes of its field, from 0 to
// 1023. Metal and tags change it; only comparison with the same pad tells much.
func (d *Dev) Strength(ctx context.Context) (int, error) {
	strength := 0
	err := d.do(ctx, "measure field", func() error {
		if err := d.listen(tags); err != nil {
			return err
		}
		status, err := d.inField()
		strength = int(status & 0x3FF)
		return err
	})
	return strength, err
}

// do runs an operation on a chip that works. If the chip fails in it, it is reset.
func (d *Dev) do(ctx context.Context, what string, op func() error) error {
	err := context.Cause(ctx)
	if err == nil && d.stale {
		if err = d.restart(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if err == nil {
		err = op()
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrChip) {
		// The reason is already known; if this fails too, the next do tries again.
		d.restart()
	}
	return fmt.Errorf("%s: %w", what, err)
}

// restart resets the chip and reads its versions.
func (d *Dev) restart() error {
	d.stale, d.speaks, d.fieldOn, d.quiet, d.unclear = true, nothing, false, false, false
	clear(d.known)
	d.offSince = time.Now()
	if err := d.pulse(); err != nil {
		return fmt.Errorf("%w: reset pin %q: %w", ErrChip, d.reset.Name(), err)
	}
	status, err := d.await(context.Background(), irqIdle, bootLimit)
	if err == nil && status&irqIdle == 0 {
		err = fmt.Errorf("%w: it does not start", ErrChip)
	}
	if err == nil {
		err = d.write(irqClear, allIRQs)
	}
	if err == nil {
		err = d.tryMemory()
	}
	if err != nil {
		return err
	}
	raw, err := d.readEEPROM(versionsAt, 6)
	if err != nil {
		return err
	}
	if firmware := raw[2:4]; firmware[0] == firmware[1] && (firmware[0] == 0x00 || firmware[0] == 0xFF) {
		return fmt.Errorf("%w: its versions are %X", ErrChip, raw)
	}
	d.versions = [3]string{
		fmt.Sprintf("%X.%X", raw[1], raw[0]), fmt.Sprintf("%X.%X", raw[3], raw[2]), fmt.Sprintf("%d.%d", raw[5], raw[4]),
	}
	d.stale = false
	return nil
}

// pulse pulls RESET_N down for a while and waits until the chip has started.
func (d *Dev) pulse() error {
	if err := d.reset.Out(gpio.Low); err != nil {
		return err
	}
	d.rest(resetTime)
	if err := d.reset.Out(gpio.High); err != nil {
		return err
	}
	d.rest(bootTime)
	return nil
}

// fatal tells whether err is not a tag's doing, so that no other question helps.
func fatal(ctx context.Context, err error) bool {
	return errors.Is(err, ErrChip) || ctx.Err() != nil
}

// rest waits. It is only for times that no ctx needs to cut short.
func (d *Dev) rest(pause time.Duration) {
	d.timer.Reset(pause)
	<-d.timer.C
}

// stopped returns a timer that has not been set.
func stopped() *time.Timer {
	timer := time.NewTimer(0)
	timer.Stop()
	return timer
}
