// Package browsertest drives a real headless Chromium in tests, over the DevTools protocol.
//
// It knows how to start the browser, open pages, tap, look and measure; it refuses to know what
// the pages are about, except that things to tap carry their action's id in data-action.
package browsertest

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// patience bounds every single step; on a busy machine Chromium takes seconds to start.
const patience = 60 * time.Second

// A Browser is one running Chromium. Its methods fail the test it was launched for.
type Browser struct {
	t    testing.TB
	conn *websocket.Conn

	mu      sync.Mutex
	calls   int
	waiting map[int]chan answer
	closed  error
}

// A Page is one tab.
type Page struct {
	*Browser
	session string
}

type request struct {
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
	Session string `json:"sessionId,omitempty"`
}

type answer struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// object is a JSON object of parameters.
type object = map[string]any

// Launch starts Chromium; the end of the test ends it. Without Chromium the test fails and says
// how to get it: a page that nobody has looked at is not tested.
func Launch(t testing.TB) *Browser {
	t.Helper()
	program, err := find()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "browsertest")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, flags(profile)...)
	// A test that is killed takes its browser with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %q: %v", program, err)
	}
	address, drained := listen(stderr)
	b := &Browser{t: t, waiting: map[int]chan answer{}}
	t.Cleanup(func() { b.end(cmd, drained, profile) })
	select {
	case url := <-address:
		b.dial(url)
	case <-drained:
		t.Fatalf("%q ended before it said where it listens", program)
	case <-time.After(patience):
		t.Fatalf("%q did not say within %v where it listens", program, patience)
	}
	return b
}

func find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium"} {
		if program, err := exec.LookPath(name); err == nil {
			return program, nil
		}
	}
	return "", errors.New("no Chromium: the page cannot be tested. Get it by: apt-get install chromium")
}

func flags(profile string) []string {
	return []string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--autoplay-policy=no-user-gesture-required", "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
		"--user-data-dir=" + profile, "--remote-debugging-port=0", "about:blank",
	}
}

// listen finds the address that Chromium writes on its standard error, and reads on to its end:
// a full pipe would stop the browser.
func listen(stderr io.Reader) (address chan string, drained chan struct{}) {
	address, drained = make(chan string, 1), make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if _, url, ok := strings.Cut(lines.Text(), "DevTools listening on "); ok {
				address <- url
				break
			}
		}
		io.Copy(io.Discard, stderr)
	}()
	return address, drained
}

func (b *Browser) dial(url string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, err := websocket.DefaultDialer.DialContext(ctx, url, nil)
	if err != nil {
		b.t.Fatalf("dial Chromium at %q: %v", url, err)
	}
	b.conn = conn
	go b.read()
}

// read hands every answer to the call that waits for it.
func (b *Browser) read() {
	for {
		var a answer
		err := b.conn.ReadJSON(&a)
		b.mu.Lock()
		if err != nil {
			b.closed = err
			for id, c := range b.waiting {
				close(c)
				delete(b.waiting, id)
			}
			b.mu.Unlock()
			return
		}
		c := b.waiting[a.ID]
		delete(b.waiting, a.ID)
		b.mu.Unlock()
		if c != nil {
			c <- a
		}
	}
}

// end closes the browser, by force if it must be, and removes what it has written.
func (b *Browser) end(cmd *exec.Cmd, drained chan struct{}, profile string) {
	if b.conn != nil {
		b.send("", "Browser.close", nil)
		b.conn.Close()
	}
	select {
	case <-drained:
	case <-time.After(5 * time.Second):
	}
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	cmd.Wait()
	if err := os.RemoveAll(profile); err != nil {
		b.t.Logf("remove the profile: %v", err)
	}
}

// send makes one call and waits for its answer.
func (b *Browser) send(session, method string, params any) (json.RawMessage, error) {
	reply := make(chan answer, 1)
	b.mu.Lock()
	b.calls++
	id := b.calls
	b.waiting[id] = reply
	err := b.closed
	if err == nil {
		err = b.conn.WriteJSON(request{id, method, params, session})
	}
	b.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	select {
	case a, ok := <-reply:
		switch {
		case !ok:
			return nil, fmt.Errorf("%s: the browser has gone", method)
		case a.Error != nil:
			return nil, fmt.Errorf("%s: %s", method, a.Error.Message)
		}
		return a.Result, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("%s: no answer within %v", method, patience)
	}
}

