package pn5180

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices/devicestest"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/spi"
)

// acts are the operations that a kiosk does.
func (p *pad) acts() map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"inventory": func(ctx context.Context) error { _, err := p.Inventory(ctx); return err },
		"info":      func(ctx context.Context) error { _, err := p.SystemInfo(ctx, book(1)); return err },
		"read":      func(ctx context.Context) error { _, err := p.ReadBlocks(ctx, book(1), 0, 9, 4); return err },
		"AFI":       func(ctx context.Context) error { return p.WriteAFI(ctx, book(1), 0xC2) },
		"EAS":       func(ctx context.Context) error { return p.SetEAS(ctx, book(1), true) },
		"alarm":     func(ctx context.Context) error { _, err := p.EASAlarm(ctx); return err },
		"password":  func(ctx context.Context) error { return p.SetPassword(ctx, book(1), PasswordEAS, 0) },
		"cards":     func(ctx context.Context) error { _, err := p.Cards(ctx); return err },
		"field":     func(ctx context.Context) error { _, err := p.Strength(ctx); return err },
		"sleep":     func(ctx context.Context) error { return p.Sleep(ctx) },
	}
}

func TestAChipThatHangsAtAnyFrameIsReset(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.put(spec(1), spec(2))
		p.chip.PutCard(devicestest.NewClassic1K([]byte{1, 2, 3, 4}))
		for name, act := range p.acts() {
			hung := 0
			for n := 1; n < 60; n++ {
				p.chip.Freeze(n)
				within(t, 2*time.Second, func() {
					if err := act(t.Context()); err != nil {
						hung++
						wantError(t, err, ErrChip)
					}
				})
				p.chip.Calm()
				within(t, 2*time.Second, func() {
					if err := act(t.Context()); err != nil {
						t.Errorf("%s, after a hang at frame %d: %v", name, n, err)
					}
				})
			}
			if hung == 0 {
				t.Errorf("%s never hung", name)
			}
		}
	})
}

func TestABusWithoutAChip(t *testing.T) {
	for _, answer := range []byte{0x00, 0xFF, 0x5A, 0x04} {
		onPad(t, func(t *testing.T, p *pad) {
			p.put(spec(1))
			p.chip.PutCard(devicestest.NewClassic1K([]byte{1, 2, 3, 4}))
			for name, act := range p.acts() {
				p.chip.Kill(answer)
				for range 2 {
					within(t, time.Second, func() {
						if err := act(t.Context()); name != "sleep" || err != nil {
							wantError(t, err, ErrChip)
						}
					})
				}
				if _, err := New(p.connect(), p.chip.ResetPin(), p.chip.BusyPin(), Opts{}); err == nil {
					t.Errorf("a bus that says %02X has a chip", answer)
				}
				p.chip.Revive()
				if err := act(t.Context()); err != nil {
					t.Errorf("%s on the mended bus: %v", name, err)
				}
			}
		})
	}
}

func TestASlowChipIsWaitedFor(t *testing.T) {
	for _, c := range []struct{ rise, work time.Duration }{
		{0, 1 * time.Microsecond}, {90 * time.Microsecond, 5 * time.Microsecond},
		{90 * time.Microsecond, 3 * time.Millisecond}, {5 * time.Microsecond, 90 * time.Millisecond},
	} {
		onPad(t, func(t *testing.T, p *pad) {
			p.put(spec(1), spec(2))
			p.chip.SetTiming(c.rise, c.work)
			p.wantTags(book(1), book(2))
		})
	}
}

func TestAChipThatWasNeverProgrammed(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		for _, bad := range []byte{0x00, 0xFF} {
			p.chip.SetEEPROM(0x10, bad, bad, bad, bad, bad, bad)
			_, err := New(p.connect(), p.chip.ResetPin(), p.chip.BusyPin(), Opts{})
			wantError(t, err, ErrChip)
		}
	})
}

func TestEveryKnownVersionIsNamed(t *testing.T) {
	for raw, want := range map[[2]byte]string{{0x0A, 0x03}: "3.A", {0x00, 0x04}: "4.0", {0x01, 0x04}: "4.1"} {
		onPad(t, func(t *testing.T, p *pad) {
			p.chip.SetEEPROM(0x12, raw[0], raw[1])
			if _, firmware, _ := p.open().Versions(); firmware != want {
				t.Errorf("% X is %q, want %q", raw, firmware, want)
			}
		})
	}
}

func TestAnOperationEndsWithItsContext(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		for i := range uint64(12) {
			p.put(spec(i << 20))
		}
		for name, act := range p.acts() {
			stopped := 0
			for after := time.Millisecond; after < 300*time.Millisecond; after += 7 * time.Millisecond {
				ctx, cancel := context.WithTimeout(t.Context(), after)
				within(t, after+50*time.Millisecond, func() {
					if err := act(ctx); errors.Is(err, context.DeadlineExceeded) {
						stopped++
					}
				})
				cancel()
			}
			if stopped == 0 && name != "sleep" && name != "field" {
				t.Errorf("%s never ended early", name)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			wantError(t, act(ctx), context.Canceled)
		}
		if got, err := p.Inventory(t.Context()); len(got) != 12 || err != nil {
			t.Errorf("after all that: %d tags, %v", len(got), err)
		}
	})
}

