package board

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices"
)

// machine is a /sys with these files.
func machine(t *testing.T, files map[string]string) Config {
	t.Helper()
	c := Config{Root: t.TempDir()}
	for path, text := range files {
		path = filepath.Join(c.Root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestTheBoardTellsHowItIs(t *testing.T) {
	volt := map[string]string{"sys/class/hwmon/hwmon1/name": "rpi_volt"}
	with := func(more map[string]string) map[string]string {
		all := map[string]string{}
		for _, m := range []map[string]string{volt, more} {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	for _, test := range []struct {
		name  string
		part  Part
		files map[string]string
		state devices.State
		err   string
	}{
		{"enough power", Power, with(map[string]string{"sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0"}), devices.Ready, ""},
		{"too little", Power, with(map[string]string{"sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1"}), devices.Failed, "undervoltage: a better power supply is needed"},
		{"by the firmware", Power, map[string]string{"sys/devices/platform/soc/soc:firmware/get_throttled": "50005"}, devices.Failed, "undervoltage: a better power supply is needed"},
		{"in the past only", Power, map[string]string{"sys/devices/platform/soc/soc:firmware/get_throttled": "50000"}, devices.Ready, ""},
		{"another machine", Power, nil, devices.Absent, "the board does not tell"},
		{"cool", Temperature, map[string]string{"sys/class/thermal/thermal_zone0/temp": "48312"}, devices.Ready, ""},
		{"hot", Temperature, map[string]string{"sys/class/thermal/thermal_zone0/temp": "82700"}, devices.Failed, "83 °C: the case needs air"},
		{"no sensor", Temperature, nil, devices.Absent, "the board does not tell"},
		{"new card", Storage, map[string]string{"sys/block/mmcblk0/device/life_time": "0x01 0x02"}, devices.Ready, ""},
		{"worn card", Storage, map[string]string{"sys/block/mmcblk0/device/life_time": "0x02 0x0a"}, devices.Failed, "90 % of its life is over: replace the card"},
		{"a disk that does not tell", Storage, nil, devices.Absent, "the board does not tell"},
	} {
		s := machine(t, test.files).status(test.part)
		if s.State != test.state || s.Err != test.err || s.Name != string(test.part) {
			t.Errorf("%s: %+v", test.name, s)
		}
	}
}

func TestNonsenseNamesTheFile(t *testing.T) {
	c := machine(t, map[string]string{"sys/class/thermal/thermal_zone0/temp": "warm"})
	if s := c.status(Temperature); s.State != devices.Failed || s.Err != c.Root+`/sys/class/thermal/thermal_zone0/temp says "warm"` {
		t.Errorf("%+v", s)
	}
}

func TestOnlyChangesAreReported(t *testing.T) {
	c := machine(t, map[string]string{"sys/class/thermal/thermal_zone0/temp": "40000"})
	synctest.Test(t, func(t *testing.T) {
		var heard []devices.Status
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { Run(ctx, c, func(s devices.Status) { heard = append(heard, s) }); close(ended) }()
		<-time.After(5 * time.Minute)
		synctest.Wait()
		if len(heard) != 3 {
			t.Errorf("in five quiet minutes: %+v", heard)
		}
		if err := os.WriteFile(c.Root+"/sys/class/thermal/thermal_zone0/temp", []byte("90000"), 0o644); err != nil {
			t.Fatal(err)
		}
		<-time.After(31 * time.Second)
		synctest.Wait()
		if len(heard) != 4 || heard[3].Name != "temperature" || heard[3].State != devices.Failed {
			t.Errorf("when it is hot: %+v", heard[3:])
		}
		stop()
		<-ended
	})
}
