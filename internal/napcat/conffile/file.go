package conffile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"github.com/titanous/json5"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// maxSize is more than any such file has; a larger one is not read.
const maxSize = 4 << 20

// Object is a JSON object of any content.
type Object = map[string]any

// SyntaxError says that a file is no JSON5 object.
type SyntaxError struct {
	Path string
	Err  error
}

// Error implements error.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s: %v", filepath.Base(e.Path), e.Err) }

// Unwrap returns the cause.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Parse reads a JSON or JSON5 object. Numbers of plain JSON keep their digits.
func Parse(b []byte) (doc Object, err error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) // editors on Windows write it
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&doc); err == nil && doc != nil {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return doc, nil
		}
	}
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, fmt.Errorf("no JSON: %v", r)
		}
	}()
	var v any
	if err := json5.Unmarshal(b, &v); err != nil {
		return nil, fmt.Errorf("no JSON: %w", err)
	}
	doc, ok := v.(Object)
	if !ok {
		return nil, errors.New("no JSON object")
	}
	return doc, nil
}

// Read reads the file at path. The error wraps [fs.ErrNotExist] if there is
// none and is a [*SyntaxError] if it is no JSON5 object.
func Read(path string) (Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	if len(b) > maxSize {
		return nil, &SyntaxError{path, errors.New("too large")}
	}
	doc, err := Parse(b)
	if err != nil {
		return nil, &SyntaxError{path, err}
	}
	return doc, nil
}

// Write replaces the file at path, mode 0600, pretty-printed as NapCat does.
func Write(path string, doc Object) error {
	b, err := encode(doc)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return atomicfile.Write(path, b, 0o600)
}

func encode(doc Object) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Aside is a file that could not be understood and was renamed.
type Aside struct {
	Path string // where it is now
	Err  error  // what is wrong with it
}

// patch reads path (an absent file is an empty object), lets f change the
// document, and writes it if it changed. A broken file is put aside first. With
// plain, the file must be JSON without JSON5's liberties and is written anew if
// it is not.
func patch(path string, plain bool, f func(Object)) (changed bool, aside *Aside, err error) {
	doc, err := Read(path)
	var bad *SyntaxError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		doc = nil
	case errors.As(err, &bad):
		aside = &Aside{Path: path + ".bad", Err: bad}
		if err := os.Rename(path, aside.Path); err != nil {
			return false, nil, fmt.Errorf("put %s aside: %w", filepath.Base(path), err)
		}
		doc = nil
	case err != nil:
		return false, nil, err
	}
	next := clone(doc)
	if next == nil {
		next = Object{}
	}
	f(next)
	next = clone(next)
	if doc != nil && reflect.DeepEqual(clone(doc), next) {
		if !plain {
			return false, aside, nil
		}
		if b, err := os.ReadFile(path); err == nil && json.Valid(b) {
			return false, aside, nil
		}
	}
	return true, aside, Write(path, next)
}

// clone returns a deep copy of o in the form that Parse returns, so that two
// documents can be compared whatever Go types their makers used.
func clone(o Object) Object {
	if o == nil {
		return nil
	}
	b, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var c Object
	if d.Decode(&c) != nil {
		return nil
	}
	return c
}
