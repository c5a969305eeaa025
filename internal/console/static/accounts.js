// Every account: how it is, since when, why, what helps, and its switches.
import { html, useEffect, useState, useStore, useAsked, Trouble, call, account, t, has, fault, remedy, ago, when, mib, owner, Do, store } from './lib.js';

// useClock draws anew now and then, for what says how long ago something was.
export function useClock(ms = 15000) {
  const [, draw] = useState(0);
  useEffect(() => {
    const tick = setInterval(() => { if (!document.hidden) draw((n) => n + 1); }, ms);
    return () => clearInterval(tick);
  }, []);
}

const tone = { online: 'ok', failed: 'bad', backoff: 'bad', login_required: 'warn', offline: 'warn' };

export const State = ({ of }) => html`<span class=${'state ' + (tone[of.state] || '')} data-state=${of.state}>${t('state.' + of.state)}</span>`;

export const who = (a) => (a.uin ? `${a.nickname || ''} (${a.uin})`.trim() : t('console.nobody_yet'));

function Switches({ of: a }) {
  const off = a.state === 'stopped' || a.state === 'stopping';
  return html`<div class="row">
    ${off ? html`<${Do} cls="main" label=${`${t('console.start')} ${a.name}`} act=${() => call(account(a.name, 'want'), { want: 'running' })}>${t('console.start')}<//>`
      : html`<${Do} label=${`${t('console.stop')} ${a.name}`} ask=${t('console.stop_ask', a.name)} act=${() => call(account(a.name, 'want'), { want: 'stopped' })}>${t('console.stop')}<//>`}
    <${Do} label=${`${t('console.restart')} ${a.name}`} ask=${off ? null : t('console.restart_ask', a.name)} act=${() => call(account(a.name, 'restart'), {})}>${t('console.restart')}<//>
  </div>`;
}

// Card is one account; at names another host of the fleet, on which it is.
function Card({ of: a, at = '' }) {
  const why = fault(a.fault, a.detail || (has('reason.' + a.reason) ? t('reason.' + a.reason) : a.reason));
  const helps = remedy(a.fault);
  return html`<article class="card" aria-labelledby=${`a-${at}-${a.name}`}>
    <header><h2 id=${`a-${at}-${a.name}`}>${a.name}</h2><span class="who">${who(a)}</span><${State} of=${a} /></header>
    <p class="why">${why}</p>
    ${helps ? html`<p class="hint">${helps}</p>` : null}
    ${a.login && a.state !== 'online' && !at ? html`<p><a class="button main" href=${'#/login/' + encodeURIComponent(a.name)}>${t('console.go_login')}</a></p>` : null}
    ${(a.degraded || []).map((d) => html`<p key=${d.code + d.since} class="warn box">${fault(d, d.detail)}${remedy(d) ? html`<br /><span class="hint">${remedy(d)}</span>` : null}</p>`)}
    <dl>
      <div><dt>${t('console.since')}</dt><dd><time datetime=${a.since} title=${when(a.since)}>${ago(a.since)}</time></dd></div>
      ${a.next_try ? html`<div><dt>${t('console.next_try')}</dt><dd>${ago(a.next_try)}</dd></div>` : null}
      <div><dt>${t('console.memory')}</dt><dd>${mib(a.rss_bytes)}</dd></div>
      <div><dt>${t('console.cpu')}</dt><dd>${a.cpu_percent.toFixed(1)} %</dd></div>
      <div><dt>${t('console.events')}</dt><dd>${a.events}</dd></div>
      <div><dt>${t('console.calls')}</dt><dd>${a.calls}</dd></div>
      <div><dt>${t('console.restarts')}</dt><dd>${a.restarts}</dd></div>
      <div><dt>NapCat</dt><dd>${a.napcat_version || '–'}</dd></div>
      <div><dt>QQ</dt><dd>${a.qq_version || '–'}</dd></div>
    </dl>
    ${owner() && !at ? html`<${Switches} of=${a} />` : null}
    ${a.history?.length ? html`<details><summary>${t('console.history')}</summary><ol class="history">${a.history.slice().reverse().map((h, i) => html`
      <li key=${i}><time datetime=${h.time}>${when(h.time)}</time> <b>${t('state.' + h.state)}</b> ${fault(h.fault, h.detail)}</li>`)}</ol></details>` : null}
  </article>`;
}

// Hosts are the others of the fleet, as they were last heard.
function Hosts() {
  const { data, error, again } = useAsked('fleet');
  useEffect(() => {
    const tick = setInterval(() => { if (!document.hidden) again(); }, 5000);
    return () => clearInterval(tick);
  }, []);
  return html`<${Trouble} error=${error} />${(data || []).filter((h) => !h.here).map((h) => html`<section key=${h.name} aria-labelledby=${'h-' + h.name}>
    <h2 id=${'h-' + h.name}>${t('console.host', h.name)}</h2>
    ${h.silent ? html`<p class="bad box">${t('console.host_silent', ago(h.heard))}</p>` : html`<p class="small">${t('console.host_elsewhere')}</p>`}
    <div class="cards">${h.status.accounts.map((a) => html`<${Card} key=${a.name} of=${a} at=${h.name} />`)}</div></section>`)}`;
}

export function Page() {
  const { status } = useStore();
  useClock();
  const crash = status.last_crash;
  return html`<h1>${t('console.page_accounts')}</h1>
    <div class="cards">${status.accounts.map((a) => html`<${Card} key=${a.name} of=${a} />`)}</div>
    ${status.host && owner() ? html`<${Hosts} />` : null}
    ${status.rolled_back ? html`<p class="warn box">${t('console.rolled_back', status.rolled_back.napcat_version, status.rolled_back.qq_version, status.rolled_back.reason)}</p>` : null}
    ${crash ? html`<p class="warn box">${t('console.crashed', when(crash.time), crash.panic || '–')}</p>` : null}
    <p class="small">ncatd ${status.version} · ${status.home} · ${t('console.up', ago(status.started))}</p>`;
}
