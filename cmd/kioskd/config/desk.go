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
	c.Cards = readCards(t.sub("cards"))
	c.Tag = readTag(t.sub("tag"))
	c.Printer = readPrinter(t.sub("printer"), t.has("printer"), names)
	c.Lamp = readLamp(t.sub("lamp"), t.has("lamp"), names)
	c.Contacts = readContacts(t.subs("contact"), names)
	c.ILS = readILS(t.sub("ils"), c.Kiosk.State)
	c.Import = readImport(t.sub("import"))
	if len(c.Scanners) == 0 && len(c.Readers) == 0 && !t.has("scanner") {
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
		s := readScanner(t)
		unique(t, "name", s.Name, names)
		unique(t, "path", s.Path, paths)
		for i, other := range all {
			if s.Match.overlaps(other.Match) {
				first := element("scanner", i)
				t.complain(t.path, "is found by the same as %s%s; tell them apart by their ports", first, t.place(first))
			}
		}
		t.end()
		all = append(all, s)
	}
	return all
}

func readScanner(t *table) Scanner {
	s := Scanner{
		Name:    required(t, "name", name),
		Kind:    value(t, "kind", "serial", oneOf("serial", "keyboard", "hidpos")),
		Path:    value(t, "path", "", path),
		Match:   value(t, "match", Match{}, match),
		Role:    value(t, "role", kiosk.RoleStudent, oneOf(kiosk.RoleStudent, kiosk.RoleBin, kiosk.RoleStaff)),
		Layout:  value(t, "layout", "us", oneOf("us", "uk", "de", "fr", "es", "nordic", "se", "fi", "dk", "no")),
		Dialect: value(t, "dialect", "plain", oneOf("plain", "honeywell", "datalogic", "newland", "ssi", "gm65", "gm67")),
		Baud:    value(t, "baud", 9600, speed),
		Bits:    value(t, "bits", 8, whole(7, 8)),
		Parity:  value(t, "parity", "none", oneOf("none", "odd", "even")),
		Stop:    value(t, "stop", 1, whole(1, 2)),
	}
	s.Match.Port = value(t, "port", "", port)
	checkPlace(t)
	if s.Kind != "serial" && s.Kind != "" {
		for _, key := range []string{"dialect", "baud", "bits", "parity", "stop"} {
			foreign(t, key, fmt.Sprintf("a scanner of kind %q has no serial line", s.Kind))
		}
		s.Dialect, s.Baud, s.Bits, s.Parity, s.Stop = "", 0, 0, "", 0
	}
	if s.Kind != "keyboard" && s.Kind != "" {
		foreign(t, "layout", `only a scanner of kind "keyboard" has one`)
		s.Layout = ""
	}
	return s
}

// checkPlace complains unless it is clear which device a scanner is.
func checkPlace(t *table) {
	switch {
	case !t.has("path") && !t.has("match") && !t.has("port"):
		t.complain(t.path, "needs a path, a match or a port")
	case t.has("path") && t.has("match"):
		t.complain(t.path, `has "path" and "match"; only one of them can be meant`)
	case t.has("path") && t.has("port"):
		t.complain(t.path, `has "path" and "port"; only one of them can be meant`)
	}
}

// foreign complains of a key that means nothing in this table.
func foreign(t *table, key, why string) {
	if t.has(key) {
		t.complain(join(t.path, key), "does not belong here; %s", why)
	}
}

// port reads the kernel's name for a USB port: the bus, and the way through hubs.
func port(raw any) (string, error) {
	s, err := text(raw)
	if err == nil && !regexp.MustCompile(`^[0-9]+-[0-9]+(\.[0-9]+)*$`).MatchString(s) {
		return "", fmt.Errorf(`%q is not a USB port as the kernel calls it, like "1-1.2"`, s)
	}
	return s, err
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
	return Match{Vendor: uint16(vendor), Product: uint16(product), Serial: parts[2]}, nil
}

func readILS(t *table, state string) ILS {
	defer t.end()
	ils := ILS{Kind: value(t, "kind", "none", oneOf("none", "destiny", "sip2"))}
	if ils.Kind == "destiny" || ils.Kind == "sip2" {
		t.note(join(t.path, "kind"), "entries are kept in the queue; delivery to %q comes with a later version", ils.Kind)
	}
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
			"homeroom", "status", "expires", "language", "card_uid", "pin"},
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
