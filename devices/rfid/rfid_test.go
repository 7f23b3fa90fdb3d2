package rfid_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices"
	"circdesk/devices/devicestest"
	"circdesk/devices/rfid"
	"circdesk/devices/tag"
)

// long is how long a test waits for what must come.
const long = 20 * time.Second

// A desk is a running reader on a simulated chip.
type desk struct {
	t      *testing.T
	reader *rfid.Reader
	events chan rfid.Event
	stop   context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	status devices.Status
	states []devices.State
}

func start(t *testing.T, c rfid.Config) *desk {
	t.Helper()
	reader, err := rfid.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	d := &desk{t: t, reader: reader, events: make(chan rfid.Event, 10_000), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		reader.Run(ctx, d.report, func(e rfid.Event) { d.events <- e })
	}()
	t.Cleanup(d.end)
	return d
}

// inBubble is a sub-test in fake time.
func inBubble(f func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

// end stops the reader and waits for it.
func (d *desk) end() { d.stop(); <-d.done }

func (d *desk) report(s devices.Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status.State != s.State {
		d.states = append(d.states, s.State)
	}
	d.status = s
}

func (d *desk) now() devices.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

// next returns the next event.
func (d *desk) next() rfid.Event {
	d.t.Helper()
	select {
	case e := <-d.events:
		return e
	case <-time.After(long):
		d.t.Fatalf("nothing comes; %+v", d.now())
		return nil
	}
}

// wantNone checks that nothing comes for so many polls.
func (d *desk) wantNone(polls int) {
	d.t.Helper()
	select {
	case e := <-d.events:
		d.t.Errorf("unexpected %+v", e)
	case <-time.After(time.Duration(polls) * poll):
	}
}

// until waits for a status.
func (d *desk) until(what string, ok func(devices.Status) bool) {
	d.t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(long); !ok(d.now()); <-ticker.C {
		if time.Now().After(deadline) {
			d.t.Fatalf("not %s: %+v", what, d.now())
		}
	}
}

func ready(s devices.Status) bool { return s.State == devices.Ready }

// poll is how often the readers of these tests look.
const poll = 10 * time.Millisecond

// quick opens a device again without much waiting.
var quick = devices.Backoff{First: time.Millisecond, Absent: time.Millisecond, Max: 50 * time.Millisecond}

// cardReader is a Config for a simulated MFRC522.
func cardReader(chip *devicestest.MFRC522) rfid.Config {
	return rfid.Config{Name: "cards", Chip: "mfrc522", Poll: poll, Backoff: quick, Open: func() (rfid.Bus, error) {
		return rfid.Bus{Port: chip, Reset: chip.ResetPin()}, nil
	}}
}

// bookPad is a Config for a simulated PN5180.
func bookPad(chip *devicestest.PN5180, security string) rfid.Config {
	return rfid.Config{Name: "pad", Chip: "pn5180", Poll: poll, Security: security, AFIIn: 0x07, AFIOut: 0xC2, Backoff: quick, Decode: decode,
		Open: func() (rfid.Bus, error) {
			return rfid.Bus{Port: chip, Reset: chip.ResetPin(), Busy: chip.BusyPin()}, nil
		}}
}

// decode is how the kiosk reads tags.
func decode(memory []byte) (rfid.Label, error) {
	t, err := tag.Decode(memory)
	return rfid.Label{Item: t.Item, Owner: t.Owner(), Part: t.Part, Parts: t.Parts, Usage: byte(t.Usage), Sealed: t.Format == tag.Block}, err
}

// book returns the tag of part k of n of an item. Its number ends with id.
func book(t *testing.T, id byte, item string, k, n int) *devicestest.Tag {
	t.Helper()
	memory, err := tag.Encode(tag.Tag{Format: tag.Block, Item: item, Part: k, Parts: n, Usage: tag.Circulating, Country: "US", Library: "0123"})
	if err != nil {
		t.Fatal(err)
	}
	return devicestest.NewTag(devicestest.TagSpec{UID: uid(id), AFI: 0x07, EAS: true, Memory: memory})
}

// item is the id of the nth book.
func item(n int) string { return fmt.Sprintf("301230000123%02d", 40+n) }

func uid(id byte) [8]byte { return [8]byte{0xE0, 0x04, 0x01, 0x50, 0xB5, 0x94, 0x14, id} }

func name(t *devicestest.Tag) string {
	uid := t.UID()
	return strings.ToUpper(hex.EncodeToString(uid[:]))
}

// set waits for the pad to tell exactly these items, each as "ITEM part/parts", in
// whatever order they were found.
func (d *desk) set(want ...string) []rfid.LaidTag {
	d.t.Helper()
	slices.Sort(want)
	var got []string
	for deadline := time.After(long); ; {
		select {
		case e := <-d.events:
			laid := e.(rfid.Laid)
			got = nil
			for _, tag := range laid.Tags {
				got = append(got, fmt.Sprintf("%s %d/%d", tag.Item, tag.Part, tag.Parts))
			}
			slices.Sort(got)
			if slices.Equal(got, want) {
				return laid.Tags
			}
		case <-deadline:
			d.t.Fatalf("the pad tells %q, not %q; %+v", got, want, d.now())
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func TestTheConfigIsCheckedBeforeTheDevice(t *testing.T) {
	for want, c := range map[string]rfid.Config{
		`name: "" is not a name
chip: "pn532" is not "mfrc522" or "pn5180"
spi: "" is not an SPI device's path
reset: "" is not a GPIO line
speed: "-1" is not from 100000 to 7000000 hertz
gain: "40" is not 18, 23, 33, 38, 43 or 48 dB of an MFRC522
poll: "2s" is not from 10ms to 1s
security: "eac" is not "none", "afi", "eas" or "both"
password: "…" is not eight hexadecimal digits
read: "page 4" is not "ntag:PAGE" or "classic:BLOCK" of an MFRC522
key: "…" is not twelve hexadecimal digits`: {Chip: "pn532", Speed: -1, Gain: 40, Poll: 2 * time.Second, Security: "eac",
			Password: "12", Read: "page 4", Key: "A0A1A2A3A4"},
		`use: "both" is not "cards", all that an MFRC522 can do
shallow: "true" is not for an MFRC522
decode: "nil" is not a decoder of tags`: {Name: "x", Chip: "mfrc522", SPI: "/dev/spidev0.0", Use: "both", Shallow: true},
		`reset: "" is not a GPIO line
busy: "a b" is not a GPIO line
use: "books" is not "cards", "tags" or "both"
gain: "38" is not 18, 23, 33, 38, 43 or 48 dB of an MFRC522
read: "ntag:4" is not "ntag:PAGE" or "classic:BLOCK" of an MFRC522`: {Name: "x", Chip: "pn5180", SPI: "/dev/spidev0.0", Busy: "a b", Use: "books",
			Gain: 38, Read: "ntag:4"},
		`afi_out: "07" is not another than afi_in`: {Name: "x", Chip: "pn5180", SPI: "/dev/spidev0.0", Reset: "GPIO25", Busy: "GPIO24", Decode: decode,
			Security: "afi", AFIIn: 7, AFIOut: 7},
	} {
		_, err := rfid.New(c)
		if err == nil || err.Error() != want {
			t.Errorf("got:\n%v\nwant:\n%s", err, want)
		}
	}
	for _, c := range []rfid.Config{
		{Name: "x", Chip: "mfrc522", SPI: "/dev/spidev0.0"},
		{Name: "x", Chip: "mfrc522", SPI: "/dev/spidev0.0", Reset: "gpiochip0:25", Gain: 48, Read: "classic:8", Key: "a0a1a2a3a4a5"},
		{Name: "x", Chip: "pn5180", SPI: "/dev/spidev0.0", Reset: "GPIO25", Busy: "GPIO24", Decode: decode, Password: "0F0F0F0F"},
		{Name: "x", Chip: "pn5180", SPI: "/dev/spidev0.0", Reset: "GPIO25", Busy: "GPIO24", Use: "cards"},
	} {
		if err := c.Check(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestTryTellsTheChip(t *testing.T) {
	mf, pn := devicestest.NewMFRC522(), devicestest.NewPN5180()
	odd := devicestest.NewMFRC522()
	odd.SetVersion(0xB2)
	for want, c := range map[string]rfid.Config{
		"MFRC522 on : version B2 (unknown copy), gain 38 dB; the reader chip says version B2": cardReader(odd),
		"MFRC522 on : version 92 (MFRC522 v2.0), gain 38 dB":                                  cardReader(mf),
		"PN5180 on : product 3.5, firmware ":                                                  bookPad(pn, "afi"),
	} {
		for range 2 { // a tried reader is free again
			got, err := rfid.Try(t.Context(), c)
			if err != nil || !strings.HasPrefix(got, want) {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		}
	}
	mf.SetFaults(devicestest.MFRC522Faults{Dead: true})
	if got, err := rfid.Try(t.Context(), cardReader(mf)); err == nil {
		t.Errorf("a dead chip says %q", got)
	}
	pn.Kill(0xFF)
	if got, err := rfid.Try(t.Context(), bookPad(pn, "afi")); err == nil {
		t.Errorf("a dead chip says %q", got)
	}
}

func TestABusThatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rfid.Config{Name: "pad", Chip: "mfrc522", SPI: "/dev/spidev99.9", Backoff: quick}
		if _, err := rfid.Try(t.Context(), c); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "/dev/spidev99.9") {
			t.Errorf("got %v", err)
		}
		c.SPI = "/dev/null"
		if _, err := rfid.Try(t.Context(), c); err == nil || err.Error() != `open "/dev/null": "/dev/null" is no SPI device` {
			t.Errorf("got %v", err)
		}
		c.SPI = "/dev/spidev99.9"
		d := start(t, c)
		d.until("absent", func(s devices.Status) bool { return s.State == devices.Absent })
	})
}

// replugged plays a bus that is pulled out and put back.
type replugged struct {
	mu   sync.Mutex
	out  bool
	open func() (rfid.Bus, error)
}

func (r *replugged) set(out bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = out
}

func (r *replugged) bus() (rfid.Bus, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out {
		return rfid.Bus{}, os.ErrNotExist
	}
	return r.open()
}

func TestAThousandReplugsLeakNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		c := cardReader(chip)
		// A reset line would make each start wait 50 ms for the chip's crystal.
		plug := &replugged{open: func() (rfid.Bus, error) { return rfid.Bus{Port: chip}, nil }}
		c.Open = plug.bus
		runtime.GC()
		goroutines, files := runtime.NumGoroutine(), openFiles(t)
		d := start(t, c)
		d.until("ready", ready)
		rounds := 1000
		for i := range rounds {
			plug.set(true)
			chip.SetFaults(devicestest.MFRC522Faults{Fail: devices.ErrGone})
			d.until("absent", func(s devices.Status) bool { return s.State == devices.Absent })
			chip.SetFaults(devicestest.MFRC522Faults{})
			plug.set(false)
			d.until("ready", func(s devices.Status) bool { return s.State == devices.Ready && s.Opens == uint64(i+2) })
		}
		chip.Put(devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8))
		if card := d.next().(rfid.Carded); !slices.Equal(card.UID, []byte{0xDE, 0xAD, 0xBE, 0xEF}) {
			t.Errorf("after all that %v", card)
		}
		d.end()
		if n := openFiles(t); n > files {
			t.Errorf("%d open files, %d before", n, files)
		}
		d.until("back to the goroutines before", func(devices.Status) bool { return runtime.NumGoroutine() <= goroutines })
	})
}

func TestTwoReadersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mf, pn := devicestest.NewMFRC522(), devicestest.NewPN5180()
		cards, pad := start(t, cardReader(mf)), start(t, bookPad(pn, "afi"))
		for i := range 5 {
			card := devicestest.NewCard([]byte{4, 1, 2, 3, 4, 5, byte(i)}, 0x44, 0)
			tag := book(t, byte(i), fmt.Sprintf("3012300001234%d", i), 1, 1)
			mf.Put(card)
			pn.Put(tag)
			if got := cards.next().(rfid.Carded); !slices.Equal(got.UID, card.UID()) || got.Device != "cards" {
				t.Errorf("%v of %q instead of a card of %d bytes", got, got.Device, len(card.UID()))
			}
			pad.set(fmt.Sprintf("3012300001234%d 1/1", i))
			if failed := pad.reader.Secure(t.Context(), []string{name(tag)}, false); failed != nil || tag.Look().AFI != 0xC2 {
				t.Errorf("failed %q, AFI %02X", failed, tag.Look().AFI)
			}
			mf.Take(card)
			pn.Take(tag)
			pad.set()
		}
	})
}

func TestRunEndsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pn := devicestest.NewPN5180()
		d := start(t, bookPad(pn, "both"))
		for i := range 12 {
			pn.Put(book(t, byte(i), item(i), 1, 1))
		}
		if len(d.next().(rfid.Laid).Tags) == 0 {
			t.Error("an empty set")
		}
		asked := time.Now()
		d.end()
		if took := time.Since(asked); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}
