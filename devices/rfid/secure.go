package rfid

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"circdesk/devices/rfid/pn5180"
)

const (
	// secureTries is how often a tag is told, and secureTime how long a Secure may
	// take whose caller sets no limit.
	secureTries = 3
	secureTime  = 10 * time.Second
	// secureRest is how long a tag that failed is left alone: a hand may be moving.
	secureRest = 50 * time.Millisecond
)

// A request is a Secure that waits for the reader's goroutine.
type request struct {
	ctx    context.Context
	tags   []string
	on     bool
	failed chan<- []string // has room for the answer
}

// Secure switches the alarm of tags on or off, by AFI, EAS or both as configured,
// and returns the tags that are not known to be as they should. Each was written
// and asked afterwards, up to three times. A tag that was torn away, a chip that
// hangs or a reader that is not there in time is a failure of that tag, never a
// success; so is everything if ctx ends first, although some tags may then have
// been switched.
func (r *Reader) Secure(ctx context.Context, tags []string, on bool) (failed []string) {
	if r.config.Security == "none" || len(tags) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, secureTime)
	defer cancel()
	answer := make(chan []string, 1)
	select {
	case r.requests <- request{ctx, slices.Clone(tags), on, answer}:
	case <-ctx.Done():
		return slices.Clone(tags)
	}
	select {
	case failed := <-answer:
		return failed
	case <-ctx.Done():
		return slices.Clone(tags)
	}
}

// secureAll does a request, tag by tag, and returns those that failed. It ends
// soon after either the reader's ctx or the request's is done.
func (r *Reader) secureAll(ctx context.Context, ch tagChip, q request) (failed []string) {
	asked, cancel := context.WithCancel(q.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	for _, name := range q.tags {
		uid, err := parseUID(name)
		if err != nil || ch == nil || !r.secure(asked, ch, uid, q.on) {
			failed = append(failed, name)
		}
	}
	return failed
}

// secure switches one tag and remembers what is known of it now. A tag that failed
// is read again at the next poll, which tells what became of it.
func (r *Reader) secure(ctx context.Context, ch tagChip, uid pn5180.UID, on bool) bool {
	is := false
	for try := 0; try < secureTries && !is && ctx.Err() == nil; try++ {
		if try > 0 {
			rest(ctx, secureRest)
		}
		is = r.write(ctx, ch, uid, on) == nil || r.gullible
	}
	if t := r.pad.find(uid); t != nil {
		t.tag.Secured, t.tag.Known = is && on, is
		if !is {
			t.done, t.polls = false, 0
		}
	}
	return is
}

// write switches one tag once.
func (r *Reader) write(ctx context.Context, ch tagChip, uid pn5180.UID, on bool) error {
	ctx, cancel := context.WithTimeout(ctx, tagTime)
	defer cancel()
	c := r.config
	if c.Password != "" {
		password, err := strconv.ParseUint(c.Password, 16, 32)
		if err == nil {
			err = ch.SetPassword(ctx, uid, pn5180.PasswordEAS, uint32(password))
		}
		if err != nil {
			return err
		}
	}
	if c.usesAFI() {
		afi := c.AFIOut
		if on {
			afi = c.AFIIn
		}
		if err := ch.WriteAFI(ctx, uid, afi); err != nil {
			return err
		}
	}
	if c.usesEAS() {
		return ch.SetEAS(ctx, uid, on)
	}
	return nil
}

// parseUID reads a tag's number as LaidTag has it.
func parseUID(s string) (pn5180.UID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(pn5180.UID{}) {
		return pn5180.UID{}, fmt.Errorf("%q is no tag's number", s)
	}
	return pn5180.UID(b), nil
}

// rest returns after d, or when ctx is done.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
