// What is wrong, who is told of it, and how to keep that quiet for a while.
import { html, useEffect, useState, useAsked, useStore, Trouble, call, t, has, fault, remedy, ago, when, owner, Do, say, complain } from './lib.js';

const kind = (k) => (has('alert.kind.' + k) ? t('alert.kind.' + k) : k);
const about = (x) => [x.account, x.subject !== x.fault?.code && x.subject].filter(Boolean).join(' · ');

function Channel({ of: c, again }) {
  const test = async () => {
    const [result] = await call('alerts/test', { channel: c.name });
    if (result?.failed) throw Object.assign(new Error(fault(result.failed)), { hint: remedy(result.failed) });
    say(t('console.alert_taken', c.name));
    await again();
  };
  return html`<li><div><b>${c.name}</b> <span class="tag">${c.kind}</span>
    ${c.waiting ? html` <span class="small">${t('console.alert_waiting', c.waiting)}</span>` : null}
    ${c.failing ? html`<p class="bad box">${fault(c.failing)} ${c.since ? ago(c.since) : ''}${remedy(c.failing) ? html`<br /><span class="hint">${remedy(c.failing)}</span>` : null}</p>` : null}</div>
    ${owner() ? html`<${Do} label=${`${t('console.alert_test')} ${c.name}`} act=${test}>${t('console.alert_test')}<//>` : null}</li>`;
}

function Silence({ silenced, again }) {
  const { status } = useStore();
  const [name, setName] = useState('');
  const [hours, setHours] = useState('2');
  const set = async (account, seconds) => {
    await call('alerts/silence', { account, seconds });
    await again();
  };
  const submit = (e) => {
    e.preventDefault();
    set(name, Number(hours) * 3600).catch(complain);
  };
  return html`<section aria-labelledby="quiet"><h2 id="quiet">${t('console.alert_silence')}</h2>
    <ul class="list">${silenced.map((s) => html`<li key=${s.account}><span>${s.account || t('console.all')} · ${t('console.alert_until', when(s.until))}</span>
      ${owner() ? html`<${Do} label=${`${t('console.alert_speak')} ${s.account}`} act=${() => set(s.account, 0)}>${t('console.alert_speak')}<//>` : null}</li>`)}</ul>
    ${owner() ? html`<form class="row" onSubmit=${submit}>
      <label>${t('console.account')} <select value=${name} onChange=${(e) => setName(e.target.value)}><option value="">${t('console.all')}</option>${status.accounts.map((a) => html`<option key=${a.name} value=${a.name}>${a.name}</option>`)}</select></label>
      <label>${t('console.alert_hours')} <input type="number" min="0.5" max="168" step="0.5" required value=${hours} onInput=${(e) => setHours(e.target.value)} /></label>
      <button>${t('console.alert_quiet')}</button></form>` : null}</section>`;
}

export function Page() {
  const { data, error, again } = useAsked('alerts');
  const log = useAsked('alerts/log');
  useEffect(() => {
    const tick = setInterval(() => { if (!document.hidden) { again(); log.again(); } }, 10000);
    return () => clearInterval(tick);
  }, []);
  return html`<h1>${t('console.page_alerts')}</h1>
    <${Trouble} error=${error} />
    ${data ? html`<section aria-labelledby="open"><h2 id="open">${t('console.alert_open')}</h2>
      ${data.open.length ? html`<ul class="list">${data.open.map((o, i) => html`<li key=${i}><div><b>${kind(o.kind)}</b> ${about(o)}<br /><span>${fault(o.fault)}</span><br /><span class="small">${t('console.alert_since', ago(o.since))} · ${t(o.told ? 'console.alert_told' : 'console.alert_untold')}${o.gone ? ' · ' + t('console.alert_gone', ago(o.gone)) : ''}</span></div></li>`)}</ul>`
        : html`<p>${t('console.alert_none')}</p>`}</section>
    <section aria-labelledby="channels"><h2 id="channels">${t('console.alert_channels')}</h2>
      ${data.channels.length ? html`<ul class="list">${data.channels.map((c) => html`<${Channel} key=${c.name} of=${c} again=${again} />`)}</ul>` : html`<p>${t('console.alert_no_channel')}</p>`}</section>
    <${Silence} silenced=${data.silenced} again=${again} />` : null}
    ${log.data?.length ? html`<details><summary>${t('console.alert_log')}</summary><ol class="history">${log.data.slice().reverse().map((e, i) => html`
      <li key=${i}><time datetime=${e.time}>${when(e.time)}</time> <b>${e.channel}</b> ${e.items.map((x) => [kind(x.kind), about(x), x.subject === x.fault?.code && fault(x.fault)].filter(Boolean).join(' ')).join(', ')} ${e.failed ? html`<span class="bad">${fault(e.failed)}</span>` : null}</li>`)}</ol></details>` : null}`;
}
