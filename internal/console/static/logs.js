// The logs of ncatd and of every NapCat, merged and live.
import { html, useEffect, useState, useRef, useStore, follow, t, time } from './lib.js';

const most = 1000; // lines that are kept
const levels = ['debug', 'info', 'warn', 'error'];

export function Page() {
  const { status } = useStore();
  const [level, setLevel] = useState('info');
  const [name, setName] = useState('');
  const [word, setWord] = useState('');
  const [all, setAll] = useState([]);
  const [held, hold] = useState(false);
  const box = useRef();
  useEffect(() => {
    let waiting = [];
    let fresh = true;
    const show = () => {
      if (!waiting.length) return;
      const more = waiting;
      waiting = [];
      setAll((old) => (fresh ? more : old.concat(more)).slice(-most));
      fresh = false;
    };
    const tick = setInterval(show, 100); // a storm of lines is drawn ten times a second
    const query = new URLSearchParams({ lines: '300', follow: 'true', level });
    if (name) query.set('account', name);
    const stop = follow('logs?' + query, (r) => waiting.push(r), () => { show(); fresh = true; });
    return () => { stop(); clearInterval(tick); };
  }, [level, name]);
  const sought = word.toLowerCase();
  const list = sought ? all.filter((r) => `${r.msg} ${r.attrs || ''} ${r.account || ''}`.toLowerCase().includes(sought)) : all;
  useEffect(() => { if (!held && box.current) box.current.scrollTop = box.current.scrollHeight; });
  return html`<h1>${t('console.page_logs')}</h1>
    <form class="row" onSubmit=${(e) => e.preventDefault()}>
      <label>${t('console.level')} <select value=${level} onChange=${(e) => setLevel(e.target.value)}>${levels.map((l) => html`<option key=${l} value=${l} selected=${l === level}>${l}</option>`)}</select></label>
      <label>${t('console.account')} <select value=${name} onChange=${(e) => setName(e.target.value)}><option value="">${t('console.all')}</option>${status.accounts.map((a) => html`<option key=${a.name} value=${a.name}>${a.name}</option>`)}</select></label>
      <label>${t('console.find')} <input type="search" value=${word} onInput=${(e) => setWord(e.target.value)} /></label>
      <label class="check"><input type="checkbox" checked=${held} onChange=${(e) => hold(e.target.checked)} /> ${t('console.hold')}</label>
    </form>
    <div class="log" ref=${box} tabindex="0" role="log" aria-live="off" aria-label=${t('console.page_logs')}>
      ${list.length ? list.map((r, i) => html`<div key=${i} class=${'line ' + r.level}><time datetime=${r.time}>${time(r.time)}</time> <span class="level">${r.level}</span> ${r.account ? html`<b>${r.account}</b>` : null} ${r.source === 'napcat' ? html`<i>NapCat</i>` : null} <span>${r.msg}</span> <span class="attrs">${r.attrs || ''}</span></div>`)
        : html`<p class="small">${t('console.no_lines')}</p>`}
    </div>`;
}
