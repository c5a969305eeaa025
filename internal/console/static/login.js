// One account's login: the code, the quick login, the password with what QQ asks
// for afterwards.
import { html, useEffect, useState, useStore, call, account, t, has, ago, owner, Do, say, complain, useAsked, Trouble } from './lib.js';
import { State, useClock } from './accounts.js';

function Code({ of: a }) {
  const l = a.login;
  useClock(1000);
  return html`<section aria-labelledby="scan">
    <h2 id="scan">${t(l.step === 'new_device' ? 'console.scan_device' : 'console.scan')}</h2>
    <p>${t(l.step === 'new_device' ? 'console.scan_device_how' : 'console.scan_how', a.name)}</p>
    <img class="qr" src=${`/v0/${account(a.name, 'login/qr.png')}?seq=${l.seq || 0}&at=${encodeURIComponent(l.issued || '')}`} alt=${t('console.qr_alt', a.name)} width="296" height="296" />
    <p class="small">${t('console.code_age', l.seq || 1, ago(l.issued || Date.now()))}</p>
    <p class="warn box">${t('console.same_phone')}</p>
    ${l.step === 'new_device' ? null : html`<${Do} act=${() => call(account(a.name, 'login/refresh'), {})}>${t('console.new_code')}<//>`}
  </section>`;
}

function Quick({ of: a }) {
  const { data, error } = useAsked(account(a.name, 'login/quick'));
  const list = (data || []).filter((q) => q.quick);
  return html`<section aria-labelledby="quick"><h2 id="quick">${t('console.quick')}</h2>
    <p>${t('console.quick_how')}</p>
    <${Trouble} error=${error} />
    ${data && !list.length ? html`<p class="small">${t('console.quick_none')}</p>` : null}
    <div class="row">${list.map((q) => html`<${Do} key=${q.uin} act=${() => call(account(a.name, 'login/quick'), { uin: q.uin })}>${q.nickname} ${q.uin}<//>`)}</div>
  </section>`;
}

function Password({ of: a }) {
  const [uin, setUIN] = useState(a.uin || '');
  const [word, setWord] = useState('');
  const submit = async (e) => {
    e.preventDefault();
    try {
      await call(account(a.name, 'login/password'), { uin: Number(uin), password: word });
      say(t('console.password_sent'));
    } catch (err) { complain(err); }
    setWord('');
  };
  return html`<section aria-labelledby="pw"><h2 id="pw">${t('console.by_password')}</h2>
    <p>${t('console.by_password_how')}</p>
    <form onSubmit=${submit}>
      <label for="uin">${t('console.uin')}</label>
      <input id="uin" inputmode="numeric" pattern="[0-9]{5,11}" required value=${uin} onInput=${(e) => setUIN(e.target.value)} />
      <label for="word">${t('console.qq_password')}</label>
      <input id="word" type="password" autocomplete="off" required value=${word} onInput=${(e) => setWord(e.target.value)} />
      <button>${t('console.log_in')}</button>
    </form></section>`;
}

function Captcha({ of: a }) {
  const [ticket, setTicket] = useState('');
  const [rand, setRand] = useState('');
  const submit = async (e) => {
    e.preventDefault();
    try {
      await call(account(a.name, 'login/captcha'), { ticket: ticket.trim(), randstr: rand.trim() });
      say(t('console.captcha_sent'));
    } catch (err) { complain(err); }
  };
  // Only an address of the web is made a link: what QQ sends is a text like any other.
  const page = /^https:\/\//.test(a.login.url) ? a.login.url : '';
  return html`<section aria-labelledby="captcha"><h2 id="captcha">${t('console.captcha')}</h2>
    <p>${t('console.captcha_how')}</p>
    ${page ? html`<p><a class="button main" href=${page} target="_blank" rel="noopener noreferrer">${t('console.captcha_open')}</a></p>` : html`<p>${a.login.url}</p>`}
    <form onSubmit=${submit}>
      <label for="ticket">ticket</label><input id="ticket" required autocomplete="off" value=${ticket} onInput=${(e) => setTicket(e.target.value)} />
      <label for="randstr">randstr</label><input id="randstr" required autocomplete="off" value=${rand} onInput=${(e) => setRand(e.target.value)} />
      <button class="main">${t('console.captcha_send')}</button>
    </form></section>`;
}

function Failed({ of: f }) {
  if (!f) return null;
  const method = t('login.method.' + (f.method || 'any'));
  return html`<p class="warn box" role="status">${has('login.failed.' + f.reason) ? t('login.failed.' + f.reason, method) : t('console.login_refused', method, f.cause || f.reason)}</p>`;
}

export function Page({ rest }) {
  const { status } = useStore();
  const a = status.accounts.find((x) => x.name === rest[0]) || status.accounts[0];
  if (!a) return null;
  const l = a.login;
  const code = l && l.url && l.step !== 'captcha';
  return html`<h1>${t('console.login_of', a.name)}</h1>
    <p><${State} of=${a} /> ${l ? html`<span data-step=${l.step}>${t('console.step_' + l.step)}</span>` : null}</p>
    <${Failed} of=${l?.failed} />
    ${a.state === 'online' ? html`<p class="ok box" role="status">${t('console.logged_in', a.nickname || '', a.uin)}</p>
        <p><a class="button main" href="#/accounts">${t('console.page_accounts')}</a></p>`
      : !owner() ? html`<p>${t('console.viewers_no_login')}</p>`
      : html`${l?.step === 'captcha' ? html`<${Captcha} of=${a} />` : null}
        ${code ? html`<${Code} of=${a} />` : null}
        ${l ? html`<${Quick} of=${a} /><${Password} of=${a} />` : html`<p>${t('console.no_login')}</p>`}`}`;
}
