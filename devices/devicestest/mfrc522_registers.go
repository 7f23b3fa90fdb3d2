package devicestest

import "time"

// alive tells whether the chip is out of its reset.
func (m *MFRC522) alive() bool { return m.lowSince < 0 && m.now >= m.ready }

// readReg returns what a register reads, which may change it.
func (m *MFRC522) readReg(reg byte) byte {
	if !m.alive() {
		return 0x00
	}
	switch reg {
	case mfCommand:
		return m.reg[mfCommand] | m.powerDown()
	case mfComIrq:
		if m.faults.NoIRQ {
			return 0
		}
		return m.reg[mfComIrq] | m.faults.StuckIRQ
	case mfStatus1:
		return m.status1()
	case mfStatus2:
		if m.crypto {
			return m.reg[mfStatus2] | 1<<3 | m.modem
		}
		return m.reg[mfStatus2] | m.modem
	case mfFIFOData:
		return m.pop()
	case mfFIFOLevel:
		return byte(len(m.fifo))
	case mfCRCResultH:
		return byte(m.crc >> 8)
	case mfCRCResultL:
		return byte(m.crc)
	case mfTCounterH:
		return byte(m.counter() >> 8)
	case mfTCounterL:
		return byte(m.counter())
	case mfVersion:
		return m.version
	}
	return m.reg[reg]
}

// powerDown is the bit of Command that reads 1 until the chip is awake.
func (m *MFRC522) powerDown() byte {
	if m.now < m.awake {
		return 1 << 4
	}
	return 0
}

// status1 puts together the register of that name.
func (m *MFRC522) status1() byte {
	v := byte(1 << 5)
	enabled := m.reg[mfComIrq]&m.reg[mfComIEn]&0x7F | m.reg[mfDivIrq]&m.reg[mfDivIEn]&0x14
	if enabled != 0 {
		v |= 1 << 4
	}
	if m.timer >= 0 {
		v |= 1 << 3
	}
	if m.isHigh() {
		v |= 1 << 1
	}
	if m.isLow() {
		v |= 1 << 0
	}
	return v
}

func (m *MFRC522) isLow() bool  { return len(m.fifo) <= int(m.reg[mfWaterLevel]&0x3F) }
func (m *MFRC522) isHigh() bool { return 64-len(m.fifo) <= int(m.reg[mfWaterLevel]&0x3F) }

// writeReg writes a register.
func (m *MFRC522) writeReg(reg, v byte) {
	if !m.alive() || m.now < m.awake {
		return
	}
	switch reg {
	case mfCommand:
		m.command(v)
	case mfComIrq, mfDivIrq:
		// The highest bit says whether the others set or clear.
		if bits := v & 0x7F; v&0x80 != 0 {
			m.reg[reg] |= bits
		} else {
			m.reg[reg] &^= bits
		}
	case mfError, mfStatus1, mfCRCResultH, mfCRCResultL, mfTCounterH, mfTCounterL, mfVersion:
	case mfStatus2:
		m.crypto = m.crypto && v&(1<<3) != 0 // the host can only switch it off
		m.reg[reg] = v & 0xC0
	case mfFIFOData:
		m.hostPush(v)
	case mfFIFOLevel:
		if v&0x80 != 0 {
			m.fifo = nil
			m.reg[mfError] &^= mfErrOverflow
		}
	case mfControl:
		if v&0x80 != 0 {
			m.timer = -1
		}
		if v&0x40 != 0 {
			m.startTimer()
		}
	case mfBitFraming:
		edge := v&^m.reg[reg]&0x80 != 0
		m.reg[reg] = v
		if edge && m.reg[mfCommand]&0x0F == mfTransceive {
			m.send()
		}
	case mfColl:
		m.reg[reg] = m.reg[reg]&0x7F | v&0x80
	case mfTxControl:
		if !m.faults.NoAntenna {
			m.reg[reg] = v
		}
		m.switchField(m.reg[reg]&3 != 0)
	default:
		m.reg[reg] = v
	}
}

// switchField puts the cards under power or takes it from them.
func (m *MFRC522) switchField(on bool) {
	switch {
	case on && m.fieldOff >= 0:
		if m.now-m.fieldOff >= mfFieldOff {
			m.emptyCards()
		}
		m.fieldOff = -1
	case !on && m.fieldOff < 0:
		m.fieldOff = m.now
	}
}

// emptyCards takes the power from all cards for long enough.
func (m *MFRC522) emptyCards() {
	for _, c := range m.cards {
		c.powerOff()
	}
}

// pop takes a byte out of the FIFO; an empty one reads 0.
func (m *MFRC522) pop() byte {
	if len(m.fifo) == 0 {
		return 0
	}
	b := m.fifo[0]
	m.fifo = m.fifo[1:]
	m.watchLevel(len(m.fifo) + 1)
	if m.faults.Garbage {
		return byte(m.noise.Uint32())
	}
	return b
}

// push puts a byte into the FIFO.
func (m *MFRC522) push(b byte) {
	if len(m.fifo) == 64 {
		m.fail(mfErrOverflow)
		return
	}
	m.fifo = append(m.fifo, b)
	m.watchLevel(len(m.fifo) - 1)
}

// hostPush is a write to the FIFO, which MFAuthent does not take.
func (m *MFRC522) hostPush(b byte) {
	if m.reg[mfCommand]&0x0F == mfMFAuthent {
		m.fail(mfErrWrite)
		return
	}
	m.push(b)
}

