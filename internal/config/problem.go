package config

import (
	"cmp"
	"fmt"
	"sort"
	"strings"
)

// Place says where a setting was made: in a file, in the environment or on the
// command line.
type Place struct {
	File         string
	Line, Column int    // from 1; 0 if the file has no such place
	Source       string // "NCATD_LOG_LEVEL" or "--log-level"; empty for a file
}

// String writes p as file:line:column, or as the variable's or flag's name.
func (p Place) String() string {
	switch {
	case p.Source != "":
		return p.Source
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Word is an argument of a [Problem] that is a word of ours rather than the
// user's, so that it can be translated: "text", "a whole number".
type Word string

// LineNumber is an argument of a [Problem] that names a line of the file.
type LineNumber int

// String writes n as "line 3".
func (n LineNumber) String() string { return fmt.Sprintf("line %d", int(n)) }

// Problem is one thing wrong with a config. Code and Args let other code
// word it in another language; Message is the English text.
type Problem struct {
	Place
	Key  string // dotted, such as accounts.main.onebot.port
	Text string // the offending line of the file, "" if there is none
	Code string // one word, a key of [Formats]
	Args []any
}

// Formats has the English format of every problem's code. An argument list fits
// its format in every language.
var Formats = map[string]string{
	"syntax":            "not valid YAML: %s",
	"not_mapping":       "the file must be a mapping of keys",
	"tab":               "the line is indented with a tab; YAML wants spaces",
	"wide_colon":        "the colon is a full-width one (：); YAML wants : and a space",
	"wide_char":         "%s is a full-width or curly character; YAML wants %s",
	"gbk":               "the text is GBK, not UTF-8; save the file as UTF-8 (in Notepad: Save as, Encoding; or: iconv -f GB18030 -t UTF-8)",
	"utf16":             "the text is UTF-16, not UTF-8; save the file as UTF-8 (in Notepad: Save as, Encoding; or: iconv -f UTF-16 -t UTF-8)",
	"not_utf8":          "the text is not UTF-8 from here on; save the file as UTF-8",
	"zeroed":            "the file holds nothing but zero bytes, as after a loss of power; put a copy in its place, or remove it and run ncatd init",
	"not_regular":       "not a regular file; a config is a file of at most 1 MiB",
	"adapter_twice":     "%s: the name %q is already taken (%s); NapCat would drop one of the two",
	"adapter_name":      "%s is %q, which NapCat keeps for itself; give another name",
	"adapter_unnamed":   "%s has no name; each adapter needs one of its own",
	"bad_url":           "%s is %q; a right one begins with %s:// and names a host, such as %[3]s://127.0.0.1:5140/onebot",
	"several_docs":      "only one YAML document is allowed",
	"merge_key":         "merge keys (<<) are not supported; write the settings out",
	"alias":             "aliases (*%s) are not supported; write the settings out",
	"plugin_none":       "this program has no plugin %s, and the config nothing for it",
	"plugin_key":        "the plugin has no key %q; there are: %s",
	"plugin_value":      "the plugin does not take it: %s",
	"plugin_whole":      "%s is a section; name a key in it, or give all of it as {key: value}",
	"unknown_key":       "unknown key %q",
	"unknown_nearest":   "unknown key %q; did you mean %q?",
	"unknown_elsewhere": "unknown key %q here; there is %q",
	"duplicate_key":     "key %q is already set in line %d",
	"wrong_type":        "%s must be %s, not %s",
	"not_one_of":        "%s is %q; it must be one of %s",
	"out_of_range":      "%s is %v; it must be between %v and %v",
	"bad_duration":      "%s is %q; a duration looks like 30s, 5m or 1h30m",
	"bad_size":          "%s is %q; a size looks like 200MiB or 1.5GiB",
	"bad_int":           "%s is %q; it must be a whole number",
	"bad_float":         "%s is %q; it must be a number",
	"bad_bool":          "%s is %q; it must be true or false",
	"bad_name":          "account name %q may have only letters, digits, - and _, at most 32, and begins with a letter or digit",
	"bad_uin":           "%s is %v; a QQ number has 5 to 11 digits",
	"bad_host":          "%s is %q; it must be an IP address or a host name without a port",
	"bad_network":       "%s has %q; it must be an address or a network such as 10.0.0.0/8",
	"no_cert":           "%s is files: that needs control.cert and control.key beside it",
	"bad_listen":        "%s is %q; it must look like 127.0.0.1:8686",
	"bad_schedule":      "%s is %q, which is no schedule; a right one is \"0 5 * * *\", \"daily 5:00\", \"every 12h\" or \"CRON_TZ=Asia/Shanghai 0 5 * * *\"",
	"bad_version":       "%s is %q; a version is a name such as 4.18.13, never a path",
	"no_zone":           "%s: there is no time zone %q; names look like Asia/Shanghai",
	"too_often":         "%s is %q; two restarts must lie at least %s apart",
	"bad_grant":         "%s is no grant; one looks like {fetch: [api.example.com], files: true}",
	"bad_zone":          "%s is %q, which is no time zone; write for instance Asia/Shanghai",
	"bad_rate":          "%s is %q; a rate looks like 20/10s: 20 messages in 10 seconds",
	"bad_sha256":        "%s is %q; a sha256 has 64 hex digits",
	"bus_without_url":   "%s is set and bus.url is not",
	"bad_bus_url":       "%s is %q; it must be like nats://host:4222 or tls://host:4222, several with commas between them",
	"bad_bus_host":      "%s is %q; it must consist of at most 64 letters, digits, - and _",
	"bad_replicas":      "%s is %d; it must be 1, 3 or 5",
	"no_file":           "%s is %s, which is not a file",
	"unread_file":       "%s cannot be read: %s",
	"mixed_bus_url":     "%s has web addresses (ws://, wss://) beside others; it must be all of one or all of the other",
	"bad_bus_creds":     "%s is %s, which holds neither NATS credentials (a user's JWT and its key) nor the seed of an nkey (SU...)",
	"bad_bus_ca":        "%s is %s, which holds no certificate in PEM",
	"bad_display":       "%s is %q; it must be auto, none or an X display such as :5",
	"bad_env_name":      "%s: %q is not the name of an environment variable",
	"md5_itself":        "%s holds a password hash; give the name of an environment variable that holds it",
	"reserved_env":      "%s: ncatd sets %s by itself",
	"reserved_arg":      "%s: ncatd passes %s by itself",
	"unsafe_host":       "%s is %q, reachable from other machines: that needs a token of at least %d characters beside it",
	"short_token":       "%s has %d characters; with host %q it needs at least %d",
	"no_accounts":       "there must be at least one account",
	"no_name":           "an account needs a name when there are several",
	"duplicate_name":    "account name %q is already taken (%s)",
	"duplicate_uin":     "QQ number %d is already account %s (%s)",
	"same_port":         "port %d is already used by %s (%s)",
	"empty_list":        "%s must not be empty",
	"repeated":          "%s has %q twice",
	"order":             "%s (%s) must not be more than %s (%s)",
	"unknown_env":       "no such setting",
	"unknown_account":   "no account named %q",
	"bad_channel_name":  "channel name %q may have only letters, digits, - and _, at most 32, and begins with a letter or digit",
	"duplicate_channel": "channel name %q is already taken (%s)",
	"channel_lacks":     "%s: a channel of kind %s needs %s",
	"open_secret":       "%s is no reference to a secret; secrets do not stand in this file: write env:NAME, file:PATH (mode 0600) or credential:NAME",
	"user_or_group":     "%s: give either user or group",
	"bad_time_of_day":   "%s is %q; a time of day looks like 23:00",
	"too_large":         "the file is over %d bytes",
	"read":              "%s",
	"no_such_file":      "there is no such file",
	"forbidden":         "this user may not read the file",

	"app_no_name":           "an app needs a name",
	"bad_app_name":          "app name %q may have only letters, digits, - and _, at most 32, and begins with a letter or digit",
	"duplicate_app":         "app name %q is already taken (%s)",
	"unknown_app":           "no app named %q",
	"unknown_right":         "%s: %q is neither a group of actions nor an action; the groups are %s",
	"unknown_right_nearest": "%s: %q is neither a group of actions nor an action; did you mean %q?",
	"no_action_matches":     "%s: no action matches %q",
	"bad_pattern":           "%s: %q is no pattern; in one, * stands for any letters and [a-c] for one of these",
	"bad_token":             "%s may have only ASCII letters, digits and punctuation: a header must carry it",
	"no_url":                "%s is missing; the transport %s needs it",
	"unused_url":            "%s is set, but %s does not name its transport",
	"no_command":            "%s is missing: what shall be run?",
	"bad_command":           "%s: a quote is not closed",
	"command_missing":       "%s: there is no program %q",
	"not_absolute":          "%s is %q; it must be an absolute path",
}

// Message is the problem in English, without its place.
func (p Problem) Message() string { return fmt.Sprintf(Formats[p.Code], p.Args...) }

// Error is everything wrong with a config, in the order of the file.
type Error struct {
	Problems []Problem
}

// Error implements error: one problem per line, each with its place.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Place.String() + ": " + p.Message()
	}
	return strings.Join(lines, "\n")
}

// sortProblems orders problems as a reader meets them: the file's by line, then
// environment and flags by name.
func sortProblems(ps []Problem) {
	sort.SliceStable(ps, func(i, j int) bool {
		a, b := ps[i], ps[j]
		return cmp.Or(strings.Compare(a.Source, b.Source), a.Line-b.Line, a.Column-b.Column) < 0
	})
}
