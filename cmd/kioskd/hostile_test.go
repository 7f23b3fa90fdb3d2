package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"circdesk/cmd/kioskd/sample"
	"circdesk/devices/devicestest"
	"circdesk/devices/printer"
	"circdesk/kiosk"
	"circdesk/web"
)

// hostile are codes that somebody may print on a label to do harm (facts: reliability 5).
func hostile() map[string]string {
	return map[string]string{
		"markup":             `</script><img src=x onerror=alert(1)>`,
		"sql":                `'; DROP TABLE entry;--`,
		"formula":            `=HYPERLINK("http://evil")`,
		"formula with at":    `@SUM(1+1)*cmd|' /C calc'!A0`,
		"formula with minus": `-2+3+cmd`,
		"terminal escape":    "\x1b]0;evil\x07\x1b[2J",
		"escape in the end":  "30123\x1b",
		"bidi override":      "30123\u202e000110423",
		"zero width":         "30123\u200b000110423",
		"nul":                "99999\x00123",
		"format":             "%s%n%x%d",
		"path":               "../../../../etc/passwd",
		"printer command":    "\x1b@\x1dV\x00",
		"drawer kick":        "\x1bp\x00\x19\xfa",
		"field end":          "AB|CQ|",
		"half a character":   "\xff\xfe\xc3",
		"a matrix of 10 kB":  strings.Repeat("0123456789", 1000),
		"long marks":         "a" + strings.Repeat("\u0301", 40),
		"json":               `{"ack":1}`,
		"command of a panel": "%CLOSE_BIN%",
	}
}

// harmless tells what of a text could do harm to whoever shows it; "" if nothing.
func harmless(text string) string {
	for _, r := range text {
		if unicode.Is(unicode.Cc, r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r) {
			return fmt.Sprintf("%U", r)
		}
	}
	return ""
}

// Every hostile code goes through every sink: the scanner's line, the rules, the desk, the page's
// document, the journal, the log, the control socket and the printer. It is shown as four characters at
// most, printed as text, and neither stops nor fools anybody.
func TestHostileCodesAreInertEverywhere(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	cast := p.school.Cast
	for name, code := range hostile() {
		t.Run(name, func(t *testing.T) {
			p.t = t
			defer func() { p.t = t }()
			p.greet(cast.Maya)
			before := len(p.journal())
			p.typeRaw(p.desk, code)
			p.typeRaw(p.bin, code)
			p.greet(cast.Mateo) // what came before has been dealt with when this is
			if after := len(p.journal()); after != before {
				t.Errorf("%d entries more", after-before)
			}
			doc, err := p.screen()
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			if bad := harmless(string(text)); bad != "" {
				t.Errorf("the page is sent %s", bad)
			}
			if len(code) > 8 && bytes.Contains(text, []byte(code)) {
				t.Error("the page is sent the whole code")
			}
			if log := p.log.String(); len(code) > 4 && strings.Contains(log, code) || harmless(log) != "" {
				t.Errorf("the log holds it: %s", harmless(log))
			}
		})
	}
	p.t = t
	if v, err := p.ctl().Verify(t.Context()); err != nil || !v.OK {
		t.Errorf("verify: %+v, %v", v, err)
	}
	if st, err := p.ctl().Status(t.Context()); err != nil || harmless(fmt.Sprintf("%+v", st)) != "" {
		t.Errorf("status: %+v, %v", st, err)
	}
}

// greet scans a card until it is greeted: the same card again within 1.2 s is one scan.
func (p *process) greet(who sample.Part) {
	p.t.Helper()
	name, _, _ := strings.Cut(who.Name, " ")
	for again := time.NewTicker(1300 * time.Millisecond); ; {
		p.scan(p.desk, who.Code)
		for waiting := true; waiting; {
			select {
			case <-again.C:
				waiting = false
			case <-p.t.Context().Done():
				p.t.Fatalf("%s is not greeted", name)
			case <-time.After(5 * time.Millisecond):
			}
			if d, err := p.screen(); err == nil && d.Model.Greeting == name {
				again.Stop()
				return
			}
		}
	}
}

// typeRaw types a code as it is, whatever is in it.
func (p *process) typeRaw(port *devicestest.Port, code string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if err := port.Type(ctx, code+"\r\n"); err != nil {
		p.t.Fatal(err)
	}
}

// A library system may send titles and call numbers that are as hostile; so is what it becomes on paper.
func TestHostileTitlesAreInertOnPaper(t *testing.T) {
	page, err := web.New(web.Options{Name: "desk", Listen: "127.0.0.1:8080", Languages: []string{"en"}})
	if err != nil {
		t.Fatal(err)
	}
	plain := escapes(page.Slip(kiosk.Print{Slip: kiosk.SlipHold, Lang: "en", Lines: []kiosk.Line{{Title: "Holes", Item: "30123000110423"}}, At: time.Now()}))
	for name, text := range hostile() {
		line := kiosk.Line{Title: text, CallNumber: text, Item: kiosk.ItemID(text), Tail: text}
		if n := escapes(page.Slip(kiosk.Print{Slip: kiosk.SlipHold, Lang: "en", For: text, Lines: []kiosk.Line{line}, At: time.Now()})); n > plain+2 {
			t.Errorf("%s: %d commands to the printer, a harmless slip has %d", name, n, plain)
		}
	}
}

// escapes counts the commands in what a printer is sent.
func escapes(s web.Slip) int {
	slip := printer.Slip{Title: s.Title, Barcode: s.Barcode, Foot: s.Foot}
	for _, r := range s.Rows {
		slip.Rows = append(slip.Rows, printer.Row{Left: r.Left, Right: r.Right, Bold: r.Bold})
	}
	b := slip.Bytes(42)
	return bytes.Count(b, []byte{0x1b}) + bytes.Count(b, []byte{0x1d}) + bytes.Count(b, []byte{0x10})
}
