package mfrc522

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices/devicestest"

	"periph.io/x/conn/v3/conntest"
)

var update = flag.Bool("update", false, "record the tapes anew")

// goldenInit is the byte-exact start (facts: hardware 1.3) without a reset line,
// with what the driver adds behind it: no bits behind a collision, the version,
// and a look at what was written.
const goldenInit = `
02 0F
82 00 > 00 20
24 00
26 00
48 26
54 80
56 A9
58 03
5A E8
2A 40
22 3D
4C 58
A8 00 > 00 80
28 83
1C 00
EE 00 > 00 92
A2 00 > 00 3D
AA 00 > 00 40
A8 00 > 00 83
90 00 > 00 00
`

// shortTimer is the timer's setting for activations, 1 ms.
const shortTimer = `
58 00
5A 28
`

// goldenActivation is the canonical transcript (facts: hardware 1.6).
const goldenActivation = `
# REQA
02 00
08 7F
14 80
12 26
1A 07
02 0C
1A 87
88 00 > 00 60
8C 00 > 00 00
94 00 > 00 02
92 92 00 > 00 04 00
98 00 > 00 10
# ANTICOLLISION
02 00
08 7F
14 80
12 93 20
1A 00
02 0C
1A 80
88 00 > 00 60
8C 00 > 00 00
94 00 > 00 05
92 92 92 92 92 00 > 00 DE AD BE EF 22
98 00 > 00 10
# SELECT
02 00
08 7F
14 80
12 93 70 DE AD BE EF 22 B9 9C
1A 00
02 0C
1A 80
88 00 > 00 60
8C 00 > 00 00
94 00 > 00 03
92 92 92 00 > 00 08 B6 DD
98 00 > 00 10
`

func parse(t *testing.T, text string) devicestest.Tape {
	t.Helper()
	tape, err := devicestest.ParseTape(text)
	if err != nil {
		t.Fatal(err)
	}
	return tape
}

func TestTheGoldenTranscriptIsPlayedByteForByte(t *testing.T) {
	player := parse(t, goldenInit+shortTimer+goldenActivation).Player()
	d, err := New(player, nil, Opts{})
	if err != nil {
		t.Fatal(err)
	}
	card, err := d.activate(t.Context(), reqa)
	if err != nil {
		t.Fatal(err)
	}
	wantCard(t, card, Card{UID: []byte{0xDE, 0xAD, 0xBE, 0xEF}, ATQA: 0x0004, SAK: 0x08})
	if err := player.Close(); err != nil {
		t.Error(err)
	}
}

func TestAPlayerStopsADriverThatStrays(t *testing.T) {
	tape := parse(t, goldenInit)
	tape[10].W[1] = 0x3C
	if _, err := New(tape.Player(), nil, Opts{}); !conntest.IsErr(err) && err == nil {
		t.Error("another value for Mode was taken")
	}
}

// TestTheSimulatedChipSpeaksTheGoldenTranscript compares what the simulator says
// with the transcript, but for the first byte, which means nothing, and looks at
// ComIrq that came before the answer.
func TestTheSimulatedChipSpeaksTheGoldenTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		chip.Put(devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 0x0004, 0x08))
		record := &conntest.Record{Conn: chip.Bus()}
		d, err := New(record, nil, Opts{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.activate(t.Context(), reqa); err != nil {
			t.Fatal(err)
		}
		var got devicestest.Tape
		for _, io := range record.Ops {
			early := io.W[0] == 0x88 && io.R[1]&0x30 == 0 || io.W[0] == 0x82 && io.R[1]&0x10 != 0
			if early {
				continue
			}
			if len(io.R) > 0 {
				io.R[0] = 0
			}
			got = append(got, io)
		}
		want := parse(t, goldenInit+shortTimer+goldenActivation)
		if got.String() != want.String() {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// A visit is one way through the driver whose traffic is kept on a tape.
type visit struct {
	name string
	card func() *devicestest.Card
	do   func(ctx context.Context, d *Dev) ([]byte, error)
	want []byte // the UID, or what was read
}

func pollUID(ctx context.Context, d *Dev) ([]byte, error) {
	cards, err := d.Poll(ctx)
	if err != nil || len(cards) == 0 {
		return nil, err
	}
	return cards[0].UID, nil
}

func visits() []visit {
	four, seven := []byte{0x9A, 0x1B, 0x2C, 0x3D}, []byte{0x04, 0xA3, 0xC6, 0xCA, 0xE2, 0x61, 0x80}
	ten := []byte{0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99}
	plain := func(uid []byte) func() *devicestest.Card {
		return func() *devicestest.Card { return devicestest.NewCard(uid, 0x0344, 0x20) }
	}
	return []visit{
		{"empty", nil, pollUID, nil},
		{"four", plain(four), pollUID, four},
		{"seven", plain(seven), pollUID, seven},
		{"ten", plain(ten), pollUID, ten},
		{"ntag", func() *devicestest.Card { return devicestest.NewNTAG213(seven) },
			func(ctx context.Context, d *Dev) ([]byte, error) {
				data, err := d.ReadNTAG(ctx, 4)
				return data[:], err
			}, []byte{4, 1, 2, 3, 5, 1, 2, 3, 6, 1, 2, 3, 7, 1, 2, 3}},
		{"classic", func() *devicestest.Card { return devicestest.NewClassic1K(four) },
			func(ctx context.Context, d *Dev) ([]byte, error) {
				data, err := d.ReadClassic(ctx, Card{UID: four, ATQA: 0x0004, SAK: 0x08}, 0, transport())
				return data[:], err
			}, append(slices.Clone(four), make([]byte, 12)...)},
	}
}

// transport is the key of a new card.
func transport() [6]byte { return [6]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF} }

func TestRecordedTapesPlayByteForByte(t *testing.T) {
	for _, v := range visits() {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join("testdata", v.name+".tape")
				if *update {
					recordTape(t, v, path)
				}
				playTape(t, v, path)
			})
		})
	}
}

