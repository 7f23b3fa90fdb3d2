// Package rfid runs the kiosk's radio readers: a card reader, which tells whose
// card is held up, and a book pad, which tells what lies on it and switches the
// alarm of library tags. It knows chips, presence and retries; what is written in
// a tag it has somebody else decode, and whose a card is it does not know.
//
// A card's number is a person's. It leaves this package only in Carded.UID, and
// nothing here prints it.
package rfid

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"circdesk/devices"
)

// An Event is what a reader has noticed: a Carded or a Laid.
type Event interface{ event() }

// A Carded is a card that was held up. It comes once, until the card has left.
type Carded struct {
	Device  string
	UID     []byte // 4, 7 or 10 bytes, as the card sends them; nil if Random or Several
	Stored  []byte // the 16 bytes that Config.Read asks for; nil if they could not be read
	Random  bool   // it draws its number anew each time, as phones do: nobody can be known by it
	Several bool   // there is more than one card; nobody can tell whose turn it is
	At      time.Time
}

// A Laid is the whole set of tags on a pad. It comes at every change.
type Laid struct {
	Device  string
	Tags    []LaidTag // in the order in which they came
	Unclear bool      // something lies there that cannot be made out: it should be laid flat
	At      time.Time
}

// A LaidTag is one tag on a pad.
type LaidTag struct {
	UID string // in hexadecimal, as it is printed: E0…
	Label
	// Secured tells whether the gate would alarm. It counts if Known is set: the
	// tag could be asked, and its AFI and its EAS do not contradict each other.
	Secured, Known bool
	Err            string // why nothing can be lent on this tag; empty if all is well
}

// A Label is what is written in a tag.
type Label struct {
	Item        string // the item's id; may be filled beside an error, for people to look at
	Owner       string // the ISIL of the library that it belongs to
	Part, Parts int    // it is part 1 to Parts of the item
	Usage       byte   // of ISO 28560-1: 1 is for loan, 8 is no item but a patron's card
	Sealed      bool   // a checksum covers it: no more of the memory needs to be read
}

func (Carded) event() {}
func (Laid) event()   {}

// String describes the card without its number.
func (c Carded) String() string {
	return fmt.Sprintf("card on %q: %d bytes of UID, random %t, several %t", c.Device, len(c.UID), c.Random, c.Several)
}

// GoString is String, so that no verb prints the number by accident.
func (c Carded) GoString() string { return c.String() }

// A Config names a reader. A zero field has its default, if one is told.
type Config struct {
	Name  string // unique: "pad"
	Chip  string // "mfrc522" or "pn5180"
	SPI   string // "/dev/spidev0.0", or a link to it
	Reset string // the GPIO line of the reset pin: "GPIO25", or "gpiochip0:25"; an MFRC522 may have none
	Busy  string // of the PN5180's busy pin
	Use   string // "cards", "tags" or "both"; an MFRC522 has cards, a PN5180 tags

	Speed   int           // of the bus in hertz; 4,000,000
	Gain    int           // of an MFRC522's receiver in dB: 18, 23, 33, 38, 43 or 48; 38
	Shallow bool          // a PN5180 modulates by 10 % in place of 100 %; some antennas reach further
	Poll    time.Duration // how often it looks; 100 ms

	Security      string // how the gate knows a tag: "none", "afi", "eas" or "both"; "none"
	AFIIn, AFIOut byte   // in the library and on loan; 00 is a value like any other, so there is no default
	Password      string // for EAS and AFI, eight hexadecimal digits; none

	Read string // of a card on an MFRC522, besides its number: "ntag:PAGE" or "classic:BLOCK"; nothing
	Key  string // of the Classic's sector, twelve hexadecimal digits; FFFFFFFFFFFF

	// Decode reads a tag's memory, or as much of it as there is.
	Decode func(memory []byte) (Label, error)
	// Open opens the bus; the SPI device and the lines above are opened without it.
	Open func() (Bus, error)

	Backoff devices.Backoff
}

// The chips.
const (
	chipMFRC522 = "mfrc522"
	chipPN5180  = "pn5180"
)

const (
	defaultSpeed = 4_000_000
	defaultPoll  = 100 * time.Millisecond
	defaultKey   = "FFFFFFFFFFFF"
)

