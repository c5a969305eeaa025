package kubernetes

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

const dir = "../../configs/kubernetes"

// documents decodes all objects of all manifests, strictly: a field that the type does
// not have, or has twice, is an error.
func documents(t *testing.T) []any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var out []any
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		r := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(b)))
		for {
			doc, err := r.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			o, err := decode(doc)
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			out = append(out, o)
		}
	}
	return out
}

// decode decodes one object by its kind.
func decode(doc []byte) (any, error) {
	var is struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := strict.Unmarshal(doc, &is); err != nil {
		return nil, err
	}
	var o any
	switch is.APIVersion + " " + is.Kind {
	case "v1 Service":
		o = new(core.Service)
	case "apps/v1 StatefulSet":
		o = new(apps.StatefulSet)
	case "apps/v1 Deployment":
		o = new(apps.Deployment)
	default:
		return nil, fmt.Errorf("%s %s is not expected here", is.APIVersion, is.Kind)
	}
	return o, strict.UnmarshalStrict(doc, o)
}

func TestManifests(t *testing.T) {
	kinds := map[string]int{}
	for _, o := range documents(t) {
		switch o := o.(type) {
		case *core.Service:
			kinds["Service"]++
			if o.Spec.ClusterIP != core.ClusterIPNone || len(o.Spec.Ports) > 0 {
				t.Errorf("service %s leads to hosts on which nothing listens", o.Name)
			}
		case *apps.StatefulSet:
			kinds["StatefulSet"]++
			checkPod(t, o.Name, o.Spec.Selector.MatchLabels, o.Spec.Template)
			if len(o.Spec.VolumeClaimTemplates) != 1 || !mounts(o.Spec.Template.Spec, o.Spec.VolumeClaimTemplates[0].Name, "/var/lib/ncatd") {
				t.Errorf("%s: the home is not on its volume", o.Name)
			}
			if got := o.Spec.VolumeClaimTemplates[0].Spec.AccessModes; !slices.Equal(got, []core.PersistentVolumeAccessMode{core.ReadWriteOncePod}) {
				t.Errorf("%s: several pods may write one home: %v", o.Name, got)
			}
			checkKeys(t, o.Spec.Template.Spec)
		case *apps.Deployment:
			kinds["Deployment"]++
			checkPod(t, o.Name, o.Spec.Selector.MatchLabels, o.Spec.Template)
		}
	}
	if kinds["StatefulSet"] != 1 || kinds["Deployment"] != 1 || kinds["Service"] != 1 {
		t.Errorf("there are %v", kinds)
	}
}

func checkPod(t *testing.T, name string, selector map[string]string, pod core.PodTemplateSpec) {
	t.Helper()
	for k, v := range selector {
		if pod.Labels[k] != v {
			t.Errorf("%s: the selector does not match its pods: %s", name, k)
		}
	}
	has := map[string]bool{"home": true} // a claim
	for _, v := range pod.Spec.Volumes {
		has[v.Name] = true
	}
	for _, c := range pod.Spec.Containers {
		for _, m := range c.VolumeMounts {
			if !has[m.Name] {
				t.Errorf("%s: no volume is named %s", name, m.Name)
			}
		}
		if s := c.SecurityContext; s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
			t.Errorf("%s: container %s may gain rights", name, c.Name)
		}
		if c.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s: container %s has no bound on its memory", name, c.Name)
		}
	}
}

func mounts(pod core.PodSpec, volume, path string) bool {
	return slices.ContainsFunc(pod.Containers, func(c core.Container) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return m.Name == volume && m.MountPath == path })
	})
}

// checkKeys holds that the variables of the hosts are keys of the config's bus.
func checkKeys(t *testing.T, pod core.PodSpec) {
	t.Helper()
	example, err := os.ReadFile("../../configs/ncatd.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, bus, ok := strings.Cut(string(example), "\nbus:")
	if !ok {
		t.Fatal("the example config has no bus")
	}
	for _, e := range pod.Containers[0].Env {
		key, ok := strings.CutPrefix(e.Name, "NCATD_BUS_")
		if !ok || !strings.Contains(bus, "\n  "+strings.ToLower(key)+":") {
			t.Errorf("%s is not a key of the config", e.Name)
		}
	}
}

// What is misspelt is not taken.
func TestDecodeIsStrict(t *testing.T) {
	for _, doc := range []string{
		"apiVersion: apps/v1\nkind: StatefulSet\nspec: {replica: 3}",
		"apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 3, replicas: 4}",
		"apiVersion: v1\nkind: Pod",
	} {
		if _, err := decode([]byte(doc)); err == nil {
			t.Errorf("taken: %s", doc)
		}
	}
}
