package devicestest

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Registers of the PN5180 that do something here.
const (
	pnSystemConfig = 0x00
	pnIRQStatus    = 0x02
	pnIRQClear     = 0x03
	pnTimerReload  = 0x0C
	pnCRCRx        = 0x12
	pnRxStatus     = 0x13
	pnTxConfig     = 0x18
	pnCRCTx        = 0x19
	pnRFStatus     = 0x1D
	pnSystemStatus = 0x24
	pnRegisters    = 0x40
)

// Bits of pnIRQStatus.
const (
	pnIRQRx      = 1 << 0
	pnIRQTx      = 1 << 1
	pnIRQIdle    = 1 << 2
	pnIRQFieldOn = 1 << 9
	pnIRQSOF     = 1 << 14
	pnIRQError   = 1 << 17
)

// Bits of pnTxConfig.
const (
	pnTxStart = 3 << 6
	pnTxData  = 1 << 10
	pnTxUsual = pnTxData | 3<<8 | pnTxStart
)

// Bits of pnSystemStatus: what was wrong with a command.
const (
	pnSemanticError  = 1 << 6
	pnSyntaxError    = 1 << 7
	pnParameterError = 1 << 8
)

// A pnState is what the transceiver does, as RF_STATUS tells it.
type pnState uint32

const (
	pnIdle pnState = iota
	pnWaitTransmit
	pnTransmit
	pnWaitReceive
	_
	pnReceive
)

// A PN5180 is a simulated reader chip with tags and cards in its field. A driver
// has it as an spi.PortCloser with two pins; a program that plays the chip for a
// real bus calls Transfer, Busy and SetReset. It follows time.Now and starts no
// goroutine.
//
// It is no kinder than the chip: who reads before BUSY has come and gone reads
// rubbish and loses the answer, an answer that was not read is given to the next
// frame whatever that says, a frame during BUSY is lost, a command at the wrong
// moment is an error in a register that nobody has to read, and without a field it
// sends all the same.
type PN5180 struct {
	mu        sync.Mutex
	trace     func(tx, rx []byte)
	onFrame   func()
	connected bool

	eeprom    [254]byte
	registers [pnRegisters]uint32
	state     pnState
	rf        [2]byte // the RF configuration, transmitter and receiver
	rx        []byte  // the buffer of the receiver
	reply     []byte  // what the next frame reads; nil: it is a command
	asked     byte    // the last command

	busyFrom, busyTo time.Time
	rise, work       time.Duration // of BUSY after a frame, and how long it lasts

	resetLow  time.Time // when RESET_N went low; zero: it is high
	ready     time.Time // when the chip has started
	frozen    bool      // BUSY is high until a reset
	freezeIn  int       // after how many more commands; 0: never
	dead      bool      // nobody answers on the bus
	deadByte  byte
	garble    int // so many replies more are not what the chip said
	mangle    int // so many replies of READ_DATA
	noise     *rand.Rand
	lose      int  // so many answers of tags more are not heard
	spoil     int  // so many more have a wrong CRC
	fault     int  // so many more are an error of the chip
	complains bool // so is whatever RX_STATUS finds fault with
	deafen    int  // so many requests more are not heard by tags
	events    []pnEvent
	epoch     int // events of the transceiver that are of an earlier one are void
	field     bool
	fieldFrom time.Time // when it was last switched on
	fieldTo   time.Time // or off
	tags      []*pnPlace
	cards     []*Card
	frames    int
}

// A pnPlace is a tag that lies in the field. Whoever is taken away and put back
// has another place.
type pnPlace struct {
	tag      *Tag
	gone     bool
	programs bool   // busy with a write
	torn     func() // what happens to that if the tag is taken away
}

// A pnEvent is something that the chip or a tag will do.
type pnEvent struct {
	at    time.Time
	epoch int // 0: it happens whatever the chip does
	do    func(at time.Time)
}

// NewPN5180 returns a chip of firmware 4.0 that has been under power for a while.
func NewPN5180() *PN5180 {
	c := &PN5180{rise: 20 * time.Microsecond, work: 40 * time.Microsecond,
		noise: rand.New(rand.NewPCG(5180, 15693))}
	for i := range 16 {
		c.eeprom[i] = byte(0xA0 + i)
	}
	copy(c.eeprom[0x10:], []byte{0x05, 0x03, 0x00, 0x04, 0x00, 0x91})
	c.start(time.Now())
	return c
}

