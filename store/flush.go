package store

import "os"

// onSync hears of every fsync that SQLite does not make. The crash explorer listens: what was not flushed
// through here, a power cut takes away there.
var onSync = func(path string) {}

// flush brings a file to the disk, or the names in a folder.
func flush(f *os.File) error {
	err := f.Sync()
	if err == nil {
		onSync(f.Name())
	}
	return err
}
