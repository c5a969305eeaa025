// Built-in functions that loop without ever running a function of the script
// cannot be interrupted. Where such a loop depends on a length that costs nothing
// to claim, the length is bounded: a tenth of a second's worth.
const MOST = 5e6, PRODUCT = 2e9;
// Nor does the engine look often whether its time is over: at one in POLL calls and
// turns of loops, which is minutes if each works through megabytes. Such work is
// counted, in elements and characters; after each STRETCH of it a loop makes the
// engine look.
const POLL = 10000, STRETCH = 1e6, SHORT = 1000;
let paid = 0;
function pay(n) {
  if (!(n > SHORT) || (paid += n) < STRETCH) return; // NaN: it has no length
  paid = 0;
  for (let i = 0; i <= POLL; i++);
}
const isView = ArrayBuffer.isView;
const lengthOf = (x) => typeof x === "string" || isArray(x) || isView(x) ? x.length : 0;
const replace = (holder, name, before, after) => {
  const f = holder[name];
  if (typeof f !== "function") return;
  const g = { [name](...args) {
    before?.(this, args);
    const r = apply(f, this, args);
    after(this, args, r);
    return r;
  } }[name];
  Object.defineProperty(holder, name, { value: g, writable: true, configurable: true });
};
const payThis = (t) => pay(lengthOf(t)), payResult = (t, args, r) => pay(lengthOf(r)), payFirst = (t, args) => pay(lengthOf(args[0]));
// Values of their own cost ten times as much as characters and bytes.
const valuesThis = (t) => pay(10 * lengthOf(t)), valuesResult = (t, args, r) => pay(10 * lengthOf(r)), valuesFirst = (t, args) => pay(10 * lengthOf(args[0]));
const bounded = (x) => {
  if (x !== null && typeof x === "object" && x.length > MOST && !isView(x)) throw new RangeError(`a list of ${x.length} elements is too long`);
};
for (const name of ["indexOf", "lastIndexOf", "includes", "reverse", "forEach", "map", "filter", "some", "every", "reduce", "reduceRight",
  "copyWithin", "fill", "slice", "splice", "shift", "unshift", "sort", "join", "toString", "toLocaleString", "toSorted", "toReversed", "toSpliced", "with"])
  replace(Array.prototype, name, bounded, valuesThis);
replace(Array.prototype, "concat", (t, args) => { bounded(t); for (const a of args) bounded(a); }, valuesResult);
for (const name of ["flat", "flatMap"]) replace(Array.prototype, name, (t) => { bounded(t); for (let i = 0; i < t.length; i++) bounded(t[i]); }, valuesResult);
replace(Array, "from", (t, [from]) => bounded(from), valuesResult);
for (const name of ["fill", "indexOf", "lastIndexOf", "includes", "slice", "reverse", "copyWithin", "sort", "join", "toSorted", "toReversed", "with", "set"])
  replace(Object.getPrototypeOf(Uint8Array.prototype), name, undefined, payThis);
for (const name of ["indexOf", "lastIndexOf", "includes", "split", "replace", "replaceAll"])
  replace(String.prototype, name, (t, [what]) => {
    if (typeof what === "string" && what.length > 64 && `${t}`.length * what.length > PRODUCT) throw new RangeError("the texts are too long to be searched");
  }, name === "split" ? valuesThis : payThis);
for (const name of ["repeat", "padStart", "padEnd", "toUpperCase", "toLowerCase", "toLocaleUpperCase", "toLocaleLowerCase", "normalize"])
  replace(String.prototype, name, undefined, payResult);
for (const name of ["localeCompare", "isWellFormed", "toWellFormed"]) replace(String.prototype, name, undefined, payThis);
for (const name of ["keys", "values", "entries", "getOwnPropertyNames"]) replace(Object, name, undefined, valuesResult);
replace(JSON, "stringify", undefined, valuesResult);
for (const name of ["escape", "unescape", "encodeURI", "encodeURIComponent", "decodeURI", "decodeURIComponent", "parseInt", "parseFloat"]) replace(globalThis, name, undefined, payFirst);
for (const name of ["parseInt", "parseFloat"]) Object.defineProperty(Number, name, { value: globalThis[name], writable: true, configurable: true });
replace(JSON, "parse", undefined, valuesFirst);
