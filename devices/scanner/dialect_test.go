package scanner

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"circdesk/devices"
	"circdesk/devices/devicestest"
)

// raw reads hex with spaces.
func raw(t *testing.T, text string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// speak starts a serial scanner of a dialect.
func speak(t *testing.T, dialect string) (*desk, *devicestest.Talker, *Remote) {
	t.Helper()
	port := plug(t)
	remote := NewRemote()
	d := run(t, Config{Path: port.Path(), Dialect: dialect, Remote: remote})
	d.port = port
	return d, devicestest.NewTalker(port, dialect), remote
}

func TestThePublishedFrames(t *testing.T) {
	for want, got := range map[string][]byte{
		"04 D0 04 00 FF 28":             ssi(opACK, 0),
		"04 E4 04 00 FF 14":             ssi(opStart, 0),
		"04 E9 04 00 FF 0F":             ssi(opScanEnable, 0),
		"05 E6 04 00 00 FF 11":          ssi(opBeep, 0, 0),
		"04 A3 04 00 FF 55":             ssi(0xA3, 0),
		"07 C6 04 08 FF EE 01 FD 39":    ssi(opParamSend, 8, 0xFF, 0xEE, 1),
		"7E 00 09 01 00 00 00 DE C8":    gm65(0x09, 0, 0),
		"7E 00 08 01 00 02 01 02 DA":    gm65(0x08, 2, 1),
		"02 00 00 01 00 33 31":          devicestest.GM65Answer(0),
		"FF F4 00 0A F4 00 00 01 31 32": devicestest.LongPacket(0, 1, '1', '2')[:10],
	} {
		if !bytes.Equal(got, raw(t, want)) {
			t.Errorf("got % X, want %s", got, want)
		}
	}
}

func TestEveryDialectOverATerminal(t *testing.T) {
	for _, dialect := range []string{"plain", "honeywell", "datalogic", "newland", "gm65"} {
		t.Run(dialect, func(t *testing.T) {
			d, _, _ := speak(t, dialect)
			d.typ("30123\r\x02T 1\x03]C0P 2\r\n")
			d.typ("no suffix")
			d.want("30123", "T 1", "]C0P 2", "no suffix")
			d.wantNone()
		})
	}
	for _, dialect := range []string{"ssi", "gm67"} {
		t.Run(dialect, func(t *testing.T) {
			d, s, _ := speak(t, dialect)
			d.do(s.Ready)
			long := strings.Repeat("0123456789", 50)
			d.do(func(ctx context.Context) error {
				return errors.Join(s.Scan(ctx, 0x01, "30123\r\n"), s.Scan(ctx, 0x0B, "9780306406157"), s.Scan(ctx, 0x1C, "]Q3\x1d01"),
					s.Scan(ctx, 0xF1, long), s.ScanLong(ctx, 0x03, long), s.Scan(ctx, 0x77, "other"))
			})
			d.want("]A030123", "]E09780306406157", "]Q3\x1d01", "]Q1"+long, "]C0"+long, "other")
			d.wantNone()
			if st := d.now(); st.Drops != 0 {
				t.Errorf("at the end %+v", st)
			}
		})
	}
}

func TestBrokenAndRepeatedPackets(t *testing.T) {
	d, s, _ := speak(t, "ssi")
	d.do(s.Ready)
	scan := func(text string) {
		t.Helper()
		d.do(func(ctx context.Context) error { return s.Scan(ctx, 3, text) })
	}
	s.BadSums = 1
	scan("1") // refused once, sent again
	d.want("]C01")
	s.Deaf = 2
	scan("2") // taken, but sent three times
	d.want("]C02")
	s.BadSums, s.Deaf = 2, 1
	scan(strings.Repeat("3", 500))
	d.want("]C0" + strings.Repeat("3", 500))
	if s.Sent != 2+3+6 {
		t.Errorf("%d packets", s.Sent)
	}
	// Cut off: after a while it is asked for again.
	d.typ("\x09\xF3\x00\x00\x03")
	d.do(func(ctx context.Context) error {
		name, err := s.Next(ctx)
		if err == nil && name != "NAK" {
			err = fmt.Errorf("the host answers %q", name)
		}
		return err
	})
	scan("4")
	d.want("]C04")
	d.wantNone()
	if st := d.now(); st.Drops != 4 || st.Repeats != 0 || st.Opens != 1 {
		t.Errorf("at the end %+v", st)
	}
}

// Behind an adapter, which is there all the time, the scanner may be another one.
// As that comes from the factory, it sends text.
func TestAScannerThatIsExchangedBehindItsAdapter(t *testing.T) {
	for _, dialect := range []string{"ssi", "gm67"} {
		t.Run(dialect, func(t *testing.T) {
			d, s, _ := speak(t, dialect)
			d.do(s.Ready)
			scan := func(text string) {
				t.Helper()
				d.do(func(ctx context.Context) error { return s.Scan(ctx, 3, text) })
			}
			scan("3012300001238")
			d.want("]C03012300001238")
			for i, lost := range []string{"3012300001239", "T 123", "123456789012345678901234567890123456789012345678901234567890"} {
				s.Swap()
				scan(lost)
				for name := ""; !strings.HasPrefix(name, "set"); {
					d.do(func(ctx context.Context) (err error) { name, err = s.Next(ctx); return })
				}
				scan(fmt.Sprint(i))
				d.want(fmt.Sprint("]C0", i))
			}
			d.wantNone()
			if st := d.now(); st.Drops == 0 || st.Opens != 1 {
				t.Errorf("at the end %+v", st)
			}
		})
	}
}

// A line that is disturbed is no other scanner: it is only asked again.
func TestABrokenPacketIsNoTextYet(t *testing.T) {
	s := newDialect("ssi", Framer{}).(*packets)
	packet := devicestest.Packet(opDecode, 0, 1, '1')
	s.Feed(packet[:5])
	s.Quiet(readTimeout)
	if got := s.Replies(); !bytes.Equal(got, ssi(opNAK, 0, 1)) {
		t.Errorf("half a packet is answered with % X", got)
	}
	if got := s.Feed(append([]byte{0, 1}, packet...)); len(got) != 1 || !bytes.Equal(s.Replies(), ssi(opACK, 0)) {
		t.Errorf("got %q", got)
	}
	for gap := range time.Duration(10) {
		s.Quiet(gap * readTimeout)
	}
	if got := s.Replies(); len(got) > 0 {
		t.Errorf("a silence is answered with % X", got)
	}
	// Asked again, it says nothing.
	s.Feed(packet[:5])
	for gap := range time.Duration(10) {
		s.Quiet(gap * readTimeout)
	}
	if got, want := s.Replies(), slices.Concat(ssi(opNAK, 0, 1), s.enable); !bytes.Equal(got, want) {
		t.Errorf("got % X, want % X", got, want)
	}
}

func TestTheHostBeeps(t *testing.T) {
	for dialect, want := range map[string]map[Order]string{
		"honeywell": {Good: "beep", Bad: "beep,beep,beep", Trigger: "trigger", Release: "release"},
		"datalogic": {Good: "beep", Bad: "not on file,enable", Trigger: "trigger", Release: "release", Disable: "disable", Enable: "enable"},
		"gm65":      {Trigger: "8 at 0002: 01", Release: "8 at 0002: 00"},
		"ssi":       {Good: "beep 00", Bad: "beep 11", Trigger: "trigger", Release: "release", Disable: "disable", Enable: "enable"},
		"gm67":      {Good: "beep 00", Bad: "beep 11", Trigger: "trigger", Release: "release", Disable: "disable", Enable: "enable"},
	} {
		t.Run(dialect, func(t *testing.T) {
			d, s, remote := speak(t, dialect)
			switch dialect {
			case "ssi", "gm67":
				d.do(s.Ready)
			case "datalogic": // it is enabled at the start
				d.do(func(ctx context.Context) error {
					if err := s.WaitOpen(ctx); err != nil {
						return err
					}
					got, err := s.Next(ctx)
					if err == nil && got != "enable" {
						err = fmt.Errorf("the scanner hears %q at the start", got)
					}
					return err
				})
			}
			d.scans(s)
			for _, o := range []Order{Good, Trigger, Release, Disable, Enable, Bad} {
				words := want[o]
				if words == "" {
					continue
				}
				remote.Send(o)
				for word := range strings.SplitSeq(words, ",") {
					d.do(func(ctx context.Context) error {
						got, err := s.Next(ctx)
						if err == nil && got != word {
							err = fmt.Errorf("order %q: the scanner hears %q, want %q", o, got, word)
						}
						return err
					})
				}
			}
			if s.Off() {
				t.Error("the scanner is disabled at the end")
			}
			d.wantNone()
		})
	}
}

// scans makes sure that the desk reads what the scanner sends.
func (d *desk) scans(s *devicestest.Talker) {
	d.t.Helper()
	if s.Dialect == "ssi" || s.Dialect == "gm67" {
		d.do(func(ctx context.Context) error { return s.Scan(ctx, 0x77, "1") })
	} else {
		d.typ("1\r")
	}
	d.want("1")
}

func TestOrdersNeverWait(t *testing.T) {
	d, _, remote := speak(t, "honeywell")
	d.typ("1\r")
	d.want("1")
	d.unplug()
	began := time.Now()
	for range 10_000 {
		remote.Send(Bad)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %v", took)
	}
	d.replug()
	d.typ("2\r")
	d.want("2")
	other, _, deaf := speak(t, "plain") // knows none
	other.typ("3\r")
	other.want("3")
	for _, o := range []Order{Good, Bad, Trigger, "no such order"} {
		deaf.Send(o)
	}
	other.typ("4\r")
	other.want("4")
}

func TestAnswersAreNoScans(t *testing.T) {
	for dialect, answer := range map[string]string{
		"newland": "\x02\x010000@SCNENA1\x06;\x03",
		"gm65":    string(devicestest.GM65Answer(0x39, '\r', 0x02, '7')),
	} {
		t.Run(dialect, func(t *testing.T) {
			d, _, _ := speak(t, dialect)
			d.typ("1\r" + answer + "2\r" + answer + answer + "\x023\x03")
			d.want("1", "2", "3")
			d.typ(answer[:6])
			rest(t.Context(), 3*readTimeout) // the rest of it does not come
			d.typ("4\r")
			d.want("4")
			d.wantNone()
			if s := d.now(); s.Drops != 1 {
				t.Errorf("at the end %+v", s)
			}
		})
	}
}

func TestStreamsOfPackets(t *testing.T) {
	ok := string(devicestest.Packet(opDecode, 0, 1, '1'))
	bad := string(devicestest.Packet(opDecode, 0, 1, '1')[:5]) + "x\x00\x00"
	ack, nak := string(ssi(opACK, 0)), string(ssi(opNAK, 0, 1))
	for _, c := range []struct{ name, in, codes, replies string }{
		{"one", ok, "]A01", ack},
		{"two", ok + string(devicestest.Packet(opDecode, 0, 3, '2')), "]A01|]C02", ack + ack},
		{"sent again, not having come", string(devicestest.Packet(opDecode, again, 1, '1')), "]A01", ack},
		{"sent again", ok + string(devicestest.Packet(opDecode, again, 1, '1')), "]A01", ack + ack},
		{"the same code again", ok + ok, "]A01|]A01", ack + ack},
		{"noise before", "\x00\x01\x02" + ok, "]A01", ack},
		{"a wrong checksum", bad, "", nak},
		{"and what came with it", bad + ok, "", nak},
		{"an acknowledgement", string(devicestest.Packet(opACK, 0)), "", ""},
		{"our own echo", ack + nak, "", ""},
		{"an event", string(devicestest.Packet(0xF6, 0, 9)), "", ack},
		{"no code", string(devicestest.Packet(opDecode, 0)) + string(devicestest.Packet(opDecode, 0, 1)), "", ack + ack},
		{"two parts", string(devicestest.Packet(opDecode, more, 1, '1')) + string(devicestest.Packet(opDecode, 0, 1, '2')), "]A012", ack + ack},
		{"parts of two codes", string(devicestest.Packet(opDecode, more, 1, '1')) + string(devicestest.Packet(opDecode, 0, 3, '2')), "]C02", ack + ack},
		{"a long one", string(devicestest.LongPacket(0, 2, '1', '2')), "]F012", ack},
		{"a long one of no length", "\xff\xf4\x00\x02\xf4", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &packets{}
			codes := bytes.Join(s.Feed([]byte(c.in)), []byte("|"))
			if replies := s.Replies(); string(codes) != c.codes || string(replies) != c.replies {
				t.Errorf("got %q, % X; want %q, % X", codes, replies, c.codes, c.replies)
			}
		})
	}
}

