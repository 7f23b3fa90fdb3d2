package devicestest

import (
	"math/bits"
	"slices"
	"time"
)

// send sends the FIFO into the air and waits for what comes back.
func (m *MFRC522) send() {
	if m.hung {
		return
	}
	f := m.frameToSend()
	m.events = nil
	m.modem = 3
	m.counts.Frames++
	m.since++
	if m.faults.HangAfter > 0 && m.since > m.faults.HangAfter {
		m.hung = true
		return
	}
	m.later(m.now+m.onAir(f.bits), func() { m.sent(f) })
}

// onAir is how long bits take with their parity bits and the frame around them.
func (m *MFRC522) onAir(n int) time.Duration { return time.Duration(n+n/8+2) * mfBit }

// frameToSend empties the FIFO into a frame.
func (m *MFRC522) frameToSend() cardFrame {
	data := slices.Clone(m.fifo)
	m.fifo = nil
	m.watchLevel(len(data))
	if m.reg[mfTxMode]&0x80 != 0 {
		low, high := crcA(data)
		data = append(data, low, high)
	}
	f := wholeFrame(data...)
	if last := int(m.reg[mfBitFraming] & 7); last != 0 && len(data) > 0 {
		f.bits -= 8 - last
	}
	f.sealed = m.crypto
	return f
}

// sent is the end of a transmission.
func (m *MFRC522) sent(f cardFrame) {
	m.reg[mfComIrq] |= mfIrqTx
	if m.reg[mfTMode]&0x80 != 0 {
		m.startTimer()
	}
	if !m.gets {
		m.modem = 0
		m.done()
		m.tell(f)
		return
	}
	m.modem = 4
	answers, wait := m.tell(f)
	if m.faults.Phantom {
		answers, wait = []cardFrame{phantom(f)}, 91*time.Microsecond
	}
	if len(answers) > 0 {
		m.hear(m.now+wait, answers)
	}
}

// phantom is what interference makes of a frame.
func phantom(f cardFrame) cardFrame {
	switch {
	case f.bits == 7:
		return wholeFrame(0x04, 0x00)
	case f.bits == 16:
		return wholeFrame(0, 0, 0, 0, 0)
	}
	return crcFrame(0x08)
}

// tell gives a frame to all cards that can hear it and returns their answers.
func (m *MFRC522) tell(f cardFrame) (answers []cardFrame, wait time.Duration) {
	if m.fieldOff >= 0 || m.reg[mfTxASK]&0x40 == 0 || f.bits == 0 {
		return nil, 0
	}
	loud := false
	for _, c := range slices.Clone(m.cards) {
		pause := c.pause(f)
		answer := c.receive(f)
		if c.leave > 0 {
			c.leave--
		}
		if c.leave == 0 {
			answer.bits = min(answer.bits, c.torn)
			m.cards = slices.DeleteFunc(m.cards, func(other *Card) bool { return other == c })
			c.powerOff()
		}
		switch {
		case answer.bits == 0 || loud && !c.loud:
		case c.loud && !loud:
			answers, wait, loud = []cardFrame{answer}, pause, true
		default:
			answers, wait = append(answers, answer), max(wait, pause)
		}
	}
	return answers, wait
}

// A heard is what the receiver makes of all answers together.
type heard struct {
	data   []byte
	bits   int
	coll   int // the first bit that collided, from 1; 0: none
	errors byte
}

// hear takes in answers, byte by byte, from a time on.
func (m *MFRC522) hear(from time.Duration, answers []cardFrame) {
	h := m.superpose(answers)
	m.spoil(&h)
	m.later(from+5*mfBit, func() {
		m.modem = 6
		m.reg[mfError] &= mfErrWrite | 0x40
		m.reg[mfColl] = m.reg[mfColl]&0x80 | 1<<5
		if m.reg[mfTMode]&(1<<4) == 0 {
			m.timer = -1 // the fifth bit stops it
		}
	})
	align := int(m.reg[mfBitFraming] >> 4 & 7)
	h.data, h.bits = shifted(h.data, h.bits, align), h.bits+align
	if h.coll > 0 {
		h.coll += align
	}
	if rest := h.bits % 8; rest != 0 && rest != 4 && h.bits > 8 {
		h.errors |= mfErrProtocol // torn off inside a byte
	}
	if m.reg[mfRxMode]&0x80 != 0 {
		h.errors |= h.checkCRC()
	}
	if h.coll > 0 && m.reg[mfColl]&0x80 == 0 {
		h.clearAfter()
	}
	end := from + m.onAir(h.bits)
	for i, b := range h.data {
		m.later(min(from+time.Duration(9*(i+1))*mfBit, end), func() { m.push(b) })
	}
	m.later(end, func() { m.received(h.bits, h.coll, h.errors) })
}

