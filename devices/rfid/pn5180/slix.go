package pn5180

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// makerNXP is NXP's code, which follows each of its own commands.
const makerNXP = 0x04

// PasswordEAS is the id of the password for EAS and AFI.
const PasswordEAS = 0x10

// alarm is what an ICODE SLIX says while its EAS bit is set.
var alarm = []byte{
	0x2F, 0xB3, 0x62, 0x70, 0xD5, 0xA7, 0x90, 0x7F, 0xE8, 0xB1, 0x80, 0x38, 0xD2, 0x81, 0x49, 0x76,
	0x82, 0xDA, 0x9A, 0x86, 0x6F, 0xAF, 0x8B, 0xB0, 0xF1, 0x9C, 0xD1, 0x12, 0xA5, 0x72, 0x37, 0xEF,
}

// custom returns one of NXP's own requests to one tag.
func custom(flags, command byte, uid UID, args ...byte) []byte {
	frame := append([]byte{flags, command, makerNXP}, uid.wire()...)
	return append(frame, args...)
}

// EASAlarm tells whether any tag in the field has its EAS bit set, as a gate
// would. No is said by silence.
func (d *Dev) EASAlarm(ctx context.Context) (bool, error) {
	on := false
	err := d.do(ctx, "EAS alarm", func() error {
		if err := d.readyTags(); err != nil {
			return err
		}
		var err error
		on, err = d.sounds(ctx, 0x02, 0xA5, makerNXP)
		if err == nil && !on {
			_, err = d.inField()
		}
		return err
	})
	return on, err
}

// EAS tells whether a tag has its EAS bit set. No is silence of a tag that
// answers other questions.
func (d *Dev) EAS(ctx context.Context, uid UID) (bool, error) {
	on := false
	err := d.do(ctx, fmt.Sprintf("EAS of %v", uid), func() error {
		if err := d.listen(tags); err != nil {
			return err
		}
		var err error
		on, err = d.eas(ctx, uid)
		return err
	})
	return on, err
}

// eas asks twice before it believes a silence, and makes sure that the tag is
// still there.
func (d *Dev) eas(ctx context.Context, uid UID) (bool, error) {
	for range 2 {
		if on, err := d.sounds(ctx, custom(0x22, 0xA5, uid)...); on || err != nil {
			return on, err
		}
		if err := d.confirm(ctx, uid); err != nil {
			return false, err
		}
	}
	return false, nil
}

// sounds tells whether a request is answered by the alarm.
func (d *Dev) sounds(ctx context.Context, frame ...byte) (bool, error) {
	reply, err := d.exchange(ctx, query(1+len(alarm), frame...))
	if errors.Is(err, ErrNoTag) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	data, err := payload(reply)
	if err != nil {
		return false, err
	}
	if !bytes.Equal(data, alarm) {
		return false, fmt.Errorf("%w: %X is no EAS alarm", ErrProtocol, data)
	}
	return true, nil
}

// SetEAS sets or resets the EAS bit of an ICODE SLIX and makes sure of it. That
// it is reset is believed if the tag says so and is silent to the alarm.
func (d *Dev) SetEAS(ctx context.Context, uid UID, on bool) error {
	what, command := "set", byte(0xA2)
	if !on {
		what, command = "reset", 0xA3
	}
	return d.do(ctx, fmt.Sprintf("%s EAS of %v", what, uid), func() error {
		if uid[1] != makerNXP {
			return errors.New("not an ICODE")
		}
		if err := d.listen(tags); err != nil {
			return err
		}
		wrote := d.programNow(ctx, custom(0x22, command, uid))
		if wrote != nil && (!on || fatal(ctx, wrote)) {
			return wrote
		}
		is, err := d.eas(ctx, uid)
		switch {
		case err == nil && is == on:
			return nil
		case wrote != nil:
			return wrote
		case err != nil:
			return err
		}
		return ErrNotWritten
	})
}

// SetPassword gives a tag a password, which opens what it protects until the
// next inventory or the end of the field. A wrong one mutes the tag, so the field
// is switched off and on after it.
func (d *Dev) SetPassword(ctx context.Context, uid UID, id byte, password uint32) error {
	return d.do(ctx, fmt.Sprintf("password %02X of %v", id, uid), func() error {
		if err := d.listen(tags); err != nil {
			return err
		}
		reply, err := d.exchange(ctx, query(3, custom(0x22, 0xB2, uid)...))
		if err != nil {
			return err
		}
		random, err := payload(reply)
		if err != nil {
			return err
		}
		if len(random) != 2 {
			return fmt.Errorf("%w: %X is no random number", ErrProtocol, random)
		}
		masked := masked(password, binary.LittleEndian.Uint16(random))
		err = d.programNow(ctx, custom(0x22, 0xB3, uid, append([]byte{id}, masked...)...))
		if errors.Is(err, ErrNoTag) {
			return errors.Join(ErrPassword, d.renew())
		}
		return err
	})
}

// masked returns a password as it is sent after a random number was asked for.
func masked(password uint32, random uint16) []byte {
	return binary.LittleEndian.AppendUint32(nil, password^(uint32(random)<<16|uint32(random)))
}

// StayQuiet makes a tag silent to all but its own number until the next
// inventory.
func (d *Dev) StayQuiet(ctx context.Context, uid UID) error {
	return d.do(ctx, fmt.Sprintf("quiet %v", uid), func() error {
		if err := d.listen(tags); err != nil {
			return err
		}
		d.quiet = true
		_, err := d.exchange(ctx, query(2, addressed(0x22, 0x02, uid)...))
		if errors.Is(err, ErrNoTag) {
			return nil
		}
		if err == nil {
			return fmt.Errorf("%w: silence was asked for", ErrProtocol)
		}
		return err
	})
}

// Select makes a tag the one that questions without a number are for.
func (d *Dev) Select(ctx context.Context, uid UID) error {
	return d.do(ctx, fmt.Sprintf("select %v", uid), func() error {
		if err := d.listen(tags); err != nil {
			return err
		}
		// It leaves the quiet state, and takes part in no inventory.
		d.quiet = true
		return d.obeyed(d.exchange(ctx, query(2, addressed(0x22, 0x25, uid)...)))
	})
}
