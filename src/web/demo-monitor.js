// Watches the server itself: reads /metrics every two seconds and draws what moves. Without the operator's key, what this
// page knows by itself, and a box for the key.

import { bytes, el, number, sparkline } from './kit.js';
import { ask } from './operator.js';
import { operatorCard } from './sign-in.js';

const EVERY = 2000;
const KEPT = 90; // readings in a line: three minutes
const CHANNELS = 100; // in the table

/** The server's cards: a family of /metrics, how its samples become one number, and how that is written. */
const SERVER = [
  { title: 'Sockets and streams', family: 'tidings_connections', only: /"(websocket|sse)"/, write: number },
  { title: 'Publications per second', family: 'tidings_publications_total', rate: true, write: number },
  { title: 'Deliveries per second', family: 'tidings_deliveries_total', rate: true, write: number },
  { title: 'Messages received per second', family: 'tidings_frames_total', only: /"in"/, rate: true, write: number },
  { title: 'Memory', family: 'process_resident_memory_bytes', instead: 'tidings_outbox_bytes', write: bytes },
  { title: 'Loop lag', family: 'tidings_loop_lag_seconds', mean: true, write: (value) => `${(value * 1000).toFixed(2)} ms` },
];

/** What the page knows by itself. */
const OWN = [
  { title: 'Messages received per second', read: (now, before) => (now.in - before.in) / now.seconds, write: number },
  { title: 'Messages sent per second', read: (now, before) => (now.out - before.out) / now.seconds, write: number },
  { title: 'Bytes per second', read: (now, before) => (now.bytes - before.bytes) / now.seconds, write: bytes },
  { title: 'Round trip of GET /livez', read: (now) => now.trip, write: (value) => `${value.toFixed(1)} ms` },
];

export function mount(root, tidings) {
  const verdict = el('p', { class: 'hint', role: 'status' }, 'Reading /metrics…');
  const tiles = el('div', { class: 'tiles' });
  const below = el('div', { class: 'stack' });
  root.append(el('div', { class: 'row bar' }, el('h2', {}, 'The server itself'), verdict), tiles, below);
  const pages = { server: serverPage(), own: ownPage(tidings, () => read()) };
  let shown = null;
  const show = (page) => {
    if (shown === page) return;
    shown = page;
    tiles.replaceChildren(...page.tiles.map((tile) => tile.element));
    below.replaceChildren(...page.below);
  };
  let busy = false;
  const read = async () => {
    if (root.hidden || document.hidden || busy) return;
    busy = true;
    try {
      await pages.server.read();
      show(pages.server);
      verdict.textContent = 'Read every two seconds.';
    } catch (error) {
      const locked = error.status === 401 || error.status === 403;
      if (locked) show(pages.own);
      verdict.textContent = locked ? 'What this page knows by itself. The server’s figures need the operator’s key.' : error.message;
      if (locked) await pages.own.read(error).catch(() => {});
    }
    busy = false;
  };
  read();
  setInterval(read, EVERY);
  document.addEventListener('visibilitychange', read);
}

// ---- with the key ----

function serverPage() {
  const tiles = SERVER.map((card) => buildTile(card));
  const metrics = el('tbody');
  const channels = el('tbody');
  const details = (title, body) => el('details', { class: 'card' }, el('summary', {}, title), el('div', { class: 'scroll' }, el('table', {}, body)));
  let before = null;
  return {
    tiles,
    below: [details('Channels', channels), details('Every metric', metrics)],
    async read() {
      const response = await ask('/metrics', { headers: { Accept: 'text/plain' } });
      const now = { at: performance.now(), samples: parse(await response.text()) };
      tiles.forEach((tile, index) => tile.take(readCard(SERVER[index], now, before)));
      before = now;
      if (metrics.closest('details').open) metrics.replaceChildren(...now.samples.map(metricRow));
      if (channels.closest('details').open) {
        const list = await (await ask('/channels')).json();
        channels.replaceChildren(...list.channels.slice(0, CHANNELS).map(channelRow));
      }
    },
  };
}

function metricRow({ name, labels, value }) {
  return el('tr', {}, el('th', { scope: 'row' }, name, el('small', {}, labels)), el('td', {}, String(value)));
}

function channelRow({ channel, offset, subscribers }) {
  const empty = el('button', { class: 'small', 'aria-label': `Empty the history of ${channel}`, onclick: async () => {
    try {
      await ask(`/channels/${encodeURIComponent(channel)}`, { method: 'DELETE' });
      empty.textContent = 'Emptied';
    } catch (error) {
      empty.replaceWith(el('span', { class: 'bad' }, error.message));
    }
  } }, 'Empty');
  return el('tr', {}, el('th', { scope: 'row' }, channel), el('td', {}, `#${offset}`), el('td', {}, `${subscribers} subscribed`), el('td', {}, empty));
}

/** Prometheus text → [{ name, labels, value }]. */
function parse(text) {
  return text.split('\n').flatMap((line) => {
    const match = /^([a-zA-Z_:][\w:]*)(\{.*\})? +([^ ]+)/.exec(line);
    return match ? [{ name: match[1], labels: match[2] ?? '', value: Number(match[3].replace('Inf', 'Infinity')) }] : [];
  });
}

/** The sum over a family's labels, or null when the server has no such family. */
function sum(samples, family, only) {
  const found = samples.filter(({ name, labels }) => name === family && (!only || only.test(labels)));
  return found.length ? found.reduce((total, { value }) => total + value, 0) : null;
}

/** null: the server has no such figure; undefined: not before the next reading. */
function readCard(card, now, before) {
  const { family, only } = card;
  if (card.mean) {
    const grown = (suffix) => (sum(now.samples, family + suffix) ?? 0) - ((before && sum(before.samples, family + suffix)) ?? 0);
    if (sum(now.samples, `${family}_count`) === null) return null;
    return grown('_count') > 0 ? grown('_sum') / grown('_count') : 0;
  }
  const value = sum(now.samples, family, only) ?? (card.instead ? sum(now.samples, card.instead) : null);
  if (value === null || !card.rate) return value;
  const old = before && sum(before.samples, family, only);
  return old === null || value < old ? undefined : (value - old) / ((now.at - before.at) / 1000);
}

// ---- without it ----

function ownPage(tidings, onKey) {
  const tiles = OWN.map((card) => buildTile(card));
  const count = { in: 0, out: 0, bytes: 0 };
  tidings.on('frame', ({ dir, size }) => {
    count[dir]++;
    count.bytes += size;
  });
  const card = operatorCard(tidings, onKey);
  let before = null;
  return {
    tiles,
    below: [card.element],
    async read(error) {
      card.tell(error);
      const start = performance.now();
      await fetch('/livez');
      const now = { ...count, at: performance.now(), trip: performance.now() - start };
      if (before) now.seconds = (now.at - before.at) / 1000;
      if (before) tiles.forEach((tile, index) => tile.take(OWN[index].read(now, before)));
      before = now;
    },
  };
}

function buildTile(card) {
  const now = el('b', { class: 'now' }, '–');
  const line = sparkline({ label: card.title, floor: 0 });
  const values = [];
  return {
    element: el('article', { class: 'tile' }, el('h3', {}, card.title), now, line.element),
    take(value) {
      if (value === undefined) return;
      now.textContent = value === null ? 'not available' : card.write(value);
      if (value === null) return;
      values.push(value);
      if (values.length > KEPT) values.shift();
      line.draw(values);
    },
  };
}
