package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"circdesk/devices/devicestest"
	"circdesk/kiosk"
)

// The shipped binary plays a scripted day under strace, which makes one of its system calls fail or kills
// it there. Afterwards it starts again without: whatever a screen has shown as done must stand in the
// journal, once, and the chain must fit. strace counts the calls of each thread by itself, so that N is
// not the Nth call of the program, but every call is some N.

// A fault is what strace does to the Nth call of a kind.
type fault struct {
	call   string // pwrite64 or fsync
	what   string // signal=SIGKILL, error=ENOSPC, error=EIO
	sticky bool   // from the Nth on
}

func faults() []fault {
	return []fault{
		{"pwrite64", "signal=SIGKILL", false}, {"fsync", "signal=SIGKILL", false},
		{"pwrite64", "error=ENOSPC", false}, {"pwrite64", "error=ENOSPC", true},
		{"fsync", "error=EIO", false}, {"fsync", "error=EIO", true},
	}
}

// at is the argument that makes strace do f at n.
func (f fault) at(n int) []string {
	when := fmt.Sprint(n)
	if f.sticky {
		when += "+"
	}
	return []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + f.call,
		"-e", fmt.Sprintf("inject=%s:%s:when=%s", f.call, f.what, when)}
}

// A day is a desk whose state begins each time as it was left after the import.
type day struct {
	*process
	fresh string // a copy of the state folder
}

func newDay(t *testing.T) *day {
	t.Helper()
	d := &day{process: install(t, "")}
	d.program = build(t)
	d.start()
	d.load()
	d.stop()
	d.fresh = filepath.Join(t.TempDir(), "fresh")
	if err := os.CopyFS(d.fresh, os.DirFS(d.path("state"))); err != nil {
		t.Fatal(err)
	}
	return d
}

// again sets the desk back to the morning.
func (d *day) again() {
	d.t.Helper()
	if err := os.RemoveAll(d.path("state")); err != nil {
		d.t.Fatal(err)
	}
	if err := os.CopyFS(d.path("state"), os.DirFS(d.fresh)); err != nil {
		d.t.Fatal(err)
	}
}

// hurry is how long a step of the script may take before the next one comes, whatever is wrong.
const hurry = 1500 * time.Millisecond

// script plays the day under wrap until it is over or the daemon has ended, and returns the keys that
// screens have shown as done.
func (d *day) script(wrap []string) []string {
	d.t.Helper()
	d.log = &logbook{}
	line := append(slices.Clone(wrap), d.program, "-config", d.path("kiosk.toml"))
	d.wrap = wrap
	d.cmd = kioskd(context.Background())
	d.cmd.Path, d.cmd.Args, d.cmd.Env, d.cmd.Stderr = lookPath(d.t, line[0]), line, os.Environ(), d.log
	d.run(d.cmd)
	defer d.end()
	if !d.within(patience, func() bool { _, err := d.screen(); return err == nil }) {
		return nil
	}
	cast := d.school.Cast
	var shown []string
	for _, step := range []struct {
		port *devicestest.Port
		code string
	}{
		{d.bin, cast.OnLoan.Code}, {d.bin, cast.Wanted.Code}, // the slot first: a visit would hide it
		{d.desk, cast.Maya.Code}, {d.desk, cast.Plain[0].Code}, {d.desk, cast.Plain[1].Code},
		{d.desk, cast.CanRenew.Code}, {d.desk, cast.Renewable.Code},
	} {
		before, _ := d.screen()
		ctx, cancel := context.WithTimeout(d.t.Context(), hurry)
		err := step.port.Type(ctx, step.code+"\r\n")
		cancel()
		if err != nil {
			break // nobody reads any more
		}
		d.within(hurry, func() bool {
			now, err := d.screen()
			if err != nil {
				return false
			}
			for _, item := range now.Model.Items {
				done := item.Outcome == "loan" || item.Outcome == "renewal" || item.Outcome == "return" || item.Outcome == "hold"
				if done && item.Tail == step.code[10:] && !slices.Contains(shown, item.Key) {
					shown = append(shown, item.Key)
				}
			}
			return now.Seq > before.Seq && (now.Screen == "borrowing_off" || now.Screen == "borrow" && step.code[0] == '2' ||
				len(now.Model.Items) > 0 && now.Model.Items[0].Tail == step.code[10:])
		})
	}
	return shown
}

// lookPath finds a program, or fails.
func lookPath(t *testing.T, name string) string {
	t.Helper()
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		if path := filepath.Join(folder, name); fileThere(path) {
			return path
		}
	}
	t.Fatalf("no %s", name)
	return ""
}

