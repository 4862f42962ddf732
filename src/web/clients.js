// Who is connected, for operators: a list with filters, and what ends connections and revokes tokens and keys. Without the
// operators' key, a box for it.

import { age, bytes, el, field, number, toast } from './kit.js';
import { ask } from './operator.js';
import { mountForOperators, showRows } from './operators-page.js';

const ROWS = 100; // in the list at first, and more with each click
const SURE = 4000; // for so long a second click on the same button means it, in milliseconds
const LATE = ', and not all reactors have answered yet';
const LATE_NODES = ', and not all nodes have answered';
const FILTERS = [['user', 'User'], ['key', 'Key'], ['channel', 'Subscribed to'], ['address', 'Address']];
const TRANSPORTS = { '': 'Every transport', websocket: 'WebSockets', event_stream: 'Event streams', http: 'HTTP' };
const CREDENTIALS = { user: 'User', key: 'Key', token: 'Token id' };

export function mount(root, tidings) {
  mountForOperators(root, tidings, 'Who is connected', operatorsPage);
}

function operatorsPage(onChange) {
  const list = el('ul', { class: 'clients' });
  const nobody = el('p', { class: 'empty', hidden: true }, 'No connection is like that.');
  const revoked = el('ul', { class: 'clients' });
  const noneRevoked = el('p', { class: 'empty' }, 'Nothing is revoked.');
  const othersRevoked = el('p', { class: 'hint', hidden: true }, 'These are the first 1,000; GET /admin/revocations has the rest.');
  let wanted = ROWS;
  const more = el('button', { hidden: true, onclick: () => {
    wanted += ROWS;
    onChange();
  } }, 'Show more');
  const filters = filterForm(() => {
    wanted = ROWS;
    onChange();
  });
  const element = el('div', { class: 'stack', hidden: true },
    el('section', { class: 'card', 'aria-label': 'Connections' }, filters.element, list, nobody, el('div', { class: 'row' }, more)),
    el('section', { class: 'card' }, el('h2', {}, 'Revoked'), revokeForm(onChange), revoked, noneRevoked, othersRevoked));
  return {
    element,
    async read() {
      const { rows, isMore, late } = await pages(filters.query(), wanted);
      showRows(list, rows, ({ connection, who, user, key, token }) => [connection, who, user, key, token].join(), (row) => clientRow(row, onChange));
      nobody.hidden = rows.length > 0;
      more.hidden = !isMore;
      const { revocations, next } = await (await ask('/admin/revocations?limit=1000')).json();
      showRows(revoked, revocations, ({ user, key, token, since }) => [user, key, token, since].join(), (each) => revocationRow(each, onChange));
      noneRevoked.hidden = revocations.length > 0;
      othersRevoked.hidden = !next;
      const count = `${isMore ? 'the first ' : ''}${number(rows.length)} connection${rows.length === 1 ? '' : 's'}`;
      return `${count}, read every five seconds${late}`;
    },
  };
}

/** As many rows as are wanted, whether there are more, and who has not answered. */
async function pages(query, wanted) {
  const rows = [];
  let after = '';
  let late = '';
  for (;;) {
    const limit = Math.min(1000, wanted - rows.length);
    const page = await (await ask(`/admin/connections?limit=${limit}${query}${after}`)).json();
    const { connections, next } = page;
    rows.push(...connections);
    if (page.missing) late = LATE;
    if (page.missing_nodes || page.alone) late = LATE_NODES;
    if (!next || rows.length >= wanted) return { rows, isMore: Boolean(next), late };
    after = `&after=${next}`;
  }
}

function filterForm(onChange) {
  const inputs = FILTERS.map(([name, label]) => [name, field(label, el('input', { name, autocomplete: 'off', spellcheck: false, oninput: later(onChange) }))]);
  const transport = el('select', { name: 'transport', onchange: onChange }, ...options(TRANSPORTS));
  const element = el('form', { class: 'filters', onsubmit: (event) => event.preventDefault() }, ...inputs.map(([, label]) => label), field('Transport', transport));
  const values = () => [...inputs.map(([name, label]) => [name, label.querySelector('input').value.trim()]), ['transport', transport.value]];
  return {
    element,
    query: () => values().filter(([, value]) => value).map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join(''),
  };
}

