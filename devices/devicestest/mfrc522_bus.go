package devicestest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/pin"
	"periph.io/x/conn/v3/spi"
)

// Transfer is one frame on the bus: chip select goes low, tx goes in while what
// it returns comes out, chip select goes high.
func (m *MFRC522) Transfer(tx []byte) (rx []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	return m.transfer(tx)
}

// transfer does it. The first byte says which way and which register; when
// reading, every byte names the register that the next one shows.
func (m *MFRC522) transfer(tx []byte) []byte {
	rx := make([]byte, len(tx))
	tx = m.overWire(tx)
	reading := len(tx) > 0 && tx[0]&0x80 != 0
	for i, b := range tx {
		m.runTo(m.now + 8*m.perBit)
		switch {
		case m.faults.Dead:
			rx[i] = m.faults.DeadByte
		case i == 0:
			rx[i] = m.reg[mfFIFOLevel] ^ 0x5A ^ byte(m.counts.Frames) // means nothing
		case reading:
			rx[i] = m.readReg(tx[i-1] >> 1 & 0x3F)
		default:
			m.writeReg(tx[0]>>1&0x3F, b)
		}
	}
	return m.overWire(rx)
}

// overWire is what bad wiring makes of bytes.
func (m *MFRC522) overWire(data []byte) []byte {
	if m.faults.Bus == 0 {
		return data
	}
	data = slices.Clone(data)
	for i := range data {
		if m.noise.IntN(1000) < m.faults.Bus {
			data[i] ^= 1 << m.noise.IntN(8)
		}
	}
	return data
}

// String returns the name of the port.
func (m *MFRC522) String() string { return "simulated MFRC522" }

// Connect returns the bus. It can be called once, as on a real port.
func (m *MFRC522) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.connected:
		return nil, errors.New("connect to a simulated MFRC522: connected already")
	case mode != spi.Mode0 || bits != 8:
		return nil, fmt.Errorf("connect to a simulated MFRC522: it does not know %s with %d bits", mode, bits)
	case f <= 0 || f > mfMaxSerial*physic.Hertz:
		return nil, fmt.Errorf("connect to a simulated MFRC522: %s is not a speed for it", f)
	}
	m.connected, m.perBit = true, max(time.Duration(1e9/int64(f/physic.Hertz)), 1)
	return mfBus{m}, nil
}

// LimitSpeed does nothing: the simulated wire is short.
func (m *MFRC522) LimitSpeed(physic.Frequency) error { return nil }

// Close gives the port up; it can be connected to again.
func (m *MFRC522) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.connected = false
	return nil
}

// Bus returns the chip's bus without the ceremony of a port.
func (m *MFRC522) Bus() spi.Conn { return mfBus{m} }

// An mfBus is the spi.Conn of an MFRC522.
type mfBus struct{ chip *MFRC522 }

func (b mfBus) String() string      { return b.chip.String() }
func (b mfBus) Duplex() conn.Duplex { return conn.Full }

// Tx is one frame.
func (b mfBus) Tx(w, r []byte) error { return b.TxPackets([]spi.Packet{{W: w, R: r}}) }

// TxPackets is one frame for each packet that does not keep the chip selected. It
// takes as long as the bus does.
func (b mfBus) TxPackets(packets []spi.Packet) error {
	lead, err := b.chip.frames(packets)
	if lead > mfLead {
		<-time.After(lead)
	}
	return err
}

// frames transfers packets and returns how far the chip is now ahead of the clock.
func (m *MFRC522) frames(packets []spi.Packet) (lead time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	if m.faults.Fail != nil {
		return 0, m.faults.Fail
	}
	for len(packets) > 0 {
		n := 1 + slices.IndexFunc(packets, func(p spi.Packet) bool { return !p.KeepCS })
		if n == 0 {
			return 0, errors.New("simulated MFRC522: the last packet leaves the chip selected")
		}
		if err := m.frame(packets[:n]); err != nil {
			return 0, err
		}
		packets = packets[n:]
	}
	return m.now - time.Since(m.began), nil
}

// frame transfers packets between which the chip stays selected.
func (m *MFRC522) frame(packets []spi.Packet) error {
	var tx []byte
	for _, p := range packets {
		if len(p.R) > 0 && len(p.W) > 0 && len(p.R) != len(p.W) {
			return fmt.Errorf("simulated MFRC522: %d bytes out and %d in", len(p.W), len(p.R))
		}
		tx = append(tx, p.W...)
		tx = append(tx, make([]byte, max(len(p.R)-len(p.W), 0))...)
	}
	rx := m.transfer(tx)
	for _, p := range packets {
		copy(p.R, rx)
		rx = rx[max(len(p.W), len(p.R)):]
	}
	return nil
}

// ResetPin returns the chip's reset line.
func (m *MFRC522) ResetPin() gpio.PinIO { return mfPin{m} }

// An mfPin is the reset line as the host's pin.
type mfPin struct{ chip *MFRC522 }

func (p mfPin) String() string             { return "NRSTPD" }
func (p mfPin) Halt() error                { return nil }
func (p mfPin) Name() string               { return "NRSTPD" }
func (p mfPin) Number() int                { return 25 }
func (p mfPin) Function() string           { return string(gpio.OUT) }
func (p mfPin) Func() pin.Func             { return gpio.OUT }
func (p mfPin) SupportedFuncs() []pin.Func { return []pin.Func{gpio.OUT} }

// SetFunc refuses: the pin is an output.
func (p mfPin) SetFunc(pin.Func) error { return errors.ErrUnsupported }

// In would let the line float, which is a high level on most boards.
func (p mfPin) In(gpio.Pull, gpio.Edge) error { return p.Out(gpio.High) }

// Read returns the line's level.
func (p mfPin) Read() gpio.Level {
	p.chip.mu.Lock()
	defer p.chip.mu.Unlock()
	return p.chip.lowSince < 0
}

// WaitForEdge says at once that none came: only the host moves the line.
func (p mfPin) WaitForEdge(time.Duration) bool { return false }

func (p mfPin) Pull() gpio.Pull        { return gpio.PullNoChange }
func (p mfPin) DefaultPull() gpio.Pull { return gpio.PullDown }

// Out moves the line.
func (p mfPin) Out(l gpio.Level) error {
	p.chip.mu.Lock()
	err := p.chip.faults.Fail
	p.chip.mu.Unlock()
	if err == nil {
		p.chip.SetReset(bool(l))
	}
	return err
}

// PWM refuses: it is a plain line.
func (p mfPin) PWM(gpio.Duty, physic.Frequency) error { return errors.ErrUnsupported }
