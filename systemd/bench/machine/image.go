package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// source is where the machine is described.
const source = "systemd/bench"

// image returns the folder of the machine's disk, kernel and saved state, and makes what is missing. Its
// name tells by what it was made: with other scripts or another kernel it is another machine.
func (b *bench) image(ctx context.Context) (string, error) {
	env := []string{"ARCH=" + b.arch}
	if err := command(ctx, env, filepath.Join(source, "setup.sh")); err != nil {
		return "", err
	}
	key, err := b.key(ctx)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(b.cache, b.arch+"-"+key)
	if _, err := os.Stat(filepath.Join(folder, "root.ext4")); err != nil {
		began := time.Now()
		agent := filepath.Join(b.work, "bench-agent")
		build := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + b.arch}
		if err := command(ctx, build, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", agent, "./systemd/bench/agent"); err != nil {
			return "", err
		}
		if err := command(ctx, append(env, "AGENT="+agent), filepath.Join(source, "image.sh"), folder); err != nil {
			return "", err
		}
		fmt.Printf("      (image made in %.0f s: %s)\n", time.Since(began).Seconds(), folder)
	}
	if _, err := os.Stat(filepath.Join(folder, "state")); err == nil {
		return folder, nil
	}
	return folder, b.save(ctx, folder)
}

// save boots the machine once and keeps it as it stands then, running.
func (b *bench) save(ctx context.Context, folder string) error {
	began := time.Now()
	m := &machine{arch: b.arch, image: folder, folder: b.work}
	defer m.cut()
	if err := m.boot(ctx, true); err != nil {
		return err
	}
	if err := m.shell(ctx, "systemctl is-system-running --wait >/dev/null; systemctl --failed --no-legend; journalctl --sync; sync; echo 3 >/proc/sys/vm/drop_caches"); err != nil {
		return err
	}
	if err := m.save(ctx); err != nil {
		return err
	}
	fmt.Printf("      (booted and saved in %.0f s)\n", time.Since(began).Seconds())
	return nil
}

// key is a digest of all that the machine is made by.
func (b *bench) key(ctx context.Context) (string, error) {
	sum := sha256.New()
	for _, part := range []string{"image.sh", "module.sh", "init", "board", "agent"} {
		err := filepath.WalkDir(filepath.Join(source, part), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	// A state fits the hardware that it was saved on, whatever its folder is called.
	fmt.Fprintf(sum, "%q", (&machine{arch: b.arch}).arguments())
	// The kernel's source package has one version for all of Debian's machines.
	kernel, err := exec.CommandContext(ctx, "apt-cache", "policy", "linux-kbuild-6.1").Output()
	if err != nil {
		return "", fmt.Errorf("ask for the kernel's version: %w", err)
	}
	for line := range strings.Lines(string(kernel)) {
		if strings.Contains(line, "Candidate:") {
			fmt.Fprint(sum, line)
		}
	}
	qemu, err := exec.CommandContext(ctx, emulator(b.arch), "--version").Output()
	sum.Write(qemu) // a state is for the version that saved it
	return hex.EncodeToString(sum.Sum(nil))[:12], err
}

// command runs a program that is silent if all goes well.
func command(ctx context.Context, env []string, args ...string) error {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args[:min(3, len(args))], " "), err, out)
	}
	return nil
}