// watchLevel raises the alerts when the FIFO, which held was bytes, has come to
// its water level.
func (m *MFRC522) watchLevel(was int) {
	water := int(m.reg[mfWaterLevel] & 0x3F)
	if m.loAlert && m.isLow() && was > water {
		m.reg[mfComIrq] |= mfIrqLo
	}
	if m.isHigh() && 64-was > water {
		m.reg[mfComIrq] |= mfIrqHi
	}
}

// fail sets bits of the error register.
func (m *MFRC522) fail(bits byte) {
	if bits != 0 {
		m.reg[mfError] |= bits
		m.reg[mfComIrq] |= mfIrqErr
	}
}

// tick is one step of the timer.
func (m *MFRC522) tick() time.Duration {
	prescaler := int64(m.reg[mfTMode]&0x0F)<<8 | int64(m.reg[mfTPrescaler])
	return time.Duration((2*prescaler + 1) * 1_000_000_000 / 13_560_000)
}

func (m *MFRC522) startTimer() {
	reload := time.Duration(m.reg[mfTReloadH])<<8 | time.Duration(m.reg[mfTReloadL])
	m.timer = m.now + (reload+1)*m.tick()
}

func (m *MFRC522) timerEnds() {
	m.timer = -1
	m.reg[mfComIrq] |= mfIrqTimer
	if m.reg[mfTMode]&(1<<4) != 0 {
		m.startTimer()
	}
}

// counter is what the timer still has to count.
func (m *MFRC522) counter() uint16 {
	if m.timer < 0 || m.tick() == 0 {
		return 0
	}
	return uint16((m.timer - m.now) / m.tick())
}

// command starts what was written to Command.
func (m *MFRC522) command(v byte) {
	if m.reg[mfCommand]&(1<<4) != 0 {
		m.awake = m.now + mfWake // any write ends the power-down
	}
	number := v & 0x0F
	if number == mfNoChange {
		number = m.reg[mfCommand] & 0x0F
		m.reg[mfCommand] = v&0x30 | number
		return
	}
	m.events, m.modem, m.gets = nil, 0, false
	m.reg[mfCommand] = v & 0x3F
	m.switchField(v&(1<<4) == 0 && m.reg[mfTxControl]&3 != 0)
	if number == mfSoftReset {
		m.softReset()
		return
	}
	if m.hung {
		return
	}
	switch number {
	case mfMem:
		m.mem()
	case mfRandomID:
		for i := range 10 {
			m.secret[i] = byte(m.noise.Uint32())
		}
		m.done()
	case mfCalcCRC:
		m.calcCRC()
	case mfTransmit:
		m.send()
	case mfReceive, mfTransceive:
		m.modem, m.gets = 1, true
	case mfMFAuthent:
		m.authent()
	}
}

// softReset is the command of that name. A chip that hangs hard never wakes.
func (m *MFRC522) softReset() {
	m.counts.Resets++
	m.restart(m.now)
	m.awake = m.now + mfWake
	switch {
	case m.faults.SoftHung:
		m.hung = false
	case m.hung:
		m.awake = m.now + time.Hour
	}
}

// done ends a command that ends by itself.
func (m *MFRC522) done() {
	m.reg[mfCommand] &^= 0x0F
	m.reg[mfComIrq] |= mfIrqIdle
}

// mem moves 25 bytes from the FIFO to the internal buffer, or back if there are
// none.
func (m *MFRC522) mem() {
	if len(m.fifo) == 0 {
		m.fifo = append(m.fifo, m.secret[:]...)
	} else {
		clear(m.secret[copy(m.secret[:], m.fifo):])
		m.fifo = m.fifo[min(len(m.fifo), len(m.secret)):]
	}
	m.done()
}

// mfSelfTest is what the self-test of a version 2.0 gives (datasheet 16.1.1).
const mfSelfTest = "\x00\xEB\x66\xBA\x57\xBF\x23\x95\xD0\xE3\x0D\x3D\x27\x89\x5C\xDE" +
	"\x9D\x3B\xA7\x00\x21\x5B\x89\x82\x51\x3A\xEB\x02\x0C\xA5\x00\x49" +
	"\x7C\x84\x4D\xB3\xCC\xD2\x1B\x81\x5D\x48\x76\xD5\x71\x61\x21\xA9" +
	"\x86\x96\x83\x38\xCF\x9D\x5B\x6D\xDC\x15\xBA\x3E\x7D\x95\x3B\x2F"

// selfTest fills the FIFO with what the digital part makes of the internal
// buffer. A copy makes something else of it.
func (m *MFRC522) selfTest() {
	m.fifo = []byte(mfSelfTest)
	if m.version != 0x92 || m.faults.Copy || m.secret != [25]byte{} {
		m.fifo[m.noise.IntN(64)] ^= 1 << m.noise.IntN(8)
	}
}

// calcCRC runs all of the FIFO through the coprocessor, or the self-test.
func (m *MFRC522) calcCRC() {
	if m.reg[mfAutoTest]&0x0F == 0x09 {
		m.later(m.now+5*time.Millisecond, m.selfTest)
		return
	}
	presets := [4]uint16{0x0000, 0x6363, 0xA671, 0xFFFF}
	m.crc = crc16(presets[m.reg[mfMode]&3], m.fifo)
	m.fifo = nil
	m.reg[mfDivIrq] |= 1 << 2
}
