package pn5180

import (
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/conntest"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spitest"
)

// sample is the tag of a trace that was recorded on a real PN5180.
var sample = UID{0xE0, 0x04, 0x01, 0x50, 0xB5, 0x94, 0x14, 0xC4}

func wantScript(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestTheFramesOfAnInventory(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		is := spec(0)
		is.UID = sample
		p.put(is)
		p.script()
		if err := p.listen(tags); err != nil {
			t.Error(err)
		}
		wantScript(t, p.script(), `11 0D 8D
00 03 FF FF 0F 00
16 00
04 02 → 00 02 00 00
11 0D 8D
00 03 FF FF 0F 00`)
		if reply, err := p.exchange(t.Context(), query(10, 0x26, 0x01, 0x00)); err != nil || len(reply) != 10 {
			t.Errorf("answer % X, %v", reply, err)
		}
		wantScript(t, p.script(), `00 03 FF FF 0F 00
02 00 F8 FF FF FF
01 00 03 00 00 00
04 1D → B0 01 02 01
09 00 26 01 00
04 02 → 07 40 00 00
04 13 → 0A 00 00 00
0A 00 → 00 00 C4 14 94 B5 50 01 04 E0`)
	})
}

func TestTheFramesOfSixteenSlots(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.put(spec(0x10), spec(0x30))
		p.listen(tags)
		p.script()
		// Slot 0 of the mask of four zero bits is nobody's, slot 1 the first one's.
		uids, deeper, err := p.sweep(t.Context(), mask{n: 4})
		if err != nil || len(uids) != 2 || uids[0] != book(0x10) || len(deeper) != 0 {
			t.Errorf("found %v, deeper %v, %v", uids, deeper, err)
		}
		script := p.script()
		want := `00 03 FF FF 0F 00
02 00 F8 FF FF FF
01 00 03 00 00 00
04 1D → A0 01 02 01
09 00 06 01 04 00
04 02 → 06 00 00 00
02 18 3F FB FF FF
02 00 F8 FF FF FF
00 03 FF FF 0F 00
02 00 F8 FF FF FF
01 00 03 00 00 00
04 1D → A0 01 02 01
09 00
04 02 → 07 40 00 00
04 13 → 0A 00 00 00
0A 00 → 00 00 10 00 00 00 50 01 04 E0
02 18 3F FB FF FF
`
		if len(script) < len(want) || script[:len(want)] != want {
			t.Errorf("got:\n%s\nwant it to begin with:\n%s", script, want)
		}
		if end := "\n11 0D 8D"; script[len(script)-len(end):] != end {
			t.Errorf("the configuration is not loaded again at the end of:\n%s", script)
		}
	})
}

func TestTheFramesOfTagCommands(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		is := spec(0)
		is.UID, is.EAS, is.DSFID = sample, true, 0x3E
		p.put(is)
		p.listen(tags)
		for name, c := range map[string]struct {
			call  []byte
			frame string
		}{
			"read":     {addressed(0x22, 0x23, sample, 0, 8), "09 00 22 23 C4 14 94 B5 50 01 04 E0 00 08"},
			"AFI":      {addressed(0x22, 0x27, sample, 0xC2), "09 00 22 27 C4 14 94 B5 50 01 04 E0 C2"},
			"info":     {addressed(0x22, 0x2B, sample), "09 00 22 2B C4 14 94 B5 50 01 04 E0"},
			"set EAS":  {custom(0x22, 0xA2, sample), "09 00 22 A2 04 C4 14 94 B5 50 01 04 E0"},
			"password": {custom(0x22, 0xB2, sample), "09 00 22 B2 04 C4 14 94 B5 50 01 04 E0"},
		} {
			p.script()
			call := query(longest, c.call...)
			call.turn = writeTurn
			if _, err := p.exchange(t.Context(), call); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !contains(p.script(), c.frame) {
				t.Errorf("%s is not sent as %s", name, c.frame)
			}
		}
	})
}

func contains(script, line string) bool {
	for len(script) > 0 {
		n := 0
		for n < len(script) && script[n] != '\n' {
			n++
		}
		if script[:n] == line {
			return true
		}
		script = script[min(n+1, len(script)):]
	}
	return false
}

// A lowPin is BUSY of a chip that is always quicker than the host.
type lowPin struct{ gpio.PinIO }

func (lowPin) Read() gpio.Level { return gpio.Low }

func TestTheRecordedTraceReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ff := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = 0xFF
			}
			return b
		}
		ask := func(reply []byte, w ...byte) []conntest.IO {
			return []conntest.IO{{W: w}, {W: ff(len(reply)), R: reply}}
		}
		ops := []conntest.IO{
			{W: []byte{0x00, 0x03, 0xFF, 0xFF, 0x0F, 0x00}},
			{W: []byte{0x02, 0x00, 0xF8, 0xFF, 0xFF, 0xFF}},
			{W: []byte{0x01, 0x00, 0x03, 0x00, 0x00, 0x00}},
		}
		ops = append(ops, ask([]byte{0x00, 0x00, 0x02, 0x01}, 0x04, 0x1D)...)
		ops = append(ops, conntest.IO{W: []byte{0x09, 0x00, 0x26, 0x01, 0x00}})
		for range 2 {
			ops = append(ops, ask([]byte{0x07, 0x40, 0x00, 0x00}, 0x04, 0x02)...)
		}
		ops = append(ops, ask([]byte{0x0A, 0x00, 0x00, 0x00}, 0x04, 0x13)...)
		recorded := []byte{0x00, 0x00, 0xC4, 0x14, 0x94, 0xB5, 0x50, 0x01, 0x04, 0xE0}
		ops = append(ops, ask(recorded, 0x0A, 0x00)...)
		tape := &spitest.Playback{Playback: conntest.Playback{Ops: ops, DontPanic: true}}
		bus, err := tape.Connect(1_000_000, spi.Mode0, 8)
		if err != nil {
			t.Error(err)
			return
		}
		d := &Dev{conn: bus, busy: lowPin{}, timer: stopped()}
		start := time.Now()
		reply, err := d.exchange(t.Context(), query(10, 0x26, 0x01, 0x00))
		if err != nil {
			t.Error(err)
			return
		}
		if uid, dsfid, err := parseInventory(reply); uid != sample || dsfid != 0 || err != nil {
			t.Errorf("the recorded tag is %v, DSFID %02X, %v", uid, dsfid, err)
		}
		if err := tape.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}
