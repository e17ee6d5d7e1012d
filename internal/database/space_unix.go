//go:build unix

package database

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FreeSpace is what the disk that holds path has left, in bytes.
func FreeSpace(path string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil //nolint:gosec,unconvert // signed on some systems
}
