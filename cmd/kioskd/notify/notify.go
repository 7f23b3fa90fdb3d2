// Package notify tells the service manager how the daemon is, in the words of sd_notify(3). It knows
// one datagram socket and nothing of what the daemon does.
package notify

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// A Socket is where the service manager listens, as it is in $NOTIFY_SOCKET: a path, or a name with '@'
// before it. The empty Socket is nobody: everything sent there is lost without an error.
type Socket string

// Ready says that the daemon has started.
func (s Socket) Ready() error { return s.send("READY=1") }

// Status sets the sentence that "systemctl status" shows.
func (s Socket) Status(text string) error {
	return s.send("STATUS=" + strings.NewReplacer("\n", " ", "\r", " ").Replace(text))
}

// Beat is the sign of life that the watchdog waits for.
func (s Socket) Beat() error { return s.send("WATCHDOG=1") }

// Stopping says that the daemon is about to end.
func (s Socket) Stopping() error { return s.send("STOPPING=1") }

// patience is how long a full socket may hold up the one who sends. The shortest watchdog is longer.
const patience = 500 * time.Millisecond

func (s Socket) send(text string) error {
	if s == "" {
		return nil
	}
	if err := s.datagram(text); err != nil {
		return fmt.Errorf("telling %q to the service manager at %q: %w", text, string(s), err)
	}
	return nil
}

func (s Socket) datagram(text string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: string(s), Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(text))
	return err
}

// Watchdog is how often the daemon must Beat, by $WATCHDOG_USEC and $WATCHDOG_PID, which env looks up:
// half the time after which the service manager takes it for dead, as sd_watchdog_enabled(3) advises. It
// is 0 if the manager does not watch the process pid.
func Watchdog(env func(string) string, pid int) (time.Duration, error) {
	usec := env("WATCHDOG_USEC")
	if owner := env("WATCHDOG_PID"); usec == "" || owner != "" && owner != strconv.Itoa(pid) {
		return 0, nil
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if most := int64(1<<63-1) / int64(time.Microsecond); err != nil || n <= 0 || n > most {
		return 0, fmt.Errorf("WATCHDOG_USEC is %q, not a number of microseconds", usec)
	}
	return time.Duration(n) * time.Microsecond / 2, nil
}
