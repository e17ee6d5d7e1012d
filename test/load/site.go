//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// site is some nodes of the program on one database.
type site struct {
	nodes      []*node
	token      string // an administrator's
	config     database.Config
	postmaster string // the file that says which process PostgreSQL is; empty on SQLite
	dir        string
}

type node struct {
	*exec.Cmd
	url string
}

// build makes the program as it ships.
func build() (program string, done func(), err error) {
	dir, err := os.MkdirTemp("", "gatehouse-load-")
	if err != nil {
		return "", nil, err
	}
	program = filepath.Join(dir, "gatehouse")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/gatehouse")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("%w: %s", err, out)
	}
	return program, func() { _ = os.RemoveAll(dir) }, nil
}

// open starts so many nodes. Those behind the first have its master key.
func open(program string, postgresql bool, nodes int) (_ *site, err error) {
	s := &site{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp(".", "load-data-"); err != nil { // Not in a folder that is only memory.
		return nil, err
	}
	s.config.URL = filepath.Join(s.dir, "0", "gatehouse.db")
	if postgresql {
		if s.config.URL, err = testdb.StartPostgres(); err != nil {
			return nil, err
		}
		u, err := url.Parse(s.config.URL)
		if err != nil {
			return nil, err
		}
		s.postmaster = filepath.Join(u.Query().Get("host"), "data", "postmaster.pid")
	}
	for i := range nodes {
		data := filepath.Join(s.dir, fmt.Sprint(i))
		if i > 0 {
			if err := os.MkdirAll(data, 0o700); err != nil {
				return nil, err
			}
			if err := os.Link(filepath.Join(s.dir, "0", "master.key"), filepath.Join(data, "master.key")); err != nil {
				return nil, err
			}
		}
		n, err := s.start(program, data)
		if err != nil {
			return nil, err
		}
		s.nodes = append(s.nodes, n)
	}
	token, err := os.ReadFile(filepath.Join(s.dir, "0", "admin.token"))
	s.token = strings.TrimSpace(string(token))
	return s, err
}

func (s *site) start(program, data string) (*node, error) {
	args := []string{"start", "--data", data, "--listen", "localhost:0"}
	if s.postmaster != "" {
		args = append(args, "--database", s.config.URL)
	}
	n := &node{Cmd: exec.Command(program, args...)}
	var problems bytes.Buffer
	n.Stderr = &problems
	out, err := n.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.Start(); err != nil {
		return nil, err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, after, found := strings.Cut(lines.Text(), "http://"); found {
			address, _, _ := strings.Cut(after, " ")
			n.url = "http://" + address
			go func() { _, _ = io.Copy(io.Discard, out) }() // Keep the pipe empty.
			return n, nil
		}
	}
	_ = n.Wait()
	return nil, fmt.Errorf("the program did not get ready: %s", &problems)
}

func (s *site) close() {
	for _, n := range s.nodes {
		_ = n.Process.Signal(syscall.SIGTERM)
		_ = n.Wait()
	}
	_ = os.RemoveAll(s.dir)
}

// size is how many bytes the database takes.
func (s *site) size() (bytes int64, err error) {
	db, err := database.Open(context.Background(), s.config)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	text := "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
	if s.postmaster != "" {
		text = "SELECT pg_database_size(current_database())"
	}
	err = db.Read(context.Background(), database.One(new(bool), text, nil, &bytes))
	return bytes, err
}

var client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2 * drivers}}

// at is the address of the node that a client talks to.
func (s *site) at(client int) string { return s.nodes[client%len(s.nodes)].url }

// request is one of a client, with what is not its body.
type request struct {
	method, path, body     string
	authorization, org, as string // as is the type of the body: JSON unless it says so
}

// send sends a request and fails on anything but success. into, if not nil, takes the answer.
func (s *site) send(client int, r request, into any) error {
	req, err := http.NewRequestWithContext(context.Background(), r.method, s.at(client)+r.path, strings.NewReader(r.body))
	if err != nil {
		return err
	}
	if r.authorization == "" {
		r.authorization = "Bearer " + s.token
	}
	req.Header.Set("Authorization", r.authorization)
	if r.as != "" {
		req.Header.Set("Content-Type", r.as)
	}
	if r.org != "" {
		req.Header.Set("X-Zitadel-Orgid", r.org)
	}
	return answer(req, into)
}

func answer(req *http.Request, into any) error {
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: %d %s", req.Method, req.URL.Path, res.StatusCode, data)
	case into != nil:
		return json.Unmarshal(data, into)
	}
	return nil
}
