// Promises that fail although nobody waits for them, of which the engine tells
// nothing. The bundler makes generators of async functions, which runAsync runs;
// promises of the script's own making are watched. What failed is told when
// everything that was due has run: until then somebody may still wait for it.
const MOST_LOST = 50;
let lost = [];
const watchOf = () => ({ turn: now, place, promise: null, awaited: false, over: true, settles: undefined });
function lose(w, e) {
  if (w.awaited || lost.length >= MOST_LOST) return;
  if (lost.push([w, e]) === 1) host("lost");
}
function tellLost() {
  const all = lost;
  lost = [];
  for (const [w, e] of all) if (!w.awaited) host("unawaited", w.turn, stringify(describe(e, w.place)));
}
function watched(p, w) {
  setProto(p, Call.prototype);
  p[CALL] = w;
  return p;
}
function watch(p) {
  const w = watchOf();
  nativeThen.call(p, undefined, (e) => lose(w, e));
  return watched(p, w);
}
function runAsync(self, args, f) {
  const w = watchOf();
  return watched(drive(w, self, args, f), w);
}
async function drive(w, self, args, f) {
  try {
    const g = apply(f, self, args ?? []);
    let r = g.next();
    while (!r.done) {
      let v, failed = false;
      try {
        v = await made(r.value);
      } catch (e) {
        v = e;
        failed = true;
      }
      r = failed ? g.throw(v) : g.next(v);
    }
    const v = r.value;
    return v !== null && typeof v === "object" ? await made(v) : v;
  } catch (e) {
    lose(w, e);
    throw e;
  }
}
runAsync.look = (p, f) => {
  const w = p[CALL], awaited = w?.awaited, q = nativeThen.call(made(p), f, f);
  if (w !== undefined) w.awaited = awaited;
  return q;
};
Object.freeze(runAsync);
Object.defineProperty(globalThis, Symbol.for("ncat/async"), { value: runAsync });

// The script's Promise makes the engine's own promises, which are the fast ones,
// and watches them.
const Watched = function Promise(executor) {
  if (new.target === undefined) throw new TypeError("Promise is called with new");
  if (new.target !== Watched) return construct(Native, [executor], new.target);
  return watch(construct(Native, [executor]));
};
Watched.prototype = Native.prototype;
setProto(Watched, Native);
Object.defineProperty(Watched, "resolve", { writable: true, configurable: true, value: function resolve(v) { return nativeResolve.call(this === Watched ? Native : this, v); } });
Object.defineProperty(Native.prototype, "then", { writable: true, configurable: true, value: function then(ok, fail) {
  const p = nativeThen.call(made(this), ok, fail);
  return Object.getPrototypeOf(p) === Native.prototype ? watch(p) : p;
} });
globalThis.Promise = Watched;
