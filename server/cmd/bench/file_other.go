//go:build !unix

package main

import (
	"errors"
	"os"
)

func room(string) (int64, error) { return 0, errors.ErrUnsupported }

func mapped(*os.File, int64) ([]byte, error) { return nil, errors.ErrUnsupported }
