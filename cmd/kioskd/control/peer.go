package control

import (
	"errors"
	"fmt"
	"net"
	"os/user"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Peer is who opened a connection, as the kernel noted it then.
type Peer struct {
	PID      int32
	UID, GID uint32
	Groups   []uint32 // the supplementary ones
}

// Members returns the rule of the socket: root, the user uid and the members of the group gid may ask.
//
// It goes by the groups of the process and looks nobody up: in a user namespace (PrivateUsers= in the
// unit) the kernel shows a technician's uid as 65534, but the daemon's own group under its number.
func Members(uid, gid uint32) func(Peer) error {
	return func(p Peer) error {
		if p.UID == 0 || p.UID == uid || p.GID == gid || slices.Contains(p.Groups, gid) {
			return nil
		}
		return fmt.Errorf("only root and members of the group %q may do that", groupName(gid))
	}
}

// groupName is the name of a group or, if it has none, its number.
func groupName(gid uint32) string {
	number := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(number); err == nil {
		return g.Name
	}
	return number
}

// peerOf asks the kernel who is at the other end of c.
func peerOf(c net.Conn) (Peer, error) {
	socket, ok := c.(*net.UnixConn)
	if !ok {
		return Peer{}, fmt.Errorf("%T is not a unix socket", c)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var p Peer
	var asked error
	err = raw.Control(func(fd uintptr) { p, asked = askPeer(int(fd)) })
	return p, errors.Join(err, asked)
}

// askPeer reads SO_PEERCRED and SO_PEERGROUPS, see socket(7) and unix(7).
func askPeer(fd int) (Peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{}, fmt.Errorf("asking for the peer's user: %w", err)
	}
	groups, err := peerGroups(fd)
	if err != nil {
		return Peer{}, fmt.Errorf("asking for the peer's groups: %w", err)
	}
	return Peer{PID: cred.Pid, UID: cred.Uid, GID: cred.Gid, Groups: groups}, nil
}

// peerGroups reads SO_PEERGROUPS, for which x/sys has no function.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		have := uint32(len(groups) * 4)
		size := have
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno == unix.ERANGE && size > have:
			groups = make([]uint32, size/4)
		default:
			return nil, errno
		}
	}
}
