// Who was let in, and who else shall be.
import { html, useState, useAsked, Trouble, call, t, ago, Do, say, complain } from './lib.js';

function Link({ role }) {
  const [link, set] = useState(null);
  return html`<div>
    <${Do} act=${async () => set(await call('console/link', { role }))}>${t('console.link_' + role)}<//>
    ${link ? html`<p><label for=${'l-' + role}>${t('console.link_once')}</label><input id=${'l-' + role} readonly value=${link.url} onFocus=${(e) => e.target.select()} /></p>` : null}
  </div>`;
}

function Password({ set, again }) {
  const [word, setWord] = useState('');
  const submit = async (e) => {
    e.preventDefault();
    try {
      await call('console/password', { password: word });
      say(t('console.password_set'));
      setWord('');
      again();
    } catch (err) { complain(err); }
  };
  return html`<section aria-labelledby="own"><h2 id="own">${t('console.password')}</h2>
    <p>${t(set ? 'console.password_is' : 'console.password_none')}</p>
    <form onSubmit=${submit}>
      <label for="new">${t('console.password_new')}</label>
      <input id="new" type="password" autocomplete="new-password" minlength="10" required value=${word} onInput=${(e) => setWord(e.target.value)} />
      <div class="row"><button>${t('console.save')}</button>
      ${set ? html`<${Do} ask=${t('console.password_off_ask')} act=${async () => { await call('console/password', { password: '' }); again(); }}>${t('console.password_off')}<//>` : null}</div>
    </form></section>`;
}

export function Page() {
  const { data, error, again } = useAsked('console/sessions');
  const me = useAsked('console/me');
  return html`<h1>${t('console.page_access')}</h1>
    <${Trouble} error=${error} />
    <section aria-labelledby="in"><h2 id="in">${t('console.sessions')}</h2>
    <ul class="list">${(data || []).map((s) => html`<li key=${s.id}>
      <div><b>${t('console.role_' + s.role)}</b> ${s.current ? html`<span class="tag">${t('console.this_one')}</span>` : null}<br />
        <span class="small">${s.agent}<br />${s.from} · ${t('console.used', ago(s.used))}</span></div>
      <${Do} label=${`${t('console.revoke')} ${s.id}`} ask=${s.current ? t('console.revoke_self') : null} act=${async () => { await call(`console/sessions/${s.id}/revoke`, {}); await again(); }}>${t('console.revoke')}<//>
    </li>`)}</ul>
    <${Do} ask=${t('console.revoke_all_ask')} act=${async () => { await call('console/sessions/all/revoke', {}); await again(); }}>${t('console.revoke_all')}<//></section>
    <section aria-labelledby="more"><h2 id="more">${t('console.let_in')}</h2><p>${t('console.let_in_how')}</p>
      <${Link} role="owner" /><${Link} role="viewer" /></section>
    <${Password} set=${me.data?.password} again=${me.again} />`;
}
