//go:build unix

// Package program builds the real program and starts it, for what looks at it from outside.
package program

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// Build makes the program as it ships, in a file. It is called in the root of the project.
func Build(file string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "./cmd/gatehouse")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// Server is the program, serving in a process of its own.
type Server struct {
	*exec.Cmd
	URL string // where it serves
}

// Start starts the program in a data folder, on a port of its own, and waits until it says
// where it serves.
func Start(file, data string, args ...string) (*Server, error) {
	s := &Server{Cmd: exec.Command(file, append([]string{"start", "--data", data, "--listen", "localhost:0"}, args...)...)}
	var said bytes.Buffer
	s.Stderr = &said
	out, err := s.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, after, found := strings.Cut(lines.Text(), "http://"); found {
			address, _, _ := strings.Cut(after, " ")
			s.URL = "http://" + address
			go func() { _, _ = io.Copy(io.Discard, out) }() // Keep the pipe empty.
			return s, nil
		}
	}
	_ = s.Wait()
	return nil, fmt.Errorf("the program did not get ready: %s", &said)
}

// Stop ends it in order.
func (s *Server) Stop() {
	_ = s.Process.Signal(syscall.SIGTERM)
	_ = s.Wait()
}

// Output collects what a process writes, and can be read meanwhile.
type Output struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.Write(p)
}

// String is all of it so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.String()
}
