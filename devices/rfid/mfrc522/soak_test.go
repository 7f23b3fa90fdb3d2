package mfrc522

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices/devicestest"
)

// A world is a reader on which cards come and go at any moment, and whose chip
// and wires break and are mended. It checks everything that the driver says.
type world struct {
	chip *devicestest.MFRC522
	dev  *Dev
	pick func(n int) int // the next choice, below n

	calls, good, found int

	mu    sync.Mutex
	seen  []*devicestest.Card // on the reader at any time of the present call
	noisy bool                // bits may have flipped unnoticed in the present call
	wrong []string            // what the driver did that it must not do
}

// newWorld starts a driver on a chip in good health.
func newWorld(pick func(int) int) (*world, error) {
	chip := devicestest.NewMFRC522()
	chip.SetSeed(uint64(pick(1 << 16)))
	d, err := New(chip.Bus(), chip.ResetPin(), Opts{})
	return &world{chip: chip, dev: d, pick: pick}, err
}

func (w *world) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf("call %d: ", w.calls)+fmt.Sprintf(format, args...))
}

// deal returns some card. Their numbers are close to each other, so that two of
// them collide late or cover each other.
func (w *world) deal() *devicestest.Card {
	bit := byte(1) << w.pick(8)
	switch w.pick(8) {
	case 0:
		return devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF ^ bit}, 0x0004, 0x08)
	case 1:
		return devicestest.NewCard([]byte{0xDE ^ bit, 0xAD, 0xBE, 0xEF}, 0x0004, 0x08)
	case 2:
		return devicestest.NewNTAG213([]byte{0x04, 0xA3, 0xC6, 0xCA, 0xE2, 0x61, 0x80 ^ bit})
	case 3:
		return devicestest.NewCard([]byte{0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99 ^ bit}, 0x0344, 0x20)
	case 4:
		return devicestest.NewRandomCard(uint64(w.pick(1 << 16)))
	case 5:
		c := devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE ^ bit, 0xEF}, 0x0004, 0x08)
		if w.pick(2) == 0 {
			c.SetWrongBCC()
		} else {
			c.SetLoud()
		}
		return c
	}
	return devicestest.NewClassic1K([]byte{0xDE, 0xAD ^ bit, 0xBE, 0xEF})
}

// ail returns some illness of the chip.
func (w *world) ail() devicestest.MFRC522Faults {
	type faults = devicestest.MFRC522Faults
	return []faults{
		{Dead: true}, {Dead: true, DeadByte: 0xFF}, {StuckIRQ: byte(1 << w.pick(7))}, {StuckIRQ: 0x7F},
		{NoIRQ: true}, {Garbage: true}, {Errors: byte(1 << w.pick(8))}, {Phantom: true}, {Noise: 1 + w.pick(50)},
		{Bus: 1 + w.pick(10)}, {Hung: true}, {SoftHung: true}, {HangAfter: 10 + w.pick(100)}, {NoAntenna: true},
		{Fail: fs.ErrClosed}, {Errors: byte(w.pick(256)), Noise: 5},
	}[w.pick(16)]
}

// put, take and infect are what happens to the reader.
func (w *world) put(c *devicestest.Card) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.chip.Cards()) < 3 {
		w.seen = append(w.seen, c)
		w.chip.Put(c)
	}
}

func (w *world) take() {
	for _, c := range w.chip.Cards() {
		w.chip.Take(c)
	}
}

func (w *world) infect(f devicestest.MFRC522Faults) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noisy = w.noisy || f.Noise > 0 || f.Bus > 0
	w.chip.SetFaults(f)
}

// happen lets something happen, now or during the next call.
func (w *world) happen() {
	var event func()
	switch w.pick(10) {
	case 0, 1, 2:
		card, alone := w.deal(), w.pick(3) > 0
		event = func() {
			if alone {
				w.take()
			}
			w.put(card)
		}
	case 3, 4:
		event = w.take
	case 5:
		frames, bits := 1+w.pick(30), w.pick(160)
		event = func() {
			for _, c := range w.chip.Cards() {
				w.chip.TakeAfter(c, frames, bits)
			}
		}
	case 6:
		faults := w.ail()
		event = func() { w.infect(faults) }
	case 7, 8:
		event = func() { w.infect(devicestest.MFRC522Faults{}) }
	default:
		event = w.chip.BrownOut
	}
	if w.pick(2) == 0 {
		event()
		return
	}
	time.AfterFunc(time.Duration(w.pick(20_000))*time.Microsecond, event)
}

// A before is how things were when a call began.
type before struct {
	at      time.Time
	cards   []*devicestest.Card
	flagged int
}

// begin opens the book for a call.
func (w *world) begin() before {
	cards := w.chip.Cards()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	w.seen = slices.Clone(cards)
	return before{time.Now(), cards, w.chip.Counts().Flagged}
}

