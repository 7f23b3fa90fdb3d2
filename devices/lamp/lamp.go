// Package lamp drives the lights and the buzzer on a desk: one short sign for each thing that happened.
// It knows patterns and pins, and nothing of what they stand for.
package lamp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"circdesk/devices"

	"periph.io/x/conn/v3/gpio"
)

// A Sign is what a person sees and hears (facts: hardware 7).
type Sign string

// The signs.
const (
	OK    Sign = "ok"    // green, once and short
	Warn  Sign = "warn"  // amber, twice
	Error Sign = "error" // red, once and long
)

// A Pin is an output, and how to give it back.
type Pin interface {
	Out(gpio.Level) error
	io.Closer
}

// A Config names the lines; an empty one is not there.
type Config struct {
	Name                      string // unique: "lamp"
	Green, Amber, Red, Buzzer string
	Open                      func(line string) (Pin, error)
	Backoff                   devices.Backoff
}

// Check returns what is wrong with c, or nil.
func (c Config) Check() error {
	if c.Name == "" {
		return errors.New(`name: "" is not a name`)
	}
	if c.path() == "" {
		return errors.New("it has no line at all")
	}
	return nil
}

// path is the names of the lines.
func (c Config) path() string {
	var names []string
	for _, n := range []string{c.Green, c.Amber, c.Red, c.Buzzer} {
		if n != "" {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// A Lamp shows one sign at a time.
type Lamp struct {
	c     Config
	signs chan Sign
}

// New makes a Lamp, or returns Check's error.
func New(c Config) (*Lamp, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return &Lamp{c, make(chan Sign, 1)}, nil
}

// Show shows a sign. It never waits: the newest takes the place of one that has not begun.
func (l *Lamp) Show(s Sign) {
	for {
		select {
		case l.signs <- s:
			return
		default:
		}
		select {
		case <-l.signs:
		default:
		}
	}
}

// Run keeps the lines until ctx is done; then all are low.
func (l *Lamp) Run(ctx context.Context, report func(devices.Status)) {
	spec := devices.Spec{Name: l.c.Name, Kind: "lamp", Path: l.c.path(), Backoff: l.c.Backoff, Report: report}
	devices.Keep(ctx, spec, func(context.Context) (*pins, error) { return l.open() }, func(ctx context.Context, p *pins, count func(devices.Tally)) error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case s := <-l.signs:
				count(devices.Tally{Reads: 1})
				if err := p.play(ctx, s); err != nil {
					return err
				}
			}
		}
	})
}

// Try opens the lines once and closes them again.
func Try(c Config) error {
	l, err := New(c)
	if err != nil {
		return err
	}
	p, err := l.open()
	if err != nil {
		return err
	}
	return p.Close()
}

// pins are the open lines, by colour; "buzzer" is one of them.
type pins map[string]Pin

func (l *Lamp) open() (*pins, error) {
	p := pins{}
	for colour, line := range map[string]string{"green": l.c.Green, "amber": l.c.Amber, "red": l.c.Red, "buzzer": l.c.Buzzer} {
		if line == "" {
			continue
		}
		pin, err := l.c.Open(line)
		if err == nil {
			err = pin.Out(gpio.Low)
			p[colour] = pin
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %q: %w", line, err), p.Close())
		}
	}
	return &p, nil
}

// play switches the lights and the buzzer in time.
func (p pins) play(ctx context.Context, s Sign) error {
	colour, times, long := "green", 1, 80*time.Millisecond
	switch s {
	case Warn:
		colour, times, long = "amber", 2, 120*time.Millisecond
	case Error:
		colour, times, long = "red", 1, 600*time.Millisecond
	}
	for i := range times {
		if i > 0 {
			rest(ctx, long)
		}
		if err := p.set(gpio.High, colour, "buzzer"); err != nil {
			return err
		}
		rest(ctx, long)
		if err := p.set(gpio.Low, colour, "buzzer"); err != nil {
			return err
		}
	}
	return nil
}

func (p pins) set(level gpio.Level, names ...string) error {
	var all []error
	for _, n := range names {
		if pin := p[n]; pin != nil {
			all = append(all, pin.Out(level))
		}
	}
	return errors.Join(all...)
}

// Close makes all lines low and gives them back.
func (p pins) Close() error {
	var all []error
	for _, pin := range p {
		all = append(all, pin.Out(gpio.Low), pin.Close())
	}
	return errors.Join(all...)
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
