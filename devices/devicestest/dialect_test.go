package devicestest_test

import (
	"testing"

	"circdesk/devices/devicestest"
)

func TestATalkerKnowsItsDialect(t *testing.T) {
	for _, c := range []struct{ dialect, host, want string }{
		{"honeywell", "\x16\x07\r", "beep"},
		{"honeywell", "\x16\x08\r", ""},
		{"datalogic", "D", "disable"},
		{"datalogic", "b", ""},
		{"gm65", "\x7e\x00\x08\x01\x00\x02\x01\x02\xda", "8 at 0002: 01"},
		{"gm65", "\x7e\x00\x08\x01\x00\x02\x01\xab\xcd", "8 at 0002: 01"},
		{"gm65", "\x7e\x00\x08\x01\x00\x02\x01\x02\xdb", ""},
		{"ssi", "\x00\x05\xe6\x04\x00\x00\xff\x11", "beep 00"},
		{"ssi", "\x05\xe6\x04\x00\x00\xff\x12", ""},
		{"ssi", "\x05\xe6\x00\x00\x00\xff\x15", ""}, // not from a host
		{"ssi", "\x04\xd0\x04\x00\xff\x28", "ACK"},
		{"ssi", "\x04\x77\x04\x00\xff\x81", ""},
	} {
		port := plug(t)
		host := open(t, port)
		if _, err := host.Write([]byte(c.host)); err != nil {
			t.Fatal(err)
		}
		talker := devicestest.NewTalker(port, c.dialect)
		got, err := talker.Next(t.Context())
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s %q: got %q, %v; want %q", c.dialect, c.host, got, err, c.want)
		}
		host.Close()
	}
}