// end checks what holds for every call.
func (w *world) end(what string, b before, err error) {
	if took := time.Since(b.at); took > longest {
		w.complain("%s took %v", what, took)
	}
	if err == nil {
		w.good++
		return
	}
	for _, known := range []error{ErrCollision, ErrNoise, ErrGone, ErrRefused, ErrHung, context.DeadlineExceeded, fs.ErrClosed} {
		if errors.Is(err, known) {
			return
		}
	}
	w.complain("%s: %v", what, err)
}

// clean tells whether the chip raised no error in a call that ended well, as far
// as anybody can know.
func (w *world) clean(what string, b before) {
	w.mu.Lock()
	noisy := w.noisy
	w.mu.Unlock()
	if n := w.chip.Counts().Flagged - b.flagged; n > 0 && !noisy {
		w.complain("%s is content, but the chip raised %d errors", what, n)
	}
}

// settle forgets noise that is over.
func (w *world) settle(f func()) {
	w.mu.Lock()
	w.noisy = false
	w.mu.Unlock()
	w.infect(devicestest.MFRC522Faults{})
	f()
}

// poll is one Poll and all that must be true of it.
func (w *world) poll(ctx context.Context) []Card {
	b := w.begin()
	cards, err := w.dev.Poll(ctx)
	w.end("poll", b, err)
	if err != nil && len(cards) > 0 || len(cards) > 1 {
		w.complain("poll: %d cards and %v", len(cards), err)
	}
	for _, c := range cards {
		w.found++
		w.clean("poll", b)
		w.mu.Lock()
		known := slices.ContainsFunc(w.seen, func(s *devicestest.Card) bool { return w.isCard(c, s.UID()) })
		still := differ(b.cards) && slices.Equal(w.chip.Cards(), b.cards) && len(w.seen) == len(b.cards) && !w.noisy
		w.mu.Unlock()
		if !known {
			w.complain("poll: wrong UID % X", c.UID)
		}
		if still {
			w.complain("poll: one card of %d", len(b.cards))
		}
	}
	return cards
}

// differ tells whether cards are not all of one number, as far as it stays.
func differ(cards []*devicestest.Card) bool {
	return slices.ContainsFunc(cards, func(c *devicestest.Card) bool { return !bytes.Equal(c.UID(), cards[0].UID()) })
}

// isCard tells whether c can be the card with uid.
func (w *world) isCard(c Card, uid []byte) bool {
	if uid[0] == 0x08 && len(uid) == 4 {
		return c.Random && len(c.UID) == 4 && c.UID[0] == 0x08 && c.SAK == 0x20
	}
	atqa, sak := uint16(0x0004), byte(0x08)
	switch len(uid) {
	case 7:
		atqa, sak = 0x0044, 0x00
	case 10:
		atqa, sak = 0x0344, 0x20
	}
	return bytes.Equal(c.UID, uid) && c.SAK == sak && !c.Random && (c.ATQA == atqa || w.noisy)
}

// readNTAG reads a page, which says its own number.
func (w *world) readNTAG(ctx context.Context) {
	page := byte(4 + w.pick(38))
	b := w.begin()
	data, err := w.dev.ReadNTAG(ctx, page)
	w.end("read NTAG", b, err)
	if err != nil {
		return
	}
	w.clean("read NTAG", b)
	for i := range byte(4) {
		if !bytes.Equal(data[4*i:4*i+4], []byte{page + i, 1, 2, 3}) {
			w.complain("read NTAG: page %d reads % X", page, data)
			return
		}
	}
}

// readClassic reads the first block, which starts with the UID.
func (w *world) readClassic(ctx context.Context, c Card) {
	key := transport()
	if w.pick(4) == 0 {
		key[0] = 0
	}
	b := w.begin()
	data, err := w.dev.ReadClassic(ctx, c, 0, key)
	w.end("read Classic", b, err)
	if err != nil {
		return
	}
	w.clean("read Classic", b)
	if key[0] == 0 || !bytes.Equal(data[:4], c.UID) {
		w.complain("read Classic: % X", data)
	}
}

// call makes some call.
func (w *world) call(last *Card) {
	ctx := context.Background()
	if w.pick(8) == 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, time.Duration(w.pick(15_000))*time.Microsecond)
		defer cancel()
	}
	switch kind := w.pick(8); {
	case kind == 0 && len(last.UID) > 0:
		b := w.begin()
		here, err := w.dev.Present(ctx, *last)
		w.end("present", b, err)
		w.mu.Lock()
		known := slices.ContainsFunc(w.seen, func(s *devicestest.Card) bool { return w.isCard(*last, s.UID()) })
		w.mu.Unlock()
		if here && !known {
			w.complain("present: a card that is not there")
		}
	case kind == 1:
		w.readNTAG(ctx)
	case kind == 2 && len(last.UID) == 4:
		w.readClassic(ctx, *last)
	default:
		if cards := w.poll(ctx); len(cards) > 0 {
			*last = cards[0]
			if last.SAK == 0x08 && w.pick(2) == 0 {
				w.readClassic(ctx, *last)
			}
		}
	}
}

