package alert

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxSecret bounds a secret's file.
const maxSecret = 64 << 10

// secret reads a secret anew each time, so that a changed one needs no restart:
// "env:NAME", "file:PATH" (of mode 0600 or less), or "credential:NAME" in the
// folder that systemd's LoadCredential names.
func secret(from string) (string, error) {
	kind, name, _ := strings.Cut(from, ":")
	switch kind {
	case "env":
		if v := strings.TrimSpace(os.Getenv(name)); v != "" {
			return v, nil
		}
		return "", &Error{Problem: ProblemConfig, Detail: "the environment variable " + name + " is not set"}
	case "credential":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return "", &Error{Problem: ProblemConfig, Detail: "CREDENTIALS_DIRECTORY is not set: there are no credentials"}
		}
		return secretFile(filepath.Join(dir, filepath.Base(name)), false)
	case "file":
		return secretFile(name, true)
	default:
		return "", &Error{Problem: ProblemConfig, Detail: "a secret is env:NAME, file:PATH or credential:NAME"}
	}
}

func secretFile(path string, private bool) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", &Error{Problem: ProblemConfig, Detail: err.Error()}
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", &Error{Problem: ProblemConfig, Detail: err.Error()}
	}
	if !st.Mode().IsRegular() {
		return "", &Error{Problem: ProblemConfig, Detail: path + " is not a regular file"}
	}
	if private && st.Mode().Perm()&0o077 != 0 {
		return "", &Error{Problem: ProblemConfig, Detail: fmt.Sprintf("%s can be read by others (mode %04o): chmod 600", path, st.Mode().Perm())}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return "", &Error{Problem: ProblemConfig, Detail: err.Error()}
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		return "", &Error{Problem: ProblemConfig, Detail: path + " is empty"}
	}
	return v, nil
}
