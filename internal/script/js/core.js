// The core of what a script stands on: calls to Go, errors, events, handlers. It
// runs before the plugin, in the plugin's own realm, and keeps what it needs of
// the built-in objects, so that a plugin which changes those harms itself only.
const host = globalThis.__host, hostCall = globalThis.__call;
delete globalThis.__host;
delete globalThis.__call;
const { parse, stringify } = JSON;
const setProto = Object.setPrototypeOf;
const isArray = Array.isArray;
const create = Object.create;
const TURN = Symbol("turn");
// A table is a Map whose methods stay as they are, whatever a script makes of Map's.
const methods = Object.freeze(create(null, Object.getOwnPropertyDescriptors(Map.prototype)));
const table = () => setProto(new Map(), methods);
const calls = table(), timers = table(), handlers = table(), callbacks = table();
// now is the turn on whose account the script runs: Go's name for an event, a timer
// or the like; place is where its handler was registered.
let lastID = 0, now = 0, place = "", plugin = {}, exported = {}, config = {};

// Errors, in the words of the Go packages.
// told is what Go said of an error without a language, which goes back to it when
// the script throws the error on.
let tell, told;
class NcatError extends Error {
  #told;
  static {
    tell = (e, f) => { e.#told = f; };
    told = (e) => (#told in e ? e.#told : undefined);
  }
  constructor(message, more) {
    super(message);
    if (more) for (const k of ["action", "retcode", "wording", "verdict", "cause", "maybeDone", "limit"]) if (more[k] !== undefined) this[k] = more[k];
  }
  get name() { return this.constructor.name; }
}
const errors = { NcatError };
const named = (names, Base) => { for (const n of names) errors[n] = { [n]: class extends Base {} }[n]; };
named(["OneBotError", "NotSentError", "UnknownOutcomeError", "NoAnswerError", "CancelledError", "TooFastError", "TooLargeError",
  "LocalAddressError", "ContentTypeError", "NoAttachmentError", "NoAccountError", "BadAddressError", "HandlerDeadlineError",
  "LimitError", "DeniedError", "UnloadedError", "ArgumentError"], NcatError);
named(["RefusedError", "UnconfirmedError", "UnsupportedError", "BadParamsError", "NoPacketError", "MutedError", "NotMemberError"], errors.OneBotError);
const makeError = (f) => {
  const e = new (errors[f.class] ?? NcatError)(f.message, f);
  if (f.fault) tell(e, f.fault);
  return e;
};
// unfit is an error that Go has a sentence for in every language; the message is the
// English one.
const unfit = (message, code, ...args) => {
  const e = new errors.ArgumentError(message);
  tell(e, { code: `script_${code}`, args });
  return e;
};

// stop is what a handler returns that keeps its event from the handlers after it.
const stop = Symbol("stop");

// describe makes of whatever was thrown what Go is told. It may be an object
// whose getters throw. What is no error has no stack: it is told by its value and
// the place of the handler.
function describe(e, where = place) {
  const out = { name: "Error", message: "", stack: "" };
  try {
    if (!isError(e)) {
      out.name = "thrown";
      out.null = e === null;
      out.stack = where;
      out.message = clip(show(e, 1));
      return out;
    }
    out.name = clip(`${e.name}`);
    out.message = clip(`${e.message}`);
    if (out.name === "ReferenceError") out.message += instead(out.message);
    out.stack = `${e.stack ?? ""}`;
    out.fault = told(e);
    if (e.callStack) out.stack += e.callStack;
  } catch {
    out.message ||= "an error that cannot be read";
    out.stack ||= where;
  }
  return out;
}
// What programs for Node and for browsers use and scripts do not have.
const absent = { __proto__: null, Intl: "write dates and numbers with getHours(), toFixed() and the like", process: "settings are in config, see plugin.yaml",
  require: "use import", module: "use export", exports: "use export", __dirname: "image() and file() take names of the plugin's folder",
  Buffer: "use Uint8Array, TextEncoder, atob and btoa", setImmediate: "use setTimeout(f, 0)", performance: "use Date.now()",
  structuredClone: "use JSON.parse(JSON.stringify(v))", localStorage: "use store", window: "use globalThis", self: "use globalThis",
  global: "use globalThis", XMLHttpRequest: "use fetch", FormData: "use URLSearchParams, or write the body", alert: "use console.log" };
function instead(message) {
  const name = /^'?(\w+)'? is not defined$/.exec(message)?.[1], what = absent[name];
  return what === undefined ? "" : ` (scripts have no ${name}: ${what})`;
}
const isError = (e) => e instanceof Error || (e !== null && typeof e === "object" && typeof e.message === "string" && typeof e.stack === "string");
const clip = (s) => (s.length > 1000 ? s.slice(0, 1000) + "…" : s);

// A promise that a script gets knows of its call, or of what may make it fail. Whoever
// waits for a promise asks for its constructor first, by which one is told that fails
// although nobody waits: it is logged. A class of its own would do the same, but the
// engine makes two more promises for each await of one that is not Promise's own.
const Native = Promise, nativeThen = Native.prototype.then, nativeResolve = Native.resolve, CALL = Symbol("call"), { apply, construct } = Reflect;
nativeThen.call = nativeResolve.call = nativeThen.call; // their own, whatever becomes of Function's
function Call() {}
Call.prototype = Object.create(Native.prototype, { constructor: { get() {
  const c = this[CALL];
  if (c !== undefined && !c.awaited) {
    c.awaited = true;
    if (c.settles !== undefined && !c.over) host("awaited", c.settles);
  }
  return Native;
} } });
// A call returns what becomes a promise when somebody looks at it: many handlers only
// return it, and the promise would be a tenth of what their event costs.
const unmade = create(Native.prototype);
let ok, fail;
const taken = [(a, b) => { ok = a; fail = b; }];
// made returns the promise of what a call returned; anything else is returned as it is.
function made(v) {
  const c = v !== null && typeof v === "object" ? v[CALL] : undefined;
  if (c === undefined || c.promise === null) return v;
  if (c.promise === undefined) {
    c.promise = construct(Native, taken, Call);
    c.promise[CALL] = c;
    if (!c.over) {
      c.ok = ok;
      c.fail = fail;
    } else (c.failed ? fail : ok)(c.result);
  }
  return c.promise;
}
// end ends a call, for those who look and those who will.
function end(c, failed, result) {
  c.over = true;
  if (c.promise !== undefined) {
    (failed ? c.fail : c.ok)(result);
    c.ok = c.fail = undefined; // they hold the promise, which holds c
    return;
  }
  if (failed) c.failed = true;
  c.result = result;
}
const settled = (v, ok, fail) => { nativeThen.call(nativeResolve.call(Native, made(v)), ok, fail); };
// whence is the stack of a call, which is worth a fifth of an answer's time. When
// they come by the hundred it is undefined: the place of the handler has to do.
const clock = Date.now, EXACT = 100;
let exact = EXACT, since = 0;
function whence() {
  if (exact > 0) {
    exact--;
    return new Error().stack;
  }
  const t = clock();
  if (t - since < 1000) return;
  since = t;
  exact = EXACT;
  return new Error().stack;
}
const call = (op, params, packet) => begin(op, written(op, params ?? {}), packet);
// written is JSON, in which numbers of users and groups may be big integers.
function written(op, v) {
  try {
    return stringify(v);
  } catch (e) {
    if (!(e instanceof TypeError)) throw e;
    const m = `${e.message}`;
    op = op.replace("_", ".");
    if (m.includes("circular")) throw new errors.ArgumentError(`${op}: an object that holds itself cannot be sent or kept`);
    if (!m.includes("BigInt")) throw e;
    if (op.startsWith("store.")) throw new errors.ArgumentError(`${op}: a BigInt cannot be kept; make it a number or a text`);
    return stringify(v, (_, x) => (typeof x === "bigint" ? `${x}` : x));
  }
}
// wants throws unless an argument is what a function takes.
function wants(ok, what, got) {
  if (!ok) throw new errors.ArgumentError(`${what}, not ${clip(show(got, 1))}`);
}
const isObject = (v) => v !== null && typeof v === "object" && !isArray(v);
const isID = (v) => typeof v === "string" ? v !== "" : typeof v === "bigint" || typeof v === "number" && Number.isInteger(v);
// Most calls have nothing else than what is set in begin.
const ordinary = { __proto__: null, packet: undefined, promise: undefined, awaited: false, over: false, failed: false, settles: undefined, stack: undefined };
// begin begins a call; op null is the answer to the message of the turn with a text.
function begin(op, text, packet) {
  const id = ++lastID, p = create(unmade), entry = create(ordinary);
  entry.turn = now;
  entry.place = place;
  if (packet !== undefined) entry.packet = packet;
  p[CALL] = entry;
  calls.set(id, entry);
  const refused = hostCall(id, op, text);
  if (refused !== null && refused !== undefined) {
    calls.delete(id);
    const e = makeError(parse(refused));
    end(entry, true, e);
    if (!entry.awaited) queueMicrotask(() => entry.awaited || host("unhandled", op ?? "reply", stringify(describe(e))));
    return p;
  }
  if (exact > 0 || (--exact & 7) === 0) { // it costs to ask the clock, too
    const stack = whence();
    if (stack !== undefined) entry.stack = stack;
  }
  return p;
}
function done(id, well, result) {
  const c = calls.get(id);
  if (c === undefined) return;
  calls.delete(id);
  now = c.turn;
  place = c.place;
  const v = typeof result === "number" ? result : result === "" ? undefined : parse(result);
  if (well) {
    end(c, false, v);
    return c.settles;
  }
  const e = makeError(v);
  Object.defineProperty(e, "callStack", { value: c.stack ?? c.place });
  end(c, true, e);
  if (c.settles !== undefined) host("settle", c.settles, "error", stringify(describe(e)));
  else if (!c.awaited) host("unhandled", "call", stringify(describe(e)));
}
const sync = (op, ...args) => {
  const r = host(op, ...args);
  if (typeof r === "string" && r[0] === "!") throw makeError(parse(r.slice(1)));
  return r;
};

// settle tells Go how a handler ended. One that returns a call ends with that. A
// turn that is returned up to Go ends well.
function settle(turn, v) {
  const c = v !== null && typeof v === "object" ? v[CALL] : undefined;
  if (c !== undefined && !c.over && c.settles === undefined) {
    c.settles = turn;
    return c.turn !== turn || c.awaited || c.packet !== undefined ? undefined : -turn;
  }
  const where = place;
  const fail = (e) => {
    host("settle", turn, "error", stringify(describe(e, where)));
  };
  const end = (r) => { host("settle", turn, r === stop ? "stop" : "ok", ""); };
  if (v !== null && typeof v === "object" && typeof v.then === "function") settled(v, end, fail);
  else if (v === stop) end(v);
  else if (v !== null && typeof v === "object" && typeof v.next === "function") {
    const e = unfit("the handler is a generator, which nobody runs: leave out the star", "reg_generator");
    e.stack = where;
    fail(e);
  }
  else return turn;
}
function run(turn, f, where = "") {
  now = turn;
  place = where;
  let v;
  try {
    v = f();
  } catch (e) {
    host("settle", turn, "error", stringify(describe(e)));
    return;
  }
  return settle(turn, v);
}

// Events.
const ref = (m) => m[TURN] === now ? { turn: now } : ({ turn: m[TURN], ref: { self_id: m.self_id, message_type: m.message_type, sub_type: m.sub_type, group_id: m.group_id,
  user_id: m.user_id, message_id: m.message_id, post_type: m.post_type, request_type: m.request_type, flag: m.flag, target_id: m.target_id } });
class Event {
  get bot() { return new Bot(this.self_id); }
  get chat() {
    if (this.group_id && !(this.message_type === "private")) return { group: this.group_id };
    return this.user_id ? { user: this.user_id, group: this.group_id || undefined } : undefined;
  }
  waitFor(filter, options) { return call("wait_for", { ...ref(this), filter: specOf(filter), options }).then(wrap); }
}
class Message extends Event {
  get text() { let s = ""; for (const x of this.message) if (x.type === "text") s += x.data.text; return s; }
  get isGroup() { return this.message_type === "group"; }
  get fromSelf() { return this.post_type === "message_sent" || this.user_id === this.self_id; }
  get replyTo() { return this.first("reply")?.data.id; }
  first(type) { return this.message.find((s) => s.type === type); }
  all(type) { return this.message.filter((s) => s.type === type); }
  mentions(id) { return this.message.some((s) => s.type === "at" && s.data.qq === `${id ?? this.self_id}`); }
  reply(...content) {
    if (content.length === 1 && typeof content[0] === "string" && (this === newest || this[TURN] === now)) return begin(null, content[0]); // what most do
    return call("reply", { ...ref(this), content: contents(content) });
  }
  quote(...content) { return call("quote", { ...ref(this), content: contents(content) }); }
  mention(...content) { return call("mention", { ...ref(this), content: contents(content) }); }
  ask(question, options) { return call("ask", { ...ref(this), question: question == null ? undefined : contents([question]), options: askOptions(options) }).then(wrap); }
  choose(question, choices, options) {
    wants(isArray(choices) && choices.length > 0 && choices.every((c) => typeof c === "string"), "choose takes a list of texts", choices);
    return call("choose", { ...ref(this), text: `${question}`, choices, options: askOptions(options) });
  }
  confirm(question, options) { return call("confirm", { ...ref(this), text: `${question}`, options: askOptions(options) }); }
  recall() { return this.bot.recall(this.message_id); }
  react(emoji, on = true) { return this.bot.react(this.message_id, emoji, on); }
}
// newest is the unread message whose handler was entered and has not left yet.
const message = Message.prototype;
const nobody = {};
let newest = nobody;
class Request extends Event {
  approve() { return call("approve", ref(this)); }
  reject(reason = "") { return call("reject", { ...ref(this), reason }); }
}
function wrap(e) {
  const post = e.post_type;
  setProto(e, post === "message" || post === "message_sent" ? Message.prototype : post === "request" ? Request.prototype : Event.prototype);
  return e;
}
// A handler that has not looked into a message so far gets it unread: many only
// answer, and the text of the message is parsed when somebody asks for more. A
// handler that does so gets its messages parsed from then on, since the Proxy costs
// more where it is looked through. It is known not to have a field that is called
// reply.
const { get, ownKeys } = Reflect, { defineProperty } = Object;
function read(t, m) {
  const o = parse(t.text), keys = ownKeys(o);
  t.h.reads = true;
  setProto(t, null); // from now on it is an object like others
  for (let i = 0; i < keys.length; i++) defineProperty(m, keys[i], { __proto__: null, value: o[keys[i]], writable: true, enumerable: true, configurable: true });
}
const traps = { __proto__: null, get(m, k, self) {
  if (k !== TURN && k !== "reply") read(this, m);
  return get(m, k, self);
} };
for (const k of ["set", "has", "deleteProperty", "ownKeys", "getOwnPropertyDescriptor", "defineProperty", "setPrototypeOf", "preventExtensions"]) {
  const f = Reflect[k];
  traps[k] = function (m, ...args) {
    read(this, m);
    return f(m, ...args);
  };
}
// event begins the turn of an event. A call that ended before, and of which the script
// does not know yet, goes first.
function event(id, turn, text, lazy, args, ended, result) {
  if (ended !== undefined) done(ended, true, result);
  now = turn;
  const h = handlers.get(id);
  place = h.place;
  let v;
  try {
    let e;
    if (lazy && !h.reads) {
      const m = create(message), t = create(traps);
      m[TURN] = turn;
      t.h = h;
      t.text = text;
      e = newest = new Proxy(m, t);
    } else {
      e = wrap(parse(text));
      e[TURN] = turn;
    }
    v = h.f(e, args === "" ? undefined : parse(args));
  } catch (e) {
    newest = nobody;
    host("settle", turn, "error", stringify(describe(e)));
    return;
  }
  newest = nobody;
  return settle(turn, v);
}
function askOptions(o) {
  if (o === undefined) return;
  wants(isObject(o), "the options are an object such as { within: \"30s\" }", o);
  return { ...o, where: o.where && specOf(o.where) };
}

// Filters. They run in Go, before the script hears of an event.
class Filter {
  constructor(spec) { this.spec = spec; }
  and(...f) { return allOf(this, ...f); }
  or(...f) { return anyOf(this, ...f); }
  not() { return not(this); }
}
const filter = (op) => (...args) => new Filter({ op, args });
const filters = {};
for (const [name, op] of Object.entries({ textIs: "text_is", hasPrefix: "has_prefix", hasSuffix: "has_suffix", keyword: "keyword",
  inGroup: "in_group", inPrivate: "in_private", fromUser: "from_user", mentionsMe: "mentions_me", toMe: "to_me", isReply: "is_reply",
  hasSegment: "has_segment", byAdmin: "by_admin", byGroupAdmin: "by_group_admin", byGroupOwner: "by_group_owner", notSelf: "not_self",
  during: "during", ofType: "type" })) filters[name] = filter(op);
filters.matches = (re) => new Filter({ op: "matches", args: typeof re === "string" ? [re, ""] : [re.source, re.flags] });
const allOf = filters.allOf = (...f) => new Filter({ op: "all", of: f.map(specOf) });
const anyOf = filters.anyOf = (...f) => new Filter({ op: "any", of: f.map(specOf) });
const not = filters.not = (f) => new Filter({ op: "not", of: [specOf(f)] });
function specOf(f) {
  if (f instanceof Filter) return f.spec;
  if (isArray(f)) return allOf(...f).spec;
  throw unfit("a filter is made by textIs, inGroup and the like, so that it can run before the script", "reg_filter");
}

// Handlers.
function register(kind, spec, h, what) {
  if (typeof h !== "function") throw unfit(`${what}: the handler is no function`, "reg_handler", what);
  const id = ++lastID;
  sync("register", kind, stringify({ ...spec, id }));
  handlers.set(id, { f: h, place: new Error().stack });
  return id;
}
function options(o = {}) {
  const { where, ...rest } = o;
  return { ...rest, where: where === undefined ? undefined : specOf(where) };
}
function on(type, a, b, c) {
  let f, h = a, o = b;
  if (typeof a !== "function") [f, h, o] = [a, b, c];
  const opts = options(o);
  if (f !== undefined) opts.where = opts.where ? { op: "all", of: [specOf(f), opts.where] } : specOf(f);
  register("on", { type, ...opts }, h, `on("${type}")`);
}
const onOf = (type) => (...args) => on(type, ...args);
function onMatch(re, h, o) {
  const spec = typeof re === "string" ? [re, ""] : [re.source, re.flags];
  register("on", { type: "message", match: spec, ...options(o) }, h, "onMatch");
}
function command(name, a, b, c) {
  let args, h = a, o = b;
  if (typeof a !== "function") [args, h, o] = [a, b, c];
  if (typeof h !== "function") throw unfit(`command ${name}: the handler is no function`, "reg_handler", `command ${name}`);
  const fields = Object.entries(args ?? {}).map(([key, x]) => {
    if (!(x instanceof Arg)) throw unfit(`command ${name}: argument ${key} is made by arg.text(), arg.int() and the like`, "reg_made", `${name}`, key);
    return { key, ...x.spec };
  });
  const dates = fields.filter((f) => f.kind === "time").map((f) => f.key);
  const g = (m, v) => {
    for (const k of dates) if (v[k] !== undefined) v[k] = isArray(v[k]) ? v[k].map((t) => new Date(t)) : new Date(v[k]);
    return h(m, v);
  };
  register("command", { name, args: fields, ...options(o) }, dates.length > 0 ? g : h, `command ${name}`);
}
class Arg { constructor(spec) { this.spec = spec; } }
const arg = {};
for (const kind of ["text", "int", "float", "bool", "duration", "time", "user", "group", "message", "segment", "image", "record", "video", "file", "face", "at", "rest", "content"])
  arg[kind] = (o = {}) => new Arg({ ...o, kind, default: o.default === undefined ? undefined : `${o.default}` });
arg.choice = (choices, o = {}) => new Arg({ ...o, kind: "text", enum: choices });

function schedule(name, spec, h, o) {
  register("schedule", { name, spec, ...o }, h, `schedule ${name}`);
}

// Content of messages.
function contents(list) {
  return list.flatMap((c) => {
    if (c === null || c === undefined) return [];
    if (isArray(c)) return contents(c);
    if (typeof c === "function" || typeof c === "symbol") noContent(c, "");
    if (typeof c !== "object") return [`${c}`];
    if (c instanceof Date) return [c.toISOString()];
    if (typeof c.type !== "string") {
      if (typeof c.then === "function") noContent("a promise", "; await it first");
      if (c instanceof ArrayBuffer || ArrayBuffer.isView(c)) noContent("a list of bytes", "; image(), voice(), video() and file() send bytes");
      noContent(c, "");
    }
    return [c];
  });
}
function noContent(c, hint) {
  throw new errors.ArgumentError(`${typeof c === "string" ? c : clip(show(c, 1))} is no content of a message${hint}`);
}
const seg = (type, data) => ({ type, data });
function source(s) {
  if (s instanceof Uint8Array) return { base64: toBase64(s) };
  if (s instanceof ArrayBuffer) return { base64: toBase64(new Uint8Array(s)) };
  if (typeof s !== "string") throw new errors.ArgumentError("what is sent is a URL, a file of the plugin or bytes");
  if (/^https?:/i.test(s)) return { url: s };
  if (s.startsWith("base64://")) return { base64: s.slice(9) };
  return { path: s };
}
const media = (type) => (s, o = {}) => ({ type, media: { ...source(s), name: o.name, summary: o.summary, sticker: o.sticker, thumb: o.thumb === undefined ? undefined : source(o.thumb) } });
const segments = {
  text: (s) => seg("text", { text: `${s}` }), at: (id) => seg("at", { qq: `${id}` }), atAll: () => seg("at", { qq: "all" }),
  face: (id) => seg("face", { id: `${id}` }), quote: (m) => seg("reply", { id: `${typeof m === "object" ? m.message_id : m}` }),
  dice: () => seg("dice", {}), rps: () => seg("rps", {}), json: (v) => seg("json", { data: typeof v === "string" ? v : stringify(v) }),
  markdown: (s) => seg("markdown", { content: s }), image: media("image"), voice: media("record"), video: media("video"), file: media("file"),
  node: (id) => seg("node", { id: `${id}` }),
  nodeOf: (user, nickname, ...content) => seg("node", { user_id: `${user}`, nickname, content: contents(content).map((c) => typeof c === "string" ? seg("text", { text: c }) : c) }),
};

// The bot and the API.
class Api {
  constructor(self) { this.self = self; }
  call(action, params, packet) { return call("call", { self: this.self, name: action, params }, packet); }
}
class Bot {
  constructor(self) { this.self = self; }
  get api() { return new Api(this.self); }
  send(chat, ...content) {
    wants(isObject(chat) && (isID(chat.group) || isID(chat.user)), "send takes a chat such as { group: 1 } or { user: 1 }", chat);
    return call("send", { self: this.self, chat, content: contents(content) });
  }
  sendGroup(id, ...content) { return this.send({ group: id }, ...content); }
  sendPrivate(id, ...content) { return this.send({ user: id }, ...content); }
  forward(chat, ...ids) { return call("forward", { self: this.self, chat, ids }); }
  sendForward(chat, ...nodes) { return call("send_forward", { self: this.self, chat, content: contents(nodes) }); }
  recall(id) {
    wants(isID(id), "recall takes the id of a message", id);
    return call("recall", { self: this.self, message_id: id });
  }
  react(id, emoji, on = true) {
    wants(isID(id), "react takes the id of a message", id);
    wants(isID(emoji), "react takes the number of an emoji, or the emoji", emoji);
    return call("react", { self: this.self, message_id: id, emoji: `${emoji}`, on });
  }
  kick(group, user, block = false) {
    wants(isID(group) && isID(user), "kick takes the numbers of a group and of a user", [group, user]);
    return call("kick", { self: this.self, group, user, on: !!block });
  }
  ban(group, user, duration) {
    wants(isID(group) && isID(user), "ban takes the numbers of a group and of a user", [group, user]);
    wants(typeof duration === "string" || Number.isFinite(duration), "ban takes a time such as \"10m\", or 0 to end it", duration);
    return call("ban", { self: this.self, group, user, duration });
  }
  isAdmin(user) { return sync("is_admin", `${user}`); }
  waitFor(f, options) { return call("wait_for", { self: this.self, filter: specOf(f), options }).then(wrap); }
  download(segment, options) { return call("download", { self: this.self, segment, options }).then((d) => ({ ...d, base64: undefined, bytes: fromBase64(d.base64) })); }
  get accounts() { return parse(sync("accounts")).map((id) => new Bot(id)); }
}
const bot = new Bot();

// The store.
const keyOf = (k) => (wants(typeof k === "string" && k !== "", "a key of the store is a text", k), k);
const prefixOf = (p) => (wants(typeof p === "string", "keys begin with a text", p), p);
const valueOf = (v) => (wants(v !== undefined && typeof v !== "function" && typeof v !== "symbol", "the store keeps what JSON can hold (delete takes a key out)", v), v);
const storeOf = {
  get: (key) => call("store_get", { key: keyOf(key) }).then((r) => r?.value),
  put: (key, value, o) => call("store_put", { key: keyOf(key), value: valueOf(value), ttl: o?.ttl }),
  delete: (...keys) => call("store_delete", { keys: keys.map(keyOf) }),
  scan: (prefix = "") => call("store_scan", { prefix: prefixOf(prefix) }),
  transaction(f) {
    wants(typeof f === "function", "a transaction takes a function", f);
    const id = ++lastID, from = new Error().stack;
    const r = { failed: false, value: undefined };
    const turn = now, where = place;
    callbacks.set(id, () => {
      now = turn;
      place = where;
      try {
        const v = f(tx);
        if (v !== null && typeof v === "object" && typeof v.then === "function") throw new errors.ArgumentError("a transaction must not wait: its function returns no promise");
        r.value = v;
      } catch (e) {
        r.failed = true;
        r.value = e;
        if (e instanceof Error && !e.callStack) Object.defineProperty(e, "callStack", { value: `\n${from}`, writable: true });
        throw e;
      }
    });
    return call("store_tx", { id }).then(() => r.value, (e) => { throw r.failed ? r.value : e; }).finally(() => callbacks.delete(id));
  },
  update(key, f) {
    keyOf(key);
    wants(typeof f === "function", "update takes a function", f);
    return storeOf.transaction((tx) => {
      const v = f(tx.get(key));
      tx.put(key, v);
      return v;
    });
  },
};
const tx = {
  get(key) { const r = sync("tx_get", keyOf(key)); return r === "" ? undefined : parse(r); },
  put(key, value, o) { sync("tx_put", keyOf(key), written("store_put", valueOf(value)), stringify(o?.ttl ?? 0)); },
  delete(key) { sync("tx_delete", keyOf(key)); },
  scan(prefix = "") { return parse(sync("tx_scan", prefixOf(prefix))); },
};

// Permissions.
const roleOf = (r) => (wants(typeof r === "string" && r !== "", "a role, command or plugin is a text", r), r);
const permissions = { has: (role, scope = {}) => sync("perm_has", roleOf(role), stringify(scope)), rules: () => parse(sync("perm_rules")) };
for (const n of ["grant", "revoke", "allowCommand", "denyCommand", "grantCommand", "revokeCommand", "allowPlugin", "denyPlugin", "grantPlugin", "revokePlugin"])
  permissions[n] = (target, scope = {}) => call("perm", { name: n, target: roleOf(target), scope });

// Timers.
function timer(f, ms, every, args) {
  if (typeof f !== "function") throw new TypeError("a timer needs a function");
  const id = ++lastID;
  sync("timer", id, Number(ms) || 0, every);
  timers.set(id, { f, args, every, place: place || new Error().stack });
  return id;
}
globalThis.setTimeout = (f, ms, ...args) => timer(f, ms, false, args);
globalThis.setInterval = (f, ms, ...args) => timer(f, ms, true, args);
globalThis.clearTimeout = globalThis.clearInterval = (id) => { if (timers.delete(id)) host("clear", id); };
globalThis.queueMicrotask ??= (f) => { Promise.resolve().then(f); };
function fire(id, turn) {
  const t = timers.get(id);
  if (t === undefined) return host("settle", turn, "ok", "");
  if (!t.every) timers.delete(id);
  return run(turn, () => t.f(...t.args), t.place);
}

// The log.
function show(v, depth = 0) {
  switch (typeof v) {
    case "string": return depth ? stringify(v) : v;
    case "function": return v.name ? `[function ${v.name}]` : "[function]";
    case "symbol": case "undefined": case "bigint": return String(v);
  }
  if (v === null || typeof v !== "object") return String(v);
  try {
    if (v instanceof Error) return depth ? `${v.name}: ${v.message}` : `${v.name}: ${v.message}\n${host("stack", `${v.stack ?? ""}${v.callStack ?? ""}`)}`;
    if (v instanceof Date) return Number.isNaN(v.getTime()) ? "Invalid Date" : v.toISOString();
    if (v instanceof RegExp) return `${v}`;
    if (depth > 3) return "…";
    if (isArray(v)) return `[${v.slice(0, 100).map((x) => show(x, depth + 1)).join(", ")}${v.length > 100 ? ", …" : ""}]`;
    if (v instanceof Map || v instanceof Set) return `${v.constructor.name} ${show([...v], depth + 1)}`;
    return `{${Object.entries(v).slice(0, 100).map(([k, x]) => `${k}: ${show(x, depth + 1)}`).join(", ")}}`;
  } catch { return "[an object that cannot be read]"; }
}
// When Go says that it takes no more lines for a while, those that come anyway are
// only counted.
let silentUntil = 0, leftOut = 0;
const log = (level) => (...args) => {
  const t = clock();
  if (t < silentUntil && t >= silentUntil - 1000) { // else the clock was set
    leftOut++;
    return;
  }
  silentUntil = host("log", level, args.map((a) => show(a)).join(" "), leftOut) ?? 0;
  leftOut = 0;
};
globalThis.console = { log: log("info"), info: log("info"), debug: log("debug"), trace: log("debug"), warn: log("warn"), error: log("error") };

// lifecycle runs what the plugin exports for the moments of its life.
function lifecycle(turn, name, state) {
  const f = exported[name];
  if (f === undefined) return host("settle", turn, "ok", "");
  now = turn;
  place = "";
  if (name !== "onReload") return run(turn, () => f(state === "" ? undefined : parse(state)));
  let v;
  try {
    v = f();
  } catch (e) { return host("settle", turn, "error", stringify(describe(e))); }
  const fail = (e) => { host("settle", turn, "error", stringify(describe(e))); };
  settled(v, (s) => {
    let text = "";
    try {
      if (s !== undefined) text = stringify(s) ?? "";
    } catch (e) { return fail(e); }
    host("settle", turn, "ok", text);
  }, fail);
}
function transaction(id) {
  try {
    callbacks.get(id)();
    return "";
  } catch (e) {
    return stringify(describe(e));
  }
}
function packet(c, text) {
  if (!c?.packet) return;
  now = c.turn;
  place = c.place;
  try {
    c.packet(parse(text));
  } catch (e) { host("failed", stringify(describe(e))); }
}
function load(name) {
  import(name).then((ns) => {
    for (const n of ["onLoad", "onReload", "onUnload"]) {
      if (ns[n] !== undefined && typeof ns[n] !== "function") throw unfit(`${n} is exported but is no function`, "reg_export", n);
      exported[n] = ns[n];
    }
  }).then(() => host("loaded", ""), (e) => host("loaded", stringify(describe(e))));
}
// room throws where no memory is left, in which promises end without a word.
const Bytes = Uint8Array, room = () => { new Bytes(1 << 16); };
// entries are what Go calls. A number that one returns is a turn that ended well, below
// nothing one that ends with the call that its handler returned.
const entries = {
  room,
  late(...ended) { for (let i = 0; i < ended.length; i += 2) done(ended[i], true, ended[i + 1]); }, // calls by their ids, and results
  event, done, timer: fire, lifecycle, load, lost: () => tellLost(), tx: transaction,
  run(id, turn) { const h = handlers.get(id); return run(turn, () => h.f(bot), h.place); },
  packet: (id, text) => packet(calls.get(id), text),
  setup: (text) => setup(parse(text)),
};
// virtualTime makes Date follow the clock of a test.
function virtualTime() {
  const Real = Date, now = () => host("now");
  const Virtual = new Proxy(Real, {
    construct: (t, args, to) => Reflect.construct(t, args.length > 0 ? args : [now()], to === Virtual ? t : to),
    apply: () => new Real(now()).toString(),
  });
  Real.now = now;
  Real.prototype.constructor = Virtual;
  globalThis.Date = Virtual;
}
function setup(s) {
  plugin = Object.freeze(s.plugin);
  config = s.config;
  if (s.virtual) virtualTime();
  for (const n of s.actions) Api.prototype[n] = function (params, packet) { return call("api", { self: this.self, name: n, params }, packet); };
  const all = {
    on, onMatch, onMessage: onOf("message"), onGroup: onOf("message.group"), onPrivate: onOf("message.private"), onNotice: onOf("notice"),
    onRequest: onOf("request"), command, onCommand: command, arg, schedule, ...filters, ...segments, bot, api: bot.api, store: storeOf,
    permissions, stop, plugin, config, errors, ...errors,
  };
  Object.defineProperty(globalThis, Symbol.for("ncat"), { value: Object.freeze(all) });
}
