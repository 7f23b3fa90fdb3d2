// Package config reads kiosk.toml and the policy.toml that it names. It knows the whole vocabulary of
// both files and says everything that is wrong with them at once, with file and line. It opens no
// device, and the structs it fills are plain: who uses them translates.
//
// The vocabulary is that of the design, section 6, and
//
//	[session]
//	idle = "40s"          # without a scan or tap until the warning; 10s to 3m
//	warn = "20s"          # from the warning to the end of the session; 20s to 3m
//
//	[[scanner]]           # path, or match and port or one of them
//	port    = "1-1.2"     # the USB port, as the kernel calls it
//	layout  = "us"        # keyboard only: us | uk | de | fr | es | nordic | se | fi | dk | no
//	dialect = "plain"     # serial only: plain | honeywell | datalogic | newland | ssi | gm65 | gm67
//	bits    = 8           # serial only: 7 or 8
//	parity  = "none"      # serial only: none | odd | even
//	stop    = 1           # serial only: 1 or 2
//
//	[[reader]]
//	use      = "tags"     # cards | tags | both; by default cards on an mfrc522, tags on a pn5180
//	role     = "student"  # as a scanner's
//	speed    = 4000000    # of the bus in hertz
//	gain     = 38         # mfrc522 only, in dB: 18 | 23 | 33 | 38 | 43 | 48
//	poll     = "100ms"    # how often it looks: 10ms to 1s
//	shallow  = false      # pn5180 only: modulate by 10 %, for antennas that reach further so
//	read     = "classic:8" # mfrc522 only: what is read of a card beside its number; also "ntag:4"
//	key_file = "/etc/circdesk/card.key" # with twelve hexadecimal digits, for "classic"
//
//	[cards]
//	notations = ["hex", "decimal_reversed"] # how lists write the numbers of cards, tried in this order:
//	                      # hex | hex_reversed | decimal | decimal_reversed | wiegand | wiegand_reversed | cascade
//
//	[tag]
//	afi_in        = "07"  # in the library, in hexadecimal
//	afi_out       = "C2"  # on loan
//	password_file = "/etc/circdesk/tag.password" # with eight hexadecimal digits
//
//	[printer]             # ESC/POS
//	path    = "/dev/usb/lp0" # or a serial port, or "192.0.2.7:9100"
//	kind    = "usb"       # usb | serial | tcp; told by the path
//	baud    = 19200       # serial only
//	columns = 42
//
//	[lamp]                # lights and an active buzzer; any of them
//	green  = "GPIO17"
//	amber  = "GPIO27"
//	red    = "GPIO22"
//	buzzer = "GPIO23"
//
//	[[contact]]
//	name  = "bin"
//	line  = "GPIO5"       # has a pull-up
//	means = "bin_full"    # bin_full | door_open
//	when  = "closed"      # closed | open
//
//	[[barcode]]           # what codes stand for, in this order; none: the built-in rules
//	name      = "patron-14"      # for messages and logs; may be missing
//	pattern   = '2\d{13}'        # for the whole code, RE2; a group, if there is one, is the number
//	kind      = "patron"         # patron | item | isbn | command | foreign
//	symbology = ["A", "F"]       # AIM letters; missing: any
//	roles     = ["student"]      # of scanners: student | bin | staff; missing: all
//	check     = "luhn"           # none | luhn | mod10 | mod43 | mod16
//	strict    = false            # true: a wrong check digit makes the code unreadable, not just doubtful
//	strip     = false            # true: the check digit is no part of the number
//	rewrite   = 'P $1'           # makes the number out of the pattern's groups
//	fallback  = false            # true: only for codes that no other rule knows
//
//	[import.patrons]      # and copies, loans, holds, charges, cards
//	barcode = "Student ID"       # our column = its header in the file
package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"circdesk/kiosk"
)

// A Config is what both files say. If there are complaints, it holds what could be understood, which is
// good for trying the devices that are named in it and for nothing else.
type Config struct {
	Kiosk    Kiosk
	Session  Session
	Web      Web
	Scanners []Scanner
	Barcodes []Barcode // in order; nil: the built-in rules
	Readers  []Reader
	Cards    Cards
	Tag      Tag
	Printer  *Printer // nil: none
	Lamp     *Lamp    // nil: none
	Contacts []Contact
	ILS      ILS
	Import   map[string]map[string]string // kind of file, our column: its header there
	Policy   kiosk.Policy

	// Notes are about what is right but has no effect.
	Notes []Complaint

	file *file
}

