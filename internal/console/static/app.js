// The frame of the console: who is let in, which page is shown, the menu.
import { html, render, useEffect, useState, useStore, useRef, store, change, call, watch, unwatch, loadTexts, settings, t, complain, owner, Do } from './lib.js';
import * as accounts from './accounts.js';

// pages in the order of the menu; all but the first are loaded when asked for.
const pages = ['accounts', 'events', 'logs', 'plots', 'plugins', 'config', 'releases', 'alerts', 'doctor', 'access'];
const forOwners = ['config', 'access'];
const loaded = { accounts };

const place = () => {
  const [page, ...rest] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  return { page: page === 'login' || pages.includes(page) ? page : 'accounts', rest };
};

// enter uses the secret of a link once and takes it out of the address.
async function enter() {
  const secret = new URLSearchParams(location.hash.slice(1)).get('k');
  if (secret) history.replaceState(null, '', location.pathname);
  try {
    if (secret) await call('console/login', { secret });
    change({ me: await call('console/me') });
  } catch (e) {
    if (secret && e.status !== undefined) {
      // The browser may have been let in before.
      try { change({ me: await call('console/me') }); return; } catch { /* it was not */ }
    }
    change({ me: null, refused: secret ? e.message : '' });
  }
}

function Outside() {
  const [password, set] = useState('');
  const submit = async (e) => {
    e.preventDefault();
    try {
      await call('console/login', { password });
      set('');
      change({ me: await call('console/me'), refused: '' });
    } catch (err) { complain(err); }
  };
  return html`<main class="narrow" id="page" tabindex="-1">
    <h1>${t('console.outside')}</h1>
    ${store.refused ? html`<p class="bad box" role="alert">${t('console.link_refused')}</p>` : null}
    <p>${t('console.outside_how')}</p>
    <pre><code>ncatd console</code></pre>
    <form onSubmit=${submit}>
      <label for="password">${t('console.password')}</label>
      <input id="password" type="password" autocomplete="current-password" required value=${password} onInput=${(e) => set(e.target.value)} />
      <button class="main">${t('console.enter')}</button>
    </form>
  </main>`;
}

function Menu({ page }) {
  const nav = useRef();
  useEffect(() => nav.current.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' }), [page]);
  return html`<nav ref=${nav} aria-label=${t('console.menu')}>${pages.filter((p) => owner() || !forOwners.includes(p)).map((p) => html`
    <a key=${p} href=${'#/' + p} aria-current=${p === page ? 'page' : null}>${t('console.page_' + p)}</a>`)}</nav>`;
}

const themes = { auto: 'dark', dark: 'light', light: 'auto' };
const signs = { auto: '◐', dark: '☾', light: '☼' };

function dress() {
  if (settings.theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = settings.theme;
}

function Bar() {
  const [, draw] = useState(0);
  const language = async () => {
    settings.lang = settings.lang === 'zh' ? 'en' : 'zh';
    await loadTexts();
    change({});
  };
  const theme = () => { settings.theme = themes[settings.theme]; dress(); draw((n) => n + 1); };
  const leave = async () => { unwatch(); await call('console/logout', {}); change({ me: null, status: null, live: false }); };
  return html`<header class="bar">
    <a class="skip" href="#page" onClick=${(e) => { e.preventDefault(); document.getElementById('page').focus(); }}>${t('console.skip')}</a>
    <span class="brand">ncatd</span>
    ${store.me ? html`<span class=${'link ' + (store.live ? 'ok' : 'bad')} role="status">${store.live ? t('console.live') : t('console.lost')}</span>` : null}
    ${store.me?.role === 'viewer' ? html`<span class="tag">${t('console.viewer')}</span>` : null}
    <span class="grow"></span>
    <button type="button" aria-label=${t('console.theme_' + settings.theme)} title=${t('console.theme_' + settings.theme)} onClick=${theme}>${signs[settings.theme]}</button>
    <button type="button" lang=${settings.lang === 'zh' ? 'en' : 'zh-CN'} aria-label=${settings.lang === 'zh' ? 'EN, English' : '中文'} onClick=${language}>${settings.lang === 'zh' ? 'EN' : '中文'}</button>
    ${store.me ? html`<${Do} act=${leave}>${t('console.leave')}<//>` : null}
  </header>`;
}

function App() {
  useStore();
  const [at, go] = useState(place());
  const [, draw] = useState(0);
  useEffect(() => {
    const moved = () => {
      if (new URLSearchParams(location.hash.slice(1)).has('k')) enter();
      go(place());
    };
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  const inside = !!store.me;
  useEffect(() => { if (inside) watch(); else unwatch(); }, [inside]);
  useEffect(() => {
    document.title = `${t('console.page_' + at.page)} · ncatd`;
    if (!loaded[at.page]) import(`./${at.page}.js`).then((m) => { loaded[at.page] = m; draw((n) => n + 1); }, complain);
  }, [at.page, settings.lang]);
  const first = useRef(true);
  useEffect(() => {
    if (first.current) { first.current = false; return; }
    document.getElementById('page')?.focus();
  }, [at.page, at.rest.join('/')]);
  if (store.me === undefined) return html`<${Bar} /><main><p>…</p></main>`;
  const Page = loaded[at.page]?.Page;
  return html`<${Bar} />
    ${inside ? html`<${Menu} page=${at.page} />
      <main id="page" tabindex="-1">${Page && store.status ? html`<${Page} key=${at.page + settings.lang} rest=${at.rest} />` : html`<p>…</p>`}</main>`
      : html`<${Outside} />`}
    <div class=${'note' + (store.note?.bad ? ' bad' : '')} role="status" aria-live="polite" hidden=${!store.note}>${store.note?.text}
      ${store.note ? html`<button type="button" aria-label=${t('console.close')} onClick=${() => change({ note: null })}>×</button>` : null}</div>`;
}

dress();
await Promise.all([loadTexts(), enter()]);
render(null, document.getElementById('app'));
document.getElementById('app').replaceChildren();
render(html`<${App} />`, document.getElementById('app'));