func TestTheSameCodeBrokenOnceIsNoRepetition(t *testing.T) {
	s := &packets{}
	first := devicestest.Packet(opDecode, 0, 1, '1')
	broken := slices.Clone(first)
	broken[4] ^= 0x10
	got := append(s.Feed(first), s.Feed(broken)...)
	got = append(got, s.Feed(devicestest.Packet(opDecode, again, 1, '1'))...)
	if len(got) != 2 || s.Drops() != 1 {
		t.Errorf("got %q, %d drops", got, s.Drops())
	}
}

func TestAnAnswerWithAWrongChecksumIsCounted(t *testing.T) {
	for _, wrong := range []uint64{0, 1} {
		d := newDialect("gm65", Framer{})
		answer := devicestest.GM65Answer(1, 2, 3)
		answer[5] ^= byte(wrong)
		if got := d.Feed(append(answer, "7\r"...)); len(got) != 1 || string(got[0]) != "7" || d.Drops() != wrong {
			t.Errorf("got %q, %d drops, want %d", got, d.Drops(), wrong)
		}
	}
}

func TestACodeOfTenKilobytesIsDropped(t *testing.T) {
	s := &packets{}
	for i := range 50 {
		var status byte = more
		if i == 49 {
			status = 0
		}
		if got := s.Feed(devicestest.Packet(opDecode, status, append([]byte{1}, make([]byte, 200)...)...)); got != nil {
			t.Errorf("got %q", got)
		}
	}
	if got := s.Feed(devicestest.Packet(opDecode, 0, 1, '7')); len(got) != 1 || string(got[0]) != "]A07" || s.Drops() != 1 {
		t.Errorf("the next: got %q, %d drops", got, s.Drops())
	}
}

