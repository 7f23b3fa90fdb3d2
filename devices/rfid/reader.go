package rfid

import (
	"context"
	"errors"
	"fmt"
	"time"

	"circdesk/devices"
)

const (
	// faultLimit is how many polls in a row may end in the chip's own errors. Its
	// driver resets it meanwhile; beyond the limit it is closed and opened anew.
	faultLimit = 5
	// missLimit is how many polls must miss a card or a tag before it has left.
	missLimit = 3
	// listTime bounds an inventory, and tagTime everything done to one tag.
	listTime = 3 * time.Second
	tagTime  = time.Second
)

// A Reader is a reader that runs, and through which tags are secured.
type Reader struct {
	config   Config
	requests chan request
	emit     func(Event)
	hand     hand
	pad      pad

	gullible bool // a planted defect; tests set it to see themselves fail
}

// New returns a Reader for c, or Check's error. It touches no device.
func New(c Config) (*Reader, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return &Reader{config: c.withDefaults(), requests: make(chan request)}, nil
}

// Run polls the reader until ctx is done, through every unplugging and every hang
// of its chip. It calls emit with each Event and report with each change of the
// reader's Status, both from its own goroutine; emit may wait, but not longer
// than ctx. What lies there while the chip is reset or the reader opened again is
// not told a second time.
//
// It is run once at a time, and returns within a second after ctx is done.
func (r *Reader) Run(ctx context.Context, report func(devices.Status), emit func(Event)) {
	r.emit = emit
	spec := devices.Spec{Name: r.config.Name, Kind: r.config.Chip, Path: r.config.SPI, Backoff: r.config.Backoff, Report: report}
	devices.Keep(ctx, spec,
		func(context.Context) (*chip, error) { return openChip(r.config) },
		r.serve)
}

// serve polls an open chip and does what is asked in between, until it fails or
// ctx is done.
func (r *Reader) serve(ctx context.Context, ch *chip, count func(devices.Tally)) error {
	ticker := time.NewTicker(r.config.Poll)
	defer ticker.Stop()
	for faults := 0; ; {
		err := r.poll(ctx, ch, count)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			faults = 0
		case errors.Is(err, devices.ErrGone):
			return err
		default:
			count(devices.Tally{Drops: 1})
			if faults++; faults == faultLimit {
				return fmt.Errorf("%d times in a row: %w", faultLimit, err)
			}
		}
		if !r.pause(ctx, ch, ticker.C) {
			return ctx.Err()
		}
	}
}

// poll looks once for all that the reader is used for. What it returns is the
// chip's failure.
func (r *Reader) poll(ctx context.Context, ch *chip, count func(devices.Tally)) error {
	if ch.cards != nil {
		if err := r.pollCards(ctx, ch.cards, count); err != nil {
			return err
		}
	}
	if ch.tags != nil {
		return r.pollTags(ctx, ch.tags, count)
	}
	return nil
}

// pause answers requests until the next poll is due. It is false if ctx is done.
func (r *Reader) pause(ctx context.Context, ch *chip, next <-chan time.Time) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-next:
			return true
		case q := <-r.requests:
			q.failed <- r.secureAll(ctx, ch.tags, q)
		}
	}
}
