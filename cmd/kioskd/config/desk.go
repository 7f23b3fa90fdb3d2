package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"circdesk/kiosk"
)

// readKiosk reads kiosk.toml.
func readKiosk(src Source, catalogues []string) *Config {
	f, t := parse(src)
	c := &Config{file: f}
	if t == nil {
		return c
	}
	defer t.end()
	c.Kiosk = readIdentity(t.sub("kiosk"), catalogues)
	c.Session = readSession(t.sub("session"))
	c.Web = readWeb(t.sub("web"))
	names := map[string]string{}
	c.Scanners = readScanners(t.subs("scanner"), names)
	c.Barcodes = readBarcodes(t.subs("barcode"))
	c.Readers = readReaders(t.subs("reader"), names)
	c.Security = readTag(t.sub("tag"), t.has("tag"))
	c.ILS = readILS(t.sub("ils"), c.Kiosk.State)
	c.Import = readImport(t.sub("import"))
	if len(c.Scanners) == 0 && !t.has("scanner") {
		f.note("scanner", "there is none, so nothing can be scanned")
	}
	return c
}

func readIdentity(t *table, catalogues []string) Kiosk {
	defer t.end()
	k := Kiosk{
		ID:        required(t, "id", name),
		Site:      value(t, "site", "", text),
		Zone:      required(t, "timezone", zone),
		Languages: list(t, "languages", oneOf(catalogues...)),
		State:     value(t, "state", "/var/lib/circdesk", path),
		Runtime:   value(t, "runtime", "/run/circdesk", path),
		Policy:    value(t, "policy", "/etc/circdesk/policy.toml", path),
	}
	k.Name = value(t, "name", k.ID, text)
	if !t.has("languages") {
		k.Languages = []string{"en"}
	}
	return k
}

func readSession(t *table) Session {
	defer t.end()
	return Session{
		Idle: value(t, "idle", 40*time.Second, span(10*time.Second, 3*time.Minute)),
		Warn: value(t, "warn", 20*time.Second, span(20*time.Second, 3*time.Minute)), // WCAG 2.2.1: at least 20 s
	}
}

func readWeb(t *table) Web {
	defer t.end()
	return Web{Listen: value(t, "listen", "127.0.0.1:8080", listen)}
}

func readScanners(tables []*table, names map[string]string) []Scanner {
	var all []Scanner
	paths := map[string]string{}
	for _, t := range tables {
		s := Scanner{
			Name:   required(t, "name", name),
			Kind:   value(t, "kind", "serial", transport),
			Path:   value(t, "path", "", path),
			Match:  value(t, "match", Match{}, match),
			Role:   value(t, "role", kiosk.RoleStudent, oneOf(kiosk.RoleStudent, kiosk.RoleBin, kiosk.RoleStaff)),
			Baud:   value(t, "baud", 9600, speed),
			Bits:   value(t, "bits", 8, whole(7, 8)),
			Parity: value(t, "parity", "none", oneOf("none", "odd", "even")),
			Stop:   value(t, "stop", 1, whole(1, 2)),
		}
		unique(t, "name", s.Name, names)
		unique(t, "path", s.Path, paths)
		if t.has("path") == t.has("match") {
			t.complain(t.path, "needs either path or match")
		}
		t.end()
		all = append(all, s)
	}
	return all
}

// transport reads the kind of a scanner.
func transport(raw any) (string, error) {
	kind, err := oneOf("serial", "keyboard", "hidpos")(raw)
	if err == nil && kind != "serial" {
		return "", fmt.Errorf(`scanners of kind %q come with a later version; set the scanner to its serial mode (USB: "CDC" or "virtual COM port") and write "serial"`, kind)
	}
	return kind, err
}

// speed reads a line speed.
func speed(raw any) (int, error) {
	n, err := whole(1, 1<<30)(raw)
	speeds := []int{300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600}
	if err == nil && !slices.Contains(speeds, n) {
		return 0, fmt.Errorf("%d is not a speed that serial ports have", n)
	}
	return n, err
}

// match reads vid:pid[:serial].
func match(raw any) (Match, error) {
	s, err := text(raw)
	if err != nil {
		return Match{}, err
	}
	parts := append(strings.SplitN(s, ":", 3), "")
	vendor, err1 := strconv.ParseUint(parts[0], 16, 16)
	product, err2 := strconv.ParseUint(parts[1], 16, 16)
	if err1 != nil || err2 != nil {
		return Match{}, fmt.Errorf(`%q is not a USB device in the form "vid:pid" or "vid:pid:serial", like "0c2e:0b61"`, s)
	}
	return Match{uint16(vendor), uint16(product), parts[2]}, nil
}

