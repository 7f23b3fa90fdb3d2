package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"circdesk/cmd/kioskd/control"
)

// ask has kioskctl print one JSON document or several, one after the other.
func ask[T any](ctx context.Context, args ...string) ([]T, error) {
	out, err := exec.CommandContext(ctx, "kioskctl", append([]string{"-json"}, args...)...).Output()
	if err != nil {
		if ended, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(ended.Stderr)))
		}
		return nil, fmt.Errorf("kioskctl %v: %w", args, err)
	}
	var all []T
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var v T
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("kioskctl %v: %w", args, err)
		}
		all = append(all, v)
	}
}

// status is the desk at a glance.
func status(ctx context.Context) (control.Status, error) {
	all, err := ask[control.Status](ctx, "status")
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("kioskctl status: %d documents", len(all))
	}
	if err != nil {
		return control.Status{}, err
	}
	return all[0], nil
}

// device is a device's line.
func device(ctx context.Context, name string) (control.Device, error) {
	all, err := ask[control.Device](ctx, "devices")
	for _, d := range all {
		if d.Name == name {
			return d, nil
		}
	}
	return control.Device{}, errors.Join(err, fmt.Errorf("no device %q among %d", name, len(all)))
}

// patience is for whatever should happen by itself. Under emulation and with much else to do, a computer
// takes many seconds for what a Pi does in one.
const patience = 90 * time.Second

// errLeak is what no waiting mends: the console got something.
var errLeak = errors.New("a leak")

// until looks again and again until look is content, and returns its last complaint if it never is.
func until(ctx context.Context, look func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for last := errors.New("never looked"); ; {
		err := look(ctx)
		if err == nil || errors.Is(err, errLeak) {
			return err
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-again.C:
		}
	}
}

// becomes waits until a device is in a state.
func becomes(ctx context.Context, name, state string) error {
	return until(ctx, func(ctx context.Context) error {
		d, err := device(ctx, name)
		if err == nil && d.State != state {
			err = fmt.Errorf("%s is %s and not %s: %s", name, d.State, state, d.Error)
		}
		return err
	})
}

// head is the number of the journal's last entry.
func head(ctx context.Context) (uint64, error) {
	s, err := status(ctx)
	return s.Entries, err
}

// lent waits for the loan of a book to somebody, after entry since.
func lent(ctx context.Context, since uint64, who, book string) error {
	return until(ctx, func(ctx context.Context) error {
		lines, err := ask[control.Line](ctx, "-since", strconv.FormatUint(since+1, 10), "journal")
		if err != nil {
			return err
		}
		for _, l := range lines {
			if l.Kind == "loan" && string(l.Item) == book && l.Patron != nil && string(*l.Patron) == who {
				return nil
			}
		}
		s, err := status(ctx)
		return errors.Join(fmt.Errorf("no loan of %s to %s among %d new entries; the screen is %q", book, who, len(lines), s.Screen), err)
	})
}

// knows waits until somebody's visit has begun, other than visit before.
func knows(ctx context.Context, before uint64) error {
	return until(ctx, func(ctx context.Context) error {
		s, err := status(ctx)
		if err == nil && (s.Session == 0 || s.Session == before) {
			err = fmt.Errorf("nobody's visit has begun: the screen is %q, the session %d", s.Screen, s.Session)
		}
		return err
	})
}

// verify checks the journal.
func verify(ctx context.Context) (control.Verified, error) {
	all, err := ask[control.Verified](ctx, "verify")
	if err != nil {
		return control.Verified{}, err
	}
	if len(all) != 1 || !all[0].OK {
		return control.Verified{}, fmt.Errorf("the journal is not whole: %+v", all)
	}
	return all[0], nil
}
