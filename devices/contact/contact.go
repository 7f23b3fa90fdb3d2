// Package contact watches switches: a door, a bin that is full, somebody who stands there. It looks
// instead of waiting for edges, which a loose contact sends by the thousand.
package contact

import (
	"context"
	"errors"
	"io"
	"time"

	"circdesk/devices"

	"periph.io/x/conn/v3/gpio"
)

// A Pin is an input with its pull-up on, and how to give it back.
type Pin interface {
	Read() gpio.Level
	io.Closer
}

// A Config names a switch.
type Config struct {
	Name    string // unique: "bin full"
	Line    string // of the GPIO: "GPIO5"
	Closed  bool   // the trouble is when it is closed (low); else when it is open (high)
	Open    func(line string) (Pin, error)
	Backoff devices.Backoff
}

// Check returns what is wrong with c, or nil.
func (c Config) Check() error {
	if c.Name == "" || c.Line == "" {
		return errors.New("a contact needs a name and a line")
	}
	return nil
}

// A contact that bounces must be quiet for this long.
const (
	look    = 10 * time.Millisecond
	settles = 30 * time.Millisecond
)

// Run watches until ctx is done. It tells the state at the beginning and at every change.
func Run(ctx context.Context, c Config, report func(devices.Status), tell func(on bool)) error {
	if err := c.Check(); err != nil {
		return err
	}
	spec := devices.Spec{Name: c.Name, Kind: "contact", Path: c.Line, Backoff: c.Backoff, Report: report}
	devices.Keep(ctx, spec, func(context.Context) (Pin, error) { return c.Open(c.Line) }, func(ctx context.Context, p Pin, count func(devices.Tally)) error {
		return watch(ctx, p, func(level gpio.Level) {
			count(devices.Tally{Reads: 1})
			tell((level == gpio.Low) == c.Closed)
		})
	})
	return nil
}

// watch tells each level that has settled.
func watch(ctx context.Context, p Pin, tell func(gpio.Level)) error {
	every := time.NewTicker(look)
	defer every.Stop()
	now, since, known, told := p.Read(), time.Now(), gpio.Low, false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-every.C:
		}
		if level := p.Read(); level != now {
			now, since = level, time.Now()
		}
		if (!told || now != known) && time.Since(since) >= settles {
			known, told = now, true
			tell(now)
		}
	}
}
