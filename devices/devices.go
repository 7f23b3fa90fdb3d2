// Package devices keeps the things that are plugged into the kiosk usable: it
// opens a device, lends it to the code that talks to it, closes it, and opens
// it again for ever. It knows nothing of what a device says; scanners, readers
// and printers live in the packages below.
package devices

import (
	"errors"
	"io/fs"
	"syscall"
	"time"
)

// A State is what can be said of a device at a glance.
type State string

// The states of a device.
const (
	Opening State = "opening" // not yet tried
	Ready   State = "ready"   // open and lent
	Absent  State = "absent"  // not plugged in
	Denied  State = "denied"  // there, but this user may not open it
	Noisy   State = "noisy"   // muted for a while because it sends too much
	Failed  State = "failed"  // anything else; Status.Err says what
)

// ErrGone is wrapped by the error of a device that was unplugged in use.
var ErrGone = errors.New("device is gone")

// ErrNoisy is wrapped by the error of a device that sends more than any person
// could make it send. Keep reads it no longer and, after a pause that grows,
// opens it anew.
var ErrNoisy = errors.New("device sends too much")

// A Tally counts what came from a device.
type Tally struct {
	Reads   uint64 // codes or tags handed on
	Repeats uint64 // the same code again at once: one event, not two
	Drops   uint64 // input thrown away: noise, fragments, over-long codes
}

// A Status is one device's line in a List. Its counters run since the program
// started, over all openings.
type Status struct {
	Name  string // from the config, unique: "desk"
	Kind  string // how it is driven: "serial"
	Path  string // where it is: "/dev/circdesk/scanner"
	State State
	Since time.Time // when State or Err last changed
	Err   string    // why the device is not ready; empty when it is
	Opens uint64    // how often it was opened
	Tally
}

// stateOf says what an error from opening or using a device means.
func stateOf(err error) State {
	switch {
	case errors.Is(err, ErrNoisy):
		return Noisy
	case errors.Is(err, ErrGone), errors.Is(err, fs.ErrNotExist),
		errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return Absent
	case errors.Is(err, fs.ErrPermission):
		return Denied
	}
	return Failed
}