function clientRow(row, onChange) {
  const [kind, name] = credential(row);
  const who = row.who === undefined ? 'HTTP' : row[row.who] ?? row.who;
  const facts = [
    row.token && `token ${row.token}`,
    row.node && `node ${row.node}`,
    row.address,
    row.who !== undefined && row.transport.replace('_', ' '), // else it is the name
    `for ${age(Date.now() - row.since)}`,
    row.bytes_in !== undefined && `${bytes(row.bytes_in)} in, ${bytes(row.bytes_out)} out`,
    row.lag > 0 && `${bytes(row.lag)} wait`,
    row.subscriptions > 0 && `${number(row.subscriptions)} subscribed`,
  ];
  return el('li', {},
    el('div', {}, el('b', {}, who), row.who === 'user' || row.who === 'key' ? el('small', {}, row.who) : null,
      el('p', { class: 'hint' }, facts.filter(Boolean).join(' · ')), el('code', {}, row.connection)),
    el('div', { class: 'row' },
      sureButton('Disconnect', `Disconnect ${who} ${row.connection}`, () => operate('/admin/disconnect', { connection: row.connection }, onChange)),
      kind && sureButton('Revoke', `Revoke the ${kind} ${name}`, () => operate('/admin/revoke', { [kind]: name }, onChange))));
}

/** What a connection came with, as revocations name it: its token, or all of its user's if that has no id, or its key. */
function credential(row) {
  if (row.who === 'key') return ['key', row.key];
  if (row.who !== 'user') return [];
  return row.token === undefined ? ['user', row.user] : ['token', row.token];
}

function revokeForm(onChange) {
  const kind = el('select', { name: 'kind' }, ...options(CREDENTIALS));
  const name = el('input', { name: 'name', required: true, autocomplete: 'off', spellcheck: false });
  return el('form', { class: 'filters', onsubmit: (event) => {
    event.preventDefault();
    operate('/admin/revoke', { [kind.value]: name.value.trim() }, onChange);
    name.value = '';
  } }, field('What', kind), field('Name', name), el('button', { class: 'primary' }, 'Revoke'));
}

function revocationRow(revocation, onChange) {
  const kind = Object.keys(CREDENTIALS).find((each) => revocation[each] !== undefined);
  const name = revocation[kind];
  const until = revocation.until === undefined ? 'as long as the server runs' : `until ${new Date(revocation.until * 1000).toLocaleString('en-GB')}`;
  return el('li', {},
    el('div', {}, el('b', {}, name), el('small', {}, CREDENTIALS[kind].toLowerCase()), el('p', { class: 'hint' }, `for ${age(Date.now() - revocation.since)} · ${until}`)),
    el('div', { class: 'row' }, el('button', { class: 'small', 'aria-label': `Take back the revocation of ${kind} ${name}`, onclick: () => takeBack(kind, name, onChange) }, 'Take back')));
}

async function operate(path, body, onChange) {
  try {
    const response = await ask(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    const { disconnected, missing } = await response.json();
    toast(`${number(disconnected)} connection${disconnected === 1 ? '' : 's'} ended${missing ? LATE : ''}.`);
  } catch (error) {
    toast(error.message);
  }
  onChange();
}

async function takeBack(kind, name, onChange) {
  await ask(`/admin/revoke?${kind}=${encodeURIComponent(name)}`, { method: 'DELETE' }).catch((error) => toast(error.message));
  onChange();
}

/** A button that asks whether it was meant, and acts on the second click. */
function sureButton(text, label, act) {
  let timer = 0;
  const calm = () => {
    timer = 0;
    button.textContent = text;
    button.classList.remove('sure');
  };
  const button = el('button', { class: 'small', 'aria-label': label, onclick: async () => {
    if (!timer) {
      timer = setTimeout(calm, SURE);
      button.textContent = 'Really?';
      button.classList.add('sure');
      return;
    }
    clearTimeout(timer);
    button.disabled = true;
    await act();
    button.disabled = false; // where the row is still there, since it failed
    calm();
  } }, text);
  return button;
}

function options(texts) {
  return Object.entries(texts).map(([value, text]) => el('option', { value }, text));
}

/** Calls `act` when nothing more was typed for a moment. */
function later(act) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, 300);
  };
}
