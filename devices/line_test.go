package devices

import (
	"strings"
	"testing"
	"unsafe"
)

// The sizes that the kernel's header gives these structs, on every machine.
func TestTheKernelsStructs(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"gpiochip_info", unsafe.Sizeof(chipInfo{}), 68},
		{"gpio_v2_line_attribute", unsafe.Sizeof(lineAttribute{}), 16},
		{"gpio_v2_line_info", unsafe.Sizeof(lineInfo{}), 256},
		{"gpio_v2_line_config", unsafe.Sizeof(lineConfig{}), 272},
		{"gpio_v2_line_request", unsafe.Sizeof(lineRequest{}), 592},
		{"gpio_v2_line_values", unsafe.Sizeof(lineValues{}), 16},
		{"the fd of a request", unsafe.Offsetof(lineRequest{}.fd), 588},
		{"the config of a request", unsafe.Offsetof(lineRequest{}.config), 288},
		{"GPIO_GET_CHIPINFO_IOCTL", uintptr(getChipInfo), 0x8044B401},
		{"GPIO_V2_GET_LINEINFO_IOCTL", uintptr(getLineInfo), 0xC100B405},
		{"GPIO_V2_GET_LINE_IOCTL", uintptr(getLine), 0xC250B407},
		{"GPIO_V2_LINE_SET_CONFIG_IOCTL", uintptr(setConfig), 0xC110B40D},
		{"GPIO_V2_LINE_GET_VALUES_IOCTL", uintptr(getValues), 0xC010B40E},
		{"GPIO_V2_LINE_SET_VALUES_IOCTL", uintptr(setValues), 0xC010B40F},
	} {
		if c.got != c.want {
			t.Errorf("%s: %#x, not %#x", c.name, c.got, c.want)
		}
	}
}

func TestAMissingLineIsSaid(t *testing.T) {
	for _, name := range []string{"NO-SUCH-LINE", "gpiochip99:3", "gpiochip0:many"} {
		if _, err := OpenLine(name, Input); err == nil || !strings.Contains(err.Error(), `GPIO line "`+name+`"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