// withDefaults returns c with its defaults filled in.
func (c Config) withDefaults() Config {
	if c.Use == "" {
		c.Use = map[string]string{chipMFRC522: "cards", chipPN5180: "tags"}[c.Chip]
	}
	fill(&c.Speed, defaultSpeed)
	fill(&c.Poll, defaultPoll)
	fill(&c.Security, "none")
	fill(&c.Key, defaultKey)
	if c.Open == nil {
		spi, reset, busy := c.SPI, c.Reset, c.Busy
		c.Open = func() (Bus, error) { return openBus(spi, reset, busy) }
	}
	return c
}

// fill sets a field that is zero.
func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c Config) usesCards() bool { return c.Use == "cards" || c.Use == "both" }
func (c Config) usesTags() bool  { return c.Use == "tags" || c.Use == "both" }
func (c Config) usesAFI() bool   { return c.Security == "afi" || c.Security == "both" }
func (c Config) usesEAS() bool   { return c.Security == "eas" || c.Security == "both" }

// Check returns all that is wrong with c, joined, or nil. It touches no device.
func (c Config) Check() error {
	onBoard := c.Open == nil
	c = c.withDefaults()
	var wrong []error
	complain := func(ok bool, field string, value any, want string) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s: %q is not %s", field, fmt.Sprint(value), want))
		}
	}
	mf, pn := c.Chip == chipMFRC522, c.Chip == chipPN5180
	complain(c.Name != "", "name", c.Name, "a name")
	complain(mf || pn, "chip", c.Chip, `"mfrc522" or "pn5180"`)
	complain(!onBoard || c.SPI != "", "spi", c.SPI, "an SPI device's path")
	complain(!onBoard || isLine(c.Reset) || mf && c.Reset == "", "reset", c.Reset, "a GPIO line")
	complain(!onBoard || !pn || isLine(c.Busy), "busy", c.Busy, "a GPIO line")
	complain(!mf || c.Use == "cards", "use", c.Use, `"cards", all that an MFRC522 can do`)
	complain(!pn || c.usesCards() || c.usesTags(), "use", c.Use, `"cards", "tags" or "both"`)
	fastest := map[bool]int{true: 10_000_000, false: 7_000_000}[mf]
	complain(c.Speed >= 100_000 && c.Speed <= fastest, "speed", c.Speed, fmt.Sprintf("from 100000 to %d hertz", fastest))
	complain(slices.Contains([]int{0, 18, 23, 33, 38, 43, 48}, c.Gain) && (mf || c.Gain == 0),
		"gain", c.Gain, "18, 23, 33, 38, 43 or 48 dB of an MFRC522")
	complain(pn || !c.Shallow, "shallow", c.Shallow, "for an MFRC522")
	complain(c.Poll >= 10*time.Millisecond && c.Poll <= time.Second, "poll", c.Poll, "from 10ms to 1s")
	complain(slices.Contains([]string{"none", "afi", "eas", "both"}, c.Security), "security", c.Security, `"none", "afi", "eas" or "both"`)
	complain(!c.usesAFI() || c.AFIIn != c.AFIOut, "afi_out", fmt.Sprintf("%02X", c.AFIOut), "another than afi_in")
	complain(c.Password == "" || isHex(c.Password, 4), "password", "…", "eight hexadecimal digits")
	_, _, err := c.parseRead()
	complain(c.Read == "" || mf && err == nil, "read", c.Read, `"ntag:PAGE" or "classic:BLOCK" of an MFRC522`)
	complain(isHex(c.Key, 6), "key", "…", "twelve hexadecimal digits")
	complain(!c.usesTags() || c.Decode != nil, "decode", "nil", "a decoder of tags")
	return errors.Join(wrong...)
}

// isLine tells whether s can be the name of a GPIO line.
func isLine(s string) bool {
	return regexp.MustCompile(`^(gpiochip\d+:\d+|\w[\w./-]*)$`).MatchString(s)
}

// isHex tells whether s is n bytes in hexadecimal.
func isHex(s string, n int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == n
}

// parseRead says what Read asks for.
func (c Config) parseRead() (kind string, at byte, err error) {
	kind, number, _ := strings.Cut(c.Read, ":")
	n, err := strconv.ParseUint(number, 10, 8)
	if err == nil && kind != "ntag" && kind != "classic" {
		err = errors.New("no such memory")
	}
	return kind, byte(n), err
}

// Try opens the reader once, as Run would, and says what chip it has and how that
// is: its versions, and what it makes of its field if it can tell.
func Try(ctx context.Context, c Config) (report string, err error) {
	if err := c.Check(); err != nil {
		return "", err
	}
	ch, err := openChip(c.withDefaults())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, ch.Close()) }()
	return ch.describe(ctx)
}
