package sandbox

import (
	"errors"
	"fmt"
)

// What an operation may refuse. Every error of a life operation is an
// *[OperationError] around one of these; test with errors.Is.
var (
	// ErrNoPublicURL: a certificate must name its OCSP responder (AIA), and the
	// world was not told yet where it will be served.
	ErrNoPublicURL = errors.New("the world has no public URL yet; set Config.PublicURL or call SetPublicURL")
	// ErrPublicURL: the URL is not an http:// URL with a host, or came after certificates already carry another.
	ErrPublicURL = errors.New("unusable public URL")
	// ErrHasDevice: one device a person; use ChangeDevice.
	ErrHasDevice = errors.New("the holder has a device with living certificates")
	// ErrBusy: another application of the same holder is being worked on.
	ErrBusy = errors.New("another application of the holder is under way")
	// ErrStillLive: a new application needs the old certificates ended first.
	ErrStillLive = errors.New("the certificates are still alive")
	// ErrHeld: already held, or held where it must not be.
	ErrHeld = errors.New("the certificate is held")
	// ErrNotHeld: there is no stop to lift.
	ErrNotHeld = errors.New("the certificate is not held")
	// ErrNotReleasable: the hold of a card's certificates is never released (jpki.md section 3).
	ErrNotReleasable = errors.New("a hold of this kind of certificate is never released")
	// ErrEnded: revoked for good, or expired; nothing leads back from there.
	ErrEnded = errors.New("the certificate has ended")
	// ErrNotPhone: the operation exists for phones, not for cards.
	ErrNotPhone = errors.New("not a phone")
	// ErrForeign: the device was issued by another world (an impostor, or an earlier process).
	ErrForeign = errors.New("the device does not belong to this world")
	// ErrReplaced: the device is no longer the holder's current one.
	ErrReplaced = errors.New("the device has been replaced")
	// ErrMunicipality: no such municipality in this world.
	ErrMunicipality = errors.New("unknown municipality")
	// ErrGeneration: no such key generation, or an old one that has no serial left to issue.
	ErrGeneration = errors.New("key generation cannot issue")
	// ErrValidity: the end of the validity is not after its beginning.
	ErrValidity = errors.New("empty validity")
	// ErrUnknownList: no such list is published.
	ErrUnknownList = errors.New("no such list")
	// ErrHolder: the holder's record cannot be put into a certificate.
	ErrHolder = errors.New("unusable holder")
	// ErrFault: an unknown kind of fault, or a fault that lacks what it needs.
	ErrFault = errors.New("unusable fault")
)

// What a phone may refuse.
var (
	// ErrPINFormat: not four digits. Not counted as a try: the keypad does not let it through.
	ErrPINFormat = errors.New("a PIN is four digits")
	// ErrPasswordFormat: not 6 to 16 ASCII letters and digits. Not counted as a try.
	ErrPasswordFormat = errors.New("a signing password is 6 to 16 letters and digits")
	// ErrWrongSecret: wrong PIN or password; the error is a *[WrongSecretError].
	ErrWrongSecret = errors.New("wrong PIN or password")
	// ErrLocked: too many wrong tries in a row; only [Phone.ResetSecrets] helps.
	ErrLocked = errors.New("locked after too many wrong tries")
	// ErrAlgorithm: the algorithm does not go with the key.
	ErrAlgorithm = errors.New("algorithm does not fit the key")
	// ErrDigestLength: the supplied digest is not as long as the algorithm's.
	ErrDigestLength = errors.New("digest has the wrong length for the algorithm")
)

// An OperationError says which operation on which device was refused.
type OperationError struct {
	Op     string // the operation, such as "lift stop"
	Device string // the device's id, or the holder's where there is no device yet
	Err    error
}

func (e *OperationError) Error() string {
	return fmt.Sprintf("sandbox: %s %s: %v", e.Op, e.Device, e.Err)
}

func (e *OperationError) Unwrap() error { return e.Err }

func refuse(op, device string, err error) error {
	return &OperationError{Op: op, Device: device, Err: err}
}

// A WrongSecretError counts the tries that are left before the lock.
type WrongSecretError struct{ Left int }

func (e *WrongSecretError) Error() string {
	return fmt.Sprintf("%v, %d tries left", ErrWrongSecret, e.Left)
}

// Is makes errors.Is(err, ErrWrongSecret) true.
func (e *WrongSecretError) Is(target error) bool { return target == ErrWrongSecret }