func TestSleepAndCloseSwitchTheFieldOff(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.put(spec(1))
		p.wantTags(book(1))
		if !p.chip.Field() {
			t.Error("no field at work")
		}
		if err := p.Sleep(t.Context()); err != nil || p.chip.Field() {
			t.Errorf("the field is on in its sleep: %v", err)
		}
		p.wantTags(book(1))
		if err := p.Close(); err != nil || p.chip.Field() {
			t.Errorf("the field is on after Close: %v", err)
		}
	})
}

func TestTheFieldIsStrongerWithoutTags(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		empty, err := p.Strength(t.Context())
		if err != nil || empty == 0 {
			t.Errorf("strength %d, %v", empty, err)
		}
		p.put(spec(1), spec(2))
		if loaded, err := p.Strength(t.Context()); err != nil || loaded >= empty {
			t.Errorf("strength %d with tags, %d without, %v", loaded, empty, err)
		}
	})
}

func TestAShallowFieldReadsToo(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.put(spec(1), spec(2))
		p.script()
		dev, err := New(p.connect(), p.chip.ResetPin(), p.chip.BusyPin(), Opts{Shallow: true})
		if err != nil {
			t.Error(err)
			return
		}
		if got, err := dev.Inventory(t.Context()); len(got) != 2 || err != nil {
			t.Errorf("found %v, %v", got, err)
		}
		if s := p.script(); !strings.Contains(s, "11 0E 8D") || strings.Contains(s, "11 0D 8D") {
			t.Error("not by 10 %")
		}
	})
}

// A brokenPin can do nothing.
type brokenPin struct {
	gpio.PinIO
	in, out error
}

func (b brokenPin) Name() string { return "GPIO99" }
func (b brokenPin) In(pull gpio.Pull, _ gpio.Edge) error {
	if pull == gpio.PullDown {
		return errors.New("cannot pull")
	}
	return b.in
}
func (b brokenPin) Out(gpio.Level) error { return b.out }

// A brokenBus fails from its nth transfer on.
type brokenBus struct {
	spi.Conn
	n int
}

func (b *brokenBus) Tx(w, r []byte) error {
	if b.n--; b.n < 0 {
		return errors.New("the kernel says no")
	}
	return b.Conn.Tx(w, r)
}

func TestAChipThatRestartsByItselfIsNotAnEmptyField(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		is := spec(1)
		is.EAS = true
		p.put(is)
		p.chip.PutCard(devicestest.NewClassic1K([]byte{1, 2, 3, 4}))
		for n := range 180 {
			for _, look := range []func() (bool, error){
				func() (bool, error) { got, err := p.Inventory(t.Context()); return len(got) > 0, err },
				func() (bool, error) { got, err := p.Cards(t.Context()); return len(got) > 0, err },
				func() (bool, error) { return p.EASAlarm(t.Context()) },
			} {
				p.restartAt(n/2, time.Duration(n%2)*5*time.Millisecond)
				if found, err := look(); err == nil && !found {
					t.Errorf("restarted at frame %d, and the field is empty", n)
				}
				p.chip.OnFrame(nil)
				if n < 2 {
					p.chip.Revive()
				}
				look() // which may be the one that notices
				if found, err := look(); err != nil || !found {
					t.Errorf("restarted at frame %d, and never well again: %v, %v", n, found, err)
				}
			}
		}
	})
}

// restartAt lets the chip lose its power for a moment before the nth frame from
// here, for which the host then takes its time.
func (p *pad) restartAt(n int, stall time.Duration) {
	p.chip.OnFrame(func() {
		if n--; n == 0 {
			p.chip.Revive()
			<-time.After(stall)
		}
	})
}

func TestNoTagIsSecuredByAChipThatRestarts(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		tag := p.put(spec(1))[0]
		for n := 1; n < 240; n++ {
			on := n%2 == 0
			afi := map[bool]byte{true: 0x07, false: 0xC2}[on]
			for what, secure := range map[string]func() error{
				"AFI": func() error { return p.WriteAFI(t.Context(), book(1), afi) },
				"EAS": func() error { return p.SetEAS(t.Context(), book(1), on) },
			} {
				p.restartAt(n/4, time.Duration(n/2%2)*5*time.Millisecond)
				err := secure()
				p.chip.OnFrame(nil)
				is := tag.Look()
				if err == nil && (what == "AFI" && is.AFI != afi || what == "EAS" && is.EAS != on) {
					t.Errorf("restarted at frame %d: %s is reported, and the tag is %+v", n/4, what, is)
				}
				for tries := 0; err != nil && tries < 2; tries++ {
					err = secure() // the first may be the one that notices
				}
				if err != nil {
					t.Errorf("restarted at frame %d, and never well again: %v", n/4, err)
				}
				p.chip.Revive() // between two operations, with the field on
				<-time.After(5 * time.Millisecond)
				wantError(t, secure(), ErrChip)
			}
		}
	})
}