func TestControlBytesInPacketsAreDropped(t *testing.T) {
	s := &packets{}
	got := s.Feed(devicestest.Packet(opDecode, 0, append([]byte{1}, "\x1b[2J1\r\n2\x1d3\r\n"...)...))
	if len(got) != 1 || string(got[0]) != "]A0[2J12\x1d3" || s.Drops() != 3 {
		t.Errorf("got %q, %d drops", got, s.Drops())
	}
}

func TestSerialScannersAreFoundByWhatTheyAre(t *testing.T) {
	bus, host := bench(t)
	port := plug(t)
	if err := bus.Adopt(devicestest.ID{Vendor: 0x05f9, Product: 0x4204, Port: "1-1.4"}, "ttyACM0", port.Path()); err != nil {
		t.Fatal(err)
	}
	d := run(t, Config{Match: Match{Vendor: 0x05f9, Product: 0x4204}, Host: host})
	d.port = port
	d.typ("1\r")
	d.want("1")
	if s := d.now(); s.Path != bus.Dev()+"/ttyACM0" || s.State != devices.Ready {
		t.Errorf("got %+v", s)
	}
	d.unplug()
	d.until("absent", func(s devices.Status) bool { return s.State == devices.Absent })
	d.replug()
	d.typ("2\r")
	d.want("2")
}

