package control

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Desk is what a person who looks after the daemon needs besides its accounts:
// the config file, the last day, and the program's own commands.
type Desk interface {
	// ConfigFile returns the config file. One that does not exist is empty.
	ConfigFile() (api.ConfigFile, error)
	// CheckConfig says what is wrong with r.Text.
	CheckConfig(r api.ConfigRequest) (api.ConfigCheck, error)
	// SaveConfig replaces the file by r.Text, if that is valid and the file is
	// still the one of r.Sum; else it refuses with [CodeBadConfig] or
	// [CodeConflict]. It is not in force before a reload.
	SaveConfig(r api.ConfigRequest) (api.ConfigFile, error)
	// History returns the last day of an account.
	History(account string) (api.History, error)
	// Command runs a command of the program in this home and hands on each line
	// of JSON that it prints. An error is what the command said.
	Command(ctx context.Context, args []string, line func(json.RawMessage)) error
}

var (
	versionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+_~-]{0,63}$`)
	langName    = regexp.MustCompile(`^(en|zh)$`)
)

// commandTimeout bounds a command that streams, such as an upgrade, which may
// fetch hundreds of megabytes over a slow link.
const commandTimeout = 2 * time.Hour

func deskRoutes() []route {
	file := get("/v0/config", "The config file, comments and secrets included.", func(_ context.Context, b Backend, _ target) (api.ConfigFile, error) {
		return b.ConfigFile()
	})
	file.access = forOwner
	doctor := command("GET", "/v0/doctor", "Examines the machine, as ncatd doctor --json.", nil, func(r *http.Request) ([]string, error) {
		if r.URL.Query().Get("online") == "true" {
			return []string{"doctor", "--json"}, nil
		}
		return []string{"doctor", "--json", "--offline"}, nil
	})
	doctor.Query = append(doctor.Query, param{"online", "true: asks the publishers and mirrors too"})
	doctor.access = forOwner
	upgrade := command("POST", "/v0/releases/upgrade", "Upgrades NapCat and QQ; streams the progress, as ncatd upgrade --json.", reflect.TypeFor[api.UpgradeRequest](), upgradeArgs)
	rollback := command("POST", "/v0/releases/rollback", "Goes back to the pair before, as ncatd rollback --json.", nil, fixed("rollback", "--json"))
	releases := command("GET", "/v0/releases", "What is installed and what is known, as ncatd versions --json.", nil, fixed("versions", "--json"))
	return []route{
		get("/v0/accounts/{name}/history", "The account's last day, for plots.", func(_ context.Context, b Backend, t target) (api.History, error) {
			return b.History(t.account)
		}),
		file,
		post("/v0/config", "Replaces the config file, if it is valid and did not change meanwhile.", func(_ context.Context, b Backend, _ target, in api.ConfigRequest) (api.ConfigFile, error) {
			return b.SaveConfig(in)
		}),
		post("/v0/config/check", "Says what is wrong with a config.", func(_ context.Context, b Backend, _ target, in api.ConfigRequest) (api.ConfigCheck, error) {
			out, err := b.CheckConfig(in)
			out.Problems, _ = list(out.Problems, nil)
			out.Warnings, _ = list(out.Warnings, nil)
			return out, err
		}),
		doctor, releases, rollback, upgrade,
	}
}

func fixed(args ...string) func(*http.Request) ([]string, error) {
	return func(*http.Request) ([]string, error) { return args, nil }
}

func upgradeArgs(r *http.Request) ([]string, error) {
	var in api.UpgradeRequest
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	args := []string{"upgrade", "--json"}
	if in.To == "" {
		return args, nil
	}
	if !versionName.MatchString(in.To) {
		return nil, badRequest("to is %q, which is no version", in.To)
	}
	return append(args, "--to", in.To), nil
}

// command returns the route of a command of the program. A line that is an error
// ends the stream.
func command(method, path, summary string, in reflect.Type, args func(*http.Request) ([]string, error)) route {
	rt := route{Method: method, Path: path, Summary: summary, In: in, Out: reflect.TypeFor[json.RawMessage](), stream: true,
		Query: []param{{"lang", "of what a person reads: en or zh"}}}
	rt.handle = func(s *Server, w http.ResponseWriter, r *http.Request) error {
		args, err := args(r)
		if err != nil {
			return err
		}
		if l := r.URL.Query().Get("lang"); langName.MatchString(l) {
			args = append(slices.Clone(args), "--lang", l)
		}
		ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
		defer cancel()
		defer context.AfterFunc(s.ending, cancel)()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // each line has its own
		var lw *lineWriter
		err = s.o.Backend.Command(ctx, args, func(line json.RawMessage) {
			if lw == nil {
				lw = s.lines(w)
			}
			if !lw.send(line) {
				cancel()
			}
		})
		if err == nil || lw == nil {
			return err
		}
		lw.send(api.ErrorBody{Error: *asError(err)})
		return nil
	}
	return rt
}
