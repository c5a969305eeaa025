package cli

// owner returns -1: paths have no uid here, and there is no systemd.
func owner(string) int { return -1 }