// FuzzPackets feeds the same bytes whole and in pieces.
func FuzzPackets(f *testing.F) {
	f.Add(devicestest.Packet(opDecode, 0, 1, '1'), 3)
	f.Add(append(devicestest.Packet(opDecode, more, 1, '1'), devicestest.Packet(opDecode, again, 1, '2')...), 1)
	f.Add(devicestest.LongPacket(0, append([]byte{3}, make([]byte, 300)...)...), 63)
	f.Add([]byte("3012300001238\r\n"), 7)
	f.Add(raw(&testing.T{}, "FF F4 FF FF F4 00 00 01"), 2)
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		var whole, pieces packets
		want := whole.Feed(p)
		answers := whole.Replies()
		var got [][]byte
		for part := range slices.Chunk(p, 1+cut&63) {
			got = append(got, pieces.Feed(part)...)
			if len(pieces.in) > longest+2+64 || len(pieces.code) > MaxCode {
				t.Fatal("holds too much")
			}
		}
		// After a refusal, how much is thrown away depends on what was there.
		if refused := bytes.Contains(answers, ssi(opNAK, 0, 1)); !refused && !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("in pieces %q, whole %q", got, want)
		}
		for _, code := range got {
			if len(code) > MaxCode || bytes.ContainsAny(code, "\r\n\t\x00\x02\x03\x1b") {
				t.Fatalf("code %q", code)
			}
		}
		pieces.Quiet(time.Hour)
		if len(pieces.in) > 0 || pieces.open {
			t.Fatal("something is left after a long silence")
		}
	})
}
