package revocation

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile takes the lock that lives as long as the handle: it goes with the process,
// however that ends. It lies beyond the end of the file, which stays readable.
func lockFile(f *os.File) error {
	at := &windows.Overlapped{Offset: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

// syncDir does nothing: Windows has no way to flush a directory, NTFS journals the rename.
func syncDir(string) error { return nil }
