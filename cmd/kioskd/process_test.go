package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"circdesk/cmd/kioskd/control"
	"circdesk/cmd/kioskd/sample"
	"circdesk/devices/devicestest"
	"circdesk/web"
)

// asKioskd in the environment makes the test binary be kioskd.
const asKioskd = "CIRCDESK_TEST_AS_KIOSKD"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asFloor) != "":
		floorMain()
	case os.Getenv(asOpener) != "":
		openerMain()
	case os.Getenv(asKioskd) != "":
		main()
	}
	os.Exit(m.Run())
}

// patience bounds what must happen soon, on a machine that has other things to do.
const patience = 30 * time.Second

// A process is kioskd as it is shipped, in folders of its own, with a scanner on a pseudo terminal.
type process struct {
	t      *testing.T
	folder string
	school sample.Files
	desk   *devicestest.Port // role student
	bin    *devicestest.Port
	listen string // fixed, so that a page finds the next one
	env    []string

	program string   // another one than the test itself
	wrap    []string // a program that runs it, with its arguments

	cmd  *exec.Cmd
	log  *logbook
	gone chan error
}

// A logbook is a log that may be read while it is written.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// install makes the folders and the config of a desk at the sample school. more is added to kiosk.toml.
func install(t *testing.T, more string) *process {
	t.Helper()
	p := &process{t: t, folder: t.TempDir(), school: schoolToday(), listen: freeAddress(t)}
	for name, port := range map[string]**devicestest.Port{"desk": &p.desk, "bin": &p.bin} {
		made, err := devicestest.Plug(filepath.Join(p.folder, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { made.Unplug() })
		*port = made
	}
	p.write("policy.toml", string(p.school.Policy))
	p.write("kiosk.toml", fmt.Sprintf(`
[kiosk]
id = "LIB-1"
site = "0123"
timezone = "America/Los_Angeles"
languages = ["en", "es"]
state = %[1]q
runtime = %[2]q
policy = %[3]q

[web]
listen = %[4]q

[[scanner]]
name = "desk"
path = %[5]q

[[scanner]]
name = "bin"
role = "bin"
path = %[6]q

`, p.path("state"), p.path("run"), p.path("policy.toml"), p.listen, p.desk.Path(), p.bin.Path())+more)
	t.Cleanup(func() {
		if p.cmd != nil {
			p.kill()
		}
		if t.Failed() && p.log != nil {
			t.Logf("the daemon's log:\n%s", p.log)
		}
	})
	return p
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *process) path(name string) string { return filepath.Join(p.folder, name) }

func (p *process) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// kioskd is a command of the program.
func kioskd(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asKioskd+"=1")
	return cmd
}

// start runs the daemon and waits until it answers.
func (p *process) start() {
	p.t.Helper()
	p.log = &logbook{}
	p.cmd = kioskd(context.Background(), "-config", p.path("kiosk.toml"))
	if p.program != "" {
		line := append(slices.Clone(p.wrap), p.program, "-config", p.path("kiosk.toml"))
		p.cmd = exec.Command(line[0], line[1:]...)
		p.cmd.Env = os.Environ()
	}
	p.cmd.Env = append(p.cmd.Env, p.env...)
	p.cmd.Stderr = p.log
	p.run(p.cmd)
	p.waitFor("the socket", func() bool {
		_, err := p.ctl().Status(p.t.Context())
		return err == nil
	})
}

func (p *process) run(cmd *exec.Cmd) {
	p.t.Helper()
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.gone = make(chan error, 1)
	go func(gone chan error) { gone <- cmd.Wait() }(p.gone)
}

// waitFor asks a running daemon again and again until something is so.
func (p *process) waitFor(what string, is func() bool) {
	p.t.Helper()
	p.waitUntil(what, func() bool {
		select {
		case err := <-p.gone:
			p.gone <- err
			p.t.Fatalf("waiting for %s: the daemon has ended: %v", what, err)
		default:
		}
		return is()
	})
}

// waitUntil asks again and again until something is so.
func (p *process) waitUntil(what string, is func() bool) {
	p.t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(patience); !is(); {
		select {
		case <-deadline:
			p.t.Fatalf("waited %v for %s; the screen: %s", patience, what, p.screenText())
		case <-again.C:
		}
	}
}

