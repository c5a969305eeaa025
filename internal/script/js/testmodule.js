const t = globalThis[Symbol.for("ncat/test")];
if (t === undefined) throw new Error("ncat/test is there in *.test.ts files under ncatd plugin test only");
export default t;
export const { test, group, friend, inGroup, want, wantLike, wantNothing, wantCall, wantNoCall, on, pass, passUntil, restart, sent, errors, event, equal } = t;
