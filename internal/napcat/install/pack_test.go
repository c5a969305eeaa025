package install

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// packNapCat writes a NapCat.Shell.zip of the given version and returns its path.
func packNapCat(t testing.TB, dir, version string, extra ...string) string {
	t.Helper()
	files := []string{
		"napcat.mjs", "console.log('napcat " + version + "')",
		"package.json", fmt.Sprintf(`{"name":"napcat","version":%q,"type":"module"}`, version),
		"config/napcat.json", "{}",
		"static/index.html", "<html></html>",
	}
	files = append(files, extra...)
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return writeTemp(t, filepath.Join(dir, "NapCat.Shell-"+version+".zip"), buf.Bytes())
}

func writeTemp(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// qqManifest is a package.json as QQ's looks, main not at its end.
func qqManifest(version string) string {
	return fmt.Sprintf(`{"name":"qq-chat","version":%q,"main":"./application.asar/app_launcher/index.js","buildVersion":"50969","isPureShell":true}`, version)
}

// packQQ writes a QQ .deb of the given version and returns its path. extra are
// names and contents of further files.
func packQQ(t testing.TB, dir, version string, extra ...string) string {
	t.Helper()
	files := []string{
		"./opt/QQ/qq", "#!/bin/sh\necho qq " + version + "\n",
		"./opt/QQ/resources/app/package.json", qqManifest(version),
	}
	var data bytes.Buffer
	zw, err := gzip.NewWriterLevel(&data, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(zw)
	for _, d := range []string{"./", "./opt/", "./opt/QQ/", "./opt/QQ/resources/", "./opt/QQ/resources/app/"} {
		tarEntry(t, tw, &tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o755}, "")
	}
	files = append(files, extra...)
	for i := 0; i < len(files); i += 2 {
		mode := int64(0o644)
		if filepath.Base(files[i]) == "qq" {
			mode = 0o755
		}
		tarEntry(t, tw, &tar.Header{Typeflag: tar.TypeReg, Name: files[i], Mode: mode}, files[i+1])
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	var control bytes.Buffer
	zw = gzip.NewWriter(&control)
	tw = tar.NewWriter(zw)
	tarEntry(t, tw, &tar.Header{Typeflag: tar.TypeReg, Name: "./control", Mode: 0o644},
		fmt.Sprintf("Package: linuxqq\nVersion: %s\nArchitecture: %s\nInstalled-Size: 1\nDescription: QQ\n more\n", version, Arch()))
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	var deb bytes.Buffer
	deb.WriteString("!<arch>\n")
	arMember(&deb, "debian-binary", []byte("2.0\n"))
	arMember(&deb, "control.tar.gz", control.Bytes())
	arMember(&deb, "data.tar.gz", data.Bytes())
	return writeTemp(t, filepath.Join(dir, "linuxqq_"+version+".deb"), deb.Bytes())
}

func tarEntry(t testing.TB, w *tar.Writer, h *tar.Header, content string) {
	t.Helper()
	h.Size = int64(len(content))
	if err := w.WriteHeader(h); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
}

func arMember(b *bytes.Buffer, name string, data []byte) {
	fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(data))
	b.Write(data)
	if len(data)%2 == 1 {
		b.WriteByte('\n')
	}
}
