package devicestest

import "encoding/binary"

// passwordEAS is the id of the password for EAS and AFI.
const passwordEAS = 0x10

// easSequence is what an ICODE says while its EAS bit is set.
const easSequence = "\x2F\xB3\x62\x70\xD5\xA7\x90\x7F\xE8\xB1\x80\x38\xD2\x81\x49\x76" +
	"\x82\xDA\x9A\x86\x6F\xAF\x8B\xB0\xF1\x9C\xD1\x12\xA5\x72\x37\xEF"

// custom answers NXP's own commands.
func (t *Tag) custom(code byte, r tagRequest) *tagAnswer {
	switch code {
	case 0xA2:
		return t.writeEAS(r, true)
	case 0xA3:
		return t.writeEAS(r, false)
	case 0xA5:
		if !t.is.EAS {
			return nil
		}
		return say(append([]byte{0}, easSequence...)...)
	case 0xA6:
		return t.protect(r)
	case 0xB2:
		return t.draw()
	case 0xB3:
		return t.password(r)
	case 0xB4:
		return t.writePassword(r)
	}
	return t.refuse(r, tagUnsupported)
}

func (t *Tag) writeEAS(r tagRequest, on bool) *tagAnswer {
	if len(r.args) != 0 {
		return t.refuse(r, tagFormat)
	}
	if t.is.EASProtected && !t.open[passwordEAS] {
		return t.refuse(r, tagUnknown)
	}
	return t.write(r, func() { t.is.EAS = on }, nil)
}

// protect puts EAS or AFI under the password, for ever.
func (t *Tag) protect(r tagRequest) *tagAnswer {
	if !t.open[passwordEAS] {
		return t.refuse(r, tagUnknown)
	}
	ofAFI := r.option
	r.option = false
	return t.write(r, func() {
		t.is.AFIProtected = t.is.AFIProtected || ofAFI
		t.is.EASProtected = t.is.EASProtected || !ofAFI
	}, nil)
}

// draw gives a number that is another one every time.
func (t *Tag) draw() *tagAnswer {
	t.random, t.drawn = t.random*25173+13849+uint16(t.is.UID[7]), true
	return say(0, byte(t.random), byte(t.random>>8))
}

// password opens what a password protects. A wrong one mutes the tag until it
// loses its field.
func (t *Tag) password(r tagRequest) *tagAnswer {
	if len(r.args) != 5 || !t.drawn {
		return t.refuse(r, tagUnknown)
	}
	id := r.args[0]
	mask := uint32(t.random) | uint32(t.random)<<16
	t.drawn = false
	if binary.LittleEndian.Uint32(r.args[1:])^mask != t.is.Passwords[id] {
		t.muted = true
		return nil
	}
	t.open[id] = true
	return say(0)
}

func (t *Tag) writePassword(r tagRequest) *tagAnswer {
	if len(r.args) != 5 || !t.open[r.args[0]] {
		return t.refuse(r, tagUnknown)
	}
	id, password := r.args[0], binary.LittleEndian.Uint32(r.args[1:])
	return t.write(r, func() { t.is.Passwords[id] = password }, nil)
}
