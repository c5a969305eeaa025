// Built-in functions that loop without ever running a function of the script
// cannot be interrupted. Where such a loop depends on a length that costs nothing
// to claim, the length is bounded: a tenth of a second's worth.
const MOST = 5e6, PRODUCT = 2e9;
const apply = Reflect.apply;
const replace = (proto, name, before) => {
  const f = proto[name];
  if (typeof f !== "function") return;
  const g = { [name](...args) { before(this, args); return apply(f, this, args); } }[name];
  Object.defineProperty(proto, name, { value: g, writable: true, configurable: true });
};
const bounded = (x) => {
  if (x !== null && typeof x === "object" && x.length > MOST && !ArrayBuffer.isView(x)) throw new RangeError(`a list of ${x.length} elements is too long`);
};
for (const name of ["indexOf", "lastIndexOf", "includes", "reverse", "forEach", "map", "filter", "some", "every", "reduce", "reduceRight",
  "copyWithin", "fill", "slice", "splice", "shift", "unshift", "sort", "join", "toString", "toLocaleString", "toSorted", "toReversed", "toSpliced", "with"])
  replace(Array.prototype, name, bounded);
replace(Array.prototype, "concat", (t, args) => { bounded(t); for (const a of args) bounded(a); });
for (const name of ["flat", "flatMap"]) replace(Array.prototype, name, (t) => { bounded(t); for (let i = 0; i < t.length; i++) bounded(t[i]); });
for (const name of ["indexOf", "lastIndexOf", "includes", "split", "replace", "replaceAll"])
  replace(String.prototype, name, (t, [what]) => {
    if (typeof what === "string" && what.length > 64 && `${t}`.length * what.length > PRODUCT) throw new RangeError("the texts are too long to be searched");
  });
