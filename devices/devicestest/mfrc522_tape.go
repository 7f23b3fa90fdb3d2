package devicestest

import (
	"encoding/hex"
	"fmt"
	"strings"

	"periph.io/x/conn/v3/conntest"
)

// A Tape is recorded traffic of an SPI bus. As text it has one frame a line, in
// hexadecimal: what went out, and after a > what came in, if anybody listened.
// Lines that start with # are for people.
//
// conntest.Record makes one of a bus, real or simulated.
type Tape []conntest.IO

// ParseTape reads a Tape's text.
func ParseTape(text string) (Tape, error) {
	var tape Tape
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		out, in, listened := strings.Cut(line, ">")
		w, err := parseHex(out)
		var r []byte
		if err == nil && listened {
			r, err = parseHex(in)
		}
		if err == nil && (len(w) == 0 || listened && len(r) != len(w)) {
			err = fmt.Errorf("%d bytes out and %d in", len(w), len(r))
		}
		if err != nil {
			return nil, fmt.Errorf("tape, line %d: %q: %w", n, line, err)
		}
		tape = append(tape, conntest.IO{W: w, R: r})
	}
	return tape, nil
}

func parseHex(s string) ([]byte, error) { return hex.DecodeString(strings.Join(strings.Fields(s), "")) }

// String returns the tape's text.
func (t Tape) String() string {
	var text strings.Builder
	for _, io := range t {
		fmt.Fprintf(&text, "% X", io.W)
		if len(io.R) > 0 {
			fmt.Fprintf(&text, " > % X", io.R)
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// Player returns a bus that plays the tape back: every frame must go out as it
// did then. Its Close fails if not all of the tape was played.
func (t Tape) Player() *conntest.Playback {
	return &conntest.Playback{Ops: t, DontPanic: true}
}
