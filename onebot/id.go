package onebot

// UserID is a QQ number (UIN). It decodes from a JSON number or a string of
// digits and encodes as a number.
type UserID int64

// GroupID is a group's number. It decodes from a JSON number or a string of
// digits and encodes as a number.
type GroupID int64

// MessageID names a message: NapCat's own positive 32-bit id (contract E.9) or,
// where an action takes it, QQ's 19-digit id. It decodes from a JSON number or
// a string of digits; ids beyond 2^53 encode as strings because NapCat would
// lose their last digits otherwise, all others as numbers.
type MessageID int64
