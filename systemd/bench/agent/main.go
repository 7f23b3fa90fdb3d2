// Agent runs in the bench's machine and does what the bench asks for. It is no part of the desk: whoever
// reaches its port is root in there. The port is reached from the bench alone.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// Where it listens, and the address at which QEMU's own network finds the machine.
const (
	port    = ":9"
	address = "10.0.2.15/24"
)

func main() {
	if err := connect(); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("POST /run", run)
	http.HandleFunc("PUT /file", put)
	log.Fatal(http.ListenAndServe(port, nil))
}

// connect gives the first network card that is no loopback its address.
func connect() error {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-again.C {
		cards, err := net.Interfaces()
		if err != nil {
			return err
		}
		for _, c := range cards {
			if c.Flags&net.FlagLoopback == 0 {
				if c.Flags&net.FlagUp != 0 {
					return nil // the agent was started again
				}
				return errors.Join(ip("addr", "add", address, "dev", c.Name), ip("link", "set", c.Name, "up"))
			}
		}
	}
	return errors.New("there is no network card")
}

func ip(args ...string) error {
	out, err := exec.Command("/bin/busybox", append([]string{"ip"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %q: %w: %s", args, err, out)
	}
	return nil
}

// run has the shell do the body and sends what it prints as it comes; the trailer Status is how it ended.
func run(w http.ResponseWriter, r *http.Request) {
	script, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := exec.CommandContext(r.Context(), "/bin/bash", "-c", string(script))
	c.Dir, c.Env = "/root", append(os.Environ(), "HOME=/root", "SYSTEMD_PAGER=")
	c.WaitDelay = time.Second // what it leaves in the background does not hold up the answer
	c.Stdout = at{w}
	c.Stderr = c.Stdout
	w.Header().Set("Trailer", "Status")
	err = c.Run()
	status := 0
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		status = ended.ExitCode()
	} else if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		status = 255
	}
	w.Header().Set("Status", strconv.Itoa(status))
}

// put writes the body to a file that may be executed.
func put(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Query().Get("path")
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err == nil {
		_, err = io.Copy(f, r.Body)
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// at sends what is written at once.
type at struct{ w http.ResponseWriter }

func (a at) Write(p []byte) (int, error) {
	n, err := a.w.Write(p)
	a.w.(http.Flusher).Flush()
	return n, err
}
