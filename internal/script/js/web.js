// What scripts know from browsers: text encoding, URLs, crypto, fetch; and what
// "using" stands on.
for (const name of ["dispose", "asyncDispose"]) Symbol[name] ?? Object.defineProperty(Symbol, name, { value: Symbol(`Symbol.${name}`) });
const B64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const B64R = new Int16Array(128).fill(-1);
for (let i = 0; i < 64; i++) B64R[B64.charCodeAt(i)] = i;
function toBase64(b) {
  const out = [];
  let s = "";
  for (let i = 0; i < b.length; i += 3) {
    const n = (b[i] << 16) | ((b[i + 1] ?? 0) << 8) | (b[i + 2] ?? 0);
    s += B64[n >> 18] + B64[(n >> 12) & 63] + (i + 1 < b.length ? B64[(n >> 6) & 63] : "=") + (i + 2 < b.length ? B64[n & 63] : "=");
    if (s.length > 8192) { out.push(s); s = ""; }
  }
  return out.join("") + s;
}
function fromBase64(s) {
  let end = s.length;
  while (end > 0 && s[end - 1] === "=") end--;
  const out = new Uint8Array((end * 3) >> 2);
  let n = 0, bits = 0, at = 0;
  for (let i = 0; i < end; i++) {
    const c = s.charCodeAt(i), v = c < 128 ? B64R[c] : -1;
    if (v < 0) throw new TypeError("this is no base64");
    n = (n << 6) | v;
    bits += 6;
    if (bits >= 8) { bits -= 8; out[at++] = (n >> bits) & 255; }
  }
  return out;
}
globalThis.btoa = (s) => toBase64(Uint8Array.from(`${s}`, (c) => {
  const n = c.charCodeAt(0);
  if (n > 255) throw new RangeError("btoa takes characters up to U+00FF");
  return n;
}));
globalThis.atob = (s) => { let r = ""; for (const b of fromBase64(`${s}`.replace(/\s/g, ""))) r += String.fromCharCode(b); return r; };

function encodeUTF8(s) {
  const out = new Uint8Array(s.length * 3);
  let n = 0;
  for (let i = 0; i < s.length; i++) {
    let c = s.charCodeAt(i);
    if (c >= 0xd800 && c < 0xe000) {
      const d = s.charCodeAt(i + 1);
      if (c < 0xdc00 && d >= 0xdc00 && d < 0xe000) { c = 0x10000 + ((c - 0xd800) << 10) + d - 0xdc00; i++; } else c = 0xfffd;
    }
    if (c < 0x80) out[n++] = c;
    else if (c < 0x800) { out[n++] = 0xc0 | (c >> 6); out[n++] = 0x80 | (c & 63); }
    else if (c < 0x10000) { out[n++] = 0xe0 | (c >> 12); out[n++] = 0x80 | ((c >> 6) & 63); out[n++] = 0x80 | (c & 63); }
    else { out[n++] = 0xf0 | (c >> 18); out[n++] = 0x80 | ((c >> 12) & 63); out[n++] = 0x80 | ((c >> 6) & 63); out[n++] = 0x80 | (c & 63); }
  }
  return out.slice(0, n);
}
globalThis.TextEncoder = class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(s = "") { return encodeUTF8(`${s}`); }
};
globalThis.TextDecoder = class TextDecoder {
  constructor(label = "utf-8", o = {}) {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`TextDecoder knows utf-8, not ${label}`);
    this.fatal = !!o.fatal;
  }
  get encoding() { return "utf-8"; }
  decode(b = new Uint8Array()) {
    const bytes = b instanceof ArrayBuffer ? new Uint8Array(b) : new Uint8Array(b.buffer, b.byteOffset, b.byteLength);
    return sync("utf8", toBase64(bytes), this.fatal);
  }
};

