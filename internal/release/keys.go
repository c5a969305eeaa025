package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"aead.dev/minisign"

	"github.com/ncatd/ncatd/configs"
	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

// signer signs a release.
type signer struct {
	key           minisign.PrivateKey
	text, certify []byte // the public key's file and a root's signature of it
}

// signingKey reads the key that NCATD_SIGNING_KEY names, with the password in
// NCATD_SIGNING_PASSWORD if it has one, and the two files beside it: KEY.pub
// and KEY.pub.minisig for KEY.key.
func signingKey(getenv func(string) string) (*signer, error) {
	path := getenv("NCATD_SIGNING_KEY")
	if path == "" {
		return nil, errors.New("NCATD_SIGNING_KEY names no signing key: an unsigned release is of no use to anybody")
	}
	key, err := readKey(path, getenv("NCATD_SIGNING_PASSWORD"))
	if err != nil {
		return nil, err
	}
	s := &signer{key: key}
	pub := strings.TrimSuffix(path, ".key") + ".pub"
	if s.text, err = os.ReadFile(pub); err != nil {
		return nil, err
	}
	if s.certify, err = os.ReadFile(pub + signed.Suffix); err != nil {
		return nil, fmt.Errorf("no root key has certified the signing key: %w", err)
	}
	var p minisign.PublicKey
	if err := p.UnmarshalText(s.text); err != nil {
		return nil, err
	}
	if p.ID() != key.ID() {
		return nil, fmt.Errorf("%s is not the public half of %s", pub, path)
	}
	return s, nil
}

func readKey(path, password string) (minisign.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return minisign.PrivateKey{}, err
	}
	var k minisign.PrivateKey
	if minisign.IsEncrypted(b) {
		k, err = minisign.DecryptKey(password, b)
	} else {
		err = k.UnmarshalText(bytes.TrimSpace(b))
	}
	if err != nil {
		return k, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// newKey makes a pair of keys. The private half is encrypted if
// NCATD_SIGNING_PASSWORD is set.
func newKey(name string) error {
	pub, key, err := minisign.GenerateKey(nil)
	if err != nil {
		return err
	}
	var secret []byte
	if password := os.Getenv("NCATD_SIGNING_PASSWORD"); password != "" {
		secret, err = minisign.EncryptKey(password, key)
	} else {
		secret, err = key.MarshalText()
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name+".key", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(bytes.TrimSpace(secret), '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	text := fmt.Sprintf("untrusted comment: %s\n%s\n", filepath.Base(name), pub)
	return os.WriteFile(name+".pub", []byte(text), 0o644)
}

// certify makes a public key a signing key of ncatd: it rewrites its file with
// the serial and signs that with a root key.
func certify(args []string) error {
	f := flag.NewFlagSet("certify", flag.ContinueOnError)
	serial := f.Int("serial", 0, "one more than the last signing key had")
	root := f.String("root", "", "`file` of the private root key")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *serial < 1 || *root == "" || f.NArg() != 1 {
		return errors.New("usage: release key certify -serial N -root ROOT.key SIGNING.pub")
	}
	key, err := readKey(*root, os.Getenv("NCATD_SIGNING_PASSWORD"))
	if err != nil {
		return err
	}
	b, err := os.ReadFile(f.Arg(0))
	if err != nil {
		return err
	}
	var pub minisign.PublicKey
	if err := pub.UnmarshalText(bytes.TrimSpace(b)); err != nil {
		return err
	}
	text := signed.KeyText(pub, *serial)
	if err := os.WriteFile(f.Arg(0), text, 0o644); err != nil {
		return err
	}
	sig := minisign.SignWithComments(key, text, fmt.Sprintf("ncatd signing key %d", *serial), "signed by a root key of ncatd")
	return os.WriteFile(f.Arg(0)+signed.Suffix, withNewline(sig), 0o644)
}

func withNewline(b []byte) []byte { return append(bytes.TrimRight(b, "\n"), '\n') }

// sign writes the checksums, the manifest and the signatures.
func (m *maker) sign(s *signer, channel string) error {
	var sums strings.Builder
	for _, f := range m.files {
		fmt.Fprintf(&sums, "%s  %s\n", f.SHA256, f.Name)
	}
	if err := m.write("SHA256SUMS", "any", []byte(sums.String())); err != nil {
		return err
	}
	man := signed.Manifest{Version: m.version, Channel: channel, Date: m.date.Format("2006-01-02"), Files: m.files}
	text := man.Text()
	if _, err := signed.ParseManifest(text); err != nil {
		return err
	}
	comment := "ncatd " + m.version
	all := map[string][]byte{
		signed.ManifestName: text, signed.KeyName: s.text, signed.KeyName + signed.Suffix: s.certify,
		signed.ManifestName + signed.Suffix: minisign.SignWithComments(s.key, text, comment, "signed by a signing key of ncatd"),
	}
	for _, name := range []string{signed.CatalogueName, "SHA256SUMS"} {
		b, err := os.ReadFile(filepath.Join(m.out, name))
		if err != nil {
			return err
		}
		all[name+signed.Suffix] = minisign.SignWithComments(s.key, b, comment, "signed by a signing key of ncatd")
	}
	for name, b := range all {
		if err := os.WriteFile(filepath.Join(m.out, name), withNewline(b), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// travelling checks the catalogue of the repository and, with -out, writes it with
// its signatures: the files of the release that is called catalogue, which every
// ncatd looks at once a day.
func travelling(args []string) error {
	f := flag.NewFlagSet("catalogue", flag.ContinueOnError)
	out := f.String("out", "", "the `folder` to write the signed files to")
	if err := f.Parse(args); err != nil {
		return err
	}
	c, err := catalogue.Parse(configs.Catalogue)
	if err != nil {
		return err
	}
	for _, n := range c.NapCat {
		if n.SHA256 == "" {
			fmt.Printf("NapCat %s has no digest\n", n.Version)
		}
	}
	for _, q := range c.QQ {
		for _, p := range q.Packages {
			if p.SHA256 == "" {
				fmt.Printf("QQ %s for %s has no digest\n", q.Version, p.Arch)
			}
		}
	}
	if *out == "" {
		return nil
	}
	s, err := signingKey(os.Getenv)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	for name, b := range map[string][]byte{
		signed.CatalogueName: configs.Catalogue, signed.KeyName: s.text, signed.KeyName + signed.Suffix: s.certify,
		signed.CatalogueName + signed.Suffix: withNewline(minisign.SignWithComments(s.key, configs.Catalogue, "ncatd catalogue "+c.Updated, "signed by a signing key of ncatd")),
	} {
		if err := os.WriteFile(filepath.Join(*out, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
