package scanner

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"circdesk/devices"
	"circdesk/devices/devicestest"
)

// typist makes keys of events with size bytes on a device whose state is state.
func typist(t *testing.T, layout string, size int, state *keyState) *keys {
	t.Helper()
	k, err := newKeys(newLayout(layout), size, Framer{Idle: defaultIdle, Patience: patience},
		func() (keyState, error) { return *state, nil })
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// tap is a key that goes down and up.
func tap(codes ...uint16) []devicestest.Event {
	var all []devicestest.Event
	for _, c := range codes {
		all = append(all, devicestest.Key(c, devicestest.Down), devicestest.Report, devicestest.Key(c, devicestest.Up), devicestest.Report)
	}
	return all
}

func TestEventsOfBothSizes(t *testing.T) {
	for size, shift := range map[int]string{
		24: "00F153650000000000000000000000000100" + "2A00" + "01000000",
		16: "00F15365000000000100" + "2A00" + "01000000",
	} {
		record, err := hex.DecodeString(shift)
		if err != nil || len(record) != size {
			t.Fatalf("record of %d bytes, %v", len(record), err)
		}
		k := typist(t, "us", size, &keyState{})
		stream := append(record, devicestest.Bytes(size, append(
			tap(20), append([]devicestest.Event{devicestest.Key(42, devicestest.Up)}, tap(2, 3, 28)...)...)...)...)
		var got [][]byte
		for part := range slices.Chunk(stream, 7) { // never a whole event
			got = append(got, k.Feed(part)...)
		}
		if len(got) != 1 || string(got[0]) != "T12" {
			t.Errorf("%d bytes: got %q", size, got)
		}
	}
}

func TestNumbersOnTheKeypad(t *testing.T) {
	for digits, want := range map[string]rune{
		"65": 'A', "065": 'A', "0013": '\r', "0": 0, "126": '~', "0233": 'é', "130": 'é', "0128": '€', "0129": 0,
		"155": '¢', "0155": '›', "255": '\u00a0', "0255": 'ÿ', "256": 0, "999999": 0,
	} {
		if got := padChar([]byte(digits)); got != want {
			t.Errorf("%s: got %q, want %q", digits, got, want)
		}
	}
	if n, m := utf8.RuneCountInString(cp437), utf8.RuneCountInString(cp1252); n != 128 || m != 32 {
		t.Errorf("code pages of %d and %d", n, m)
	}
}

func TestControlCharacters(t *testing.T) {
	for _, c := range []struct {
		layout string
		key    uint16
		want   byte
	}{{"us", 30, 1}, {"us", 50, '\r'}, {"us", 36, '\n'}, {"us", 27, gs}, {"us", 7, rs}, {"us", 12, 0x1F}, {"us", 3, 0},
		{"fr", 39, '\r'}, {"fr", 16, 1}, {"de", 21, 26}, {"de", 27, gs}} {
		if got, ok := newLayout(c.layout).control(c.key); got != c.want || !ok {
			t.Errorf("%+v: got %x, %v", c, got, ok)
		}
	}
	if _, ok := us().control(59); ok {
		t.Error("Ctrl+F1 types something")
	}
}

func TestAccents(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"ˆ ", "^"}, {"ˊe", "é"}, {"¨U", "Ü"}, {"ˆ1", "^1"}, {"ˆˆ", "^^"}, {"ˋ\r", "`\r"}, {"˜n", "ñ"}, {"e", "e"},
	} {
		k := typist(t, "us", 24, &keyState{})
		var got []byte
		for _, r := range c.typed {
			got = append(got, k.text(r)...)
		}
		if string(got) != c.want {
			t.Errorf("%q: got %q, want %q", c.typed, got, c.want)
		}
	}
	k := typist(t, "de", 24, &keyState{})
	k.Feed(devicestest.Bytes(24, tap(2, 41)...))
	if got := k.Quiet(time.Second); string(got) != "1^" {
		t.Errorf("an accent at the end: got %q", got)
	}
}

func TestAfterLostEvents(t *testing.T) {
	shift := devicestest.Key(keyLeftShift, devicestest.Down)
	lost := []devicestest.Event{devicestest.Dropped}
	for _, c := range []struct {
		name  string
		held  []uint16 // as the kernel says afterwards
		play  []devicestest.Event
		want  string
		drops uint64
	}{
		{"in a code", nil, slices.Concat(tap(2, 3), lost, tap(4), tap(5, 28), tap(6, 28)), "5", 1},
		{"between codes", nil, slices.Concat(tap(2, 28), lost, tap(3), tap(4, 28), tap(6, 28)), "1|5", 1},
		{"twice", nil, slices.Concat(tap(2), lost, lost, tap(3), tap(28), lost, tap(3), tap(28, 4, 28)), "3", 3},
		{"the release of Shift", nil, slices.Concat([]devicestest.Event{shift}, tap(30), lost, tap(30), tap(28), tap(30, 28)), "a", 1},
		{"the press of Shift", []uint16{keyRightShift}, slices.Concat(tap(30), lost, tap(30), tap(28), tap(30, 28)), "A", 1},
		{"the press of Caps Lock", nil, slices.Concat(tap(keyCaps), tap(30), lost, tap(30), tap(28), tap(30, 28)), "a", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := &keyState{}
			k := typist(t, "us", 24, now)
			for _, h := range c.held {
				now.held.set(h, true)
			}
			got := string(bytes.Join(k.Feed(devicestest.Bytes(24, c.play...)), []byte("|")))
			if got != c.want || k.Drops() != c.drops {
				t.Errorf("got %q with %d drops, want %q with %d", got, k.Drops(), c.want, c.drops)
			}
		})
	}
}

