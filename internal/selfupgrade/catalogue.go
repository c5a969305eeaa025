package selfupgrade

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

// catalogueTag is the release that always has the newest catalogue.
const catalogueTag = "catalogue"

// Catalogue asks all places at once for the catalogue of NapCat and QQ that
// travels beside the releases, and returns the newest one whose signature is
// right.
func (p *Publisher) Catalogue(ctx context.Context) (text []byte, via string, err error) {
	ctx, cancel := context.WithTimeout(ctx, placeTimeout)
	defer cancel()
	type answer struct {
		text []byte
		via  string
		err  error
	}
	places := p.places()
	answers := make(chan answer, len(places))
	for _, pl := range places {
		go func() { // ends with ctx, and needs no reader
			b, err := p.catalogueAt(ctx, pl.URL)
			if err != nil {
				err = &PlaceError{pl.Via, err}
			}
			answers <- answer{b, pl.Via, err}
		}()
	}
	var errs []error
	updated := ""
	for range places {
		a := <-answers
		if a.err != nil {
			errs = append(errs, a.err)
			continue
		}
		var head struct{ Updated string }
		if err := json.Unmarshal(a.text, &head); err != nil {
			errs = append(errs, &PlaceError{a.via, err})
			continue
		}
		if text == nil || head.Updated > updated {
			text, via, updated = a.text, a.via, head.Updated
		}
	}
	if text == nil {
		return nil, "", errors.Join(errs...)
	}
	return text, via, nil
}

func (p *Publisher) catalogueAt(ctx context.Context, base string) ([]byte, error) {
	path := "download/" + catalogueTag
	key, err := p.key(ctx, base, path)
	if err != nil {
		return nil, err
	}
	return p.signedFile(ctx, key, base, path, signed.CatalogueName)
}
