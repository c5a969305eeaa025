package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const pkg = "../../onebot"

func TestGeneratedCodeIsFresh(t *testing.T) {
	files, err := generate(filepath.Join(pkg, "schema"))
	if err != nil {
		t.Fatal(err)
	}
	old, err := filepath.Glob(filepath.Join(pkg, "*_gen.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range old {
		if files[filepath.Base(f)] == nil {
			t.Errorf("%s is no longer generated: run make generate", filepath.Base(f))
		}
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(pkg, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the schema gives: run make generate (%v)", name, err)
		}
	}
}

func TestScriptFilesAreFresh(t *testing.T) {
	files, err := generateScript(pkg)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Errorf("%d files", len(files))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../script", filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the schema gives: run make generate (%v)", name, err)
		}
	}
}

func TestGenerationIsReproducible(t *testing.T) {
	a, err := generate(filepath.Join(pkg, "schema"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := generate(filepath.Join(pkg, "schema"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s differs between two runs", name)
		}
	}
}

// Where an override replaces a result of which the schema knows keys, it must
// have them all.
func TestOverridesLoseNoKey(t *testing.T) {
	s, err := loadSchema(filepath.Join(pkg, "schema", "actions.json"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := loadOverrides(filepath.Join(pkg, "schema", "overrides.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := newModel(s, o)
	if err != nil {
		t.Fatal(err)
	}
	// Keys of the schema that never come.
	never := map[string][]string{"get_login_info": {"*"}}
	handWritten := []string{"ChatMessage"}
	for _, a := range m.areas {
		for _, me := range a.methods {
			n := s.Actions[me.action].Result
			if n == nil || slices.Contains(never[me.action], "*") || slices.Contains(handWritten, me.result.elem) {
				continue
			}
			for _, key := range resultKeys(s, n) {
				if !slices.ContainsFunc(fieldsOf(m, me), func(f *field) bool { return f.wire == key }) {
					t.Errorf("%s: the result has no field for %s", me.action, key)
				}
			}
		}
	}
}

// resultKeys returns the keys of a result, or of the items of a list.
func resultKeys(s *schema, n *node) []string {
	switch {
	case n == nil:
		return nil
	case n.Ref != "":
		return resultKeys(s, s.Types[n.Ref[strings.LastIndexByte(n.Ref, '/')+1:]])
	case n.Type == "array":
		return resultKeys(s, n.Items)
	case n.Properties != nil:
		return n.Properties.names
	}
	return nil
}

func fieldsOf(m *model, me *method) []*field {
	if g := m.structs[me.result.elem]; g != nil {
		return g.fields
	}
	for _, g := range me.results {
		if g.name == me.result.elem {
			return g.fields
		}
	}
	return nil
}

func TestMistakesInOverridesAreFound(t *testing.T) {
	schema := `{"actions":{"a":{"params":{"type":"object","properties":{"p":{"type":"string"}}},"result":{"type":"null"}}}}`
	for name, tc := range map[string]struct{ yaml, want string }{
		"no action":  {"areas: {x: {a: {does: a}, b: {does: b}}}", "b: no such action"},
		"left out":   {"areas: {x: {}}", "a: in no area"},
		"no doc":     {"areas: {x: {a: {note: n}}}", "a: nothing said"},
		"no reason":  {"areas: {x: {a: {does: a, result: none}}}", "a: params or result changed without a reason"},
		"no param":   {"areas: {x: {a: {does: a, why: w, params: {q: int}}}}", "a: no parameter q"},
		"wrong word": {"areas: {x: {a: {does: a, wy: w}}}", "field wy not found"},
		"twice":      {"areas: {x: {a: {does: a}, a: {does: a}}}", "stands here twice"},
		"two areas":  {"areas: {x: {a: {does: a}}, y: {a: {does: a}}}", "a: in two areas"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "actions.json"), []byte(schema), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "overrides.yaml"), []byte(tc.yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := generate(dir); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func TestGoName(t *testing.T) {
	for wire, want := range map[string]string{
		"set_group_ban": "SetGroupBan", "user_id": "UserID", "get_csrf_token": "GetCsrfToken", "res_id": "ResID", "picUrl": "PicURL",
		"ArkSharePeer": "ArkSharePeer", "isAPNG": "IsAPNG", "get_robot_uin_range": "GetRobotUINRange", "qqLevel": "QQLevel", "ids": "IDs",
		"expected_sha256": "ExpectedSHA256", "nc_get_rkey": "NCGetRkey", "emojiLikesList": "EmojiLikesList",
	} {
		if got := goName(wire); got != want {
			t.Errorf("%s: got %s, want %s", wire, got, want)
		}
	}
}
