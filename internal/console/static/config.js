// The config file with its comments: checked while one types, saved whole or not
// at all, and never over a change that somebody else made.
import { html, useEffect, useRef, useState, call, t, settings, Do, say, complain, Trouble, store } from './lib.js';

function Outcome({ of: r }) {
  if (!r) return null;
  return html`<div class="box ok" role="status">${r.applied.length + r.restart.length ? null : t('console.reload_nothing')}
    ${r.applied.length ? html`<p>${t('console.reload_applied', r.applied.join(', '))}</p>` : null}
    ${r.restart.length ? html`<p>${t('console.reload_restart', r.restart.join(', '))}</p>
      <div class="row">${restartable(r.restart).map((name) => html`<${Do} key=${name} act=${() => call(`accounts/${encodeURIComponent(name)}/restart`, {})}>${t('console.restart')} ${name}<//>`)}</div>` : null}</div>`;
}

const restartable = (keys) => keys.filter((k) => k.startsWith('accounts.')).map((k) => k.split('.')[1]).filter((n) => store.status.accounts.some((a) => a.name === n));

export function Page() {
  const [file, setFile] = useState(null);
  const [text, setText] = useState('');
  const [checked, setChecked] = useState(null);
  const [error, setError] = useState(null);
  const [outcome, setOutcome] = useState(null);
  const area = useRef();
  const load = async () => {
    try {
      const f = await call('config');
      setFile(f);
      setText(f.text);
      setError(null);
    } catch (e) { setError(e); }
  };
  useEffect(() => { load(); }, []);
  useEffect(() => {
    if (!file) return undefined;
    let late = false;
    const wait = setTimeout(async () => {
      try {
        const c = await call('config/check', { text, lang: settings.lang });
        if (!late) setChecked(c);
      } catch (e) { if (!late) complain(e); }
    }, 300);
    return () => { late = true; clearTimeout(wait); };
  }, [text, file, settings.lang]);
  const changed = file && text !== file.text;
  useEffect(() => {
    const stay = (e) => { if (changed) e.preventDefault(); };
    addEventListener('beforeunload', stay);
    return () => removeEventListener('beforeunload', stay);
  }, [changed]);
  const save = async () => {
    try {
      setFile(await call('config', { text, sum: file.sum, lang: settings.lang }));
    } catch (e) { setError(e); throw e; }
    setError(null);
    setOutcome(null);
    say(t('console.saved'));
  };
  const jump = (p) => {
    const lines = text.split('\n');
    const from = lines.slice(0, p.line - 1).reduce((n, l) => n + l.length + 1, 0);
    area.current.focus();
    area.current.setSelectionRange(from, from + lines[p.line - 1].length);
    area.current.scrollTop = (p.line - 4) * 21;
  };
  return html`<h1>${t('console.page_config')}</h1>
    <${Trouble} error=${error} />
    ${error?.code === 'conflict' ? html`<p><${Do} act=${load}>${t('console.load_anew')}<//></p>` : null}
    ${file ? html`<p class="small">${file.path}</p>
      <label for="file">${t('console.config_text')}</label>
      <textarea id="file" ref=${area} spellcheck=${false} autocapitalize="off" autocomplete="off" aria-describedby="problems" value=${text} onInput=${(e) => setText(e.target.value)}></textarea>
      <div id="problems" aria-live="polite">${!checked ? null : checked.ok && !checked.warnings.length ? html`<p class="ok box">${t('console.config_ok')}</p>`
        : html`<ul class="list">${[...checked.problems, ...checked.warnings].map((p, i) => html`<li key=${i} class=${checked.ok ? 'warn box' : 'bad box'}><span>${p.line ? t('console.line', p.line) + ' ' : ''}${p.message}</span>
          ${p.line ? html`<button type="button" onClick=${() => jump(p)}>${t('console.show')}</button>` : null}</li>`)}</ul>`}</div>
      <div class="row">
        <${Do} cls="main" disabled=${!changed || !checked?.ok} act=${save}>${t('console.save')}<//>
        <${Do} disabled=${changed} act=${async () => setOutcome(await call('reload', {}))}>${t('console.reload')}<//>
        ${changed ? html`<${Do} ask=${t('console.discard_ask')} act=${load}>${t('console.discard')}<//>` : null}
      </div>
      <${Outcome} of=${outcome} />` : null}`;
}
