package scanner

import (
	"cmp"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The requests of ioctl(2) that are used here, from linux/input.h and linux/hidraw.h. They have these
// numbers on arm, arm64 and amd64 alike.
const (
	eviocgrab   = 0x40044590 // the argument is a number, not a pointer
	eviocgid    = 0x80084502
	eviocgkey   = 0x80604518 // 96 bytes: the keys that are down
	eviocgled   = 0x80084519 // 8 bytes: the lamps that are on
	eviocgbit   = 0x80604521 // 96 bytes: the keys that there are
	hidiocsize  = 0x80044801
	hidiocdesc  = 0x90044802
	hidiocinfo  = 0x80084803
	hidiocsfeat = 0xC0004806 // or'ed with the length << 16
)

// A Host is where devices are found, opened and asked. The zero Host is this
// machine; tests have others.
type Host struct {
	Sys  string // "/sys"
	Dev  string // "/dev"
	Udev string // "/run/udev", where udev writes down what it knows
	// Open opens a device node without waiting; flag is os.O_RDONLY or os.O_RDWR.
	Open func(path string, flag int) (*os.File, error)
	// Ioctl is ioctl(2) on f with data as the buffer, whose first byte is the
	// argument itself where the request takes a number.
	Ioctl func(f *os.File, request uint32, data []byte) (int, error)
}

// orThis fills in this machine.
func (h Host) orThis() Host {
	h.Sys, h.Dev, h.Udev = cmp.Or(h.Sys, "/sys"), cmp.Or(h.Dev, "/dev"), cmp.Or(h.Udev, "/run/udev")
	if h.Open == nil {
		h.Open = openNode
	}
	if h.Ioctl == nil {
		h.Ioctl = ioctl
	}
	return h
}

// openNode opens a node so that reads of it have deadlines and Close ends them.
func openNode(path string, flag int) (*os.File, error) {
	fd, err := unix.Open(path, flag|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// ioctl never uses f.Fd, which would make the file wait.
func ioctl(f *os.File, request uint32, data []byte) (n int, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var errno unix.Errno
	err = conn.Control(func(fd uintptr) {
		if request == eviocgrab {
			_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(data[0]))
			return
		}
		r, _, e := unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(unsafe.Pointer(unsafe.SliceData(data))))
		n, errno = int(r), e
	})
	if err == nil && errno != 0 {
		err = errno
	}
	return n, err
}