// kill ends the daemon as a power cut would.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	if len(p.wrap) > 0 {
		syscall.Kill(p.worker(), syscall.SIGKILL)
	}
	p.cmd.Process.Kill()
	<-p.gone
	p.ended()
}

// ended notes that the daemon is no more.
func (p *process) ended() {
	p.cmd = nil
	for _, port := range []*devicestest.Port{p.desk, p.bin} {
		if port == nil { // the demo's scanners are in the demo
			continue
		}
		p.waitUntil(port.Path()+" to be given up", func() bool { return port.Abandoned() == nil })
	}
}

// worker is the process id of the daemon itself, whatever it runs in.
func (p *process) worker() int {
	p.t.Helper()
	if len(p.wrap) == 0 {
		return p.cmd.Process.Pid
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		p.t.Fatalf("%s has the children %q", p.wrap[0], text)
	}
	return pid
}

// stop asks the daemon to end and returns how it did, and how long that took.
func (p *process) stop() (time.Duration, error) {
	began := time.Now()
	syscall.Kill(p.worker(), syscall.SIGTERM)
	err := <-p.gone
	p.ended()
	return time.Since(began), err
}

func (p *process) ctl() *control.Client { return control.Dial(p.path("run/control.sock")) }

// load imports the sample school.
func (p *process) load() {
	p.t.Helper()
	for kind, text := range map[string][]byte{"patrons": p.school.Patrons, "copies": p.school.Copies, "loans": p.school.Loans,
		"holds": p.school.Holds, "charges": p.school.Charges} {
		r, err := p.ctl().Import(p.t.Context(), kind, bytes.NewReader(text), importRequest(kind))
		if err != nil || r.Refused != "" || r.Bad != 0 || r.Loaded == 0 {
			p.t.Fatalf("import %s: %+v, %v", kind, r, err)
		}
	}
}

// url is the page's full address.
func (p *process) url() string {
	p.t.Helper()
	text, err := os.ReadFile(p.path("run/page.url"))
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// screen is the document that the page shows.
func (p *process) screen() (web.Document, error) {
	var d web.Document
	text, err := os.ReadFile(p.path("run/page.url"))
	if err != nil {
		return d, err
	}
	base, token, _ := strings.Cut(strings.TrimSpace(string(text)), "#token=")
	resp, err := http.Get(base + "api/screen?token=" + token)
	if err != nil {
		return d, err
	}
	defer resp.Body.Close()
	return d, json.NewDecoder(resp.Body).Decode(&d)
}

func (p *process) screenText() string {
	d, err := p.screen()
	return fmt.Sprintf("%+v, %v", d.Model, err)
}

// shows waits until the screen is as wanted, and returns it.
func (p *process) shows(what string, is func(web.Document) bool) web.Document {
	p.t.Helper()
	var last web.Document
	p.waitFor(what, func() bool {
		d, err := p.screen()
		last = d
		return err == nil && is(d)
	})
	return last
}

// on waits for a screen by its name.
func (p *process) on(screen string) web.Document {
	p.t.Helper()
	return p.shows("screen "+screen, func(d web.Document) bool { return d.Screen == screen })
}

// scan types a code as a scanner does.
func (p *process) scan(port *devicestest.Port, code string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if err := port.Type(ctx, code+"\r\n"); err != nil {
		p.t.Fatal(err)
	}
}

// journal is all that stands in the journal.
func (p *process) journal() []control.Line {
	p.t.Helper()
	var all []control.Line
	for l, err := range p.ctl().Journal(p.t.Context(), 0) {
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// get fetches a path of the page's server.
func (p *process) get(path string) (int, string) {
	p.t.Helper()
	resp, err := http.Get("http://" + p.listen + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// lines reads from r into a channel, so that a test can wait for a line.
func lines(r io.Reader) <-chan string {
	c := make(chan string, 100)
	go func() {
		defer close(c)
		for s := bufio.NewScanner(r); s.Scan(); {
			c <- s.Text()
		}
	}()
	return c
}