// start is what the chip does when RESET_N goes high.
func (c *PN5180) start(now time.Time) {
	c.fieldOff(now)
	c.epoch++
	c.registers = [pnRegisters]uint32{pnTxConfig: pnTxUsual, pnIRQStatus: 0}
	c.state, c.rf, c.rx, c.reply = pnIdle, [2]byte{}, nil, nil
	c.frozen, c.busyFrom, c.busyTo = false, time.Time{}, time.Time{}
	c.ready = now.Add(2400 * time.Microsecond)
	c.later(c.ready, c.epoch, func(time.Time) { c.raise(pnIRQIdle) })
}

// later plans an event.
func (c *PN5180) later(at time.Time, epoch int, do func(at time.Time)) {
	i, _ := slices.BinarySearchFunc(c.events, at, func(e pnEvent, at time.Time) int {
		if e.at.After(at) {
			return 1
		}
		return -1
	})
	c.events = slices.Insert(c.events, i, pnEvent{at, epoch, do})
}

// catchUp lets everything happen that should have happened by now.
func (c *PN5180) catchUp() time.Time {
	now := time.Now()
	for len(c.events) > 0 && !c.events[0].at.After(now) {
		e := c.events[0]
		c.events = c.events[1:]
		if e.epoch == 0 || e.epoch == c.epoch {
			e.do(e.at)
		}
	}
	return now
}

func (c *PN5180) raise(irq uint32) { c.registers[pnIRQStatus] |= irq }

// fail notes that a command was wrong.
func (c *PN5180) fail(why uint32) {
	c.registers[pnSystemStatus] |= why
	c.raise(pnIRQError)
}

// Busy is the BUSY line.
func (c *PN5180) Busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy(c.catchUp())
}

func (c *PN5180) busy(now time.Time) bool {
	if c.dead || !c.resetLow.IsZero() {
		return false
	}
	return c.frozen || !now.Before(c.busyFrom) && now.Before(c.busyTo)
}

// SetReset is the RESET_N line. A pulse of less than 10 µs does nothing.
func (c *PN5180) SetReset(high bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.catchUp()
	switch {
	case !high && c.resetLow.IsZero():
		c.fieldOff(now)
		c.resetLow = now
	case high && !c.resetLow.IsZero():
		if now.Sub(c.resetLow) >= 10*time.Microsecond {
			c.start(now)
		}
		c.resetLow = time.Time{}
	}
}

