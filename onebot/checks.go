package onebot

import "strings"

// These are the params whose harm NapCat's defaults do not show and which
// overrides.yaml marks with check.

// check refuses what NapCat would answer by leaving a group it was to dissolve.
func (p *SetGroupLeaveParams) check() error {
	if p.IsDismiss != nil && *p.IsDismiss {
		return &ParamError{"set_group_leave", "is_dismiss", "must not be true: NapCat ignores it and only leaves"}
	}
	return nil
}

// check refuses a 0, which NapCat takes for not given and reports as done.
func (p *SetGroupSearchParams) check() error {
	const problem = "must not be 0: NapCat cannot clear it"
	if p.NoCodeFingerOpen != nil && *p.NoCodeFingerOpen == 0 {
		return &ParamError{"set_group_search", "no_code_finger_open", problem}
	}
	if p.NoFingerOpen != nil && *p.NoFingerOpen == 0 {
		return &ParamError{"set_group_search", "no_finger_open", problem}
	}
	return nil
}

// check refuses a file of NapCat's machine without a name, because NapCat does
// not copy it but moves it into its temporary folder.
func (p *DownloadFileParams) check() error {
	if p.URL == nil || *p.URL == "" || p.Base64 != nil && *p.Base64 != "" || p.Name != nil && *p.Name != "" {
		return nil
	}
	switch scheme, _, _ := strings.Cut(*p.URL, ":"); strings.ToLower(scheme) {
	case "http", "https", "base64", "data":
		return nil
	}
	return &ParamError{"download_file", "name", "must be given with a local path: NapCat moves the file away otherwise"}
}
