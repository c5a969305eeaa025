package install

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// apiTimeout bounds a question to GitHub, which is out of reach for many.
	apiTimeout = 8 * time.Second
	maxAPIBody = 4 << 20
)

// githubRelease is what matters of GitHub's description of a release.
type githubRelease struct {
	Tag    string `json:"tag_name"`
	Assets []struct {
		Name   string `json:"name"`
		Size   int64  `json:"size"`
		Digest string `json:"digest"`
	} `json:"assets"`
}

// askGitHub gets a release's description directly, never through a mirror: it
// says what mirrors are measured by, so only https counts.
func askGitHub(ctx context.Context, c *http.Client, rawURL string) (githubRelease, error) {
	var r githubRelease
	u, err := url.Parse(rawURL)
	if err != nil {
		return r, err
	}
	if u.Scheme != "https" {
		return r, fmt.Errorf("%s is no https address", rawURL)
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return r, err
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("User-Agent", userAgent)
	resp, err := c.Do(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return r, fmt.Errorf("GitHub answers HTTP %s", resp.Status)
	}
	if resp.Request.URL.Scheme != "https" {
		return r, fmt.Errorf("GitHub redirects to %s", resp.Request.URL.Redacted())
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, maxAPIBody)).Decode(&r)
	return r, err
}

// digest returns the SHA-256 and the size of an asset, empty when GitHub has
// none.
func (r githubRelease) digest(asset string) (sha string, size int64) {
	for _, a := range r.Assets {
		hash, ok := strings.CutPrefix(a.Digest, "sha256:")
		if b, err := hex.DecodeString(hash); a.Name == asset && ok && err == nil && len(b) == 32 {
			return strings.ToLower(hash), a.Size
		}
	}
	return "", 0
}

// apiClient verifies TLS, takes its proxy from the environment and follows no
// redirect away from https.
func apiClient(rt http.RoundTripper) *http.Client {
	return &http.Client{Transport: rt, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" || len(via) > 3 {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}
