// What all pages share: the texts, the client of the control API, and the one
// copy of the daemon's state, which the watch stream keeps.
import { html, render, useEffect, useState, useRef } from './vendor/htm-preact-standalone.module.js';
export { html, render, useEffect, useState, useRef };

// ---- Texts. They come from ncatd's catalogue, in which verbs are those of Go.

export const settings = {
  get lang() {
    const kept = localStorage.getItem('lang');
    return kept || (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');
  },
  set lang(l) { localStorage.setItem('lang', l); },
  get theme() { return localStorage.getItem('theme') || 'auto'; },
  set theme(v) { localStorage.setItem('theme', v); },
};

let texts = {};

export async function loadTexts() {
  const answer = await fetch(`/console/texts.${settings.lang}.json`);
  texts = await answer.json();
  document.documentElement.lang = settings.lang === 'zh' ? 'zh-CN' : 'en';
}

export const has = (code) => code in texts;

// t returns the text of a code with args put in.
export function t(code, ...args) {
  let next = 0;
  return (texts[code] ?? code).replace(/%(?:\[(\d+)\])?(?:\.(\d+))?([sdqvf%])/g, (_, index, digits, verb) => {
    if (verb === '%') return '%';
    const v = args[index ? (next = Number(index)) - 1 : next++] ?? '';
    return verb === 'q' ? `"${v}"` : verb === 'f' && digits ? Number(v).toFixed(Number(digits)) : String(v);
  });
}

// fault words why something is as it is, causes included: a text that ends in a
// colon introduces its cause, one in parentheses belongs to what it comes after.
export function fault(f, otherwise = '') {
  let s = '', before = '';
  for (let c = f; c && c.code; c = c.cause) {
    const text = texts['fault.' + c.code] ?? c.code;
    if (s) s += /：$/.test(before) || text[0] === '（' ? '' : before.endsWith(':') || text[0] === '(' ? ' ' : settings.lang === 'zh' ? '；' : '; ';
    s += has('fault.' + c.code) ? t('fault.' + c.code, ...(c.args || [])) : c.code;
    before = text;
  }
  return (/[:：]$/.test(before) ? s.replace(/[:：]+$/, '') : s) || otherwise;
}

// remedy is what helps against a fault, "" if nothing is known.
export function remedy(f) {
  for (let c = f; c && c.code; c = c.cause) if (has('hint.fault.' + c.code)) return t('hint.fault.' + c.code);
  return '';
}

export const time = (x) => new Date(x).toLocaleTimeString(locale(), { hour12: false });
export const when = (x) => new Date(x).toLocaleString(locale(), { hour12: false, month: 'numeric', day: 'numeric', hour: '2-digit', minute: '2-digit' });
export const locale = () => (settings.lang === 'zh' ? 'zh-CN' : 'en-GB');
const units = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];

// ago says how long ago (or until when) a time is.
export function ago(x) {
  const s = (new Date(x) - Date.now()) / 1000;
  const [unit, size] = units.find(([, n]) => Math.abs(s) >= n) || units[3];
  return new Intl.RelativeTimeFormat(locale(), { style: 'short', numeric: 'auto' }).format(Math.round(s / size), unit);
}

export const mib = (b) => new Intl.NumberFormat(locale(), { maximumFractionDigits: 0 }).format(b / 1048576) + ' MiB';

// ---- The control API.

export class Refused extends Error {
  constructor(status, error) {
    const own = error.fault && error.fault.code ? fault(error.fault) : '';
    super(own || error.message);
    this.code = error.code;
    this.status = status;
    this.hint = own ? remedy(error.fault) : error.hint || '';
  }
}

async function refused(answer) {
  let error = { code: 'internal', message: `HTTP ${answer.status}` };
  try { error = (await answer.json()).error || error; } catch { /* no body of ours */ }
  if (answer.status === 401 && store.me) change({ me: null });
  return new Refused(answer.status, error);
}

// call makes one request; a body makes it a POST.
export async function call(path, body, init = {}) {
  const answer = await fetch('/v0/' + path, body === undefined ? init : {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), ...init,
  });
  if (!answer.ok) throw await refused(answer);
  return answer.json();
}