// Transfer is one frame on the bus, from NSS low to NSS high. What it returns is
// as long as tx.
func (c *PN5180) Transfer(tx []byte) []byte {
	c.mu.Lock()
	onFrame := c.onFrame
	c.mu.Unlock()
	if onFrame != nil {
		onFrame()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	rx := c.transfer(c.catchUp(), tx)
	if c.trace != nil {
		c.trace(slices.Clone(tx), slices.Clone(rx))
	}
	return rx
}

func (c *PN5180) transfer(now time.Time, tx []byte) []byte {
	c.frames++
	rx := slices.Repeat([]byte{0xFF}, len(tx))
	switch {
	case c.dead:
		return slices.Repeat([]byte{c.deadByte}, len(tx))
	case len(tx) == 0 || c.frozen || !c.resetLow.IsZero() || now.Before(c.ready):
		return rx
	case now.Before(c.busyTo):
		// BUSY is high, or about to be: the frame is lost, and a reply with it.
		c.reply = nil
		c.fail(pnSyntaxError)
		return rx
	case c.reply != nil:
		copy(rx, c.reply)
		c.reply = nil
		if c.garble > 0 {
			c.garble--
			c.scramble(rx)
		} else if c.mangle > 0 && c.asked == 0x0A {
			c.mangle--
			c.scramble(rx)
		}
	default:
		c.asked = tx[0]
		c.command(now, tx)
		if c.freezeIn > 0 {
			c.freezeIn--
			c.frozen = c.freezeIn == 0
		}
	}
	c.busyFrom, c.busyTo = now.Add(c.rise), now.Add(c.rise+c.work)
	return rx
}

// scramble makes something else of a reply: with one wrong bit, or altogether.
func (c *PN5180) scramble(rx []byte) {
	if c.noise.IntN(2) == 0 {
		rx[c.noise.IntN(len(rx))] ^= 1 << c.noise.IntN(8)
		return
	}
	for i := range rx {
		rx[i] ^= byte(c.noise.IntN(256))
	}
}

// pnLength is the length of a command that has only one.
func pnLength(op byte) (n int, fixed bool) {
	switch op {
	case 0x00, 0x01, 0x02:
		return 6, true
	case 0x04, 0x0A, 0x16, 0x17:
		return 2, true
	case 0x07, 0x11:
		return 3, true
	}
	return 0, false
}

// command does what a frame says.
func (c *PN5180) command(now time.Time, tx []byte) {
	if n, fixed := pnLength(tx[0]); fixed && n != len(tx) {
		c.fail(pnParameterError)
		return
	}
	switch tx[0] {
	case 0x00:
		c.write(now, tx[1], binary.LittleEndian.Uint32(tx[2:]))
	case 0x01:
		c.write(now, tx[1], c.read(tx[1])|binary.LittleEndian.Uint32(tx[2:]))
	case 0x02:
		c.write(now, tx[1], c.read(tx[1])&binary.LittleEndian.Uint32(tx[2:]))
	case 0x04:
		c.reply = binary.LittleEndian.AppendUint32(nil, c.read(tx[1]))
	case 0x06:
		c.writeEEPROM(tx[1:])
	case 0x07:
		c.readEEPROM(int(tx[1]), int(tx[2]))
	case 0x09:
		c.send(now, tx[1:])
	case 0x0A:
		c.reply = slices.Concat(c.rx, []byte{0xFF})
	case 0x11:
		c.loadRF(tx[1], tx[2])
	case 0x16:
		c.fieldOn(now)
	case 0x17:
		c.fieldOff(now)
	default:
		c.fail(pnSyntaxError)
	}
}

// read returns a register.
func (c *PN5180) read(reg byte) uint32 {
	switch {
	case reg >= pnRegisters:
		c.fail(pnParameterError)
		return 0
	case reg == pnRFStatus:
		status := uint32(c.state) << 24
		if c.field && time.Since(c.fieldFrom) >= pnFieldRise {
			// A tag takes something out of the field.
			status |= 1<<17 | uint32(0x1C0-0x10*min(len(c.tags)+len(c.cards), 12))
		}
		return status
	}
	return c.registers[reg]
}

// write sets a register, and does what that starts.
func (c *PN5180) write(now time.Time, reg byte, value uint32) {
	switch reg {
	case pnIRQClear:
		c.registers[pnIRQStatus] &^= value
		if value&pnIRQError != 0 {
			c.registers[pnSystemStatus] = 0
		}
	case pnIRQStatus, pnRxStatus, pnRFStatus, pnSystemStatus:
		// These can only be read.
	case pnSystemConfig:
		c.configure(now, value)
	default:
		if reg >= pnRegisters {
			c.fail(pnParameterError)
			return
		}
		c.registers[reg] = value
	}
}

// configure writes SYSTEM_CONFIG, in which a change of the command starts and
// stops the transceiver.
func (c *PN5180) configure(now time.Time, value uint32) {
	const command, transceive, softReset = 7, 3, 1 << 8
	if value&softReset != 0 {
		c.start(now)
		return
	}
	was := c.registers[pnSystemConfig] & command
	c.registers[pnSystemConfig] = value
	switch is := value & command; {
	case is == 0:
		c.state = pnIdle
		c.epoch++
		c.raise(pnIRQIdle)
	case is == transceive && was != transceive:
		c.state = pnWaitTransmit
		c.epoch++
	}
}

func (c *PN5180) readEEPROM(at, n int) {
	if n == 0 || at+n > len(c.eeprom) {
		c.fail(pnParameterError)
		return
	}
	c.reply = slices.Clone(c.eeprom[at : at+n])
}

func (c *PN5180) writeEEPROM(args []byte) {
	if len(args) < 2 || int(args[0])+len(args)-1 > len(c.eeprom) || args[0] < 0x16 {
		c.fail(pnParameterError)
		return
	}
	copy(c.eeprom[args[0]:], args[1:])
}

// loadRF sets the analogue part up, and the registers that belong to it.
func (c *PN5180) loadRF(tx, rx byte) {
	c.registers[pnTimerReload] = pnFirmwares
	if tx != 0xFF {
		c.rf[0] = tx
		c.registers[pnTxConfig] = pnTxUsual
		c.registers[pnCRCTx] = 1
	}
	if rx != 0xFF {
		c.rf[1] = rx
		c.registers[pnCRCRx] = 1
	}
}
