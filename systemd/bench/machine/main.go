// Machine is "make machine": it runs the shipped kioskd under its real unit on a real kernel, in a virtual
// machine into which it plugs scanners and readers, and prints one line for each story and how it ended.
//
// It knows how to make the machine and how to cut its power. The stories are told in there, by bench/guest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const usage = `machine runs the desk in a virtual machine and says what works there.

usage: machine [-arch arm64|amd64] [-repeat N] [-only REGEXP] [-cache FOLDER] [-after SCRIPT]

To be started in the module's root, on Debian 12 and as root if the machine has to be made first.
Exit status: 0 all is well, 1 not, 2 wrong usage.
`

// A bench is one run.
type bench struct {
	arch   string
	repeat int    // how often each scanner is unplugged
	only   string // stories to tell; "": all
	cache  string // folder of the images
	after  string // script to run then, for who looks for a fault; the power stays on. "": none
	work   string // of this run
}

func main() {
	var b bench
	flag.Usage = func() { fmt.Fprint(flag.CommandLine.Output(), usage) }
	flag.StringVar(&b.arch, "arch", "arm64", "")
	flag.IntVar(&b.repeat, "repeat", 50, "")
	flag.StringVar(&b.only, "only", "", "")
	flag.StringVar(&b.cache, "cache", "/var/cache/circdesk-bench", "")
	flag.StringVar(&b.after, "after", "", "")
	flag.Parse()
	if flag.NArg() > 0 || b.arch != "arm64" && b.arch != "amd64" || b.repeat < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := b.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "machine: %v\n", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.work, err = os.MkdirTemp("", "machine-*"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	image, err := b.image(ctx)
	if err != nil {
		return fmt.Errorf("make the machine: %w", err)
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	m := &machine{arch: b.arch, image: image, folder: b.work}
	defer m.cut()
	if err := m.restore(ctx); err != nil {
		return fmt.Errorf("start the machine: %w", err)
	}
	if err := b.install(ctx, m); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	err = b.tell(ctx, m, "desk")
	if m.broken() {
		return errors.Join(err, fmt.Errorf("the machine itself ended: %v\n%s", m.qemu.ProcessState, m.said.String()))
	}
	if b.after != "" {
		return errors.Join(err, m.shell(ctx, b.after))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, b.outage(ctx, m))
}

// tell has the stories of one part told.
func (b *bench) tell(ctx context.Context, m *machine, part string) error {
	return m.shell(ctx, fmt.Sprintf("bench-guest %s -repeat %d -only '%s'", part, b.repeat, strings.ReplaceAll(b.only, "'", "")))
}

// outage cuts the machine's power, boots it and has the rest told.
func (b *bench) outage(ctx context.Context, m *machine) error {
	m.cut()
	began := time.Now()
	if err := m.boot(ctx, false); err != nil {
		return fmt.Errorf("boot after the power cut: %w", err)
	}
	fmt.Printf("      (power cut; up again after %.1f s)\n", time.Since(began).Seconds())
	return b.tell(ctx, m, "again")
}

// build makes the programs for the machine and lays them out as "make install" does.
func (b *bench) build(ctx context.Context) error {
	env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + b.arch}
	bin, guest := filepath.Join(b.work, "bin"), filepath.Join(b.work, "bench-guest")
	for _, args := range [][]string{
		{"go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin + "/", "./cmd/kioskd", "./cmd/kioskctl"},
		{"go", "build", "-trimpath", "-ldflags", "-s -w", "-o", guest, "./systemd/bench/guest"},
		{"make", "-s", "-f", "systemd/install.mk", "install", "BIN=" + bin, "DESTDIR=" + filepath.Join(b.work, "root")},
		{"tar", "-C", filepath.Join(b.work, "root"), "--owner=0", "--group=0", "-cf", filepath.Join(b.work, "root.tar"), "."},
	} {
		if err := command(ctx, env, args...); err != nil {
			return err
		}
	}
	return nil
}

// install brings them in and starts the desk, by the words at the head of install.mk. udevd is not reloaded
// but restarted: if it has looked at the rules before their groups were there, it does not look again.
func (b *bench) install(ctx context.Context, m *machine) error {
	if err := m.put(ctx, filepath.Join(b.work, "root.tar"), "/root/root.tar"); err != nil {
		return err
	}
	if err := m.put(ctx, filepath.Join(b.work, "bench-guest"), "/usr/local/sbin/bench-guest"); err != nil {
		return err
	}
	return m.shell(ctx, `set -e
date -s @`+fmt.Sprint(time.Now().Unix())+` >/dev/null
tar -C / -xf root.tar --no-overwrite-dir && rm root.tar
echo bench-board >/etc/modules-load.d/bench.conf
systemd-sysusers 2>/dev/null && systemd-tmpfiles --create circdesk.conf && systemctl restart systemd-udevd && udevadm trigger
modprobe bench-board
bench-guest config
systemctl daemon-reload && systemctl -q enable --now kioskd
bench-guest school
sync`) // the power will be cut soon, as it seldom is after an installation
}
