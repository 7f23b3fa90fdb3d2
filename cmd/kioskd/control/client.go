package control

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ErrAway is wrapped by the error of a daemon that cannot be reached: nobody listens on the socket, the
// socket may not be opened, or no answer came.
var ErrAway = errors.New("kioskd cannot be reached")

// A Client asks the daemon. Its errors are the daemon's own words, or wrap ErrAway.
type Client struct{ http http.Client }

// Dial returns a Client of the daemon at a socket. It connects when something is asked.
func Dial(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{http.Client{Transport: &http.Transport{DialContext: dial, ExpectContinueTimeout: hurry}}}
}

// Status asks for the desk at a glance.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return document[Status](ctx, c, 2*hurry, http.MethodGet, "status", nil)
}

// Devices asks for the device list.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	return document[[]Device](ctx, c, 2*hurry, http.MethodGet, "devices", nil)
}

// Verify has the journal's chain checked, which may take minutes.
func (c *Client) Verify(ctx context.Context) (Verified, error) {
	return document[Verified](ctx, c, longest, http.MethodGet, "verify", nil)
}

// Import sends a file of one of Kinds. An error of r itself is returned as it is.
func (c *Client) Import(ctx context.Context, kind string, r io.Reader, req ImportRequest) (ImportReport, error) {
	q := url.Values{
		"name": {req.Name}, "taken": {req.Taken.Format(time.RFC3339)}, "force": {strconv.FormatBool(req.Force)},
	}
	src := &source{r: r}
	report, err := document[ImportReport](ctx, c, longest, http.MethodPost, "import/"+url.PathEscape(kind)+"?"+q.Encode(), src)
	if errors.Is(err, ErrAway) && src.err != nil {
		return report, src.err
	}
	return report, err
}

// page is how many lines of the journal are asked for at once: between two pages the daemon waits for
// nobody, however slowly they are read.
const page = 1000

// Journal yields the journal from number since on.
func (c *Client) Journal(ctx context.Context, since uint64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for {
			lines, err := rows[Line](ctx, c, fmt.Sprintf("journal?since=%d&limit=%d", since, page))
			for _, l := range lines {
				if l.Seq < since {
					yield(Line{}, fmt.Errorf("the daemon's journal is out of order at number %d", l.Seq))
					return
				}
				if !yield(l, nil) {
					return
				}
				since = l.Seq + 1
			}
			if err != nil {
				yield(Line{}, err)
			}
			if err != nil || len(lines) < page {
				return
			}
		}
	}
}

// Queue asks for the entries that have not reached the library system.
func (c *Client) Queue(ctx context.Context) ([]Waiting, error) {
	return rows[Waiting](ctx, c, "queue")
}

// Stats asks for the counts of what happened from one moment on and before another; a zero one is no bound.
func (c *Client) Stats(ctx context.Context, from, until time.Time) ([]Stat, error) {
	q := url.Values{}
	for key, at := range map[string]time.Time{"from": from, "until": until} {
		if !at.IsZero() {
			q.Set(key, at.Format(time.RFC3339))
		}
	}
	return rows[Stat](ctx, c, "stats?"+q.Encode())
}

// Settle ends the delivery of an entry by hand.
func (c *Client) Settle(ctx context.Context, key, why string) error {
	q := url.Values{"key": {key}, "why": {why}}
	_, err := c.ask(ctx, 2*hurry, http.MethodPost, "settle?"+q.Encode(), nil)
	return err
}

// Backup copies the journal to w and returns the SHA-256 of what was written, which it has checked.
func (c *Client) Backup(ctx context.Context, w io.Writer) (sum string, err error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	resp, err := c.send(ctx, http.MethodGet, "backup", nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(resp.Body)
		return "", cmp.Or(err, problemOf(resp, text))
	}
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, hash), resp.Body); err != nil {
		return "", fmt.Errorf("copying the journal: %w", err)
	}
	sum = hex.EncodeToString(hash.Sum(nil))
	if want := resp.Header.Get(checksum); sum != want {
		return "", fmt.Errorf("the copy has the checksum %q, should have %q", sum, want)
	}
	return sum, nil
}

// A source remembers why it could not be read to its end.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// document asks for one JSON document.
func document[T any](ctx context.Context, c *Client, d time.Duration, method, path string, body io.Reader) (T, error) {
	var v T
	text, err := c.ask(ctx, d, method, path, body)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, fmt.Errorf("reading the daemon's answer: %w", err)
	}
	return v, nil
}

// rows asks for a list, one object a line.
func rows[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	text, err := c.ask(ctx, longest, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	var all []T
	for l := range bytes.Lines(text) {
		var p problem
		if err := json.Unmarshal(l, &p); err == nil && p.Error != "" {
			return all, errors.New(p.Error)
		}
		var v T
		if err := json.Unmarshal(l, &v); err != nil {
			return all, fmt.Errorf("reading the daemon's answer: %w", err)
		}
		all = append(all, v)
	}
	return all, nil
}

// ask returns the whole answer, which must come within d.
func (c *Client) ask(ctx context.Context, d time.Duration, method, path string, body io.Reader) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, away(err)
	}
	if resp.StatusCode == http.StatusOK {
		return text, nil
	}
	return nil, problemOf(resp, text)
}

// send asks and returns the answer as it begins.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://kioskd/v1/"+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Expect", "100-continue") // so that a refusal comes before the file is sent
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, away(err)
	}
	return resp, nil
}

// problemOf is what an answer that is no answer says.
func problemOf(resp *http.Response, text []byte) error {
	var p problem
	if json.Unmarshal(text, &p) != nil || p.Error == "" {
		return fmt.Errorf("the daemon answers %q", resp.Status)
	}
	return errors.New(p.Error)
}

// away says that no answer came, and why, without the made-up address.
func away(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}