func recordTape(t *testing.T, v visit, path string) {
	chip := devicestest.NewMFRC522()
	if v.card != nil {
		chip.Put(v.card())
	}
	record := &conntest.Record{Conn: chip.Bus()}
	d, err := New(record, chip.ResetPin(), Opts{})
	if err == nil {
		_, err = v.do(t.Context(), d)
	}
	if err == nil {
		err = os.WriteFile(path, []byte(devicestest.Tape(record.Ops).String()), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func playTape(t *testing.T, v visit, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	player := parse(t, string(text)).Player()
	d, err := New(player, devicestest.NewMFRC522().ResetPin(), Opts{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.do(t.Context(), d)
	if err != nil || !bytes.Equal(got, v.want) {
		t.Errorf("got % X, %v, want % X", got, err, v.want)
	}
	if err := player.Close(); err != nil {
		t.Error(err)
	}
}

func TestCRCVectors(t *testing.T) {
	for _, v := range []struct{ data, crc []byte }{
		{[]byte{0x50, 0x00}, []byte{0x57, 0xCD}},
		{[]byte{0x30, 0x04}, []byte{0x26, 0xEE}},
		{[]byte{0x93, 0x70, 0xDE, 0xAD, 0xBE, 0xEF, 0x22}, []byte{0xB9, 0x9C}},
		{[]byte{0x08}, []byte{0xB6, 0xDD}},
		{[]byte{0x04}, []byte{0xDA, 0x17}},
		{[]byte{0x09}, []byte{0x3F, 0xCC}},
	} {
		if got := withCRC(slices.Clone(v.data)...); !bytes.Equal(got, slices.Concat(v.data, v.crc)) {
			t.Errorf("% X: got % X, want CRC % X", v.data, got, v.crc)
		}
	}
}

func wantCard(t *testing.T, got, want Card) {
	t.Helper()
	if !bytes.Equal(got.UID, want.UID) || got.ATQA != want.ATQA || got.SAK != want.SAK || got.Random != want.Random {
		t.Errorf("got UID % X, %v, want UID % X, %v", got.UID, got, want.UID, want)
	}
}

// A lab is a driver with its simulated chip.
type lab struct {
	*testing.T
	chip *devicestest.MFRC522
	dev  *Dev
}

// inLab runs a test with a chip and a driver that has just started, in a time of
// its own.
func inLab(t *testing.T, test func(l lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		d, err := New(chip.Bus(), chip.ResetPin(), Opts{})
		if err != nil {
			t.Fatal(err)
		}
		test(lab{t, chip, d})
	})
}

// longest is how long a call may take, whatever happens.
const longest = 500 * time.Millisecond

// poll polls once, within longest.
func (l lab) poll() (cards []Card, err error) {
	l.Helper()
	l.timed(func() { cards, err = l.dev.Poll(l.Context()) })
	return cards, err
}

// timed runs do and complains if it takes too long.
func (l lab) timed(do func()) {
	l.Helper()
	began := time.Now()
	do()
	if took := time.Since(began); took > longest {
		l.Errorf("took %v", took)
	}
}

// wantFound polls and wants the card.
func (l lab) wantFound(card *devicestest.Card) {
	l.Helper()
	cards, err := l.poll()
	if err != nil || len(cards) != 1 {
		l.Errorf("found %d cards, %v, want one", len(cards), err)
		return
	}
	if !bytes.Equal(cards[0].UID, card.UID()) {
		l.Errorf("found UID % X, want % X", cards[0].UID, card.UID())
	}
}

// wantSoon polls until the card is found, 5 s at most.
func (l lab) wantSoon(card *devicestest.Card) {
	l.Helper()
	var last error
	for range 100 {
		cards, err := l.poll()
		if len(cards) == 1 && err == nil && bytes.Equal(cards[0].UID, card.UID()) {
			return
		}
		last = err
		l.pass(50 * time.Millisecond)
	}
	l.Errorf("not found within 5 s; last %v", last)
}

// wantNone polls and wants nothing.
func (l lab) wantNone() {
	l.Helper()
	if cards, err := l.poll(); err != nil || len(cards) != 0 {
		l.Errorf("found %d cards, %v, want none", len(cards), err)
	}
}

// pass lets time go by.
func (l lab) pass(d time.Duration) { <-time.After(d) }
