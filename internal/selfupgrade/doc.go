// Package selfupgrade brings another version of this very program: it finds a
// release at the publisher's or a mirror's ([Publisher.Find]), verifies who made
// it, unpacks its program beside the one in use ([Publisher.Program]), lets it run on
// trial ([Try], [Leave]) and swaps the two ([Swap]), one command at a time ([Lock]).
// At any moment a whole program lies at the path, and it is one that has proved itself.
// What is signed, and how, is package signed's. It restarts nothing and knows no
// daemon.
package selfupgrade
