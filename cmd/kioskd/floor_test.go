package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/tarm/serial"
	_ "modernc.org/sqlite"
)

// asFloor in the environment makes the test binary be the floor: the least that any program must do
// between a scanner and a screen. It reads a code from a serial port, writes one durable transaction
// with one journal row and one loan, and sends a snapshot of two kilobytes. It decides nothing.
const asFloor = "CIRCDESK_TEST_AS_FLOOR"

// floor is the program. Its arguments: the port, the database, the address of the websocket.
func floor(port, path, address string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_txlock=immediate&_pragma=page_size(1024)")
	if err != nil {
		return err
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		return err
	}
	for _, q := range []string{
		"CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY, key TEXT NOT NULL, at INTEGER NOT NULL, patron TEXT NOT NULL, item TEXT NOT NULL, due TEXT NOT NULL) STRICT",
		"CREATE TABLE IF NOT EXISTS loans (item TEXT PRIMARY KEY, patron TEXT NOT NULL, due TEXT NOT NULL) STRICT, WITHOUT ROWID",
	} {
		if _, err := conn.ExecContext(context.Background(), q); err != nil {
			return err
		}
	}
	var stmts []*sql.Stmt
	for _, q := range []string{"BEGIN IMMEDIATE", "INSERT INTO entry (key, at, patron, item, due) VALUES (?, ?, ?, ?, ?)",
		"INSERT INTO loans VALUES (?, ?, ?) ON CONFLICT (item) DO UPDATE SET patron = excluded.patron", "COMMIT"} {
		s, err := conn.PrepareContext(context.Background(), q)
		if err != nil {
			return err
		}
		stmts = append(stmts, s)
	}
	tty, err := serial.OpenPort(&serial.Config{Name: port, Baud: 9600})
	if err != nil {
		return err
	}
	pages := make(chan *websocket.Conn, 1)
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		if c, err := up.Upgrade(w, r, nil); err == nil {
			pages <- c
		}
	}))
	fmt.Println("ready")
	page := <-pages
	go func() {
		for {
			if _, _, err := page.ReadMessage(); err != nil {
				return
			}
		}
	}()
	return lend(bufio.NewScanner(tty), stmts, page)
}

// lend is the floor's loop.
func lend(codes *bufio.Scanner, stmts []*sql.Stmt, page *websocket.Conn) error {
	ctx, padding := context.Background(), strings.Repeat("x", 1500)
	patron := ""
	for n := 1; codes.Scan(); n++ {
		code := strings.TrimSpace(codes.Text())
		if code == "" {
			continue
		}
		if code[0] == '2' {
			patron = code
		} else {
			args := [][]any{nil, {fmt.Sprintf("LIB-1-7f3a-%d", n), time.Now().UnixMicro(), patron, code, "2026-12-07"}, {code, patron, "2026-12-07"}, nil}
			for i, s := range stmts {
				if _, err := s.ExecContext(ctx, args[i]...); err != nil {
					return err
				}
			}
		}
		text, err := json.Marshal(map[string]any{"v": 1, "seq": n, "session": code, "padding": padding,
			"model": map[string]any{"items": []map[string]string{{"tail": code[len(code)-4:], "outcome": "loan"}}}})
		if err != nil {
			return err
		}
		if err := page.WriteMessage(websocket.TextMessage, text); err != nil {
			return err
		}
	}
	return codes.Err()
}

func floorMain() {
	if err := floor(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// asOpener in the environment makes the test binary open databases, read a row of each and end.
const asOpener = "CIRCDESK_TEST_AS_OPENER"

func openerMain() {
	for _, path := range os.Args[1:] {
		db, err := sql.Open("sqlite", "file:"+path+"?_busy_timeout=5000")
		var n int
		if err == nil {
			err = db.QueryRow("SELECT count(*) FROM (SELECT * FROM sqlite_schema LIMIT 1)").Scan(&n)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(0)
}