export const account = (name, rest) => `accounts/${encodeURIComponent(name)}/${rest}`;

// lines calls each with every line of a stream and returns when it ends.
export async function lines(path, each, init = {}) {
  const answer = await fetch('/v0/' + path, { cache: 'no-store', ...init });
  if (!answer.ok) throw await refused(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n');
    rest = parts.pop();
    for (const p of parts) if (p.trim()) each(JSON.parse(p));
  }
}

// follow keeps a stream open until the page lets go of it.
export function follow(path, each, ended = () => {}) {
  const stop = new AbortController();
  (async () => {
    for (let pause = 250; !stop.signal.aborted; pause = Math.min(pause * 2, 4000)) {
      const began = Date.now();
      try {
        await lines(path, each, { signal: stop.signal });
      } catch (e) {
        if (stop.signal.aborted || e.status === 401) return;
        if (e instanceof Refused) { ended(e); return; }
      }
      ended();
      if (Date.now() - began > 5000) pause = 250;
      await new Promise((r) => setTimeout(r, pause));
    }
  })();
  return () => stop.abort();
}

// ---- The state.

export const store = { me: undefined, status: null, live: false, note: null };
const readers = new Set();

export function change(part) {
  Object.assign(store, part);
  for (const r of readers) r();
}

// useStore draws a component anew whenever the state changes.
export function useStore() {
  const [, draw] = useState(0);
  useEffect(() => {
    const r = () => draw((n) => n + 1);
    readers.add(r);
    return () => readers.delete(r);
  }, []);
  return store;
}

let letGo = null;

export function watch() {
  letGo?.();
  letGo = follow('watch', (item) => {
    if (item.kind === 'snapshot') change({ status: item.status, live: true });
    else if (item.kind === 'state' && store.status) {
      const list = store.status.accounts.slice();
      const i = list.findIndex((a) => a.name === item.account);
      if (i < 0) list.push(item.state);
      else list[i] = item.state;
      change({ status: { ...store.status, accounts: list } });
    }
  }, () => change({ live: false }));
}

export function unwatch() {
  letGo?.();
  letGo = null;
}

// ---- What pages are made of.

export const owner = () => store.me?.role === 'owner';

// say tells an outcome where every page and every screen reader has it.
let quiet;
export function say(text, bad = false) {
  change({ note: { text, bad } });
  clearTimeout(quiet);
  quiet = setTimeout(() => change({ note: null }), bad ? 15000 : 5000);
}

export function complain(e) {
  say(e.hint ? `${e.message} — ${e.hint}` : e.message, true);
}

// Do is a button that does something which takes a while and may be refused.
export function Do({ act, done, ask, children, cls = '', label, disabled }) {
  const [busy, setBusy] = useState(false);
  const click = async () => {
    if (ask && !(await confirmed(ask))) return;
    setBusy(true);
    try {
      await act();
      if (done) say(done);
    } catch (e) { complain(e); }
    setBusy(false);
  };
  return html`<button type="button" class=${cls} aria-label=${label} disabled=${busy || disabled} onClick=${click}>${children}</button>`;
}

// confirmed asks before something that is not easily undone.
export function confirmed(question) {
  return new Promise((answer) => {
    const d = document.createElement('dialog');
    document.body.append(d);
    const close = (yes) => { d.close(); render(null, d); d.remove(); answer(yes); };
    d.addEventListener('cancel', (e) => { e.preventDefault(); close(false); });
    d.setAttribute('aria-labelledby', 'question');
    render(html`<p id="question">${question}</p><div class="row">
      <button type="button" class="main" onClick=${() => close(true)}>${t('console.yes')}</button>
      <button type="button" onClick=${() => close(false)}>${t('console.no')}</button></div>`, d);
    d.showModal();
  });
}

// useAsked asks the API when the page opens; again asks anew.
export function useAsked(path) {
  const [x, set] = useState({});
  const again = () => call(path).then((data) => set({ data }), (error) => set({ error }));
  useEffect(() => { again(); }, [path]);
  return { ...x, again };
}

export function Trouble({ error }) {
  if (!error) return null;
  return html`<p class="bad box" role="alert">${error.message}${error.hint ? html`<br /><span class="hint">${error.hint}</span>` : null}</p>`;
}
