// What a *.test.ts stands on. Its calls return when the bot has done everything
// that follows from them.
(() => {
  "use strict";
  const host = globalThis.__host;
  delete globalThis.__host;
  const { parse, stringify } = JSON;
  const tests = new Map();
  const ask = (op, ...args) => {
    const r = parse(host("test", op, stringify(args)));
    if (r.error !== undefined) throw new Error(r.error);
    return r.value;
  };
  const person = (who) => {
    const p = {};
    for (const does of ["says", "quotes", "mentions", "recalls", "pokes", "reacts", "joins", "leaves", "asks"]) p[does] = (...args) => ask(does, who, ...args);
    return p;
  };
  const show = (v) => stringify(v) ?? String(v);
  const same = (a, b) => {
    if (Object.is(a, b)) return true;
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
    const k = Object.keys(a);
    return k.length === Object.keys(b).length && k.every((x) => same(a[x], b[x]));
  };
  const all = {
    test(name, run) {
      if (tests.has(name)) throw new Error(`there are two tests called ${name}`);
      tests.set(name, run);
    },
    friend: (user) => person({ user }),
    group: (id) => ({ from: (user) => person({ group: id, user }), admin: (user) => person({ group: id, user, role: "admin" }), owner: (user) => person({ group: id, user, role: "owner" }) }),
    inGroup: (group, user) => person({ group, user }),
    equal: (got, want) => { if (!same(got, want)) throw new Error(`got ${show(got)}, want ${show(want)}`); },
  };
  for (const op of ["want", "wantLike", "wantNothing", "wantCall", "wantNoCall", "on", "event", "pass", "passUntil", "restart", "sent", "errors"]) all[op] = (...args) => ask(op, ...args);
  Object.defineProperty(globalThis, Symbol.for("ncat/test"), { value: Object.freeze(all) });
  const log = (...args) => { host("log", "info", args.map((a) => (typeof a === "string" ? a : show(a))).join(" ")); };
  globalThis.console = { log, info: log, debug: log, warn: log, error: log };
  const tell = (e) => (e instanceof Error ? `${e.name}: ${e.message}\n${e.stack}` : `threw ${show(e)}, which is no Error and knows no place`);
  return {
    load: (name) => void import(name).then(() => host("loaded", ""), (e) => host("loaded", tell(e))),
    names: () => stringify([...tests.keys()]),
    run: (name) => void Promise.resolve().then(tests.get(name)).then(() => host("ended", ""), (e) => host("ended", tell(e))),
  };
})()
