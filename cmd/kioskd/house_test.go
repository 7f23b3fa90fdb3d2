package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A room is a package of the house.
type room struct {
	ImportPath string
	Imports    []string
}

// rooms are all packages of the module, without their tests.
func rooms(t *testing.T) []room {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "circdesk/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []room
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var r room
		err := d.Decode(&r)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
}

// below tells whether pkg is folder or lies below it.
func below(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// may tells whether one package of ours may import another (design: imports run one way).
func may(from, to string) bool {
	switch {
	case below(from, "circdesk/cmd"), below(from, "circdesk/systemd/bench"):
		return true // where everything meets; and the machine that it is proven on
	case from == "circdesk/kiosk":
		return false // it knows nobody
	case below(from, "circdesk/kiosk/ils"):
		return to == "circdesk/kiosk" || to == "circdesk/kiosk/ils"
	case below(from, "circdesk/kiosk"), below(from, "circdesk/store"), below(from, "circdesk/web"):
		return to == "circdesk/kiosk" || below(to, from) // its own lower rooms
	case below(from, "circdesk/devices"):
		// A device knows the common room and what lies below itself; the simulated ones know all.
		return to == "circdesk/devices" || below(to, from) || below(from, "circdesk/devices/devicestest") && below(to, "circdesk/devices")
	}
	return false
}

// broken lists what breaks the rules of the house.
func broken(all []room) []string {
	var wrong []string
	for _, r := range all {
		for _, to := range r.Imports {
			ours := below(to, "circdesk")
			if ours && !may(r.ImportPath, to) {
				wrong = append(wrong, r.ImportPath+" imports "+to)
			}
			if !ours && r.ImportPath == "circdesk/kiosk" && (strings.Contains(to, ".") || slices.Contains([]string{"os", "net", "net/http", "io", "log", "log/slog", "sync", "context"}, to)) {
				wrong = append(wrong, "the core imports "+to)
			}
		}
	}
	return wrong
}

func TestImportsRunOneWay(t *testing.T) {
	all := rooms(t)
	if len(all) < 12 {
		t.Fatalf("only %d packages: is this the house?", len(all))
	}
	for _, wrong := range broken(all) {
		t.Error(wrong)
	}
}

// The rules see what they are for.
func TestABrokenImportIsSeen(t *testing.T) {
	for _, r := range []room{
		{"circdesk/kiosk", []string{"circdesk/store"}},
		{"circdesk/kiosk", []string{"net/http"}},
		{"circdesk/kiosk", []string{"modernc.org/sqlite"}},
		{"circdesk/store", []string{"circdesk/web"}},
		{"circdesk/web", []string{"circdesk/devices"}},
		{"circdesk/devices/scanner", []string{"circdesk/devices/barcode"}},
		{"circdesk/devices/rfid", []string{"circdesk/kiosk"}},
		{"circdesk/kiosk/loop", []string{"circdesk/kiosk/ils"}},
	} {
		if len(broken([]room{r})) != 1 {
			t.Errorf("%s importing %q is not seen", r.ImportPath, r.Imports)
		}
	}
}