// Kiosk is the section [kiosk].
type Kiosk struct {
	ID        string // unique in the district, part of every entry's key
	Site      string // the school's code in the library system; empty: the only school
	Name      string // for people; ID if it is missing
	Zone      *time.Location
	Languages []string // at least one, the desk's own first
	State     string   // folder of journal.db and cache.db
	Runtime   string   // folder of control.sock and page.url
	Policy    string   // path of policy.toml
}

// Session is the section [session].
type Session struct {
	Idle time.Duration // 10 s to 3 min
	Warn time.Duration // 20 s to 3 min
}

// Web is the section [web].
type Web struct {
	Listen string // 127.0.0.1 or localhost, and a port; port 0 is any free one
}

// A Scanner is one section [[scanner]]. What does not belong to its kind is zero.
type Scanner struct {
	Name    string
	Kind    string     // serial, keyboard, hidpos
	Path    string     // its device; empty if Match is set
	Match   Match      // of its USB device
	Role    kiosk.Role // what a scan means when nobody is identified
	Layout  string     // of a keyboard: us, uk, de, fr, es, nordic, se, fi, dk, no
	Dialect string     // of a serial scanner: plain, honeywell, datalogic, newland, ssi, gm65, gm67
	Baud    int        // bits per second
	Bits    int        // 7 or 8
	Parity  string     // none, odd, even
	Stop    int        // 1 or 2
}

// A Match names a USB device by what it says of itself, by its port, or by both. The zero Match is none.
type Match struct {
	Vendor, Product uint16 // both 0: any
	Serial          string // empty: any
	Port            string // "1-1.2"; empty: any
}

// overlaps tells whether one device fits both of two matches that say as much about it.
func (m Match) overlaps(o Match) bool {
	alike := func(a, b string) bool { return a == "" || b == "" || a == b }
	return m != Match{} && m.Vendor == o.Vendor && m.Product == o.Product &&
		alike(m.Serial, o.Serial) && alike(m.Port, o.Port) && (m.Vendor != 0 || m.Port != "" && m.Port == o.Port)
}

// A Barcode is one section [[barcode]].
type Barcode struct {
	Name        string // may be empty
	Pattern     string // RE2, compiles
	Kind        string // patron, item, isbn, command, foreign
	Symbologies string // AIM letters, "AF"; empty: any
	Roles       []string
	Check       string // none, luhn, mod10, mod43, mod16
	Strict      bool
	Strip       bool
	Rewrite     string // as in regexp.Expand; its groups exist
	Fallback    bool
}

// A Reader is one section [[reader]].
type Reader struct {
	Name    string
	Chip    string     // mfrc522, pn5180
	SPI     string     // "/dev/spidev0.0"
	Reset   string     // "GPIO25"
	Busy    string     // "GPIO24"; empty for mfrc522, which has no such pin
	Use     string     // cards, tags, both
	Role    kiosk.Role // what a card or a tag here means when nobody is identified
	Speed   int        // of the bus in hertz; 0: the driver's own
	Gain    int        // of an mfrc522 in dB; 0: the driver's own
	Poll    time.Duration
	Shallow bool
	Read    string // "ntag:PAGE" or "classic:BLOCK"; empty: the chip's number only
	KeyFile string // of the Classic's sector; empty: the factory's key
	Key     string // what stands in it, if the config was loaded
}

// Cards is the section [cards].
type Cards struct {
	// Notations are how lists write the numbers of cards, in the order in which they are tried. With "wiegand",
	// "wiegand_reversed" and "cascade" a list keeps only a part of a number.
	Notations []string
}

// Tag is the section [tag].
type Tag struct {
	Security      string // none, afi, eas, both
	AFIIn, AFIOut byte
	PasswordFile  string // empty: none
	Password      string // what stands in it, if the config was loaded
}

// A Printer is the section [printer].
type Printer struct {
	Name, Path, Kind string
	Baud, Columns    int
}

// A Lamp is the section [lamp].
type Lamp struct{ Name, Green, Amber, Red, Buzzer string }

// A Contact is one section [[contact]].
type Contact struct {
	Name, Line string
	Means      string // bin_full, door_open
	Closed     bool   // when it is closed; else when it is open
}

// ILS is the section [ils].
type ILS struct {
	Kind string // none, destiny, sip2
	SIP2 SIP2
	Out  string // folder of Destiny's files
}

