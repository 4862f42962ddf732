// A chat room: messages on `chat.ROOM`, and who is there by messages on `chat.ROOM.here`.

import { clock, el, field, hueOf, randomId, remember, remembered } from './kit.js';

const HEARTBEAT = 20_000; // how often a page says that it is still there
const GONE = 45_000; // a page that was not heard for so long has left

export function mount(root, tidings) {
  const me = { id: randomId(), name: remembered('name', `guest-${randomId(3)}`) };
  let room = null;

  const name = el('input', { name: 'name', required: true, maxLength: 40, value: me.name, autocomplete: 'nickname' });
  const roomName = el('input', { name: 'room', required: true, maxLength: 60, value: remembered('room', 'lobby'), autocomplete: 'off' });
  const people = el('ul', { class: 'chips people', 'aria-label': 'Who is here' });
  const messages = el('ol', { class: 'messages', 'aria-live': 'polite', 'aria-label': 'Messages', tabIndex: 0 });
  const text = el('input', { name: 'text', required: true, maxLength: 2000, placeholder: 'Say something', autocomplete: 'off', 'aria-label': 'Message' });

  const enter = () => {
    me.name = name.value.trim() || me.name;
    remember('name', me.name);
    remember('room', roomName.value);
    room?.leave();
    messages.replaceChildren(el('li', { class: 'empty' }, 'No messages yet. Open this page twice and talk to yourself.'));
    people.replaceChildren();
    room = join(tidings, roomName.value.trim(), me, people, (data, publication) => show(messages, data, publication, me));
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
      el('form', { class: 'row composer', onsubmit: async (event) => {
        event.preventDefault();
        const data = { from: me.id, name: me.name, text: text.value };
        text.value = '';
        try {
          await tidings.post(room.channel, data, { event: 'message' });
        } catch (error) {
          messages.append(el('li', { class: 'empty bad' }, `Not sent: ${error.message}`));
        }
      } }, text, el('button', { class: 'primary' }, 'Send')))));
  enter();
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
    else people.set(data.id, { id: data.id, name: String(data.name), at: Date.now() });
    if (data.kind === 'hello' && data.id !== me.id) say('here');
    draw();
  });
  say('hello');
  const timer = setInterval(() => {
    say('here');
    for (const [id, person] of people) if (Date.now() - person.at > GONE) people.delete(id);
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

function show(list, data, publication, me) {
  if (typeof data?.text !== 'string') return;
  if (list.firstChild?.classList.contains('empty')) list.firstChild.remove();
  const author = el('b', {}, String(data.name));
  author.style.setProperty('--hue', hueOf(String(data.from)));
  const mine = data.from === me.id;
  list.append(el('li', { class: mine ? 'mine' : '' }, author, el('p', {}, data.text), publication.time ? el('time', {}, clock(publication.time)) : null));
  while (list.children.length > 300) list.firstChild.remove();
  list.scrollTop = list.scrollHeight;
}
