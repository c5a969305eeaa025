// Package conffile reads, patches and writes the JSON files by which NapCat is
// configured (contract B): webui.json, napcat.json, onebot11.json and its copy
// for each account, onebot11_<uin>.json.
//
// [Apply] brings the files of one account in line with what ncatd needs before
// a start; [Network] does the same to a document for NapCat's SetConfig. Keys
// that ncatd does not know are kept, comments and JSON5 are understood, a file
// that needs no change is not touched, and every write is atomic. A file that
// cannot be understood is put aside, since NapCat would run without any OneBot
// endpoint because of it.
//
// The package starts nothing and knows nothing of accounts but their numbers.
package conffile