// recover mends everything and wants the next card to be found within 5 s.
func (w *world) recover() {
	<-time.After(20 * time.Millisecond) // what was about to happen has
	w.settle(w.take)
	card := devicestest.NewCard([]byte{0x5A, 1, 2, 3}, 0x0004, 0x08)
	w.put(card)
	for range 100 {
		if cards, err := w.dev.Poll(context.Background()); err == nil && len(cards) == 1 && bytes.Equal(cards[0].UID, card.UID()) {
			w.take()
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	w.complain("not well 5 s after everything was mended")
}

// live makes n calls while things happen.
func (w *world) live(n int) {
	var last Card
	for i := range n {
		for range w.pick(3) {
			w.happen()
		}
		w.call(&last)
		if w.pick(4) == 0 {
			<-time.After(time.Duration(w.pick(2000)) * time.Millisecond)
		}
		if i%100 == 99 {
			w.recover()
		}
	}
	w.recover()
}

// operations is how long a soak is.
func operations(t *testing.T) int {
	text := os.Getenv("CIRCDESK_SOAK")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CIRCDESK_SOAK=%q is not a number of operations", text)
	}
	return n
}

// soak lives through n operations in worlds of a thousand each and returns what
// went wrong. It ends with the world that makes enough wrong.
func soak(t *testing.T, n, enough int, plant func(*Dev)) (wrong []string, good, found int) {
	for seed := uint64(1); n > 0 && len(wrong) < enough; seed++ {
		part := min(n, 1000)
		n -= part
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 522))
			w, err := newWorld(random.IntN)
			if err != nil {
				t.Fatal(err)
			}
			plant(w.dev)
			w.live(part)
			for _, line := range w.wrong {
				wrong = append(wrong, fmt.Sprintf("seed %d: %s", seed, line))
			}
			good, found = good+w.good, found+w.found
		})
	}
	return wrong, good, found
}

func TestSoak(t *testing.T) {
	n, before, began := operations(t), runtime.NumGoroutine(), time.Now()
	wrong, good, found := soak(t, n, 20, func(*Dev) {})
	for _, line := range wrong {
		t.Error(line)
	}
	if good < n/10 || found < n/50 {
		t.Errorf("of %d operations only %d were good, and %d found a card: this proves nothing", n, good, found)
	}
	nothingLeft(t, before)
	t.Logf("%d operations, %d good, %d cards found, in %v", n, good, found, time.Since(began).Round(time.Millisecond))
}

// A swallower is a bus on which some frames never arrive, or arrive late.
type swallower struct {
	Bus
	swallow func(w []byte) bool
	delay   time.Duration
}

func (s *swallower) Tx(w, r []byte) error {
	if !s.swallow(w) {
		return s.Bus.Tx(w, r)
	}
	if s.delay == 0 {
		return nil
	}
	<-time.After(s.delay)
	return s.Bus.Tx(w, r)
}

func TestTheSoakCatchesDefects(t *testing.T) {
	antenna := func(w []byte) bool { return w[0] == regTxControl<<1 && w[1]&antennaOn != 0 }
	toReset := func(w []byte) bool { return w[0] == regCommand<<1 && w[1] == cmdSoftReset }
	for name, plant := range map[string]func(*Dev){
		"the error register is ignored": func(d *Dev) { d.ignoreErrors = true },
		"the antenna stays off":         func(d *Dev) { d.bus = &swallower{d.bus, antenna, 0} },
		"a reset takes a second":        func(d *Dev) { d.bus = &swallower{d.bus, toReset, time.Second} },
		"it never resets":               func(d *Dev) { d.bus, d.reset = &swallower{d.bus, toReset, 0}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			if wrong, _, _ := soak(t, 5000, 1, plant); len(wrong) == 0 {
				t.Error("passes")
			} else {
				t.Log(wrong[0])
			}
		})
	}
}

func FuzzTheDriverAgainstAnyFaults(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a card comes, the chip hangs, a card goes"))
	f.Add(bytes.Repeat([]byte{0x00, 0x41, 0x13, 0xFF}, 64))
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			w, err := newWorld(func(n int) int {
				if len(data) < 2 {
					return 0
				}
				v := int(data[0])<<8 | int(data[1])
				data = data[1:]
				return v % n
			})
			if err != nil {
				t.Fatal(err)
			}
			w.live(min(len(data)/8, 60))
			for _, line := range w.wrong {
				t.Error(line)
			}
		})
	})
}