func TestAFragmentEndsWithSilence(t *testing.T) {
	k := typist(t, "us", 24, &keyState{})
	k.Feed(devicestest.Bytes(24, slices.Concat(tap(2, 3), []devicestest.Event{devicestest.Dropped}, tap(4), tap(5))...))
	if got := k.Quiet(defaultIdle); got != nil {
		t.Errorf("got %q", got)
	}
	k.Feed(devicestest.Bytes(24, tap(6, 7)...))
	if got := k.Quiet(defaultIdle); string(got) != "56" {
		t.Errorf("the next: got %q", got)
	}
	if k.Drops() != 1 {
		t.Errorf("%d drops", k.Drops())
	}
}

func TestAKeyThatIsDownForLongIsStuck(t *testing.T) {
	k := typist(t, "us", 24, &keyState{})
	k.Feed(devicestest.Bytes(24, devicestest.Key(2, devicestest.Down)))
	if k.Quiet(stuckAfter - time.Millisecond); k.Fault() != nil {
		t.Errorf("too soon: %v", k.Fault())
	}
	if k.Quiet(stuckAfter); !errors.Is(k.Fault(), devices.ErrNoisy) {
		t.Errorf("got %v", k.Fault())
	}
	held := &keyState{}
	held.held.set(2, true)
	if k = typist(t, "us", 24, held); k.Fault() != nil {
		t.Errorf("at once: %v", k.Fault())
	}
	if k.Quiet(stuckAfter); !errors.Is(k.Fault(), devices.ErrNoisy) {
		t.Errorf("down from the beginning: got %v", k.Fault())
	}
}

func TestHostileEvents(t *testing.T) {
	k := typist(t, "us", 24, &keyState{})
	stream := devicestest.Bytes(24,
		devicestest.Key(0xFFFF, devicestest.Down), devicestest.Key(lastKey, devicestest.Down), devicestest.Key(2, 7),
		devicestest.Key(2, -1), devicestest.Event{Type: 0xFFFF, Code: 0xFFFF, Value: -1}, devicestest.Event{Type: 0, Code: 77})
	got := k.Feed(append(stream, devicestest.Bytes(24, tap(2, keyEsc, keyBackspace, 28)...)...))
	if len(got) != 1 || string(got[0]) != "1" {
		t.Errorf("got %q", got)
	}
	if k.Drops() != 3 { // a key without a character, ESC and backspace
		t.Errorf("%d drops", k.Drops())
	}
}

// FuzzKeys feeds the same events whole and in pieces.
func FuzzKeys(f *testing.F) {
	f.Add("de", devicestest.Bytes(24, slices.Concat(tap(2, 41, 57, 28), []devicestest.Event{devicestest.Dropped}, tap(3, 28))...), 5)
	f.Add("us", devicestest.Bytes(24, slices.Concat([]devicestest.Event{devicestest.Key(56, 1)}, tap(82, 71, 76), []devicestest.Event{devicestest.Key(56, 0)})...), 24)
	f.Add("fr", devicestest.Bytes(24, devicestest.Key(29, 1), devicestest.Key(50, 1), devicestest.Key(30, 2), devicestest.Key(58, 1)), 1)
	f.Add("us", bytes.Repeat([]byte{1, 0, 2, 0, 1, 0, 0, 0}, 99), 8)
	f.Fuzz(func(t *testing.T, layout string, p []byte, cut int) {
		state := &keyState{}
		whole, pieces := typist(t, layout, 24, state), typist(t, layout, 24, state)
		want := whole.Feed(p)
		var got [][]byte
		for part := range slices.Chunk(p, 1+cut&63) {
			got = append(got, pieces.Feed(part)...)
		}
		if len(pieces.rest) >= 24 || len(pieces.framer.code) > MaxCode || len(pieces.pad) > 6 {
			t.Fatal("holds too much")
		}
		want, got = append(want, whole.Quiet(time.Hour)), append(got, pieces.Quiet(time.Hour))
		if !slices.EqualFunc(got, want, bytes.Equal) || whole.Drops() != pieces.Drops() {
			t.Fatalf("in pieces %q, whole %q", got, want)
		}
		for _, code := range got {
			if len(code) > MaxCode || strings.ContainsAny(string(code), "\r\n\t\x00\x02\x03\x1b\x08") {
				t.Fatalf("code %q", code)
			}
		}
	})
}