// call is send for the cases in which failing means that the test is over.
func (b *Browser) call(session, method string, params, result any) {
	b.t.Helper()
	raw, err := b.send(session, method, params)
	if err != nil {
		b.t.Fatal(err)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(raw, result); err != nil {
		b.t.Fatalf("%s answered %q: %v", method, raw, err)
	}
}

// Open loads url in a new page with a screen of width x height pixels.
func (b *Browser) Open(url string, width, height int) *Page {
	b.t.Helper()
	var target struct{ TargetID string }
	b.call("", "Target.createTarget", object{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("", "Target.attachToTarget", object{"targetId": target.TargetID, "flatten": true}, &attached)
	p := &Page{b, attached.SessionID}
	p.SetSize(width, height)
	b.call(p.session, "Page.enable", nil, nil)
	p.Navigate(url)
	return p
}

// Navigate loads another url in the page.
func (p *Page) Navigate(url string) {
	p.t.Helper()
	p.call(p.session, "Page.navigate", object{"url": url}, nil)
}

// SetSize gives the page another screen.
func (p *Page) SetSize(width, height int) {
	p.t.Helper()
	p.call(p.session, "Emulation.setDeviceMetricsOverride",
		object{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Throttle makes the page's processor slower by a factor; 1 is full speed.
func (p *Page) Throttle(factor float64) {
	p.t.Helper()
	p.call(p.session, "Emulation.setCPUThrottlingRate", object{"rate": factor}, nil)
}

// Ready waits until the fonts are there and everything is drawn.
func (p *Page) Ready() {
	p.t.Helper()
	p.Eval("document.fonts.ready.then(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(true)))))", nil)
}

// StillLife tells the page that reduced motion is wanted, so that pictures and measures are the same each time.
func (p *Page) StillLife() {
	p.t.Helper()
	p.call(p.session, "Emulation.setEmulatedMedia",
		object{"features": []object{{"name": "prefers-reduced-motion", "value": "reduce"}}}, nil)
}

// Eval evaluates a JavaScript expression, waits for it if it is a promise, and puts its value into
// result, which may be nil.
func (p *Page) Eval(js string, result any) {
	p.t.Helper()
	if err := p.eval(js, result); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Page) eval(js string, result any) error {
	raw, err := p.send(p.session, "Runtime.evaluate", object{"expression": js, "awaitPromise": true, "returnByValue": true})
	if err != nil {
		return err
	}
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("evaluate %q: %w", js, err)
	}
	if e := r.ExceptionDetails; e != nil {
		return fmt.Errorf("evaluate %q: %s %s", js, e.Text, e.Exception.Description)
	}
	if result == nil || r.Result.Value == nil {
		return nil
	}
	if err := json.Unmarshal(r.Result.Value, result); err != nil {
		return fmt.Errorf("evaluate %q: %w", js, err)
	}
	return nil
}

// WaitFor waits until a JavaScript expression is true, and fails the test after within.
func (p *Page) WaitFor(js string, within time.Duration) {
	p.t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		var is bool
		// While a page loads itself anew an expression may have no page to run in; the next try has one.
		err := p.eval("!!("+js+")", &is)
		if is {
			return
		}
		select {
		case <-deadline.C:
			p.t.Fatalf("waited %v for %s (%v); the page says: %q", within, js, err, p.Text())
		case <-again.C:
		}
	}
}

// Text is all the text that the page shows.
func (p *Page) Text() string {
	var text string
	if err := p.eval("document.body.innerText", &text); err != nil {
		return err.Error()
	}
	return text
}

// A Point is a place on the page, in pixels from its upper left corner.
type Point struct{ X, Y float64 }

// Where is the middle of the thing that carries the action.
func (p *Page) Where(action string) Point {
	p.t.Helper()
	var at *Point
	p.Eval(fmt.Sprintf(`(() => { const e = document.querySelector('[data-action=%q]'); if (!e) return null;
		const b = e.getBoundingClientRect(); return {x: b.x + b.width / 2, y: b.y + b.height / 2}; })()`, action), &at)
	if at == nil {
		p.t.Fatalf("nothing to tap for %q; the page says: %q", action, p.Text())
	}
	return *at
}

// Click taps the middle of the thing that carries the action, with a real pointer: what covers it
// is hit instead.
func (p *Page) Click(action string) {
	p.t.Helper()
	p.ClickAt(p.Where(action))
}

// ClickAt taps a place, whatever is there.
func (p *Page) ClickAt(at Point) {
	p.t.Helper()
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		p.call(p.session, "Input.dispatchMouseEvent",
			object{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil)
	}
}

// Spoken is all the text of the accessibility tree: what a screen reader would find.
func (p *Page) Spoken() string {
	p.t.Helper()
	var tree struct {
		Nodes []struct{ Name struct{ Value any } }
	}
	p.call(p.session, "Accessibility.getFullAXTree", nil, &tree)
	var b strings.Builder
	for _, n := range tree.Nodes {
		if n.Name.Value != nil {
			fmt.Fprintln(&b, n.Name.Value)
		}
	}
	return b.String()
}

// Press presses a key, "Tab" or "Enter".
func (p *Page) Press(key string) {
	p.t.Helper()
	code := map[string]int{"Tab": 9, "Enter": 13}[key]
	text := map[string]string{"Enter": "\r"}[key]
	for _, kind := range []string{"keyDown", "keyUp"} {
		p.call(p.session, "Input.dispatchKeyEvent",
			object{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}, nil)
	}
}

// Screenshot writes what the page looks like to a PNG file.
func (p *Page) Screenshot(path string) {
	p.t.Helper()
	var shot struct{ Data string }
	p.call(p.session, "Page.captureScreenshot", object{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		p.t.Fatalf("screenshot: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