globalThis.URLSearchParams = class URLSearchParams {
  #list = [];
  #changed;
  constructor(init = "", changed) {
    this.#changed = changed;
    if (typeof init === "string") {
      for (const part of init.replace(/^\?/, "").split("&")) {
        if (part === "") continue;
        const [k, ...v] = part.split("=");
        const dec = (s) => { try { return decodeURIComponent(s.replace(/\+/g, " ")); } catch { return s; } };
        this.#list.push([dec(k), dec(v.join("="))]);
      }
    } else for (const [k, v] of init[Symbol.iterator] ? init : Object.entries(init)) this.#list.push([`${k}`, `${v}`]);
  }
  #change() { this.#changed?.(this.toString()); }
  get size() { return this.#list.length; }
  get(k) { return this.#list.find((x) => x[0] === k)?.[1] ?? null; }
  getAll(k) { return this.#list.filter((x) => x[0] === k).map((x) => x[1]); }
  has(k) { return this.#list.some((x) => x[0] === k); }
  append(k, v) { this.#list.push([`${k}`, `${v}`]); this.#change(); }
  delete(k) { this.#list = this.#list.filter((x) => x[0] !== k); this.#change(); }
  set(k, v) {
    const i = this.#list.findIndex((x) => x[0] === k);
    if (i < 0) return this.append(k, v);
    this.#list = this.#list.filter((x, j) => j <= i || x[0] !== k);
    this.#list[i] = [`${k}`, `${v}`];
    this.#change();
  }
  sort() { this.#list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)); this.#change(); }
  forEach(f) { for (const [k, v] of this.#list) f(v, k, this); }
  keys() { return this.#list.map((x) => x[0]).values(); }
  values() { return this.#list.map((x) => x[1]).values(); }
  entries() { return this.#list.map((x) => [...x]).values(); }
  [Symbol.iterator]() { return this.entries(); }
  toString() { const enc = (s) => encodeURIComponent(s).replace(/%20/g, "+").replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`); return this.#list.map(([k, v]) => `${enc(k)}=${enc(v)}`).join("&"); }
};
globalThis.URL = class URL {
  #p;
  #params;
  constructor(url, base) {
    let p;
    try {
      p = sync("url", `${url}`, base === undefined ? "" : `${base}`);
    } catch (e) { throw new TypeError(e.message); }
    this.#p = parse(p);
  }
  static canParse(url, base) { try { new URL(url, base); return true; } catch { return false; } }
  get href() { return `${this.protocol}${this.#p.slashes ? "//" : ""}${this.#p.username ? this.#p.username + (this.#p.password ? `:${this.#p.password}` : "") + "@" : ""}${this.host}${this.pathname}${this.search}${this.hash}`; }
  get protocol() { return this.#p.protocol; }
  get username() { return this.#p.username; }
  get password() { return this.#p.password; }
  get hostname() { return this.#p.hostname; }
  set hostname(v) { this.#p.hostname = `${v}`; }
  get port() { return this.#p.port; }
  set port(v) { this.#p.port = `${v}`; }
  get host() { return this.hostname + (this.port ? `:${this.port}` : ""); }
  get origin() { return this.#p.slashes ? `${this.protocol}//${this.host}` : "null"; }
  get pathname() { return this.#p.pathname; }
  set pathname(v) { this.#p.pathname = `/${`${v}`.replace(/^\//, "")}`; }
  get search() { return this.#p.search; }
  set search(v) { v = `${v}`; this.#p.search = v === "" || v === "?" ? "" : v[0] === "?" ? v : `?${v}`; this.#params = undefined; }
  get hash() { return this.#p.hash; }
  set hash(v) { v = `${v}`; this.#p.hash = v === "" || v === "#" ? "" : v[0] === "#" ? v : `#${v}`; }
  get searchParams() { return this.#params ??= new URLSearchParams(this.search, (s) => { this.#p.search = s && `?${s}`; }); }
  toString() { return this.href; }
  toJSON() { return this.href; }
};

globalThis.crypto = {
  randomUUID: () => sync("uuid"),
  getRandomValues(a) {
    wants(ArrayBuffer.isView(a), "getRandomValues takes a typed array", a);
    const b = fromBase64(sync("random", a.byteLength));
    new Uint8Array(a.buffer, a.byteOffset, a.byteLength).set(b);
    return a;
  },
};

const ended = (name, message) => Object.defineProperty(new Error(message), "name", { value: name });
class AbortSignal {
  aborted = false;
  reason = undefined;
  #waiting = [];
  static timeout(ms) { const s = new AbortSignal(); setTimeout(() => s._abort(ended("TimeoutError", "over its time")), ms); return s; }
  addEventListener(type, f) { if (type === "abort") this.#waiting.push(f); }
  removeEventListener(type, f) { this.#waiting = this.#waiting.filter((x) => x !== f); }
  throwIfAborted() { if (this.aborted) throw this.reason; }
  _abort(reason) {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason ?? ended("AbortError", "aborted");
    for (const f of this.#waiting) f({ type: "abort" });
  }
}
globalThis.AbortSignal = AbortSignal;
globalThis.AbortController = class AbortController {
  signal = new AbortSignal();
  abort(reason) { this.signal._abort(reason); }
};
globalThis.Headers = class Headers {
  #map = new Map();
  constructor(init = {}) { for (const [k, v] of init[Symbol.iterator] ? init : Object.entries(init)) this.append(k, v); }
  append(k, v) { k = `${k}`.toLowerCase(); this.#map.set(k, this.#map.has(k) ? `${this.#map.get(k)}, ${v}` : `${v}`); }
  set(k, v) { this.#map.set(`${k}`.toLowerCase(), `${v}`); }
  get(k) { return this.#map.get(`${k}`.toLowerCase()) ?? null; }
  has(k) { return this.#map.has(`${k}`.toLowerCase()); }
  delete(k) { this.#map.delete(`${k}`.toLowerCase()); }
  forEach(f) { for (const [k, v] of this.#map) f(v, k, this); }
  entries() { return this.#map.entries(); }
  [Symbol.iterator]() { return this.entries(); }
};
globalThis.Response = class Response {
  #text;
  #base64;
  constructor(r) {
    this.#text = r.text;
    this.#base64 = r.base64;
    this.status = r.status;
    this.statusText = r.statusText;
    this.ok = r.status >= 200 && r.status < 300;
    this.url = r.url;
    this.headers = new Headers(r.headers);
  }
  #bytes() { return this.#base64 === undefined ? encodeUTF8(this.#text) : fromBase64(this.#base64); }
  #decoded() { return this.#text?.replace(/^\ufeff/, "") ?? new TextDecoder().decode(this.#bytes()); }
  text() { return Promise.resolve(this.#decoded()); }
  json() { return new Promise((ok) => ok(parse(this.#decoded()))); }
  bytes() { return Promise.resolve(this.#bytes()); }
  arrayBuffer() { return Promise.resolve(this.#bytes().buffer); }
};
globalThis.fetch = (url, o = {}) => {
  const { signal } = o;
  if (signal?.aborted) return Promise.reject(signal.reason);
  const headers = {};
  new Headers(o.headers).forEach((v, k) => { headers[k] = v; });
  let text, base64;
  if (ArrayBuffer.isView(o.body)) base64 = toBase64(new Uint8Array(o.body.buffer, o.body.byteOffset, o.body.byteLength));
  else if (o.body instanceof ArrayBuffer) base64 = toBase64(new Uint8Array(o.body));
  else if (o.body instanceof URLSearchParams) { text = o.body.toString(); headers["content-type"] ??= "application/x-www-form-urlencoded"; }
  else if (o.body != null) { text = `${o.body}`; headers["content-type"] ??= "text/plain;charset=UTF-8"; }
  const p = call("fetch", { url: `${url}`, method: o.method, headers, text, base64, redirect: o.redirect }), id = lastID;
  const answer = p.then((r) => new Response(r));
  if (!signal) return answer;
  return new Promise((ok, fail) => {
    const abort = () => { host("abort", id); fail(signal.reason); };
    const end = (f) => (v) => { signal.removeEventListener("abort", abort); f(v); };
    signal.addEventListener("abort", abort);
    answer.then(end(ok), end(fail));
  });
};
