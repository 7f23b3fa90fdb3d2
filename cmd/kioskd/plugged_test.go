package main

import (
	"bytes"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"circdesk/cmd/kioskd/config"
	"circdesk/devices"
	"circdesk/devices/rfid"
	"circdesk/kiosk"
)

// overheard is a daemon whose desk only notes what it is told.
func overheard() (d *daemon, told *[]kiosk.Event, log *bytes.Buffer) {
	told, log = new([]kiosk.Event), new(bytes.Buffer)
	return &daemon{
		config: &config.Config{Scanners: []config.Scanner{{Name: "desk", Role: kiosk.RoleStaff}}}, log: slog.New(slog.NewTextHandler(log, nil)),
		events: func(ev kiosk.Event) { *told = append(*told, ev) },
	}, told, log
}

func TestADeviceThatIsNotAsItShouldBeIsTold(t *testing.T) {
	for _, test := range []struct {
		is   devices.Status
		want []kiosk.Event
		warn bool
	}{
		{devices.Status{State: devices.Opening}, nil, false},
		{devices.Status{State: devices.Ready}, []kiosk.Event{kiosk.DeviceIs{Name: "desk", Kind: kiosk.DeviceScanner, Role: kiosk.RoleStaff, Ready: true}}, false},
		{devices.Status{State: devices.Ready, Err: "is not ours alone"},
			[]kiosk.Event{kiosk.DeviceIs{Name: "desk", Kind: kiosk.DeviceScanner, Role: kiosk.RoleStaff, Ready: true, Trouble: true}}, true},
		{devices.Status{State: devices.Absent, Err: "no such device"}, []kiosk.Event{kiosk.DeviceIs{Name: "desk", Kind: kiosk.DeviceScanner, Role: kiosk.RoleStaff}}, false},
	} {
		d, told, log := overheard()
		test.is.Name, test.is.Kind = "desk", "keyboard"
		d.deviceChanged(test.is)
		if warns := strings.Contains(log.String(), "level=WARN") && strings.Contains(log.String(), test.is.Err); !reflect.DeepEqual(*told, test.want) || warns != test.warn {
			t.Errorf("%s %q: told %+v, log %s", test.is.State, test.is.Err, *told, log)
		}
	}
}

func TestWhatCannotBeMadeOutIsTold(t *testing.T) {
	d, told, _ := overheard()
	d.sensed(config.Reader{Name: "pad", Role: kiosk.RoleStudent}, rfid.Laid{Unclear: true})
	if want := []kiosk.Event{kiosk.Laid{Source: "pad", Role: kiosk.RoleStudent, Unclear: true}}; !reflect.DeepEqual(*told, want) {
		t.Errorf("%+v", *told)
	}
}
