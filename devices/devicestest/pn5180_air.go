package devicestest

import (
	"math/bits"
	"slices"
	"time"
)

const (
	// vByte is a byte of ISO 15693 at 26.48 kbit/s, both ways.
	vByte = 302 * time.Microsecond
	// aBit is a bit of ISO 14443A at 106 kbit/s.
	aBit = 9440 * time.Nanosecond
	// aTurn is the time between a frame and a card's answer.
	aTurn = 91 * time.Microsecond
	// warmUp is how long a tag has to be in a field before it hears anything.
	warmUp = time.Millisecond
	// forget is how long the field has to be off before tags forget.
	forget = 5 * time.Millisecond

	// pnFieldRise is how long the field takes to come on.
	pnFieldRise = 500 * time.Microsecond
	// pnFirmwares is what the firmware leaves in a timer that it has used.
	pnFirmwares = 0x1A850

	// pnChecked is the longest answer whose CRC the chip checks rightly, and
	// pnLongest the longest that it receives at all, whatever its buffer holds.
	pnChecked = 255
	pnLongest = 284
)

// The bits of RX_STATUS above its lengths.
const (
	pnIntegrity = 1 << 16
	pnProtocol  = 1 << 17
	pnCollision = 1 << 18
)

func (c *PN5180) fieldOn(now time.Time) {
	c.registers[pnTimerReload] = pnFirmwares
	if c.field {
		return
	}
	if now.Sub(c.fieldTo) >= forget {
		for _, p := range c.tags {
			p.tag.powerOff()
		}
	}
	c.field, c.fieldFrom = true, now
	c.later(now.Add(pnFieldRise), c.epoch, func(time.Time) { c.raise(pnIRQFieldOn) })
}

func (c *PN5180) fieldOff(now time.Time) {
	if !c.field {
		return
	}
	c.field, c.fieldTo = false, now
	for _, p := range c.tags {
		p.tag.do(p.torn)
		p.torn, p.programs = nil, false
	}
	for _, card := range c.cards {
		card.powerOff()
	}
}

// send is SEND_DATA: the bits of the last byte, and the frame.
func (c *PN5180) send(now time.Time, args []byte) {
	withData := c.registers[pnTxConfig]&pnTxData != 0
	switch {
	case len(args) == 0 || args[0] > 7 || len(args) > 261 || withData && len(args) == 1:
		c.fail(pnParameterError)
		return
	case c.state != pnWaitTransmit:
		c.fail(pnSemanticError)
		return
	}
	c.state, c.rx = pnTransmit, nil
	c.registers[pnRxStatus] = 0
	frame, last := slices.Clone(args[1:]), int(args[0])
	withStart := c.registers[pnTxConfig]&pnTxStart != 0
	unit := vByte
	if c.rf == [2]byte{0x00, 0x80} {
		unit = 9 * aBit
	}
	started := now.Sub(c.fieldFrom) >= warmUp
	end := now.Add(time.Duration(len(frame)+3) * unit)
	c.later(end, c.epoch, func(at time.Time) {
		c.state = pnWaitReceive
		c.raise(pnIRQTx)
		if !started || !c.field {
			return
		}
		if c.deafen > 0 {
			c.deafen--
			return
		}
		switch {
		case c.rf == [2]byte{0x00, 0x80}:
			c.askCards(at, frame, last)
		case c.speaksV() && last == 0:
			c.askTags(at, frame, withStart, withData)
		}
	})
}

// speaksV tells whether the RF configuration is one of ISO 15693.
func (c *PN5180) speaksV() bool {
	return (c.rf[0] == 0x0D || c.rf[0] == 0x0E) && c.rf[1] == 0x8D
}

// A pnVoice is the answer of one tag.
type pnVoice struct {
	place  *pnPlace
	answer *tagAnswer
}

// askTags gives the tags what was sent: a frame, or only the end of one.
func (c *PN5180) askTags(end time.Time, frame []byte, withStart, withData bool) {
	var voices []pnVoice
	for _, p := range c.tags {
		var a *tagAnswer
		if p.programs {
			continue // it hears nothing
		}
		switch {
		case withStart && withData && c.registers[pnCRCTx]&1 != 0:
			a = p.tag.hear(frame)
		case !withStart && !withData:
			a = p.tag.eof()
		default:
			p.tag.hear(nil) // something that is no frame
		}
		if a == nil {
			continue
		}
		c.program(end, p, a)
		if a.data != nil {
			voices = append(voices, pnVoice{p, a})
		}
	}
	if len(voices) == 0 {
		return
	}
	first := slices.MinFunc(voices, func(a, b pnVoice) int { return int(a.answer.after - b.answer.after) })
	c.later(end.Add(first.answer.after), c.epoch, func(at time.Time) { c.hearTags(at, voices) })
}

// program lets a tag do what it was asked for, if it is still there by then.
func (c *PN5180) program(end time.Time, p *pnPlace, a *tagAnswer) {
	if a.commit == nil {
		return
	}
	p.torn, p.programs = a.torn, true
	visit := c.fieldFrom
	c.later(end.Add(a.after), 0, func(time.Time) {
		if !p.gone && c.field && c.fieldFrom == visit {
			p.torn, p.programs = nil, false
			p.tag.do(a.commit)
		}
	})
}

// hearTags is the moment in which answers begin.
func (c *PN5180) hearTags(at time.Time, voices []pnVoice) {
	voices = slices.DeleteFunc(voices, func(v pnVoice) bool { return v.place.gone })
	if len(voices) == 0 || !c.field {
		return
	}
	if c.lose > 0 {
		c.lose--
		return
	}
	voices = loudest(voices)
	longest := 0
	for _, v := range voices {
		longest = max(longest, len(v.answer.data))
	}
	c.hearing()
	c.later(at.Add(time.Duration(longest+3)*vByte), c.epoch, func(time.Time) { c.receiveTags(voices) })
}

