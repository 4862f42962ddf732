// A chat room: messages on `chat.ROOM`, and who is there by messages on `chat.ROOM.here`.

import { clock, el, field, hueOf, randomId, remember, remembered } from './kit.js';

const HEARTBEAT = 20_000; // how often a page says that it is still there
const GONE = 45_000; // a page that was not heard for so long has left
const SHOWN = 300; // messages in the page at once

export function mount(root, tidings) {
  const me = { id: randomId(), name: remembered('name', `guest-${randomId(3)}`) };
  let room = null;

  const name = el('input', { name: 'name', required: true, maxLength: 40, value: me.name, autocomplete: 'nickname' });
  const roomName = el('input', { name: 'room', required: true, maxLength: 60, value: remembered('room', 'lobby'), autocomplete: 'off' });
  const people = el('ul', { class: 'chips people', 'aria-label': 'Who is here' });
  const messages = el('ol', { class: 'messages', 'aria-live': 'polite', 'aria-label': 'Messages', tabIndex: 0 });
  const text = el('input', { name: 'text', required: true, maxLength: 2000, placeholder: 'Say something', autocomplete: 'off', 'aria-label': 'Message' });
  const waiting = waitingList(tidings, messages);

  const enter = () => {
    me.name = name.value.trim() || me.name;
    remember('name', me.name);
    remember('room', roomName.value);
    room?.leave();
    messages.replaceChildren(el('li', { class: 'empty' }, 'No messages yet. Open this page twice and talk to yourself.'));
    people.replaceChildren();
    room = join(tidings, roomName.value.trim(), me, people, (data, publication) => {
      waiting.arrived(data);
      show(messages, data, publication, me);
    });
    text.focus({ preventScroll: true });
  };
  addEventListener('pagehide', () => room?.say('bye'));
  addEventListener('pageshow', () => room?.say('here'));

  root.append(el('div', { class: 'columns' },
    el('section', { class: 'card' }, el('h2', {}, 'Room'),
      el('form', { class: 'stack', onsubmit: (event) => {
        event.preventDefault();
        enter();
      } }, field('Your name', name), field('Room', roomName), el('button', {}, 'Enter')),
      el('h3', {}, 'Here now'), people),
    el('section', { class: 'card chat' }, messages,
      el('form', { class: 'row composer', onsubmit: (event) => {
        event.preventDefault();
        waiting.send(room.channel, { from: me.id, name: me.name, text: text.value, at: Date.now(), n: randomId() });
        text.value = '';
      } }, text, el('button', { class: 'primary' }, 'Send')))));
  enter();
}

/** Own messages until they come back from the server: shown at once, with what they wait for. */
function waitingList(tidings, messages) {
  const items = new Map(); // the message's own number → its item and the words below it
  const words = () => (tidings.state === 'open' ? 'sending…' : 'waits for the connection');
  const remove = (n) => {
    items.get(n)?.item.remove();
    items.delete(n);
  };
  const send = async (channel, data) => {
    const note = el('small', { class: 'note' }, words());
    const item = el('li', { class: 'mine waiting' }, authorOf(data), timeOf(data.at), el('p', {}, data.text), note);
    if (messages.firstChild?.classList.contains('empty')) messages.firstChild.remove();
    messages.append(item);
    messages.scrollTop = messages.scrollHeight;
    items.set(data.n, { item, note });
    try {
      await tidings.post(channel, data, { event: 'message' });
      if (items.has(data.n)) note.textContent = 'sent';
    } catch (error) {
      note.replaceChildren(`Not sent: ${error.message} `, el('button', { class: 'again', onclick: () => {
        remove(data.n);
        send(channel, data);
      } }, 'Send again'));
      item.classList.add('failed');
      items.delete(data.n);
    }
  };
  tidings.on('state', () => {
    for (const { note } of items.values()) note.textContent = words();
  });
  return { send, arrived: (data) => remove(data?.n) };
}

function join(tidings, name, me, list, onMessage) {
  const channel = `chat.${name}`;
  const here = `${channel}.here`;
  const people = new Map();
  const draw = () => list.replaceChildren(...[...people.values()].sort((a, b) => a.name.localeCompare(b.name)).map((person) => {
    const dot = el('i', {});
    dot.style.background = `hsl(${hueOf(person.id)} 65% 50%)`;
    return el('li', {}, dot, el('span', {}, person.id === me.id ? `${person.name} (you)` : person.name));
  }));
  const say = (kind) => tidings.post(here, { kind, id: me.id, name: me.name }).catch(() => {});
  const messages = tidings.get(channel, onMessage, { last: 50 });
  const presence = tidings.get(here, (data) => {
    if (typeof data?.id !== 'string') return;
    if (data.kind === 'bye') people.delete(data.id);
    else people.set(data.id, { id: data.id, name: String(data.name), at: performance.now() });
    if (data.kind === 'hello' && data.id !== me.id) say('here');
    draw();
  });
  say('hello');
  const timer = setInterval(() => {
    say('here');
    for (const [id, person] of people) if (performance.now() - person.at > GONE) people.delete(id);
    draw();
  }, HEARTBEAT);
  return {
    channel,
    say,
    leave() {
      say('bye');
      clearInterval(timer);
      messages.close();
      presence.close();
    },
  };
}

function authorOf(data) {
  const author = el('b', {}, String(data.name));
  author.style.setProperty('--hue', hueOf(String(data.from)));
  return author;
}

/** The server's stamp where it gives one, otherwise the sender's. */
function timeOf(time) {
  const date = new Date(Number(time));
  return Number.isNaN(date.getTime()) || !time ? null : el('time', { dateTime: date.toISOString() }, clock(date).slice(0, 5));
}

function show(list, data, publication, me) {
  if (typeof data?.text !== 'string') return;
  if (list.firstChild?.classList.contains('empty')) list.firstChild.remove();
  const mine = data.from === me.id;
  const item = el('li', { class: mine ? 'mine' : '' }, authorOf(data), timeOf(publication.time ?? data.at), el('p', {}, data.text));
  // What still waits stays below what the server has.
  const before = [...list.children].find((each) => each.classList.contains('waiting'));
  list.insertBefore(item, before ?? null);
  while (list.children.length > SHOWN) list.firstChild.remove();
  list.scrollTop = list.scrollHeight;
}
