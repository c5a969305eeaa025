package config

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// tokenLength is the length of a generated token: 32 of 62 letters and digits
// hold some 190 bits.
const tokenLength = 32

// Secrets are the tokens of one home: generated once, kept in secrets.json
// (0600), and overridden by systemd credentials and by the config.
type Secrets struct {
	Control  Secret // bearer token of the control API's TCP side
	Accounts map[string]AccountSecrets
	Apps     map[string]Secret // by which apps are known
}

// AccountSecrets are the tokens of one account.
type AccountSecrets struct {
	WebUI  Secret // NapCat's WebUI token
	OneBot Secret // access token of the WebSocket server
	// PasswordMD5 comes from a credential only and is never written.
	PasswordMD5 Secret
}

// secretsFile is the form of secrets.json. Accounts that the config no longer
// has keep theirs.
type secretsFile struct {
	Control  string                       `json:"control"`
	Accounts map[string]map[string]string `json:"accounts"`
	Apps     map[string]string            `json:"apps,omitempty"`
}

// EnsureSecrets returns the tokens for the accounts of c, generating those that
// path does not have yet and writing the file then. A credential in credDir
// ($CREDENTIALS_DIRECTORY, "" for none), named ncatd.control,
// ncatd.ACCOUNT.webui, .onebot or .password_md5, ncatd.app.APP, comes before the file; a token
// in c before both. The caller holds the lock of the home.
func EnsureSecrets(path string, c *Config, credDir string) (*Secrets, error) {
	f, changed, err := readSecrets(path)
	if err != nil {
		return nil, err
	}
	fill := func(v string) string {
		if v == "" {
			v, changed = newToken(), true
		}
		return v
	}
	f.Control = fill(f.Control)
	for _, a := range c.Accounts {
		m := f.Accounts[a.Name]
		if m == nil {
			m = map[string]string{}
			f.Accounts[a.Name] = m
		}
		for _, k := range []string{"webui", "onebot"} {
			m[k] = fill(m[k])
		}
	}
	for _, a := range c.Apps {
		if f.Apps == nil {
			f.Apps = map[string]string{}
		}
		f.Apps[a.Name] = fill(f.Apps[a.Name])
	}
	if changed {
		if err := writeSecrets(path, f); err != nil {
			return nil, err
		}
	}
	return resolveSecrets(f, c, credDir)
}

// CheckSecrets says what keeps [EnsureSecrets] from using the file at path; one that
// is not there or empty is made anew.
func CheckSecrets(path string) error {
	_, _, err := readSecrets(path)
	return err
}

// RenewSecrets is [EnsureSecrets] after it took the tokens of one account out of
// the file. What a credential or the config says stays.
func RenewSecrets(path string, c *Config, account, credDir string) (*Secrets, error) {
	f, _, err := readSecrets(path)
	if err != nil {
		return nil, err
	}
	delete(f.Accounts, account)
	if err := writeSecrets(path, f); err != nil {
		return nil, err
	}
	return EnsureSecrets(path, c, credDir)
}

// ForgetControlToken takes the control API's token out of the file, so that the
// next [EnsureSecrets] makes a new one. What is derived from it, such as the mark
// of our display, is new then too.
func ForgetControlToken(path string) error {
	f, _, err := readSecrets(path)
	if err != nil || f.Control == "" {
		return err
	}
	f.Control = ""
	return writeSecrets(path, f)
}

func writeSecrets(path string, f secretsFile) error {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("encode secrets: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write secrets: %w", err)
	}
	if err := atomicfile.Write(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write secrets: %w", err)
	}
	return nil
}

func readSecrets(path string) (f secretsFile, changed bool, err error) {
	b, err := readBounded(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		changed = true
	case err == nil && len(bytes.Trim(b, "\x00 \t\r\n")) == 0:
		changed = true // emptied, as by a loss of power: new tokens do as well
	case errors.Is(err, errNotRegular):
		return f, false, fmt.Errorf("read secrets: %w", &atomicfile.DamagedError{Path: path, Err: errNotRegular})
	case err != nil:
		return f, false, fmt.Errorf("read secrets: %w", err)
	default:
		if err := json.Unmarshal(b, &f); err != nil {
			return f, false, fmt.Errorf("read secrets: %w", &atomicfile.DamagedError{Path: path, Err: err})
		}
		if fi, err := os.Stat(path); err == nil && fi.Mode().Perm()&0o077 != 0 {
			changed = true // written anew with the right mode
		}
	}
	if f.Accounts == nil {
		f.Accounts = map[string]map[string]string{}
	}
	return f, changed, nil
}

func resolveSecrets(f secretsFile, c *Config, credDir string) (*Secrets, error) {
	s := &Secrets{Accounts: map[string]AccountSecrets{}, Apps: map[string]Secret{}}
	var firstErr error
	pick := func(configured Secret, cred, kept string) Secret {
		if configured != "" {
			return configured
		}
		v, err := credential(credDir, cred)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		if v != "" {
			return Secret(v)
		}
		return Secret(kept)
	}
	s.Control = pick("", "ncatd.control", f.Control)
	for _, a := range c.Accounts {
		m, n := f.Accounts[a.Name], "ncatd."+a.Name
		s.Accounts[a.Name] = AccountSecrets{
			WebUI:       pick(a.WebUI.Token, n+".webui", m["webui"]),
			OneBot:      pick(a.OneBot.Token, n+".onebot", m["onebot"]),
			PasswordMD5: pick("", n+".password_md5", ""),
		}
	}
	for _, a := range c.Apps {
		s.Apps[a.Name] = pick(a.Token, "ncatd.app."+a.Name, f.Apps[a.Name])
	}
	return s, firstErr
}

func credential(dir, name string) (string, error) {
	if dir == "" {
		return "", nil
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read credential: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// newToken returns a random token of letters and digits, which no URL, header
// or shell needs to quote.
func newToken() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	out := make([]byte, 0, tokenLength)
	var buf [64]byte
	for len(out) < tokenLength {
		rand.Read(buf[:]) // never fails: crypto/rand ends the program instead
		for _, b := range buf {
			if b < 248 && len(out) < tokenLength { // 248 is 4 times 62: no letter is likelier
				out = append(out, alphabet[b%62])
			}
		}
	}
	return string(out)
}