// hearing is the moment in which the chip notices an answer.
func (c *PN5180) hearing() {
	c.state = pnReceive
	if c.fault > 0 {
		c.raise(pnIRQError)
	}
	if c.fault == 0 || c.noise.IntN(4) > 0 {
		c.raise(pnIRQSOF)
	}
}

// loudest leaves out whom the loudest one drowns.
func loudest(voices []pnVoice) []pnVoice {
	most := 0
	for _, v := range voices {
		most = max(most, v.place.tag.strength())
	}
	return slices.DeleteFunc(voices, func(v pnVoice) bool { return v.place.tag.strength() <= most-2 })
}

// receiveTags is the moment in which answers have ended.
func (c *PN5180) receiveTags(voices []pnVoice) {
	data := slices.Clone(voices[0].answer.data)
	status := uint32(0)
	for _, v := range voices {
		if v.place.gone || !c.field {
			status |= pnIntegrity
		}
		if at, differ := firstDifference(data, v.answer.data); differ {
			status |= pnCollision | uint32(at&0x7F)<<19
			data = mixed(data, v.answer.data)
		}
	}
	if status == 0 && c.spoil > 0 {
		c.spoil--
		data[c.noise.IntN(len(data))] ^= 0x10
		if len(data) <= pnChecked {
			status |= pnIntegrity
		}
	}
	if c.registers[pnCRCRx]&1 == 0 {
		crc := crc15693(data)
		data = append(data, byte(crc), byte(crc>>8))
	}
	if len(data) > pnLongest {
		data = data[:pnLongest]
	}
	c.received(data, 0, status)
}

// received puts an answer where the host finds it.
func (c *PN5180) received(data []byte, lastBits int, status uint32) {
	if c.fault > 0 {
		c.fault--
		data[c.noise.IntN(len(data))] ^= 0x10
		switch c.noise.IntN(3) {
		case 0:
			return // it is never received at all
		case 1:
			status |= pnIntegrity
		}
	}
	if c.complains && status != 0 {
		c.raise(pnIRQError)
	}
	c.rx = data
	c.registers[pnRxStatus] = uint32(len(data)) | uint32(lastBits)<<13 | status
	c.raise(pnIRQRx)
	c.state = pnWaitTransmit
}

// firstDifference returns the first bit in which two answers differ, as they are
// sent.
func firstDifference(a, b []byte) (int, bool) {
	for i := range min(len(a), len(b)) {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.TrailingZeros8(x), true
		}
	}
	return 8 * min(len(a), len(b)), len(a) != len(b)
}

// mixed is what a receiver makes of two answers at once.
func mixed(a, b []byte) []byte {
	if len(b) > len(a) {
		a, b = b, a
	}
	m := slices.Clone(a)
	for i := range b {
		m[i] |= b[i]
	}
	return m
}

// askCards gives the cards a frame.
func (c *PN5180) askCards(end time.Time, frame []byte, last int) {
	if c.registers[pnCRCTx]&1 != 0 {
		low, high := crcA(frame)
		frame = append(frame, low, high)
	}
	asked := cardFrame{data: frame, bits: 8 * len(frame)}
	if last != 0 {
		asked.bits -= 8 - last
	}
	var answers []cardFrame
	var loud []cardFrame
	for _, card := range c.cards {
		answer := card.receive(asked)
		if answer.bits > 0 {
			answers = append(answers, answer)
		}
		if answer.bits > 0 && card.loud {
			loud = append(loud, answer)
		}
	}
	if len(loud) > 0 {
		answers = loud
	}
	if len(answers) > 0 {
		c.hearCards(end, answers)
	}
}

// hearCards plans the moments in which the cards' answers begin and end.
func (c *PN5180) hearCards(end time.Time, answers []cardFrame) {
	data, length := slices.Clone(answers[0].data), answers[0].bits
	at, collided := 0, false
	for _, answer := range answers[1:] {
		if where, differ := firstDifference(data, answer.data); differ && (!collided || where < at) {
			at, collided = where, true
		}
		data, length = mixed(data, answer.data), max(length, answer.bits)
	}
	c.later(end.Add(aTurn), c.epoch, func(begin time.Time) {
		if c.lose > 0 {
			c.lose--
			return
		}
		c.hearing()
		c.later(begin.Add(time.Duration(length)*9*aBit/8), c.epoch, func(time.Time) {
			c.receiveCards(data, length, at, collided)
		})
	})
}

// receiveCards is the moment in which the cards' answers have ended.
func (c *PN5180) receiveCards(data []byte, length, at int, collided bool) {
	status := uint32(0)
	if collided {
		status |= pnCollision | uint32(at&0x7F)<<19
	}
	spoilt := c.spoil > 0
	if spoilt {
		// Without a CRC, the parity bits still tell.
		c.spoil--
		data[0] ^= 0x10
		status |= pnIntegrity
	}
	if c.registers[pnCRCRx]&1 != 0 && length%8 == 0 && length > 16 {
		body := data[:len(data)-2]
		if !crcFits(data) {
			status |= pnIntegrity
		}
		data = body
	} else if c.registers[pnCRCRx]&1 != 0 {
		status |= pnIntegrity
	}
	c.received(data, length%8, status)
}

// crc15693 is the CRC of ISO 15693, low byte first.
func crc15693(data []byte) uint16 { return ^crc16(0xFFFF, data) }
