// The bot's plugins and apps: switched on or off, and what became of them.
import { html, useAsked, Trouble, call, t, has, fault, remedy, ago, owner, Do, useStore } from './lib.js';
import { State } from './accounts.js';

function Apps() {
  const { data } = useAsked('status');
  if (!data?.apps?.length) return null;
  return html`<section aria-labelledby="apps"><h2 id="apps">${t('console.apps')}</h2><div class="cards">${data.apps.map((a) => html`
    <article class="card" key=${a.name} aria-labelledby=${'app-' + a.name}>
      <header><h3 id=${'app-' + a.name}>${a.name}</h3><span class="who">${a.accounts.join(', ')} · ${a.transports.join(', ')}</span>${a.state ? html`<${State} of=${a} />` : null}</header>
      ${a.fault || a.detail ? html`<p class="why">${fault(a.fault, a.detail)}</p>` : null}
      ${remedy(a.fault) ? html`<p class="hint">${remedy(a.fault)}</p>` : null}
      <dl>${a.since ? html`<div><dt>${t('console.since')}</dt><dd>${ago(a.since)}</dd></div>` : null}
        <div><dt>${t('console.links')}</dt><dd>${a.links}</dd></div>
        <div><dt>${t('console.events')}</dt><dd>${a.events}</dd></div></dl>
    </article>`)}</div></section>`;
}

export function Page() {
  const { data, error, again } = useAsked('plugins');
  const { status } = useStore();
  return html`<h1>${t('console.page_plugins')}</h1>
    <${Trouble} error=${error} />
    ${data && !data.length ? html`<p>${t('console.no_plugins')}</p>` : null}
    <div class="cards">${(data || []).map((p) => html`<article class="card" key=${p.id} aria-labelledby=${'p-' + p.id}>
      <header><h2 id=${'p-' + p.id}>${p.id}</h2><span class="who">${p.version === '0' ? '' : p.version}</span><span class=${'state ' + (p.state === 'running' ? 'ok' : p.state === 'failed' ? 'bad' : '')}>${has('plugin.' + p.state) ? t('plugin.' + p.state) : p.state}</span></header>
      ${p.error ? html`<p class="bad box">${fault(p.fault, p.error)}</p>` : null}
      ${owner() ? html`<${Do} label=${`${t(p.enabled ? 'console.switch_off' : 'console.switch_on')} ${p.id}`} act=${async () => { await call(`plugins/${encodeURIComponent(p.id)}/${p.enabled ? 'disable' : 'enable'}`, {}); await again(); }}>${t(p.enabled ? 'console.switch_off' : 'console.switch_on')}<//>` : null}
    </article>`)}</div>
    <${Apps} />
    <p class="small">${t('console.plugin_config', status.home)}${owner() ? html` <a href="#/config">${t('console.page_config')}</a>` : null}</p>`;
}
