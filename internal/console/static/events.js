// What an account receives, and a pane to write as the bot.
import { html, useEffect, useState, useRef, useStore, follow, call, account, t, has, time, owner, complain } from './lib.js';

const most = 500; // events that are kept

// words turns a message into text: pictures and the like stay names, nothing is
// fetched from elsewhere.
export function words(message) {
  if (typeof message === 'string') return message;
  return (message || []).map(({ type, data = {} }) => {
    if (type === 'text') return data.text;
    if (type === 'at') return `@${data.qq === 'all' ? t('console.everyone') : data.name || data.qq}`;
    const name = data.name || data.summary || data.file || '';
    return `[${has('console.seg_' + type) ? t('console.seg_' + type) : type}${name && type !== 'image' ? ' ' + name : ''}]`;
  }).join('');
}

const chatOf = (e) => (e.group_id ? `g${e.group_id}` : e.target_id && e.post_type === 'message_sent' ? `u${e.target_id}` : e.user_id ? `u${e.user_id}` : '');
const named = (e) => (e.group_id ? e.group_name || t('console.group', e.group_id) : e.sender?.card || e.sender?.nickname || String(e.user_id));

function Write({ name, chat, wrote }) {
  const [text, set] = useState('');
  const [busy, setBusy] = useState(false);
  const send = async (e) => {
    e.preventDefault();
    if (!text.trim()) return;
    setBusy(true);
    const id = chat.slice(1);
    const group = chat[0] === 'g';
    try {
      const answer = await call(account(name, 'call'), {
        action: group ? 'send_group_msg' : 'send_private_msg',
        params: { [group ? 'group_id' : 'user_id']: id, message: [{ type: 'text', data: { text } }] },
      });
      if (answer.status !== 'ok') throw new Error(answer.wording || answer.message || String(answer.retcode));
      wrote(text);
      set('');
    } catch (err) { complain(err); }
    setBusy(false);
  };
  return html`<form class="write" onSubmit=${send}>
    <label for="text">${t('console.write_to', id(chat))}</label>
    <input id="text" autocomplete="off" value=${text} onInput=${(e) => set(e.target.value)} />
    <button class="main" disabled=${busy || !text.trim()}>${t('console.send')}</button></form>`;
}

const id = (chat) => (chat[0] === 'g' ? t('console.group', chat.slice(1)) : t('console.friend', chat.slice(1)));

export function Page({ rest }) {
  const { status } = useStore();
  const name = status.accounts.find((a) => a.name === rest[0])?.name || status.accounts[0]?.name;
  const [all, setAll] = useState([]);
  const [chat, setChat] = useState('');
  const [to, setTo] = useState('');
  const count = useRef(0);
  const add = (e) => setAll((old) => old.concat({ ...e, key: count.current++ }).slice(-most));
  useEffect(() => {
    setAll([]);
    if (!name) return undefined;
    return follow(account(name, 'events'), (e) => { if (e.post_type && e.post_type !== 'meta_event') add(e); });
  }, [name]);
  const box = useRef();
  useEffect(() => { if (box.current) box.current.scrollTop = box.current.scrollHeight; });
  const chats = new Map();
  for (const e of all) if (chatOf(e)) chats.set(chatOf(e), e.mine ? chats.get(chatOf(e)) || id(chatOf(e)) : named(e));
  const shown = chat ? all.filter((e) => chatOf(e) === chat) : all;
  const choose = (e) => {
    e.preventDefault();
    const kind = e.target.elements.kind.value;
    if (to) { setChat(kind + to); setTo(''); }
  };
  const wrote = (text) => add({ mine: true, post_type: 'message', time: Date.now() / 1000, message: text, [chat[0] === 'g' ? 'group_id' : 'user_id']: chat.slice(1), sender: { nickname: t('console.bot') } });
  return html`<h1>${t('console.page_events')}</h1>
    <div class="row">
      <label>${t('console.account')} <select value=${name} onChange=${(e) => { location.hash = '#/events/' + encodeURIComponent(e.target.value); }}>${status.accounts.map((a) => html`<option key=${a.name} value=${a.name} selected=${a.name === name}>${a.name}</option>`)}</select></label>
      <label>${t('console.chat')} <select value=${chat} onChange=${(e) => setChat(e.target.value)}><option value="">${t('console.all')}</option>
        ${chat && !chats.has(chat) ? html`<option value=${chat}>${id(chat)}</option>` : null}
        ${[...chats].map(([c, n]) => html`<option key=${c} value=${c}>${n}</option>`)}</select></label>
    </div>
    <div class="log chat" ref=${box} tabindex="0" role="log" aria-label=${t('console.page_events')}>
      ${shown.length ? shown.map((e) => html`<div key=${e.key} class=${'line' + (e.mine ? ' mine' : '')}><time>${time(e.time * 1000)}</time> ${e.post_type.startsWith('message')
        ? html`${e.group_id && !chat ? html`<i>${named(e)}</i> ` : null}<b>${e.sender?.card || e.sender?.nickname || e.user_id}</b> <span class="said">${words(e.message)}</span>`
        : html`<i>${e.post_type}.${e.notice_type || e.request_type || ''}${e.sub_type ? '.' + e.sub_type : ''}</i> ${e.group_id || ''} ${e.user_id || ''} ${e.comment || ''}`}</div>`)
        : html`<p class="small">${t('console.no_events')}</p>`}
    </div>
    ${!owner() ? null : chat ? html`<${Write} key=${chat} name=${name} chat=${chat} wrote=${wrote} />` : html`<form class="write" onSubmit=${choose}>
      <label for="kind">${t('console.write_whom')}</label>
      <select id="kind" name="kind"><option value="g">${t('console.to_group')}</option><option value="u">${t('console.to_friend')}</option></select>
      <input aria-label=${t('console.number')} inputmode="numeric" pattern="[0-9]{5,11}" required value=${to} onInput=${(e) => setTo(e.target.value)} />
      <button>${t('console.choose')}</button></form>`}`;
}
