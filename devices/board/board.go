// Package board reads how the Raspberry Pi itself is: whether its power suffices, how hot it is and how
// worn its storage. It knows the kernel's files for that and nothing of what follows from them.
package board

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"circdesk/devices"
)

// A Part is one thing that is watched.
type Part string

// The parts.
const (
	Power       Part = "power"
	Temperature Part = "temperature"
	Storage     Part = "storage"
)

// Hot is where the Pi begins to slow down, in degrees Celsius.
const Hot = 80.0

// Worn is the part of its life that a card or an eMMC has behind it, in tenths, from which it is to be
// replaced (JEDEC EXT_CSD DEVICE_LIFE_TIME_EST).
const Worn = 9

// A Config says where the kernel's files are.
type Config struct {
	Root  string        // before /sys; "" on a real machine
	Every time.Duration // how often it looks; 30 s
}

// Run watches until ctx is done. Each part is a line of the device list: ready if all is well, failed
// with the reason if not, absent where the board does not tell.
func Run(ctx context.Context, c Config, report func(devices.Status)) {
	if c.Every == 0 {
		c.Every = 30 * time.Second
	}
	look := time.NewTicker(c.Every)
	defer look.Stop()
	last := map[Part]devices.Status{}
	for {
		for _, p := range []Part{Power, Temperature, Storage} {
			s := c.status(p)
			if before, seen := last[p]; !seen || before.State != s.State || before.Err != s.Err {
				s.Since = time.Now()
				last[p] = s
				report(s)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// status looks at one part.
func (c Config) status(p Part) devices.Status {
	read := map[Part]func() (path, trouble string, err error){Power: c.power, Temperature: c.temperature, Storage: c.storage}[p]
	path, trouble, err := read()
	s := devices.Status{Name: string(p), Kind: "board", Path: path, State: devices.Ready, Err: trouble}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.State, s.Err = devices.Absent, "the board does not tell"
	case err != nil:
		s.State, s.Err = devices.Failed, err.Error()
	case trouble != "":
		s.State = devices.Failed
	}
	return s
}

// power reads the alarm of the driver raspberrypi-hwmon, or the firmware's own flags.
func (c Config) power() (path, trouble string, err error) {
	names, err := filepath.Glob(c.Root + "/sys/class/hwmon/hwmon*/name")
	if err != nil {
		return "", "", err
	}
	for _, name := range names {
		if text, err := os.ReadFile(name); err != nil || strings.TrimSpace(string(text)) != "rpi_volt" {
			continue
		}
		path = filepath.Join(filepath.Dir(name), "in0_lcrit_alarm")
		n, err := number(path, 10)
		return path, either(n != 0, "undervoltage: a better power supply is needed"), err
	}
	path = c.Root + "/sys/devices/platform/soc/soc:firmware/get_throttled"
	n, err := number(path, 16)
	return path, either(n&1 != 0, "undervoltage: a better power supply is needed"), err
}

// temperature reads the processor's, in thousandths of a degree.
func (c Config) temperature() (path, trouble string, err error) {
	path = c.Root + "/sys/class/thermal/thermal_zone0/temp"
	n, err := number(path, 10)
	degrees := float64(n) / 1000
	return path, either(degrees >= Hot, fmt.Sprintf("%.0f °C: the case needs air", degrees)), err
}

// storage reads how much of its life the first card or eMMC that tells has behind it.
func (c Config) storage() (path, trouble string, err error) {
	paths, err := filepath.Glob(c.Root + "/sys/block/mmcblk*/device/life_time")
	if err != nil {
		return "", "", err
	}
	if len(paths) == 0 {
		return c.Root + "/sys/block/mmcblk0/device/life_time", "", fs.ErrNotExist
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		return paths[0], "", err
	}
	most := int64(0)
	for word := range strings.FieldsSeq(string(text)) { // of two kinds of cells
		n, err := strconv.ParseInt(strings.TrimPrefix(word, "0x"), 16, 64)
		if err != nil {
			return paths[0], "", fmt.Errorf("%s says %q", paths[0], word)
		}
		most = max(most, n)
	}
	return paths[0], either(most >= Worn, fmt.Sprintf("%d %% of its life is over: replace the card", (most-1)*10)), nil
}

func either(cond bool, text string) string {
	if cond {
		return text
	}
	return ""
}

// number reads a number out of a file.
func number(path string, base int) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	s := strings.TrimSpace(string(text))
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "0x"), base, 64)
	if err != nil {
		return 0, fmt.Errorf("%s says %q", path, s)
	}
	return n, nil
}
