// Durations are measured by a clock that nobody sets, and the network's coming and going is acted on at once.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { fakeClock, fakePage, fakeServer, loadClient, outcome, settle, standing } from './support.mjs';

const { Tidings } = await loadClient();
const HOUR = 3_600_000;
let clock;
let page;
let server;
let tidings;
let states;
beforeEach(() => {
  clock = fakeClock();
  page = fakePage();
  server = fakeServer((request) => (request.path.startsWith('/channels/') && request.method === 'GET' ? standing() : undefined));
});
afterEach(() => {
  tidings.close();
  page.leave();
  clock.restore();
});

async function connect(options = {}) {
  tidings = new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket, ...options });
  states = [];
  tidings.on('state', ({ state }) => states.push([state, clock.monotonic]));
  await settle();
}

const silent = () => { server.hears = () => null; };
const livez = () => server.requests.filter(({ path }) => path === '/livez').length;

test('a dead server is noticed after silence and answer, though Date was set back an hour', async () => {
  await connect();
  silent();
  await clock.pass(1_000);
  clock.date -= HOUR;
  await clock.pass(33_900);
  assert.deepEqual([states.map(([state]) => state), livez()], [['open'], 1]);
  await clock.pass(200);
  assert.equal(states[1]?.[0], 'waiting');
});

test('without performance it takes one period of silence longer, and not an hour', async () => {
  Object.defineProperty(globalThis, 'performance', { value: undefined, configurable: true, writable: true });
  await connect();
  silent();
  await clock.pass(1_000);
  clock.date -= HOUR;
  await clock.pass(61_000);
  assert.equal(states[1]?.[0], 'waiting', JSON.stringify([states, livez()]));
});

test('a living server is not given up, though Date jumps forward and back', async () => {
  await connect();
  for (let jump = 0; jump < 40; jump++) {
    clock.date += (jump % 2 ? -1 : 1) * HOUR;
    await clock.pass(5_000);
  }
  assert.deepEqual(states.map(([state]) => state), ['open']);
  assert.ok(livez() >= 6, 'the server was asked whether it lives');
});

test('a connection is stable after five seconds, whatever Date says', async () => {
  await connect({ base: 1_000 });
  server.accepts = false;
  server.connections[0].end(1006, '');
  await clock.pass(60_000);
  server.accepts = true;
  await clock.pass(20_000);
  assert.equal(states.at(-1)[0], 'open');
  clock.date -= HOUR;
  await clock.pass(5_000);
  const before = server.connections.length;
  server.connections.at(-1).end(1006, '');
  await clock.pass(1_000);
  assert.equal(server.connections.length, before + 1, 'the first wait is at most base again');
});

test('the network goes away: the connection is let go at once, and not half a minute later', async () => {
  await connect();
  silent();
  const at = clock.monotonic;
  server.accepts = null;
  page.fire('offline');
  assert.deepEqual(states.at(-1), ['waiting', at]);
  assert.equal(server.connections[0].readyState, 3);
});

test('the network comes back: the next attempt is made at once, also where one hangs from before', async () => {
  await connect();
  page.fire('offline');
  server.accepts = null; // handshakes get no answer
  await clock.pass(600);
  assert.equal(states.at(-1)[0], 'connecting');
  server.accepts = true;
  const post = outcome(tidings.post('news', 1));
  page.fire('online');
  await settle();
  assert.equal(states.at(-1)[0], 'open');
  assert.equal((await post).status, 200);
  assert.equal(server.connections.at(-2).readyState, 3, 'the hanging socket');
  server.accepts = false;
  server.connections.at(-1).end(1006, '');
  for (let wait = 0; wait < 8; wait++) await clock.pass(20_000);
  server.accepts = true;
  const made = server.connections.length;
  page.fire('online');
  await settle();
  assert.deepEqual([server.connections.length - made, states.at(-1)[0]], [1, 'open'], 'from a long wait');
});

