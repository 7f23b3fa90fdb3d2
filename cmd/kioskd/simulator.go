package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"circdesk/cmd/kioskd/control"
	"circdesk/cmd/kioskd/sample"
	"circdesk/devices/devicestest"
	"circdesk/kiosk"
	"circdesk/kiosk/ils"
)

//go:embed simulator
var simulatorFS embed.FS

// A simulator is the demo's surroundings: scanners to hold things under, and a library system.
type simulator struct {
	school  sample.Files
	ports   []*simulated
	radio   *radio
	library *demoLibrary
	again   func() error // pulls the plug and starts again
}

// A simulated scanner is a real serial port with nothing behind it but the simulator.
type simulated struct {
	name, label string
	role        kiosk.Role

	mu   sync.Mutex
	port *devicestest.Port
	in   bool // plugged in
}

// plugIn makes the simulated devices. Their ports are below folder.
func plugIn(folder string) (*simulator, error) {
	sim := &simulator{school: schoolToday(), library: &demoLibrary{}}
	sim.library.up.Store(true)
	ports := filepath.Join(folder, "dev")
	// What a demo before this one has left: names of terminals that are gone.
	if err := errors.Join(os.RemoveAll(ports), os.MkdirAll(ports, 0o700)); err != nil {
		return nil, err
	}
	for _, p := range []*simulated{
		{name: "desk", label: "At the desk", role: kiosk.RoleStudent},
		{name: "slot", label: "Return slot", role: kiosk.RoleBin},
	} {
		var err error
		if p.port, err = devicestest.Plug(filepath.Join(ports, p.name)); err != nil {
			return nil, errors.Join(err, sim.close())
		}
		p.in = true
		sim.ports = append(sim.ports, p)
	}
	var err error
	if sim.radio, err = newRadio(sim.school); err != nil {
		return nil, errors.Join(err, sim.close())
	}
	return sim, nil
}

func (sim *simulator) close() error {
	var all []error
	for _, p := range sim.ports {
		p.mu.Lock()
		all = append(all, p.port.Unplug())
		p.mu.Unlock()
	}
	return errors.Join(all...)
}

// pages are what the simulator answers. The page's server has looked at Host and Origin.
func (sim *simulator) pages() map[string]http.Handler {
	files, err := fs.Sub(simulatorFS, "simulator")
	if err != nil {
		panic(err) // embedded
	}
	return map[string]http.Handler{
		"GET /simulator": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, "index.html")
		}),
		"GET /simulator/":         http.StripPrefix("/simulator/", http.FileServerFS(files)),
		"GET /simulator/state":    http.HandlerFunc(sim.state),
		"POST /simulator/scan":    posted(sim.scan),
		"POST /simulator/scanner": posted(sim.unplug),
		"POST /simulator/card":    posted(sim.radio.holdUp),
		"POST /simulator/pad":     posted(sim.radio.lay),
		"POST /simulator/library": posted(sim.switchLibrary),
		"POST /simulator/plug":    posted(sim.pullPlug),
	}
}

// posted answers a form with 204, or with what went wrong.
func posted(do func(r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 4096)
		if err := do(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// state is what the simulator's page draws.
func (sim *simulator) state(w http.ResponseWriter, _ *http.Request) {
	type scanner struct {
		Name, Label string
		In          bool
	}
	var s struct {
		People, Books []sample.Part
		Scanners      []scanner
		Library       bool
		Delivered     uint64
		Tags          map[string]tagState // by the books' codes
	}
	s.People, s.Books = sim.school.Cast.People(), sim.school.Cast.Books()
	for _, p := range sim.ports {
		p.mu.Lock()
		s.Scanners = append(s.Scanners, scanner{p.name, p.label, p.in})
		p.mu.Unlock()
	}
	s.Tags = sim.radio.tagStates()
	s.Library, s.Delivered = sim.library.up.Load(), sim.library.taken.Load()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s) // a page that has gone needs no answer
}

func (sim *simulator) find(r *http.Request) (*simulated, error) {
	name := r.PostFormValue("scanner")
	for _, p := range sim.ports {
		if p.name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("there is no scanner %q", name)
}

// typing bounds how long a simulated scanner waits to be read.
const typing = 3 * time.Second

// scan holds a code under a scanner.
func (sim *simulator) scan(r *http.Request) error {
	p, err := sim.find(r)
	if err != nil {
		return err
	}
	code := r.PostFormValue("code")
	if code == "" || len(code) > 200 {
		return fmt.Errorf("a code of %d characters", len(code))
	}
	ctx, cancel := context.WithTimeout(r.Context(), typing)
	defer cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.port.Type(ctx, code+"\r\n")
}

// unplug pulls a scanner out or plugs it in again.
func (sim *simulator) unplug(r *http.Request) error {
	p, err := sim.find(r)
	in, wrong := strconv.ParseBool(r.PostFormValue("in"))
	if err = errors.Join(err, wrong); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if in == p.in {
		return nil
	}
	p.in = in
	if in {
		return p.port.Replug()
	}
	return p.port.Unplug()
}

func (sim *simulator) switchLibrary(r *http.Request) error {
	up, err := strconv.ParseBool(r.PostFormValue("up"))
	if err == nil {
		sim.library.up.Store(up)
	}
	return err
}

// pullPlug ends this process as a power cut would, with nothing put in order, and starts it anew.
func (sim *simulator) pullPlug(*http.Request) error { return sim.again() }

// replace puts a new process in the place of this one, at once: no file is closed in good order.
func replace(address, folder string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	env := append(os.Environ(), pulled+"=1")
	return syscall.Exec(program, []string{"kioskd", "demo", "-listen", address, "-data", folder}, env)
}

// A demoLibrary is a library system that agrees to everything, while it is up.
type demoLibrary struct {
	up    atomic.Bool
	taken atomic.Uint64
	known sync.Map // keys that were taken
}

// Send takes an entry.
func (l *demoLibrary) Send(_ context.Context, e kiosk.Entry) (ils.Answer, error) {
	if !l.up.Load() {
		return ils.Answer{}, fmt.Errorf("the simulated library system is switched off: %w", ils.ErrAway)
	}
	if _, twice := l.known.LoadOrStore(e.Key, true); !twice {
		l.taken.Add(1)
	}
	return ils.Answer{Agreed: true, Text: "OK"}, nil
}

// Probe tells whether an entry was taken.
func (l *demoLibrary) Probe(_ context.Context, e kiosk.Entry) (bool, error) {
	if !l.up.Load() {
		return false, fmt.Errorf("the simulated library system is switched off: %w", ils.ErrAway)
	}
	_, there := l.known.Load(e.Key)
	return there, nil
}

func importRequest(kind string) control.ImportRequest {
	return control.ImportRequest{Name: "sample-" + kind + ".csv", Taken: time.Now()}
}
