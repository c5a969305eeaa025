// Package fetch brings one file of known content from one of several places: the
// publisher, or mirrors that put their own address before the publisher's URL
// (contract A.2).
//
// The central function is [Fetcher.Fetch]. Each place is first tried out by a
// small ranged read of the real file, all of them at the same time; the fastest
// one that answers with bytes that can be right is then asked for the whole. The
// transfer itself is go-getter's, of which only the HTTP getter is used: it
// continues a part that an interrupted run left. A place that stalls, ends too
// early, serves a web page or other bytes than the digest demands is given up for
// the next one, and named with its cause if none is left.
//
// Nothing is unpacked here, and no digest is made up: which one a file must have
// is the caller's business.
package fetch
