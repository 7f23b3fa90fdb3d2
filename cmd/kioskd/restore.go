package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"circdesk/cmd/kioskd/config"
	"circdesk/cmd/kioskd/control"
	"circdesk/store"
	"circdesk/web"
)

// restore is the command that brings a backup of the journal onto a new card. The socket keeps a running
// daemon away.
func restore(_ context.Context, o orders, out io.Writer, _ *slog.Logger) error {
	c, complaints := config.Load(o.config, web.Languages())
	for _, each := range complaints {
		fmt.Fprintln(out, each)
	}
	if len(complaints) > 0 {
		return errSaid
	}
	for _, folder := range []string{c.Kiosk.State, c.Kiosk.Runtime} {
		if err := os.MkdirAll(folder, 0o750); err != nil {
			return err
		}
	}
	socket, err := control.Listen(filepath.Join(c.Kiosk.Runtime, "control.sock"))
	if err != nil {
		return err
	}
	defer socket.Close()
	if err := store.Restore(o.words[0], c.Kiosk.State); err != nil {
		return err
	}
	if err := give(c.Kiosk.State); err != nil {
		return err
	}
	return say(out, "The journal is restored, with keys of a new kind from now on. Next: systemctl start kioskd\n")
}

// give makes the folder's owner the owner of all that is in it: root restores, the daemon is somebody else.
func give(folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
}
