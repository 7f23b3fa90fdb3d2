package rfid

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"circdesk/devices"
	"circdesk/devices/rfid/mfrc522"
	"circdesk/devices/rfid/pn5180"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// A Bus is a reader's SPI port with the lines beside it. Closing the port closes
// the lines.
type Bus struct {
	Port  spi.PortCloser
	Reset gpio.PinOut // nil: not wired
	Busy  gpio.PinIn  // nil: the chip has none
}

// A chip is an open reader chip with its bus.
type chip struct {
	cards cardChip // nil if it is not used for cards
	tags  tagChip  // nil if it is not used for tags

	describe func(context.Context) (string, error)
	closers  []io.Closer // to be closed in this order
}

// A found is a card that a chip has found.
type found struct {
	uid    []byte
	random bool
}

// A cardChip finds cards and reads what they hold.
type cardChip interface {
	// look returns the card in the field, or nil.
	look(context.Context) (*found, error)
	// read returns what Config.Read asks for.
	read(context.Context, *found) ([]byte, error)
}

// A tagChip finds, reads and writes library tags. Whatever writes also asks the
// tag whether it is so.
type tagChip interface {
	Inventory(context.Context) ([]pn5180.UID, error)
	SystemInfo(context.Context, pn5180.UID) (pn5180.Info, error)
	ReadBlocks(ctx context.Context, uid pn5180.UID, first, n, size int) ([]byte, error)
	WriteAFI(context.Context, pn5180.UID, byte) error
	EAS(context.Context, pn5180.UID) (bool, error)
	SetEAS(context.Context, pn5180.UID, bool) error
	SetPassword(ctx context.Context, uid pn5180.UID, id byte, password uint32) error
}

// Close switches the field off and gives the bus up.
func (c *chip) Close() error {
	var errs []error
	for _, closer := range c.closers {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}

// openChip opens the bus and starts the chip on it.
func openChip(c Config) (*chip, error) {
	bus, err := c.Open()
	if err != nil {
		return nil, err
	}
	ch, err := startChip(c, bus)
	if err != nil {
		return nil, errors.Join(err, bus.Port.Close())
	}
	ch.closers = append(ch.closers, bus.Port)
	return ch, nil
}

func startChip(c Config, bus Bus) (*chip, error) {
	conn, err := bus.Port.Connect(physic.Frequency(c.Speed)*physic.Hertz, spi.Mode0, 8)
	if err != nil {
		return nil, fmt.Errorf("connect %q: %w", c.SPI, err)
	}
	if c.Chip == chipMFRC522 {
		return startMFRC522(c, conn, bus.Reset)
	}
	return startPN5180(c, conn, bus)
}

func startMFRC522(c Config, conn spi.Conn, reset gpio.PinOut) (*chip, error) {
	dev, err := mfrc522.New(conn, reset, mfrc522.Opts{Gain: c.Gain})
	if err != nil {
		return nil, err
	}
	describe := func(context.Context) (string, error) {
		version, name := dev.Version()
		report := fmt.Sprintf("MFRC522 on %s: version %02X (%s), gain %d dB", c.SPI, version, name, cmp.Or(c.Gain, defaultGain))
		if strange := dev.Warning(); strange != "" {
			report += "; " + strange
		}
		return report, nil
	}
	return &chip{cards: smallReader{dev, c}, describe: describe, closers: []io.Closer{dev}}, nil
}

func startPN5180(c Config, conn spi.Conn, bus Bus) (*chip, error) {
	dev, err := pn5180.New(conn, bus.Reset, bus.Busy, pn5180.Opts{Shallow: c.Shallow})
	if err != nil {
		return nil, err
	}
	ch := &chip{closers: []io.Closer{dev}}
	if c.usesCards() {
		ch.cards = largeReader{dev}
	}
	if c.usesTags() {
		ch.tags = dev
	}
	ch.describe = func(ctx context.Context) (string, error) {
		product, firmware, eeprom := dev.Versions()
		strength, err := dev.Strength(ctx)
		return fmt.Sprintf("PN5180 on %s: product %s, firmware %s, EEPROM %s, field %d of 1023",
			c.SPI, product, firmware, eeprom, strength), err
	}
	return ch, nil
}

// defaultGain is what the driver sets without being told.
const defaultGain = 38

// A smallReader is an MFRC522.
type smallReader struct {
	dev    *mfrc522.Dev
	config Config
}

func (r smallReader) look(ctx context.Context) (*found, error) {
	cards, err := r.dev.Poll(ctx)
	if err != nil || len(cards) == 0 {
		return nil, err
	}
	return &found{cards[0].UID, cards[0].Random}, nil
}

func (r smallReader) read(ctx context.Context, card *found) ([]byte, error) {
	kind, at, err := r.config.parseRead()
	if err != nil {
		return nil, err
	}
	var data [16]byte
	if kind == "ntag" {
		data, err = r.dev.ReadNTAG(ctx, at)
	} else {
		var key []byte
		if key, err = hex.DecodeString(r.config.Key); err != nil {
			return nil, err
		}
		data, err = r.classic(ctx, card, at, [6]byte(key))
	}
	return data[:], err
}

// classic reads a block of the card that look has found.
func (r smallReader) classic(ctx context.Context, card *found, block byte, key [6]byte) ([16]byte, error) {
	cards, err := r.dev.Poll(ctx)
	if err != nil {
		return [16]byte{}, err
	}
	if len(cards) == 0 || !slices.Equal(cards[0].UID, card.uid) {
		return [16]byte{}, mfrc522.ErrGone
	}
	return r.dev.ReadClassic(ctx, cards[0], block, key)
}

// A largeReader is a PN5180 in its use for cards.
type largeReader struct{ dev *pn5180.Dev }

func (r largeReader) look(ctx context.Context) (*found, error) {
	cards, err := r.dev.Cards(ctx)
	if err != nil || len(cards) == 0 {
		return nil, err
	}
	return &found{cards[0].UID, cards[0].Random}, nil
}

func (r largeReader) read(context.Context, *found) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

// isSeveral tells whether err says that there is more than one card.
func isSeveral(err error) bool {
	return errors.Is(err, mfrc522.ErrCollision) || errors.Is(err, pn5180.ErrCollision)
}

// isAir tells whether err is the doing of cards and tags, which come and go, and
// not of the chip.
func isAir(err error) bool {
	for _, chip := range []error{mfrc522.ErrHung, pn5180.ErrChip, devices.ErrGone} {
		if errors.Is(err, chip) {
			return false
		}
	}
	for _, air := range []error{
		mfrc522.ErrCollision, mfrc522.ErrNoise, mfrc522.ErrGone, mfrc522.ErrRefused,
		pn5180.ErrNoTag, pn5180.ErrCollision, pn5180.ErrCRC, pn5180.ErrProtocol,
		pn5180.ErrNotWritten, pn5180.ErrPassword,
	} {
		if errors.Is(err, air) {
			return true
		}
	}
	return isRefusal(err)
}

// isRefusal tells whether a tag has said no.
func isRefusal(err error) bool {
	_, no := errors.AsType[pn5180.TagError](err)
	return no
}
