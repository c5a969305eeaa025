package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcat/importer"
)

// An installation that only root can read moves into a home that is another user's,
// as a service's is: root copies it to a folder that it gives to that user, who
// takes it from there. Root itself writes nothing into that home.

// importEnv names that folder to the command that goes on as the home's owner.
const importEnv = "NCATD_IMPORT"

// importTemp is where the folder is made: tickets may be large, and /tmp is often
// memory. Nobody else can move what lies there.
const importTemp = "/var/tmp"

const stagedPlan = "plan.json"

// importFor copies what the plan names for the home's owner, and goes on as that
// user. It returns only if that fails.
func (a *app) importFor(ctx context.Context, h home.Dir, line importLine) error {
	temp, err := filepath.EvalSymlinks(importTemp)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(temp, "ncatd-import-*")
	if err != nil {
		return err
	}
	return errors.Join(a.stageFor(ctx, h, dir, line), os.RemoveAll(dir))
}

func (a *app) stageFor(ctx context.Context, h home.Dir, dir string, line importLine) error {
	if _, err := line.Plan.Apply(ctx, filepath.Join(dir, "home")); err != nil {
		return err
	}
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, stagedPlan), b, 0o600); err != nil {
		return err
	}
	if err := giveAway(dir, 0, a.owner.uid, a.owner.gid); err != nil {
		return err
	}
	return a.priv.become(*a.owner, append(ownerEnv(a.Env, *a.owner, h), importEnv+"="+dir))
}

// takeStaged is the second half of importFor, carried out by the home's owner.
func (a *app) takeStaged(ctx context.Context, h home.Dir, dir string, o importOptions) error {
	b, err := readSmall(filepath.Join(dir, stagedPlan))
	var line importLine
	if err == nil {
		err = json.Unmarshal(b, &line)
	}
	if err != nil {
		return err
	}
	undo, err := importer.Take(ctx, filepath.Join(dir, "home"), string(h))
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return err
	}
	return a.imported(ctx, h, line, undo, o)
}
