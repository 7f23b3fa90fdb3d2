package web

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"circdesk/kiosk"
)

// A colour is linear light: red, green and blue from 0 to 1.
type colour [3]float64

// palette are the named colours of style.css.
func palette(t *testing.T) map[string]colour {
	t.Helper()
	colours := map[string]colour{}
	for _, m := range regexp.MustCompile(`(?m)^\s*--([a-z]+): #([0-9A-F]{6});`).FindAllStringSubmatch(readPage(t, "style.css"), -1) {
		colours[m[1]] = hexColour(t, m[2])
	}
	if len(colours) < 12 {
		t.Fatalf("style.css has %d colours", len(colours))
	}
	return colours
}

func hexColour(t *testing.T, hex string) colour {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 24)
	if err != nil {
		t.Fatal(err)
	}
	var c colour
	for i := range c {
		v := float64(n>>(16-8*i)&0xff) / 255
		if v <= 0.04045 {
			c[i] = v / 12.92
		} else {
			c[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return c
}

func (c colour) luminance() float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }

// contrast is the ratio of WCAG 2.
func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// seenBy is a colour as an eye without one kind of cones sees it (Viénot, Brettel, Mollon 1999).
func (c colour) seenBy(eye string) colour {
	r, g, b := c[0], c[1], c[2]
	switch eye {
	case "protan":
		return colour{0.11238*r + 0.88762*g, 0.11238*r + 0.88762*g, 0.00401*r - 0.00401*g + b}
	case "deutan":
		return colour{0.29275*r + 0.70725*g, 0.29275*r + 0.70725*g, -0.02234*r + 0.02234*g + b}
	}
	return c
}

// lab is the colour in CIE L*a*b* under D65, in which distances are about what eyes make of them.
func (c colour) lab() [3]float64 {
	f := func(v float64) float64 {
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f((0.4124*c[0] + 0.3576*c[1] + 0.1805*c[2]) / 0.95047)
	y := f(0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2])
	z := f((0.0193*c[0] + 0.1192*c[1] + 0.9505*c[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func distance(a, b colour) float64 {
	x, y := a.lab(), b.lab()
	return math.Sqrt(math.Pow(x[0]-y[0], 2) + math.Pow(x[1]-y[1], 2) + math.Pow(x[2]-y[2], 2))
}

const leastText, leastEdge, leastDistance = 6.5, 3.0, 12.0

// texts are the pairs in which style.css sets words: the colour, and what is behind it.
func texts() [][2]string {
	return [][2]string{
		{"ink", "white"}, {"ink", "mist"}, {"quiet", "white"}, {"quiet", "mist"},
		{"action", "white"}, {"white", "action"}, {"white", "press"}, {"stop", "white"},
		{"white", "ok"}, {"white", "hold"}, {"ink", "school"}, {"ink", "repair"}, {"white", "stop"}, {"ink", "white"}, {"white", "info"},
		{"snow", "night"}, {"snow", "dusk"}, {"night", "snow"},
	}
}

// edges are the pairs that only shapes, frames and rings are seen by.
func edges() [][2]string {
	return [][2]string{
		{"edge", "white"}, {"edge", "mist"}, {"action", "mist"}, {"action", "white"}, {"focus", "ink"}, {"ink", "mist"}, {"ink", "white"},
		{"ok", "white"}, {"hold", "white"}, {"stop", "white"}, {"info", "white"}, {"ok", "mist"}, {"hold", "mist"}, {"stop", "mist"}, {"info", "mist"},
		{"snow", "night"}, {"snow", "ok"}, {"snow", "hold"}, {"snow", "stop"}, {"snow", "info"}, {"ink", "school"}, {"ink", "repair"},
	}
}

// faint are the pairs that do not keep their distance.
func faint(colours map[string]colour, pairs [][2]string, least float64) []string {
	var list []string
	for _, p := range pairs {
		a, ok := colours[p[0]]
		b, ok2 := colours[p[1]]
		if got := contrast(a, b); !ok || !ok2 || got < least {
			list = append(list, fmt.Sprintf("%s on %s: %.2f", p[0], p[1], got))
		}
	}
	return list
}

func TestWordsAndEdgesStandOut(t *testing.T) {
	colours := palette(t)
	for _, f := range faint(colours, texts(), leastText) {
		t.Errorf("text is too faint: %s, not %.1f", f, leastText)
	}
	for _, f := range faint(colours, edges(), leastEdge) {
		t.Errorf("an edge is too faint: %s, not %.1f", f, leastEdge)
	}
}

// fills are the colours of outcomes.
func fills() []string { return []string{"ok", "hold", "school", "repair", "stop", "white", "info"} }

// alike are the pairs of fills that an eye can take for each other.
func alike(colours map[string]colour, eye string) []string {
	var list []string
	for i, a := range fills() {
		for _, b := range fills()[i+1:] {
			if d := distance(colours[a].seenBy(eye), colours[b].seenBy(eye)); d < leastDistance {
				list = append(list, fmt.Sprintf("%s and %s: %.1f", a, b, d))
			}
		}
	}
	return list
}

func TestColourBlindEyesTellTheOutcomesApart(t *testing.T) {
	for _, eye := range []string{"normal", "protan", "deutan"} {
		for _, a := range alike(palette(t), eye) {
			t.Errorf("%s eyes: %s, not %.0f", eye, a, leastDistance)
		}
	}
}

// TestThePaletteTestFindsBadColours is the negative control.
func TestThePaletteTestFindsBadColours(t *testing.T) {
	colours := palette(t)
	colours["quiet"], colours["edge"], colours["repair"] = hexColour(t, "808080"), hexColour(t, "C0C0C0"), hexColour(t, "8A5A00") // a brown
	if got := faint(colours, texts(), leastText); len(got) == 0 {
		t.Error("grey text passes")
	}
	if got := faint(colours, edges(), leastEdge); len(got) == 0 {
		t.Error("a light grey edge passes")
	}
	colours["repair"] = hexColour(t, "0B6B40")
	if got := alike(colours, "deutan"); len(got) == 0 {
		t.Error("two greens pass")
	}
	if got := contrast(colour{1, 1, 1}, colour{}); math.Abs(got-21) > 0.01 {
		t.Errorf("black on white is %.2f, not 21", got)
	}
}

// TestEveryColourIsMeasured finds a colour of the stylesheet that no pair above speaks of.
func TestEveryColourIsMeasured(t *testing.T) {
	for name := range palette(t) {
		if !slices.ContainsFunc(append(texts(), edges()...), func(p [2]string) bool { return p[0] == name || p[1] == name }) {
			t.Errorf("no pair has the colour %q", name)
		}
	}
	css := readPage(t, "style.css")
	_, rules, _ := strings.Cut(css, "@font-face")
	if m := regexp.MustCompile(`#[0-9A-Fa-f]{3,8}\b|rgba?\(|hsl`).FindString(rules); m != "" && m != "#desk" {
		t.Errorf("style.css uses the colour %q without a name", m)
	}
}

func TestEveryOutcomeHasItsOwnShapeWordAndColour(t *testing.T) {
	art := readPage(t, "art.js")
	_, table, _ := strings.Cut(art, "const signs = {")
	table, _, _ = strings.Cut(table, "};")
	signs := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^  (\w+): \[(\w+, svg.*)\],$`).FindAllStringSubmatch(table, -1) {
		for name, sign := range signs {
			if sign == m[2] {
				t.Errorf("%q and %q look the same", name, m[1])
			}
		}
		signs[m[1]] = m[2]
	}
	for _, o := range outcomes() {
		if signs[string(o)] == "" {
			t.Errorf("outcome %q has no shape of its own", o)
		}
	}
	for _, c := range catalogues(t) {
		words := map[string]kiosk.Outcome{}
		for _, o := range outcomes() {
			word := c.show(sentence{id: "outcome." + string(o)})
			if other, ok := words[word]; ok || word == "" {
				t.Errorf("%q: %q says %q, as %q does", c.code, o, word, other)
			}
			words[word] = o
		}
	}
}

func TestEverySoundHasItsOwnTuneOfAtMost350ms(t *testing.T) {
	source := readPage(t, "sounds.js")
	_, table, _ := strings.Cut(source, "const tunes = {")
	table, _, _ = strings.Cut(table, "\n};")
	tunes := map[string]string{}
	note := regexp.MustCompile(`\[(?:\d+|\[\d+, \d+\]), (\d+), (\d+)\]`)
	for _, m := range regexp.MustCompile(`(?m)^  (\w+): (\[.*\]),$`).FindAllStringSubmatch(table, -1) {
		length := 0
		for _, n := range note.FindAllStringSubmatch(m[2], -1) {
			tone, _ := strconv.Atoi(n[1])
			rest, _ := strconv.Atoi(n[2])
			length += tone + rest
		}
		if length == 0 || length > 350 {
			t.Errorf("%q lasts %d ms", m[1], length)
		}
		for name, tune := range tunes {
			if tune == m[2] {
				t.Errorf("%q and %q sound the same", name, m[1])
			}
		}
		tunes[m[1]] = m[2]
	}
	for _, s := range constants(t, "Sound") {
		if tunes[s] == "" {
			t.Errorf("sound %q has no tune", s)
		}
	}
}
