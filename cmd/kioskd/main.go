// Kioskd is the daemon of the circulation desk. It is the only place where everything meets: it reads
// the config, opens the store, keeps the devices, runs the desk and serves its page and its socket.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // a desk without zone files still knows what day it is
)

const usage = `kioskd is the daemon of the circulation desk.

usage: kioskd [-config FILE]         run; default /etc/circdesk/kiosk.toml
       kioskd check [-config FILE]   say everything that is wrong with the config, then try each device
       kioskd demo [-listen ADDRESS] [-data DIR]
                                     run on a sample school with simulated devices; default 127.0.0.1:8080
                                     and a folder that is removed at the end
       kioskd restore [-config FILE] BACKUP
                                     bring a backup of the journal onto a new card; kioskd must not run
       kioskd version

Exit status: 0 done, 1 failed, 2 wrong usage.
`

// The exit statuses.
const (
	done    = 0
	failed  = 1
	misused = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// orders are the flags.
type orders struct {
	config, listen, data string
	words                []string
}

// commands are what can be typed.
func commands() map[string]func(context.Context, orders, io.Writer, *slog.Logger) error {
	return map[string]func(context.Context, orders, io.Writer, *slog.Logger) error{
		"run": start, "check": check, "demo": demo, "restore": restore,
		"version": func(_ context.Context, _ orders, out io.Writer, _ *slog.Logger) error {
			return say(out, version()+"\n")
		},
	}
}

// run is the program.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	command := "run"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	flags, o := flag.NewFlagSet("kioskd", flag.ContinueOnError), orders{}
	flags.SetOutput(io.Discard)
	do := commands()[command]
	if command == "demo" {
		flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "")
		flags.StringVar(&o.data, "data", "", "")
	} else {
		flags.StringVar(&o.config, "config", "/etc/circdesk/kiosk.toml", "")
	}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp) || command == "help":
		fmt.Fprint(out, usage)
		return done
	case do == nil:
		err = fmt.Errorf("there is no command %q", command)
	case err == nil && command == "restore" && flags.NArg() != 1:
		err = errors.New("it is: kioskd restore [-config FILE] BACKUP")
	case err == nil && command != "restore" && flags.NArg() > 0:
		err = fmt.Errorf("what is %q?", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(errs, "kioskd: %v\nkioskd -h says how it is used\n", err)
		return misused
	}
	o.words = flags.Args()
	log := slog.New(slog.NewTextHandler(errs, nil))
	if err := do(ctx, o, out, log); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintf(errs, "kioskd: %v\n", err)
		}
		return failed
	}
	return done
}

// errSaid ends a command that has failed and has printed why.
var errSaid = errors.New("failed as printed")

func say(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

// version is what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			text += " " + s.Value[:min(12, len(s.Value))]
		}
	}
	return text
}