func TestAnAnswerThatIsGivenUpIsNotTheNextOnes(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.put(spec(1), spec(2))
		for after := time.Duration(0); after < 20*time.Millisecond; after += 70 * time.Microsecond {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			p.SystemInfo(ctx, book(2))
			cancel()
			if _, err := p.SystemInfo(t.Context(), book(1)); err != nil {
				t.Errorf("after one that ended after %v: %v", after, err)
			}
		}
	})
}

func TestATagThatIsWritingIsWaitedFor(t *testing.T) {
	for _, maker := range []byte{makerNXP, makerTI} {
		onPad(t, func(t *testing.T, p *pad) {
			is := spec(1)
			is.UID[1], is.EOFWrites, is.WriteTime = maker, maker == makerTI, 19*time.Millisecond
			p.put(is)
			for after := time.Duration(0); after < 40*time.Millisecond; after += 300 * time.Microsecond {
				ctx, cancel := context.WithTimeout(t.Context(), after)
				p.WriteAFI(ctx, is.UID, 0xC2)
				cancel()
				if _, err := p.SystemInfo(t.Context(), is.UID); err != nil {
					t.Errorf("after a write that ended after %v: %v", after, err)
				}
			}
			for n := 1; n < 60; n++ { // and one whose answer was taken for something else
				at := n
				p.chip.OnFrame(func() {
					if at--; at == 0 {
						p.chip.Garble(1)
					}
				})
				p.WriteAFI(t.Context(), is.UID, 0x07)
				p.chip.Calm()
				if _, err := p.SystemInfo(t.Context(), is.UID); err != nil {
					t.Errorf("after a write with a falsified frame %d: %v", n, err)
				}
			}
		})
	}
}

func TestPinsAndABusThatFail(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		bus := p.connect()
		busy, reset := p.chip.BusyPin(), p.chip.ResetPin()
		no := errors.New("permission denied")
		for want, open := range map[string]func() (*Dev, error){
			`open PN5180: needs a bus, a reset pin and a busy pin`: func() (*Dev, error) {
				return New(bus, nil, busy, Opts{})
			},
			`open PN5180: busy pin "GPIO99": permission denied`: func() (*Dev, error) {
				return New(bus, reset, brokenPin{in: no}, Opts{})
			},
			`open PN5180: reader chip does not work: reset pin "GPIO99": permission denied`: func() (*Dev, error) {
				return New(bus, brokenPin{out: no}, busy, Opts{})
			},
			`open PN5180: reader chip does not work: the kernel says no`: func() (*Dev, error) {
				return New(&brokenBus{bus, 0}, reset, busy, Opts{})
			},
		} {
			if _, err := open(); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if _, err := New(bus, reset, brokenPin{PinIO: busy}, Opts{}); err != nil {
			t.Errorf("a busy pin that cannot pull: %v", err)
		}
		for n := range 200 {
			dev, err := New(&brokenBus{bus, n}, reset, busy, Opts{})
			if err == nil {
				_, err = dev.Inventory(t.Context())
			}
			if err != nil {
				wantError(t, err, ErrChip)
			}
		}
	})
}

func TestErrorsOfTagsHaveNames(t *testing.T) {
	for e, want := range map[TagError]string{
		0x01: "tag says 01: command not supported", 0x0F: "tag says 0F: unknown error",
		0x12: "tag says 12: locked", 0xA5: "tag says A5: the maker's own error", 0x77: "tag says 77: unassigned error",
	} {
		if e.Error() != want {
			t.Errorf("got %q, want %q", e.Error(), want)
		}
	}
}

func TestItWorksInRealTimeToo(t *testing.T) {
	chip := devicestest.NewPN5180()
	conn, err := chip.Connect(4_000_000_000_000, spi.Mode0, 8)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := New(conn, chip.ResetPin(), chip.BusyPin(), Opts{})
	if err != nil {
		t.Fatal(err)
	}
	chip.Put(devicestest.NewTag(spec(1)))
	chip.Put(devicestest.NewTag(spec(2)))
	if got, err := dev.Inventory(t.Context()); err != nil || len(got) != 2 {
		t.Errorf("found %v, %v", got, err)
	}
	if err := dev.WriteAFI(t.Context(), book(1), 0xC2); err != nil {
		t.Error(err)
	}
}

func TestAnInventoryIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pad{t: t, chip: devicestest.NewPN5180()}
		p.Dev = p.open()
		p.put(spec(1))
		p.wantTags(book(1))
		within(t, 60*time.Millisecond, func() { p.wantTags(book(1)) })
		within(t, 60*time.Millisecond, func() {
			if _, err := p.ReadBlocks(t.Context(), book(1), 0, 9, 4); err != nil {
				t.Error(err)
			}
		})
		for i := range uint64(11) {
			p.put(spec(i + 2))
		}
		p.Inventory(t.Context())
		within(t, 600*time.Millisecond, func() { p.Inventory(t.Context()) })
	})
}