test('a handshake that fails with an error alone, as in Node, is not waited for', async () => {
  await connect({ base: 100 });
  server.accepts = null;
  server.connections[0].end(1006, '');
  await clock.pass(200);
  assert.equal(server.connections.length, 2);
  server.connections[1].onerror({});
  server.accepts = true;
  await clock.pass(300);
  assert.deepEqual([server.connections.length, states.at(-1)[0]], [3, 'open']);
});

test('an event that says offline and lies costs half a second', async () => {
  await connect();
  page.fire('offline');
  await clock.pass(501);
  assert.equal(states.at(-1)[0], 'open');
});

test('a first pageshow, which comes while the first attempt is made, starts no second one', async () => {
  tidings = new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket });
  page.fire('pageshow');
  await settle();
  assert.equal(server.connections.length, 1);
});

test('online on an open connection asks whether it still lives', async () => {
  await connect();
  page.fire('online');
  await settle();
  assert.deepEqual([livez(), server.connections.length, states.at(-1)[0]], [1, 1, 'open']);
  silent();
  page.fire('online');
  await clock.pass(10_000);
  assert.notEqual(states.at(-1)[0], 'open');
});

test('a page that slept asks again before it lets go, since an answer may wait to be read', async () => {
  await connect();
  silent();
  await clock.pass(26_000);
  assert.equal(livez(), 1);
  clock.sleep(HOUR);
  server.hears = () => undefined;
  await clock.pass(2_000);
  assert.deepEqual([livez(), states.at(-1)[0], server.connections.length], [2, 'open', 1]);
});

test('in a background tab, whose timers are all late, a dead server is noticed all the same', async () => {
  await connect();
  silent();
  await clock.pass(26_000);
  for (let minute = 0; minute < 2; minute++) {
    clock.sleep(60_000);
    await clock.pass(1);
  }
  assert.equal(states[1]?.[0], 'waiting');
});

test('events of the network do not put off the end of a server that does not answer', async () => {
  await connect();
  silent();
  for (let second = 0; second < 12; second++) {
    page.fire('online');
    await clock.pass(1_000);
  }
  assert.equal(states[1]?.[0], 'waiting');
});

test('a closed client hears of nothing any more', async () => {
  await connect();
  tidings.close();
  for (const event of ['online', 'offline', 'pageshow']) page.fire(event);
  await clock.pass(HOUR);
  assert.deepEqual([server.connections.length, page.listeners()], [1, 0]);
});

test('a server that ends is left at the time that it advises, by this clock, and the next one is asked at once', async () => {
  await connect({ base: 5_000 });
  tidings.subscribe('news', () => {});
  await settle();
  server.connections[0].tell({ reconnect: 'server_shutdown', after_ms: 9_000 });
  clock.date -= HOUR;
  await clock.pass(8_900);
  assert.deepEqual([server.connections.length, states.map(([state]) => state)], [1, ['open']]);
  await clock.pass(100);
  assert.deepEqual([server.connections.length, states.map(([state]) => state)], [2, ['open', 'waiting', 'connecting', 'open']]);
  assert.equal(server.asked('GET').length, 2, 'the channel is asked for again');
});

test('200 pages that were advised come back at their times and not before, though all were closed at once', async () => {
  const times = Array.from({ length: 200 }, (_, place) => place * 50);
  tidings = new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket });
  const pages = times.slice(1).map(() => new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket }));
  await settle();
  const old = [...server.connections];
  const began = clock.monotonic;
  const back = new Map();
  [tidings, ...pages].forEach((page, place) => page.on('state', ({ state }) => { if (state === 'open') back.set(place, clock.monotonic - began); }));
  old.forEach((connection, place) => connection.tell({ reconnect: 'server_shutdown', after_ms: times[place] }));
  old.forEach((connection) => connection.end(1012, 'server_shutdown'));
  await clock.pass(10_000);
  assert.deepEqual(times.map((_, place) => back.get(place)), times);
  pages.forEach((page) => page.close());
});

test('advice without a time that is one is no advice', async () => {
  await connect();
  for (const after of [undefined, null, -1, 'soon', 1e12]) server.connections[0].tell({ reconnect: 'server_shutdown', after_ms: after });
  await clock.pass(20_000);
  assert.equal(server.connections.length, 1);
});
