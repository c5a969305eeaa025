// NapCat and QQ: what is installed, what is newer, and the way back.
import { html, useEffect, useState, useAsked, useStore, Trouble, lines, call, t, has, mib, when, owner, confirmed, complain, settings, say } from './lib.js';

// job runs an upgrade or a rollback and tells how it goes.
async function job(path, body, tell) {
  let bad = null;
  await lines(`${path}?lang=${settings.lang}`, (l) => { if (l.error) bad = l.error; else tell(l); },
    { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  if (bad) throw Object.assign(new Error(bad.message), { hint: bad.hint });
}

function Progress({ of: p }) {
  if (!p) return null;
  const kind = p.kind || p.event || '';
  const part = p.total > 0 ? p.bytes / p.total : null;
  return html`<div role="status"><p>${has('console.install_' + kind) ? t('console.install_' + kind) : kind} ${p.product || ''} ${p.version || ''} ${p.bytes ? mib(p.bytes) : ''}</p>
    ${part !== null ? html`<progress max="1" value=${part} aria-label=${t('console.progress')}></progress>` : html`<progress aria-label=${t('console.progress')}></progress>`}</div>`;
}

export function Page() {
  const { data, error, again } = useAsked('releases?lang=' + settings.lang);
  const [busy, setBusy] = useState(false);
  const [step, setStep] = useState(null);
  const { status } = useStore();
  const newest = data?.known_napcat?.[0]?.version;
  const start = async (path, body, question) => {
    if (!(await confirmed(question))) return;
    setBusy(true);
    try {
      await job(path, body, setStep);
      say(t('console.job_done'));
    } catch (e) { complain(e); }
    setBusy(false);
    setStep(null);
    again();
  };
  const installed = (list) => html`<ul class="list">${(list || []).map((v) => html`<li key=${v.version}><span>${v.version} ${v.current ? html`<span class="tag">${t('console.current')}</span>` : null}<br /><span class="small">${mib(v.bytes)} · ${when(v.installed)}</span></span></li>`)}</ul>`;
  return html`<h1>${t('console.page_releases')}</h1>
    <${Trouble} error=${error} />
    ${status.rolled_back ? html`<p class="warn box">${t('console.rolled_back', status.rolled_back.napcat_version, status.rolled_back.qq_version, status.rolled_back.reason)}</p>` : null}
    ${data ? html`
      <p>${t('console.runs', data.current?.napcat?.version || '–', data.current?.qq?.version || '–')}${newest ? html`<br />${t('console.newest', newest)}` : ''}</p>
      ${owner() ? html`<div class="row">
        <button type="button" class="main" disabled=${busy} onClick=${() => start('releases/upgrade', {}, t('console.upgrade_ask'))}>${t('console.upgrade')}</button>
        <button type="button" disabled=${busy || !data.previous?.length} onClick=${() => start('releases/rollback', {}, t('console.rollback_ask'))}>${t('console.rollback')}</button></div>` : null}
      ${busy ? html`<${Progress} of=${step || {}} />` : null}
      <section aria-labelledby="nc"><h2 id="nc">NapCat</h2>${installed(data.napcat)}</section>
      <section aria-labelledby="qq"><h2 id="qq">QQ</h2>${installed(data.qq)}</section>` : error ? null : html`<p role="status">…</p>`}`;
}
