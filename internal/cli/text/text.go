// Package text is the catalogue of all that a person reads: help, hints, states,
// reasons and diagnoses, in English and Chinese, keyed by stable codes. Its
// central function is [T]. JSON keys, state and reason words, log messages and
// exit codes are not in it: they are the same in every language.
//
// A code is lower case with dots: cmd.status.short, flag.json, state.online,
// reason.kicked, hint.not_running, config.unknown_key. Each part of the program
// has its own pair of maps in a file of its own (en_config.go has both), listed
// in [catalogues].
package text

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Lang is a language.
type Lang string

// The languages.
const (
	English Lang = "en"
	Chinese Lang = "zh"
)

// pair is one part of the catalogue in both languages.
type pair struct {
	en, zh map[string]string
}

// catalogues lists the parts; no code may be in two of them.
var catalogues = []pair{
	{commonEN, commonZH},
	{backupEN, backupZH},
	{stateEN, stateZH},
	{helpEN, helpZH},
	{configEN, configZH},
	{loginEN, loginZH},
	{installEN, installZH}, {importEN, importZH},
	{doctorEN, doctorZH},
	{faultEN, faultZH}, {refusalEN, refusalZH},
	{alertEN, alertZH},
	{doorEN, doorZH}, {fleetEN, fleetZH}, {consoleEN, consoleZH},
	{appEN, appZH},
	{selfEN, selfZH}, {scriptEN, scriptZH},
}

var byLang = func() map[Lang]map[string]string {
	m := map[Lang]map[string]string{English: {}, Chinese: {}}
	for _, p := range catalogues {
		maps.Copy(m[English], p.en)
		maps.Copy(m[Chinese], p.zh)
	}
	return m
}()

// verb is one verb of a text: its own index, if it has one, counts.
var verb = regexp.MustCompile(`%[-+# 0]*(?:\[(\d+)\])?\d*(?:\.(?:\[(\d+)\])?\d+)?(?:\[(\d+)\])?([a-zA-Z%])`)

// T returns the text of a code with args put in as by fmt.Sprintf; args that
// the text does not need are left out. A code that the language lacks falls
// back to English, one that no language has to the code itself and its args.
func T(l Lang, code string, args ...any) string {
	f, ok := byLang[l][code]
	if !ok {
		f, ok = byLang[English][code]
	}
	if !ok {
		return strings.TrimSpace(code + " " + strings.TrimSpace(fmt.Sprintln(args...)))
	}
	return fmt.Sprintf(f, args[:min(len(args), arity(f))]...)
}

// arity returns how many arguments a text takes.
func arity(f string) int {
	n, next := 0, 0
	for _, m := range verb.FindAllStringSubmatch(f, -1) {
		if m[4] == "%" {
			continue
		}
		next++
		for _, index := range m[1:4] {
			if i, err := strconv.Atoi(index); err == nil {
				next = i
			}
		}
		n = max(n, next)
	}
	return n
}

// Has reports whether the catalogue knows the code.
func Has(code string) bool {
	_, ok := byLang[English][code]
	return ok
}

// Texts returns the texts of a language whose codes begin with one of heads, for
// pages that word things by themselves.
func Texts(l Lang, heads ...string) map[string]string {
	out := map[string]string{}
	for code, f := range byLang[English] {
		if !slices.ContainsFunc(heads, func(h string) bool { return strings.HasPrefix(code, h) }) {
			continue
		}
		if own, ok := byLang[l][code]; ok {
			f = own
		}
		out[code] = f
	}
	return out
}

// Detect returns the language to use: flag, else NCATD_LANG, else the locale
// (LC_ALL, LC_MESSAGES, LANG). ok is false if flag or NCATD_LANG names a
// language that is not there; English is returned then.
func Detect(flag string, getenv func(string) string) (l Lang, ok bool) {
	for _, wish := range []string{flag, getenv("NCATD_LANG")} {
		if wish != "" {
			return parse(wish)
		}
	}
	for _, v := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if loc := getenv(v); loc != "" {
			l, _ := parse(loc)
			return l, true
		}
	}
	return English, true
}

func parse(s string) (Lang, bool) {
	s = strings.ToLower(s)
	switch {
	case s == "zh" || strings.HasPrefix(s, "zh_") || strings.HasPrefix(s, "zh-") || strings.HasPrefix(s, "zh."):
		return Chinese, true
	case s == "en" || strings.HasPrefix(s, "en_") || strings.HasPrefix(s, "en-") || strings.HasPrefix(s, "en."):
		return English, true
	}
	return English, false
}