func fileThere(path string) bool { _, err := os.Stat(path); return err == nil }

// within asks until something is so, the time is over or the daemon has ended; it tells whether it is so.
func (d *day) within(limit time.Duration, is func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	again := time.NewTicker(3 * time.Millisecond)
	defer again.Stop()
	for {
		if is() {
			return true
		}
		select {
		case err := <-d.gone:
			d.gone <- err
			return false
		case <-deadline.C:
			return false
		case <-again.C:
		}
	}
}

// end pulls the plug, if the fault has not done so.
func (d *day) end() {
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", d.cmd.Process.Pid)); err == nil {
		if pid, err := strconv.Atoi(string(bytes.TrimSpace(text))); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	d.cmd.Process.Kill()
	<-d.gone
	d.cmd, d.wrap = nil, nil
}

// judge starts the desk without faults and says what of the promises is broken; "" if nothing is.
func (d *day) judge(shown []string) string {
	d.t.Helper()
	d.start()
	defer d.kill()
	v, err := d.ctl().Verify(d.t.Context())
	if err != nil || !v.OK {
		return fmt.Sprintf("the journal is not whole: %+v, %v", v, err)
	}
	count := map[string]int{}
	for _, l := range d.journal() {
		count[string(l.Key)]++
	}
	for _, key := range shown {
		if count[key] != 1 {
			return fmt.Sprintf("%s was shown and stands %d times in the journal", key, count[key])
		}
	}
	st, err := d.ctl().Status(d.t.Context())
	if err != nil {
		return err.Error()
	}
	for _, a := range st.Alarms {
		if a.Code == kiosk.AlarmDamaged || a.Code == kiosk.AlarmLost {
			return fmt.Sprintf("alarm %s after a fault that damages nothing", a.Code)
		}
	}
	return ""
}

func TestEverySystemCall(t *testing.T) {
	d := newDay(t)
	all := d.plan()
	if n, err := strconv.Atoi(os.Getenv("CIRCDESK_SYSCALLS")); err == nil && n < len(all) || os.Getenv("CIRCDESK_SYSCALLS") == "" {
		n = max(n, 60)
		for i := range min(n, len(all)) {
			all[i] = all[i*len(all)/n]
		}
		all = all[:min(n, len(all))]
	}
	began, broken := time.Now(), 0
	for _, p := range all {
		d.again()
		shown := d.script(p.at(p.n))
		if why := d.judge(shown); why != "" {
			broken++
			t.Errorf("%s %s at %d: %s", p.call, p.what, p.n, why)
		}
	}
	fmt.Printf("syscalls: %d faults, %d broken promises, %.0f s\n", len(all), broken, time.Since(began).Seconds())
}

// A planned fault has its place.
type planned struct {
	fault
	n int
}

// plan counts the calls of an undisturbed day and plans every fault at every one.
func (d *day) plan() []planned {
	d.t.Helper()
	most := map[string]int{}
	for _, call := range []string{"pwrite64", "fsync"} {
		d.again()
		trace := filepath.Join(d.t.TempDir(), "trace")
		shown := d.script([]string{"strace", "-f", "-qq", "-o", trace, "-e", "trace=" + call})
		if len(shown) < 5 {
			d.t.Fatalf("an undisturbed day shows %v; log: %s", shown, d.log)
		}
		text, err := os.ReadFile(trace)
		if err != nil {
			d.t.Fatal(err)
		}
		threads := map[string]int{}
		for l := range bytes.Lines(text) {
			if f := bytes.Fields(l); len(f) > 1 && bytes.HasPrefix(f[1], []byte(call)) {
				threads[string(f[0])]++
				most[call] = max(most[call], threads[string(f[0])])
			}
		}
	}
	var all []planned
	for _, f := range faults() {
		for n := 1; n <= most[f.call]; n++ {
			all = append(all, planned{f, n})
		}
	}
	return all
}

// A disk that forgets what it is given is seen: strace says "written" in its place.
func TestALyingDiskIsSeen(t *testing.T) {
	d := newDay(t)
	d.again()
	lie := []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-P", d.path("state/journal.db-wal"),
		"-e", "inject=pwrite64:retval=1024:when=4+"}
	shown := d.script(lie)
	if len(shown) == 0 {
		t.Fatalf("the day showed nothing, so nothing can be missed; log: %s", d.log)
	}
	if why := d.judge(shown); why == "" {
		t.Errorf("%v were shown, never written, and not missed", shown)
	}
}
