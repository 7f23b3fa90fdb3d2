package store

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"circdesk/kiosk"
)

// The harness runs this binary again as a child that writes as fast as it can and tells on its standard
// output what it has been promised. It is killed at random moments; what was promised must be there.
const (
	childFolder = "CIRCDESK_TEST_CHILD" // the child's state folder
	childDefect = "CIRCDESK_TEST_DEFECT"
	ackEarly    = "acknowledge before commit" // a planted defect
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		fmt.Fprintln(os.Stderr, "child:", child(folder, os.Getenv(childDefect)))
		os.Exit(1)
	}
	onSync = theTap.synced
	os.Exit(m.Run())
}

func killOptions(folder string) Options {
	return Options{Folder: folder, Kiosk: "LIB-1", Site: "0123", Delivers: true, Ballast: 1}
}

// scripted is the act that stands under a number: a loan and its return in turn.
func scripted(prefix string, seq uint64) kiosk.Act {
	a := kiosk.Act{
		Key: kiosk.Key(fmt.Sprintf("%s%d", prefix, seq)), Kind: kiosk.KindLoan, At: monday.Add(time.Duration(seq) * time.Second),
		Clock: kiosk.ClockSynchronised, Session: seq / 6, Role: kiosk.RoleStudent, Patron: kiosk.PatronID(fmt.Sprint(seq / 2 % 7)),
		Item: kiosk.ItemID(fmt.Sprint(seq / 2 % 50)), TitleID: "t", Outcome: kiosk.OutcomeLoan, Due: dec7, Policy: "p", Class: "500",
	}
	if seq%2 == 1 {
		a.Kind, a.Outcome, a.Due = kiosk.KindReturn, kiosk.OutcomeReturn, kiosk.Due{}
	}
	return a
}

// together is how many acts are recorded in the transaction that begins with seq.
func together(seq uint64) int {
	if seq%10 == 1 {
		return 3
	}
	return 1
}

// child works until it is killed.
func child(folder, defect string) error {
	s, err := Open(killOptions(folder))
	if err != nil {
		return err
	}
	say := func(word string, seq uint64) { fmt.Printf("%s %d\n", word, seq) }
	c, err := crowdIn(s)
	if err != nil {
		return err
	}
	failed := make(chan error, 4)
	go func() { failed <- childBacksUp(s, say) }()
	go func() { failed <- childDelivers(s, say) }()
	go func() { failed <- childImports(s, c, say) }()
	go func() { failed <- childRecords(s, defect, say) }()
	return <-failed
}

func childRecords(s *Store, defect string, say func(string, uint64)) error {
	is := s.Stand()
	say("open", is.Next-1)
	for seq := is.Next; ; {
		var acts []kiosk.Act
		for range together(seq) {
			acts = append(acts, scripted(is.Prefix, seq+uint64(len(acts))))
		}
		seq += uint64(len(acts))
		if defect == ackEarly {
			say("ack", seq-1)
		}
		if err := s.Record(acts); err != nil {
			return err
		}
		if defect != ackEarly {
			say("ack", seq-1)
		}
		if f := s.Find(kiosk.Find{Item: acts[0].Item}); f.Failed {
			return errors.New("the cache failed")
		}
	}
}

func childDelivers(s *Store, say func(string, uint64)) error {
	for range s.Added() {
		waiting, err := s.Waiting(context.Background())
		if err != nil {
			return err
		}
		for _, e := range waiting {
			if err := s.Attempt(e.Seq); err != nil {
				return err
			}
			say("sent", e.Seq)
			if err := s.Deliver(e.Seq, kiosk.Confirmed, "ok"); err != nil {
				return err
			}
			say("done", e.Seq)
		}
	}
	return nil
}

// childImports swaps one crowd for the next again and again.
func childImports(s *Store, c uint64, say func(string, uint64)) error {
	for c++; ; c++ {
		file := people(int(c)*1000, int(c)*1000+300)
		r, err := s.Import(context.Background(), "patrons", strings.NewReader(file), ImportOptions{Force: true})
		if err != nil || r.Refused != "" {
			return fmt.Errorf("%v %s", err, r.Refused)
		}
		say("crowd", c)
	}
}

// crowdIn is the number of the crowd that is there, all of it and no other; 0: nobody is.
func crowdIn(s *Store) (uint64, error) {
	var n, least, most int
	_, err := s.cache.w.row(`SELECT count(*), coalesce(min(barcode), 0), coalesce(max(barcode), 0)
		FROM (SELECT CAST(barcode AS INTEGER) AS barcode FROM patrons)`, nil, &n, &least, &most)
	if err == nil && n > 0 && (n != 300 || least%1000 != 0 || most != least+299) {
		err = fmt.Errorf("a snapshot is torn: %d people from %d to %d", n, least, most)
	}
	return uint64(least / 1000), err
}

// A witness is what the child was promised.
type witness struct {
	opened     bool
	acked      uint64
	sent, done map[uint64]bool
	backup     uint64 // the last entry that a finished backup holds
	crowd      uint64 // the last that was loaded
}

// killOnce runs a child for a while and kills it.
func killOnce(t *testing.T, folder, defect string, rng *rand.Rand) witness {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+folder, childDefect+"="+defect)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := listen(out, time.Duration(rng.Int64N(int64(40*time.Millisecond))), func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // it was killed
	if complaint.Len() > 0 {
		t.Fatalf("the child has ended by itself: %s", complaint.String())
	}
	return w
}

