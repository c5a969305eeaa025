package cli

import "errors"

const canExec = false

func (a *app) execAgain() error { return errors.ErrUnsupported }
