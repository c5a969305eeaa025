package cli

import (
	"context"
	"errors"

	"github.com/ncatd/ncatd/internal/home"
)

// There is no systemd here, and so no service to install or remove.

func makeTree(string, int, int) error { return errors.ErrUnsupported }

func giveAway(string, int, int, int) error { return errors.ErrUnsupported }

func (a *app) uninstallAs(context.Context, account, home.Dir) error { return errors.ErrUnsupported }
