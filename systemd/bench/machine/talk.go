package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A monitor is QEMU's own protocol: one question at a time, each with its answer, and events in between.
type monitor struct {
	net.Conn
	in *json.Decoder
}

// answerTime is how long QEMU may take for one answer.
const answerTime = time.Minute

func dial(ctx context.Context, socket string) (*monitor, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	m := &monitor{conn, json.NewDecoder(conn)}
	var greeting any
	if err := m.in.Decode(&greeting); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if err := m.do(nil, "qmp_capabilities", nil); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// do has a command done; its answer goes into a struct, if one is given.
func (m *monitor) do(answer any, command string, arguments any) error {
	if err := m.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	question := map[string]any{"execute": command}
	if arguments != nil {
		question["arguments"] = arguments
	}
	if err := json.NewEncoder(m).Encode(question); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	for {
		var a struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := m.in.Decode(&a); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		switch {
		case a.Error != nil:
			return fmt.Errorf("%s: %s", command, a.Error.Desc)
		case a.Return == nil: // an event
		case answer == nil:
			return nil
		default:
			return json.Unmarshal(a.Return, answer)
		}
	}
}

// ready asks the agent for nothing.
func (m *machine) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return m.shell(ctx, "true")
}

// shell has the machine's shell run a script and prints what it says, but for lines that begin with "@":
// those ask for something to be done from outside.
func (m *machine) shell(ctx context.Context, script string) error {
	answer, err := m.ask(ctx, http.MethodPost, "/run", strings.NewReader(script))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		order, isOrder := strings.CutPrefix(lines.Text(), "@")
		if !isOrder {
			fmt.Println(lines.Text())
		} else if err := m.obey(ctx, order); err != nil {
			fmt.Printf("      (%s: %v)\n", order, err)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if status := answer.Trailer.Get("Status"); status != "0" {
		return fmt.Errorf("%s: exit status %q", strings.SplitN(strings.TrimSpace(script), "\n", 2)[0], status)
	}
	return nil
}

// put copies a file into the machine.
func (m *machine) put(ctx context.Context, from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	answer, err := m.ask(ctx, http.MethodPut, "/file?path="+url.QueryEscape(to), f)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func (m *machine) ask(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, m.address(path), body)
	if err != nil {
		return nil, err
	}
	// A proxy of the computer is not for this, and no connection outlives the machine.
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		return nil, errors.Join(fmt.Errorf("%s: %s", answer.Status, text), answer.Body.Close())
	}
	return answer, nil
}

// obey does what only QEMU can: a serial scanner on an adapter of FTDI's.
//
//	ftdi plug | ftdi unplug | ftdi send "text in Go's quotes"
func (m *machine) obey(ctx context.Context, order string) error {
	what, text, _ := strings.Cut(strings.TrimPrefix(order, "ftdi "), " ")
	id := "ftdi" + strconv.Itoa(m.ftdi)
	switch what {
	case "plug":
		m.ftdi++
		device := map[string]any{"driver": "usb-serial", "id": "ftdi" + strconv.Itoa(m.ftdi), "bus": "usb.0", "port": "1",
			"chardev": "ftdi", "serial": "FT1", "always-plugged": true}
		// The one that was pulled out gives its line up a moment later.
		return m.until(ctx, answerTime, "an adapter", func(context.Context) error { return m.qmp.do(nil, "device_add", device) })
	case "unplug":
		return m.qmp.do(nil, "device_del", map[string]string{"id": id})
	case "send":
		text, err := strconv.Unquote(text)
		if err != nil {
			return err
		}
		return m.send(ctx, text)
	}
	return fmt.Errorf("nobody knows how to %q", order)
}

// send has the scanner send text.
func (m *machine) send(ctx context.Context, text string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(m.folder, "ftdi"))
	if err != nil {
		return err
	}
	_, err = io.WriteString(conn, text)
	return errors.Join(err, conn.Close())
}
