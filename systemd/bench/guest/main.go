// Guest tells the bench's stories inside its machine: it plugs scanners and readers in and out, looks with
// kioskctl at what became of it, and prints one line for each story. It is root there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"
)

const usage = `usage: bench-guest config              write the desk's configuration
       bench-guest school              give it a school
       bench-guest desk [-repeat N] [-only REGEXP]   tell the stories
       bench-guest again               tell those that follow a power cut
       bench-guest probe PATH...       say which paths can be opened, from wherever this is run
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	flags := flag.NewFlagSet("bench-guest", flag.ExitOnError)
	repeat := flags.Int("repeat", 50, "")
	only := flags.String("only", "", "")
	_ = flags.Parse(os.Args[2:]) // ends the program itself
	ctx := context.Background()
	b := &bench{repeat: *repeat, scanners: scanners()}
	var err error
	switch os.Args[1] {
	case "config":
		err = writeConfig()
	case "school":
		err = importSchool(ctx)
	case "desk", "again":
		var which *regexp.Regexp
		if which, err = regexp.Compile(*only); err == nil {
			err = b.tell(ctx, map[string][]story{"desk": b.desk(), "again": b.again()}[os.Args[1]], which)
		}
	case "probe":
		err = probe(os.Stdout, flags.Args())
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Printf("      %v\n", err)
		os.Exit(1)
	}
}

// A bench is the desk with all that is plugged into it.
type bench struct {
	repeat   int
	scanners []scanner
	cast     cast
}

// A story is one line of the report.
type story struct {
	name string
	tell func(context.Context) error
}

// storyTime is how long a story may take that does not repeat anything.
const storyTime = 10 * time.Minute

// desk are the stories up to the power cut.
func (b *bench) desk() []story {
	var all []story
	for _, s := range b.scanners {
		all = append(all, story{"a card and three books: " + s.what, func(ctx context.Context) error { return b.visit(ctx, s) }})
	}
	all = append(all,
		story{"two identical scanners are told apart by their ports", b.twins},
		story{"nothing that a scanner types reaches a console", b.console},
		story{"card reader (MFRC522): absent, present, hung, recovered", b.cards},
		story{"book pad (PN5180): absent, present, hung, recovered", b.pad},
		story{"the unit opens every device that it should, and no other", b.sandbox},
	)
	for _, s := range b.scanners {
		name := fmt.Sprintf("unplugged in mid-code and replugged, %d times: %s", b.repeat, s.what)
		all = append(all, story{name, func(ctx context.Context) error { return b.replug(ctx, s) }})
	}
	return append(all,
		story{"a daemon that hangs is ended by its watchdog and comes back", b.hang},
		story{"a daemon that is killed outright comes back", b.kill},
		story{"a disk that becomes read-only: nothing is lent, and it heals", b.readOnly},
		story{"what is to outlive the power cut", b.remember},
	)
}

// again are the stories after it.
func (b *bench) again() []story {
	return []story{{"after a power cut the journal is whole and the desk lends", b.recall}}
}

// tell tells the stories whose names fit, and returns an error if one of them failed.
func (b *bench) tell(ctx context.Context, all []story, which *regexp.Regexp) error {
	if err := b.cast.hire(); err != nil {
		return err
	}
	failed := 0
	for _, s := range all {
		if !which.MatchString(s.name) {
			continue
		}
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, storyTime+time.Duration(b.repeat)*time.Minute)
		err := s.tell(limited)
		cancel()
		verdict := "ok  "
		if err != nil {
			verdict = "FAIL"
			failed++
		}
		fmt.Printf("%s  %-74s %7.1f s\n", verdict, s.name, time.Since(began).Seconds())
		if err != nil {
			fmt.Printf("      %v\n", err)
		}
	}
	if failed > 0 {
		return errors.New("not all is well")
	}
	return nil
}