// listen takes down what the child says; from its first word on it has so long to live. A few children
// are killed before that, while they open.
func listen(out io.Reader, life time.Duration, kill func()) witness {
	w := witness{sent: map[uint64]bool{}, done: map[uint64]bool{}}
	var once sync.Once
	if life < 2*time.Millisecond {
		time.AfterFunc(5*life, func() { once.Do(kill) })
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, number, _ := strings.Cut(lines.Text(), " ")
		seq, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			break // torn by the kill
		}
		switch word {
		case "open":
			w.opened, w.acked = true, seq
			time.AfterFunc(life, func() { once.Do(kill) })
		case "ack":
			w.acked = seq
		case "sent":
			w.sent[seq] = true
		case "done":
			w.done[seq] = true
		case "backup":
			w.backup = seq
		case "crowd":
			w.crowd = seq
		}
	}
	return w
}

// What a folder holds: the last entry, and the last crowd.
type holdings struct{ last, crowd uint64 }

// survey compares what is there with what was promised, and with what was there before.
func survey(folder string, known holdings, w witness) (now holdings, err error) {
	s, err := Open(killOptions(folder))
	if err != nil {
		return now, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if now.last, err = surveyEntries(s, known.last, w); err != nil {
		return now, err
	}
	now.crowd, err = crowdIn(s)
	if from := max(known.crowd, w.crowd); err == nil && now.crowd != from && now.crowd != from+1 {
		err = fmt.Errorf("crowd %d was loaded, %d is there", from, now.crowd)
	}
	return now, errors.Join(err, agree(s))
}

// surveyEntries compares the journal. known is the last entry that was there before.
func surveyEntries(s *Store, known uint64, w witness) (last uint64, err error) {
	is := s.Stand()
	last = is.Next - 1
	from := max(known, w.acked)
	switch {
	case !is.Writable:
		return last, errors.New("not writable")
	case last < from:
		return last, fmt.Errorf("acknowledged up to %d, there up to %d", from, last)
	case last > from && last != from+uint64(together(from+1)):
		return last, fmt.Errorf("acknowledged up to %d, there up to %d: more than one transaction", from, last)
	}
	for e, err := range s.Journal(context.Background(), known+1) {
		switch {
		case err != nil:
			return last, err
		case e.Act != scripted(is.Prefix, e.Seq):
			return last, fmt.Errorf("entry %d is %+v", e.Seq, e)
		case w.done[e.Seq] && e.Delivery != kiosk.Confirmed, w.sent[e.Seq] && e.Attempts == 0:
			return last, fmt.Errorf("entry %d: delivery %+v, sent %v, done %v", e.Seq, e, w.sent[e.Seq], w.done[e.Seq])
		}
		if err := s.Record([]kiosk.Act{e.Act}); err != nil {
			return last, fmt.Errorf("repeated: %w", err)
		}
	}
	if next := s.Stand().Next; next != last+1 {
		return last, fmt.Errorf("repeating has led to number %d", next)
	}
	return last, nil
}

// agree compares the cache with the whole journal.
func agree(s *Store) error {
	out := map[kiosk.ItemID]kiosk.PatronID{}
	for e, err := range s.Journal(context.Background(), 0) {
		if err != nil {
			return err
		}
		if out[e.Item] = e.Patron; e.Kind == kiosk.KindReturn {
			delete(out, e.Item)
		}
	}
	n, err := s.cache.number(context.Background(), "SELECT count(*) FROM loans")
	if err != nil || n != len(out) {
		return fmt.Errorf("%d loans in the cache, %d by the journal up to %d, applied %d, %v", n, len(out), s.Stand().Next-1, s.cache.applied, err)
	}
	for item, patron := range out {
		var got kiosk.PatronID
		if _, err := s.cache.w.row("SELECT patron FROM loans WHERE item = ?", []any{item}, &got); err != nil || got != patron {
			return fmt.Errorf("item %s is out by %q, by the journal %q, %v", item, got, patron, err)
		}
	}
	v, err := s.Verify(context.Background())
	if err != nil || !v.OK {
		return fmt.Errorf("%+v, %v", v, err)
	}
	return nil
}

// killed is one campaign; it ends with the first thing that is wrong. After some kills it starts anew
// with an empty folder, so that first creations are hit as well.
func killed(t *testing.T, times int, defect string) error {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	folder, known := t.TempDir(), holdings{}
	for i := range times {
		w := killOnce(t, folder, defect, rng)
		now, err := survey(folder, known, w)
		if err != nil {
			return fmt.Errorf("kill %d, seed %d: %w", i, seed, err)
		}
		if known = now; i%40 == 39 {
			folder, known = t.TempDir(), holdings{}
		}
	}
	return nil
}

func TestNothingPromisedIsLostToAKill(t *testing.T) {
	times, err := strconv.Atoi(cmp.Or(os.Getenv("CIRCDESK_KILLS"), "300"))
	if err != nil {
		t.Fatal(err)
	}
	if err := killed(t, times, ""); err != nil {
		t.Error(err)
	}
}

func TestTheKillHarnessSeesADefect(t *testing.T) {
	err := killed(t, 300, ackEarly)
	if err == nil {
		t.Fatal("acknowledging before the commit was not caught")
	}
	t.Log(err)
}
