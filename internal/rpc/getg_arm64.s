#include "textflag.h"

// func getg() uintptr
TEXT ·getg(SB), NOSPLIT, $0-8
	MOVD g, R0
	MOVD R0, ret+0(FP)
	RET

// func gword(off uintptr) uintptr
TEXT ·gword(SB), NOSPLIT, $0-16
	MOVD off+0(FP), R1
	ADD g, R1, R1
	MOVD (R1), R0
	MOVD R0, ret+8(FP)
	RET
