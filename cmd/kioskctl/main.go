// Kioskctl is what maintenance staff and technicians type: it asks kioskd over its unix socket and
// prints the answer, for people or as JSON.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"circdesk/cmd/kioskd/control"
)

const usage = `kioskctl asks the daemon of the circulation desk, kioskd.

usage: kioskctl [-socket PATH] [-json] COMMAND

  status             the desk at a glance
  devices            scanners, and how they are
  import KIND FILE   load a file from the library system; FILE "-" is the standard input
                     KIND is patrons, copies (CSV or MARC 21), loans, holds, charges or cards
    -force           load it though it looks wrong
    -taken TIME      when the library system wrote it: 2026-11-24, "2026-11-24 07:30" or RFC 3339;
                     by default the time at which the file was last changed
  journal            what happened at this desk, oldest first; a "?" stands after a time of which
                     the clock was not sure
    -since SEQ       from this number on
  queue              what has not reached the library system yet
  queue settle KEY   take an entry off the queue that was seen to by hand
    -why TEXT        what was done; it fades with the names
  stats              counts of what happened, without names
    -by WHAT         a line for each day (by default), hour, grade, type (of circulation) or class (of call
                     numbers); with -json there is one for each of all these together
    -from TIME       from then on,
    -until TIME      and before then
  verify             check that nothing in the journal was changed or lost
  backup FILE        copy the journal while the desk runs; FILE.sha256 is its checksum
                     (kioskd restore brings it onto a new card)

  -socket PATH       of the daemon; by default /run/circdesk/control.sock
  -json              print one JSON document or, of journal, queue, stats and devices, one object a line

Flags may stand before or after the command.
Exit status: 0 done, 1 failed, 2 wrong usage, 3 the daemon cannot be reached.
`

// The exit statuses (design section 6).
const (
	done     = 0
	failed   = 1
	misused  = 2
	notThere = 3
)

func main() {
	t := tool{in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now(), zone: time.Local}
	os.Exit(t.run(context.Background(), os.Args[1:]))
}

// A tool is one run of kioskctl.
type tool struct {
	in       io.Reader
	out, err io.Writer
	now      time.Time
	zone     *time.Location // of what is printed for people
}

// An order is what was typed.
type order struct {
	socket string
	json   bool
	force  bool
	taken  time.Time // zero: the file's own
	since  uint64
	by     string // what stats has a line for
	from   time.Time
	until  time.Time
	why    string
	words  []string // after the command
}

// A misuse is an error of the one who typed.
type misuse struct{ text string }

func (e misuse) Error() string { return e.text }

// errSaid ends a command that has failed and has printed why.
var errSaid = errors.New("failed as printed")

func (t *tool) run(ctx context.Context, args []string) int {
	err := t.obey(ctx, args)
	if _, wrong := errors.AsType[misuse](err); wrong {
		fmt.Fprintf(t.err, "kioskctl: %v\nkioskctl -h says how it is used\n", err)
		return misused
	}
	switch {
	case err == nil:
		return done
	case errors.Is(err, errSaid):
		return failed
	}
	fmt.Fprintf(t.err, "kioskctl: %s\n", plain(err.Error()))
	switch {
	case !errors.Is(err, control.ErrAway):
		return failed
	case errors.Is(err, fs.ErrPermission):
		fmt.Fprintln(t.err, "only root and members of the daemon's group may ask; after joining the group, log in again")
	default:
		fmt.Fprintln(t.err, "systemctl status kioskd says whether it runs")
	}
	return notThere
}

// A command is what can be typed.
type command struct {
	flags []string // beside the general ones
	words string   // that follow it
	do    func(*tool, context.Context, *control.Client, order) error
}

func commands() map[string]command {
	return map[string]command{
		"status":  {do: (*tool).status},
		"devices": {do: (*tool).devices},
		"import":  {flags: []string{"force", "taken"}, words: "KIND FILE", do: (*tool).load},
		"journal": {flags: []string{"since"}, do: (*tool).journal},
		"queue":   {do: (*tool).queue},
		"settle":  {flags: []string{"why"}, words: "KEY", do: (*tool).settle},
		"stats":   {flags: []string{"by", "from", "until"}, do: (*tool).stats},
		"verify":  {do: (*tool).verify},
		"backup":  {words: "FILE", do: (*tool).backup},
	}
}

// obey finds out what was typed and does it.
func (t *tool) obey(ctx context.Context, args []string) error {
	o := order{}
	flags := t.flags(&o)
	words, err := split(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp) || err == nil && len(words) > 0 && words[0] == "help":
		return t.print(usage)
	case err != nil:
		return misuse{err.Error()}
	case len(words) == 0:
		return misuse{"no command"}
	}
	if len(words) > 1 && words[0] == "queue" && words[1] == "settle" {
		words = words[1:]
	}
	name := words[0]
	c, ok := commands()[name]
	if !ok {
		return misuse{fmt.Sprintf("there is no command %q", name)}
	}
	o.words = words[1:]
	if err := c.fits(name, o, flags); err != nil {
		return err
	}
	return c.do(t, ctx, control.Dial(o.socket), o)
}

// flags are all flags of all commands, which write into o.
func (t *tool) flags(o *order) *flag.FlagSet {
	f := flag.NewFlagSet("kioskctl", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.socket, "socket", "/run/circdesk/control.sock", "")
	f.BoolVar(&o.json, "json", false, "")
	f.BoolVar(&o.force, "force", false, "")
	f.Uint64Var(&o.since, "since", 0, "")
	f.StringVar(&o.why, "why", "", "")
	for name, to := range map[string]*time.Time{"taken": &o.taken, "from": &o.from, "until": &o.until} {
		f.Func(name, "", func(text string) (err error) {
			*to, err = parseTime(text, t.zone)
			return err
		})
	}
	f.Func("by", "", func(text string) error {
		if o.by = text; countedBy(text) == nil {
			return errors.New("it should be day, hour, grade, type or class")
		}
		return nil
	})
	return f
}

// split reads flags wherever they stand and returns the other words. After "--" there are no flags.
func split(f *flag.FlagSet, args []string) ([]string, error) {
	var words []string
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		rest := f.Args()
		if len(rest) == 0 {
			return words, nil
		}
		if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
			return append(words, rest...), nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}

// fits checks the words and flags that came with the command.
func (c command) fits(name string, o order, flags *flag.FlagSet) error {
	if len(o.words) != len(strings.Fields(c.words)) {
		return misuse{strings.TrimSpace(fmt.Sprintf("it is: kioskctl %s %s", name, c.words))}
	}
	if name == "settle" && o.why == "" {
		return misuse{"settle needs -why: what was done"}
	}
	if name == "import" && !slices.Contains(control.Kinds(), o.words[0]) {
		return misuse{fmt.Sprintf("%q is not one of %s", o.words[0], strings.Join(control.Kinds(), ", "))}
	}
	var err error
	flags.Visit(func(f *flag.Flag) {
		if own := slices.Contains(c.flags, f.Name); !own && f.Name != "socket" && f.Name != "json" {
			err = misuse{fmt.Sprintf("%s has no flag -%s", name, f.Name)}
		}
	})
	return err
}

// parseTime reads what a person types for a time.
func parseTime(text string, zone *time.Location) (time.Time, error) {
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(form, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New(`it should look like 2026-11-24, "2026-11-24 07:30" or 2026-11-24T07:30:00-08:00`)
}
