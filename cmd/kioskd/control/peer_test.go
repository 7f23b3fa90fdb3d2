package control

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestWhoMayAsk(t *testing.T) {
	allow := Members(990, 980)
	for _, test := range []struct {
		who  string
		peer Peer
		want bool
	}{
		{"root", Peer{UID: 0, GID: 0}, true},
		{"the daemon's user", Peer{UID: 990, GID: 100}, true},
		{"a member by primary group", Peer{UID: 1001, GID: 980}, true},
		{"a member by supplementary group", Peer{UID: 1001, GID: 1001, Groups: []uint32{27, 980}}, true},
		{"a member seen from a user namespace", Peer{UID: 65534, GID: 65534, Groups: []uint32{65534, 980}}, true},
		{"a stranger", Peer{UID: 1001, GID: 1001, Groups: []uint32{27}}, false},
		{"one in root's group", Peer{UID: 1001, GID: 0}, false},
		{"a user of the group's number", Peer{UID: 980, GID: 1001}, false},
	} {
		err := allow(test.peer)
		if (err == nil) != test.want {
			t.Errorf("%s: %v", test.who, err)
		}
		if err != nil && err.Error() != `only root and members of the group "980" may do that` {
			t.Errorf("%s: %v", test.who, err)
		}
	}
}

func TestTheKernelTellsWhoAsks(t *testing.T) {
	ln, err := net.Listen("unix", fmt.Sprintf("@circdesk-peer-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	meet := func(dial func(address string) error) Peer {
		t.Helper()
		dialled := make(chan error, 1)
		go func() { dialled <- dial(ln.Addr().String()) }()
		if err := <-dialled; err != nil {
			t.Fatal(err)
		}
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		p, err := peerOf(conn)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := meet(knock)
	if int(p.PID) != os.Getpid() || int(p.UID) != os.Getuid() || int(p.GID) != os.Getgid() {
		t.Errorf("ourselves: %+v", p)
	}
	if os.Getuid() != 0 {
		return // only root can be somebody else
	}
	groups := make([]uint32, 100) // more than fit at the first attempt
	for i := range groups {
		groups[i] = uint32(70_000 + i)
	}
	p = meet(func(address string) error { return knockAs(60_001, 60_002, groups, address) })
	if p.UID != 60_001 || p.GID != 60_002 || !slices.Equal(p.Groups, groups) {
		t.Errorf("somebody else: %+v", p)
	}
	if Members(990, 70_099)(p) != nil || Members(990, 980)(p) == nil {
		t.Error("a real peer is judged wrongly")
	}
}

// knock connects and hangs up.
func knock(address string) error {
	c, err := net.Dial("unix", address)
	if err != nil {
		return err
	}
	return c.Close()
}

// knockAs knocks as another user. Only the thread changes, and since it stays locked it ends with its goroutine.
func knockAs(uid, gid uintptr, groups []uint32, address string) error {
	runtime.LockOSThread()
	_, _, err1 := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0)
	_, _, err2 := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid)
	_, _, err3 := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid)
	if err1 != 0 || err2 != 0 || err3 != 0 {
		return fmt.Errorf("becoming somebody else: %w, %w, %w", err1, err2, err3)
	}
	return knock(address)
}

func TestAnotherSortOfConnectionHasNoPeer(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, err := peerOf(a); err == nil {
		t.Error("a pipe has a peer")
	}
}
