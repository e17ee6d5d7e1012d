//go:build unix

package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// privateFiles keeps every file that this process makes from other users.
func privateFiles() { syscall.Umask(0o077) }

// lockFile is held by the process to which the embedded database belongs. The
// system frees it however the process ends.
const lockFile = "gatehouse.lock"

// prepare makes the data folder and takes it for this process where the embedded
// database is in it. It gives what ends that.
func (s *session) prepare() (unlock func(), err error) {
	if err := s.makeData(); err != nil {
		return nil, err
	}
	if !s.embedded() {
		return func() {}, nil
	}
	f, err := os.OpenFile(s.path(lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, s.Errorf("data", "%v", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := s.holder()
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, s.Errorf("data", "a server (process %s) runs on %s: stop it, or choose another folder", holder, s.Data)
		}
		return nil, s.Errorf("data", "%v", err)
	}
	if err := errors.Join(f.Truncate(0), write(f, strconv.Itoa(os.Getpid()))); err != nil {
		_ = f.Close()
		return nil, s.Errorf("data", "%v", err)
	}
	return func() { _ = f.Close() }, nil
}

func write(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// holder is the process that took the data folder last.
func (s *session) holder() string {
	text, err := os.ReadFile(s.path(lockFile))
	if err != nil || len(text) == 0 {
		return "of unknown number"
	}
	return strings.TrimSpace(string(text))
}
