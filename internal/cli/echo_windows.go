package cli

import "golang.org/x/sys/windows"

// echoOff stops a console from showing what is typed, until restore.
func echoOff(fd int) (restore func(), err error) {
	var was uint32
	h := windows.Handle(fd)
	if err := windows.GetConsoleMode(h, &was); err != nil {
		return nil, err
	}
	if err := windows.SetConsoleMode(h, was&^windows.ENABLE_ECHO_INPUT); err != nil {
		return nil, err
	}
	return func() { _ = windows.SetConsoleMode(h, was) }, nil // a console that is gone needs none
}
