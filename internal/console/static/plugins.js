// The bot's plugins and apps: switched on or off, and what became of them.
import { html, useAsked, Trouble, call, t, has, owner, Do, useStore } from './lib.js';

export function Page() {
  const { data, error, again } = useAsked('plugins');
  const { status } = useStore();
  return html`<h1>${t('console.page_plugins')}</h1>
    <${Trouble} error=${error} />
    ${data && !data.length ? html`<p>${t('console.no_plugins')}</p>` : null}
    <div class="cards">${(data || []).map((p) => html`<article class="card" key=${p.id} aria-labelledby=${'p-' + p.id}>
      <header><h2 id=${'p-' + p.id}>${p.id}</h2><span class="who">${p.version}</span><span class=${'state ' + (p.state === 'running' ? 'ok' : p.state === 'failed' ? 'bad' : '')}>${has('plugin.' + p.state) ? t('plugin.' + p.state) : p.state}</span></header>
      ${p.error ? html`<p class="bad box">${p.error}</p>` : null}
      ${owner() ? html`<${Do} label=${`${t(p.enabled ? 'console.switch_off' : 'console.switch_on')} ${p.id}`} act=${async () => { await call(`plugins/${encodeURIComponent(p.id)}/${p.enabled ? 'disable' : 'enable'}`, {}); await again(); }}>${t(p.enabled ? 'console.switch_off' : 'console.switch_on')}<//>` : null}
    </article>`)}</div>
    <p class="small">${t('console.plugin_config', status.home)}${owner() ? html` <a href="#/config">${t('console.page_config')}</a>` : null}</p>`;
}