// SIP2 is the section [ils.sip2]. It is zero unless that is there or the kind is sip2.
type SIP2 struct {
	Address      string // host:port
	TLS          bool
	Profile      string // koha, evergreen, fsip2, generic
	Institution  string
	Location     string
	Login        string // empty: no login
	PasswordFile string // empty: the systemd credential sip2.password
	Checksum     bool
	Timeout      time.Duration // 1 s to 2 min
	Canary       string        // a card that must be known; empty: none
}

// Setup is what the core needs of c.
func (c *Config) Setup() *kiosk.Setup {
	return &kiosk.Setup{
		Site: c.Kiosk.Site, Zone: c.Kiosk.Zone, Languages: c.Kiosk.Languages,
		Policy: c.Policy, Idle: c.Session.Idle, Warn: c.Session.Warn, Printer: c.Printer != nil, NoGate: c.NoGate(),
	}
}

// NoGate tells that nothing is changed on tags: no gate asks them, or no reader here writes them.
func (c *Config) NoGate() bool {
	return c.Tag.Security == "none" || !slices.ContainsFunc(c.Readers, func(r Reader) bool { return r.Use == "tags" || r.Use == "both" })
}

// About is a complaint about a key of kiosk.toml by somebody who could try it: "scanner[0].path".
func (c *Config) About(key, text string) Complaint { return c.file.about(key, text) }

// Load reads the kiosk.toml at path, the files with keys that it names, and its policy.toml. The page knows the languages of
// catalogues. Every complaint is there, those about kiosk.toml first, each file's by line.
func Load(path string, catalogues []string) (*Config, []Complaint) {
	text, err := os.ReadFile(path)
	if err != nil {
		c := &Config{file: &file{name: path}}
		c.file.complain("", "cannot be read: %v", cause(err))
		return c.done(&file{})
	}
	c := readKiosk(Source{path, text}, catalogues)
	c.readSecrets()
	if c.Kiosk.Policy == "" {
		return c.done(&file{})
	}
	text, err = os.ReadFile(c.Kiosk.Policy)
	if err != nil {
		c.file.complain("kiosk.policy", "%q cannot be read: %v", c.Kiosk.Policy, cause(err))
		return c.done(&file{})
	}
	return c.done(readPolicy(Source{c.Kiosk.Policy, text}, &c.Policy))
}

// readSecrets reads the files with keys and passwords.
func (c *Config) readSecrets() {
	for i := range c.Readers {
		c.Readers[i].Key = c.file.secret(join(element("reader", i), "key_file"), c.Readers[i].KeyFile, 12)
	}
	c.Tag.Password = c.file.secret("tag.password_file", c.Tag.PasswordFile, 8)
}

// secret is what stands in a file: so many hexadecimal digits, which no complaint shows.
func (f *file) secret(key, path string, digits int) string {
	if path == "" {
		return ""
	}
	text, err := os.ReadFile(path)
	s := strings.TrimSpace(string(text))
	b, bad := hex.DecodeString(s)
	switch {
	case err != nil:
		f.complain(key, "%q cannot be read: %v", path, cause(err))
	case bad != nil || 2*len(b) != digits:
		f.complain(key, "%q does not hold %d hexadecimal digits", path, digits)
	default:
		return s
	}
	return ""
}

// cause is what a file system said, without the path.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// Parse is Load for texts that are at hand; it looks at no file that they name.
func Parse(kiosk, policy Source, catalogues []string) (*Config, []Complaint) {
	c := readKiosk(kiosk, catalogues)
	return c.done(readPolicy(policy, &c.Policy))
}

// done gathers what was said about both files.
func (c *Config) done(policy *file) (*Config, []Complaint) {
	c.Notes = append(byLine(c.file.notes), byLine(policy.notes)...)
	return c, append(byLine(c.file.complaints), byLine(policy.complaints)...)
}

// unique complains of names that stand in two tables. It remembers the keys in seen.
func unique(t *table, key, name string, seen map[string]string) {
	at := join(t.path, key)
	if first, twice := seen[name]; twice && name != "" {
		t.complain(at, "%q is also %s%s", name, first, t.place(first))
		return
	}
	seen[name] = at
}

// place is " in line 12", or nothing if the line is not known.
func (f *file) place(key string) string {
	if n := f.line(key); n > 0 {
		return fmt.Sprintf(" in line %d", n)
	}
	return ""
}