func readReaders(tables []*table, names map[string]string) []Reader {
	var all []Reader
	ports := map[string]string{}
	for _, t := range tables {
		r := Reader{
			Name:  required(t, "name", name),
			Chip:  required(t, "chip", oneOf("mfrc522", "pn5180")),
			SPI:   required(t, "spi", path),
			Reset: required(t, "reset", pin),
			Busy:  value(t, "busy", "", pin),
		}
		if r.Chip == "pn5180" && !t.has("busy") {
			t.complain(join(t.path, "busy"), "is missing; a pn5180 cannot be read without it")
		} else if r.Chip == "mfrc522" && t.has("busy") {
			t.complain(join(t.path, "busy"), "does not belong here; an mfrc522 has no such pin")
		}
		unique(t, "name", r.Name, names)
		unique(t, "spi", r.SPI, ports)
		t.note(t.path, "has no effect yet; RFID readers come with a later version")
		t.end()
		all = append(all, r)
	}
	return all
}

// pin reads the name of a GPIO line.
func pin(raw any) (string, error) {
	s, err := text(raw)
	if err == nil && !regexp.MustCompile(`^GPIO[0-9]{1,3}$`).MatchString(s) {
		return "", fmt.Errorf(`%q is not a pin, like "GPIO25"`, s)
	}
	return s, err
}

func readTag(t *table, there bool) string {
	defer t.end()
	if there {
		t.note(t.path, "has no effect yet; RFID readers come with a later version")
	}
	return value(t, "security", "afi", oneOf("none", "afi", "eas", "both"))
}

func readILS(t *table, state string) ILS {
	defer t.end()
	ils := ILS{Kind: value(t, "kind", "none", oneOf("none", "destiny", "sip2"))}
	for _, kind := range []string{"destiny", "sip2"} {
		if t.has(kind) && ils.Kind != "" && ils.Kind != kind {
			t.note(join(t.path, kind), "has no effect while ils.kind is %q", ils.Kind)
		}
	}
	destiny := t.sub("destiny")
	ils.Out = value(destiny, "out", filepath.Join(state, "out"), path)
	destiny.end()
	sip2, there := t.sub("sip2"), t.has("sip2")
	if there || ils.Kind == "sip2" {
		ils.SIP2 = readSIP2(sip2)
	}
	return ils
}

func readSIP2(t *table) SIP2 {
	defer t.end()
	return SIP2{
		Address:      required(t, "address", address),
		TLS:          value(t, "tls", false, boolean),
		Profile:      value(t, "profile", "generic", oneOf("koha", "evergreen", "fsip2", "generic")),
		Institution:  value(t, "institution", "", field),
		Location:     value(t, "location", "", field),
		Login:        value(t, "login", "", field),
		PasswordFile: value(t, "password_file", "", path),
		Checksum:     value(t, "checksum", true, boolean),
		Timeout:      value(t, "timeout", 30*time.Second, span(time.Second, 2*time.Minute)),
		Canary:       value(t, "canary", "", field),
	}
}

// field reads what is to stand in a SIP2 field, which ends at the first '|'.
func field(raw any) (string, error) {
	s, err := text(raw)
	if err == nil && strings.Contains(s, "|") {
		return "", fmt.Errorf("%q has a '|', which ends a SIP2 field", s)
	}
	return s, err
}

// columns are our names for the columns of each kind of file (design section 6).
func columns() map[string][]string {
	return map[string][]string{
		"patrons": {"barcode", "district_id", "last_name", "first_name", "nickname", "patron_type", "grade",
			"homeroom", "status", "expires", "language", "card_uid"},
		"copies": {"barcode", "title_id", "title", "author", "isbn", "call_number", "circ_type", "site", "price",
			"status", "parts", "sublocation"},
		"loans":   {"item", "patron", "checked_out", "due", "renewals"},
		"holds":   {"patron", "title_id", "item", "placed", "pickup_site", "status"},
		"charges": {"patron", "item", "reason", "amount", "currency", "created"},
		"cards":   {"card_uid", "patron"},
	}
}

// readImport reads [import.patrons] and its sisters.
func readImport(t *table) map[string]map[string]string {
	defer t.end()
	all := map[string]map[string]string{}
	ours := columns()
	for _, kind := range slices.Sorted(maps.Keys(ours)) {
		s := t.sub(kind)
		headers := map[string]string{}
		for _, column := range ours[kind] {
			if header := value(s, column, "", text); header != "" {
				headers[column] = header
			}
		}
		if len(headers) > 0 {
			all[kind] = headers
		}
		s.end()
	}
	return all
}