// superpose lays answers over each other. Where they differ, both halves of the
// bit are modulated, which is a collision and reads as 1.
func (m *MFRC522) superpose(answers []cardFrame) heard {
	longest := slices.MaxFunc(answers, func(a, b cardFrame) int { return a.bits - b.bits })
	h := heard{data: slices.Clone(longest.data[:(longest.bits+7)/8]), bits: longest.bits}
	for _, a := range answers {
		if a.sealed != m.crypto {
			h.errors |= mfErrParity
		}
		for i := range a.bits {
			if bitOf(a.data, i) == bitOf(h.data, i) {
				continue
			}
			h.data[i/8] |= 1 << (i % 8)
			if h.coll == 0 || i+1 < h.coll {
				h.coll = i + 1
			}
		}
	}
	if rest := h.bits % 8; rest != 0 {
		h.data[len(h.data)-1] &= 1<<rest - 1
	}
	if h.coll > 0 {
		h.errors |= mfErrColl
	}
	return h
}

// spoil flips bits and adds the errors that the chip was told to make.
func (m *MFRC522) spoil(h *heard) {
	for i := range h.data {
		before := h.data[i]
		for bit := range 8 {
			if m.noise.IntN(1000) < m.faults.Noise {
				h.data[i] ^= 1 << bit
			}
		}
		if bits.OnesCount8(before^h.data[i])%2 != 0 {
			h.errors |= mfErrParity
		}
	}
	h.errors |= m.faults.Errors
}

// checkCRC is what the receiver does with CRCEn: the CRC is checked and kept
// back.
func (h *heard) checkCRC() byte {
	if h.bits%8 != 0 || len(h.data) < 2 || !crcFits(h.data) {
		return mfErrCRC
	}
	h.data, h.bits = h.data[:len(h.data)-2], h.bits-16
	return 0
}

// clearAfter clears the bits behind the first collision.
func (h *heard) clearAfter() {
	for i := h.coll; i < 8*len(h.data); i++ {
		h.data[i/8] &^= 1 << (i % 8)
	}
}

// shifted moves n bits of data up by align, as RxAlign does.
func shifted(data []byte, n, align int) []byte {
	if align == 0 {
		return data
	}
	out := make([]byte, (n+align+7)/8)
	for i := range n {
		out[(i+align)/8] |= bitOf(data, i) << ((i + align) % 8)
	}
	return out
}

// received is the end of an answer.
func (m *MFRC522) received(n, coll int, errors byte) {
	m.modem, m.timer = 1, -1
	m.reg[mfControl] = m.reg[mfControl]&^7 | byte(n%8)
	if coll > 0 {
		m.reg[mfColl] &^= 0x3F
		if coll <= 32 {
			m.reg[mfColl] |= byte(coll & 0x1F)
		} else {
			m.reg[mfColl] |= 1 << 5
		}
	}
	m.reg[mfComIrq] |= mfIrqRx
	m.fail(errors)
	if m.reg[mfError]&^(1<<5) != 0 {
		m.counts.Flagged++
	}
	if m.reg[mfCommand]&0x0F == mfReceive {
		m.done()
	}
}

// breakOff ends an answer that is coming in, as its card is gone. Other cards
// are not heard either: the frame is spoilt.
func (m *MFRC522) breakOff() {
	switch {
	case m.modem == 6:
		m.events = nil
		m.received(len(m.fifo)*8+3, 0, mfErrProtocol)
	case m.modem == 4:
		m.events = nil
	}
}

// authent runs the three passes of MFAuthent with whoever is selected.
func (m *MFRC522) authent() {
	if len(m.fifo) < 12 {
		m.fail(mfErrProtocol)
		m.done()
		return
	}
	data := slices.Clone(m.fifo[:12])
	m.fifo = nil
	m.counts.Frames++
	m.later(m.now+m.onAir(32), func() {
		m.reg[mfComIrq] |= mfIrqTx
		if m.reg[mfTMode]&0x80 != 0 {
			m.startTimer()
		}
		m.later(m.now+mfAuthTime, func() { m.authenticated(data) })
	})
}

// authenticated asks the cards. Nothing but the timer tells that they refused.
func (m *MFRC522) authenticated(data []byte) {
	if m.fieldOff >= 0 || m.reg[mfTxASK]&0x40 == 0 {
		return
	}
	for _, c := range slices.Clone(m.cards) {
		if c.state != cardActive {
			continue
		}
		if c.leave > 0 {
			c.leave--
		}
		if c.leave == 0 {
			m.lose(c)
			continue
		}
		if c.authenticate(data[0], data[1], data[2:8], data[8:12]) {
			m.crypto, m.timer = true, -1
			m.fail(m.faults.Errors)
			m.done()
			if m.reg[mfError]&^(1<<5) != 0 {
				m.counts.Flagged++
			}
			return
		}
	}
}
