// What ncatd doctor finds on this machine.
import { html, useState, useEffect, lines, t, settings, Do, Trouble, owner } from './lib.js';

const tones = { ok: 'ok', info: '', warning: 'warn', error: 'bad' };

export function Page() {
  const [report, set] = useState(null);
  const [error, setError] = useState(null);
  const look = async (online) => {
    setError(null);
    let got = null;
    try {
      await lines(`doctor?lang=${settings.lang}${online ? '&online=true' : ''}`, (l) => { got = l; });
      if (got?.error) setError(got.error);
      else set(got);
    } catch (e) { setError(e); }
  };
  useEffect(() => { if (owner()) look(false); }, [settings.lang]);
  if (!owner()) return html`<h1>${t('console.page_doctor')}</h1><p>${t('console.owners_only')}</p>`;
  const rank = ['error', 'warning', 'info', 'ok'];
  const found = (report?.findings || []).slice().sort((a, b) => rank.indexOf(a.severity) - rank.indexOf(b.severity));
  return html`<h1>${t('console.page_doctor')}</h1>
    <div class="row"><${Do} act=${() => look(false)}>${t('console.look_again')}<//><${Do} act=${() => look(true)}>${t('console.look_online')}<//></div>
    <${Trouble} error=${error} />
    ${report || error ? null : html`<p role="status">${t('console.looking')}</p>`}
    ${report ? html`<p class=${report.ok ? 'ok box' : 'bad box'} role="status">${t(report.ok ? 'console.doctor_ok' : 'console.doctor_bad')}</p>
      ${report.command ? html`<p>${t('console.doctor_command')}</p><pre tabindex="0"><code>${report.command}</code></pre>` : null}` : null}
    <ul class="list">${found.map((f, i) => html`<li key=${i}><div><span class=${'tag ' + tones[f.severity]}>${t('doctor.mark.' + f.severity)}</span> ${f.message}
      ${f.meaning ? html`<br /><span class="hint">${f.meaning}</span>` : null}${f.fix ? html`<br /><code>${f.fix}</code>` : null}</div></li>`)}</ul>`;
}
