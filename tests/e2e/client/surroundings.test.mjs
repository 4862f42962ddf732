// The client runs where little is there: in a context that has nothing but the language, timers, URL and text encoding, with
// whatever a test adds.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import vm from 'node:vm';
import { clientText, fakeServer, loadClient, LIMITS, outcome, settle, standing } from './support.mjs';

const classic = new vm.Script(clientText('tidings.global.js'));
const needed = { URL, TextEncoder, TextDecoder, atob, setTimeout, clearTimeout };
const subscribing = () => fakeServer((request) => (request.path.startsWith('/channels/') && request.method === 'GET' ? standing() : undefined));

/** What the classic script leaves in a context with these globals. */
function runIn(globals) {
  const context = vm.createContext({ ...needed, ...globals });
  const before = new Set(Object.keys(context));
  classic.runInContext(context);
  return { context, added: Object.keys(context).filter((name) => !before.has(name)) };
}

async function converse(Tidings, server) {
  const tidings = new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket });
  const [heard, states, keys] = [[], [], []];
  const stop = tidings.on('state', ({ state }) => states.push(state));
  tidings.on('state', () => { throw new Error('a listener of somebody else'); });
  const subscription = tidings.get('news', (data) => heard.push(data));
  await settle();
  assert.equal((await subscription.ready).status, 200);
  for (let n = 0; n < 100; n++) await tidings.post('news', n);
  for (const { key } of server.requests.filter(({ method }) => method === 'POST')) keys.push(key);
  assert.equal(new Set(keys).size, 100, 'keys that differ');
  assert.ok(keys.every((key) => key.length >= 24 && key.length <= 200), keys[0]);
  server.connections[0].tell({ channel: 'news', offset: 1, content_type: 'a/b', data_base64: 'AQI=' });
  assert.deepEqual([...heard[0]], [1, 2]);
  stop();
  tidings.close();
  assert.deepEqual(states, ['open']);
  assert.equal(tidings.state, 'closed');
}

const errors = () => {
  const thrown = [];
  return { thrown, setTimeout: (fn, ms) => setTimeout(() => { try { fn(); } catch (error) { thrown.push(error.message); } }, ms) };
};

test('without EventTarget, CustomEvent, crypto, performance, AbortController, Blob or console', async () => {
  const { thrown, ...timers } = errors();
  const { context, added } = runIn(timers);
  assert.deepEqual(added, ['Tidings', 'TidingsError'], 'what a classic script leaves');
  await converse(context.Tidings, subscribing());
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(thrown, Array(2).fill('a listener of somebody else'), 'at open and closed');
});

test('with EventTarget and Event, and without CustomEvent', async () => {
  class Quiet extends EventTarget { // as a browser does: an error of a listener is reported, and others go on
    addEventListener(name, fn) {
      this.safe ??= new Map();
      this.safe.set(fn, (event) => { try { fn(event); } catch { /* reported */ } });
      super.addEventListener(name, this.safe.get(fn));
    }
    removeEventListener(name, fn) { super.removeEventListener(name, this.safe.get(fn)); }
  }
  await converse(runIn({ EventTarget: Quiet, Event }).context.Tidings, subscribing());
});

test('where there is no WebSocket, the error says what to do', () => {
  const { Tidings } = runIn({}).context;
  assert.throws(() => new Tidings('ws://server.test/ws'), { name: 'TypeError', message: /Node 22.*WebSocket/ });
  assert.throws(() => new Tidings('ws://server.test/ws', { WebSocket: 7 }), /Node 22/);
});

test('the global WebSocket is the one that is there when the client is made', async () => {
  const server = subscribing();
  const { context } = runIn({});
  context.WebSocket = server.WebSocket;
  const tidings = new context.Tidings('ws://server.test/ws');
  await settle();
  assert.equal(tidings.state, 'open');
  tidings.close();
});

const ADDRESSES = [
  ['a page', { location: { href: 'https://app.test/a/b?c#d' } }, '/ws', 'wss://app.test/ws'],
  ['a page, another path', { location: { href: 'http://app.test:8080/' } }, 'channels/news#top', 'ws://app.test:8080/channels/news'],
  ['a worker of a blob', { location: { href: 'blob:http://app.test/1-2' }, origin: 'http://app.test' }, '/ws', 'ws://app.test/ws'],
  ['a file that loads the script from a server', { location: { href: 'file:///home/page.html' }, origin: 'null', document: { currentScript: { src: 'http://127.0.0.1:8080/tidings.global.js' } } },
    '/ws', 'ws://127.0.0.1:8080/ws'],
  ['nothing, a full address', {}, 'http://127.0.0.1:8080/ws', 'ws://127.0.0.1:8080/ws'],
];
for (const [what, globals, url, wanted] of ADDRESSES) {
  test(`the address in ${what}`, async () => {
    const server = subscribing();
    const { context } = runIn({ ...globals, WebSocket: server.WebSocket });
    const tidings = new context.Tidings(url);
    assert.equal(tidings.url, wanted);
    assert.equal(server.connections[0].url, wanted);
    tidings.close();
  });
}

test('an address that cannot be completed, or is none of a server, is refused with what would be one', () => {
  const { Tidings } = runIn({ location: { href: 'file:///home/page.html' }, origin: 'null', WebSocket: class {} }).context;
  assert.throws(() => new Tidings(), /ws:\/\/127\.0\.0\.1:8080\/ws/);
  assert.throws(() => new Tidings('ftp://server.test/ws'), /begins with ws:, wss:, http: or https:/);
});

const { Tidings } = await loadClient();
const made = [];
function connect(server) {
  const tidings = new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket });
  made.push(tidings);
  return tidings;
}
test.afterEach(() => made.splice(0).forEach((tidings) => tidings.close()));

test('subscribe and publish are get and post', async () => {
  const server = subscribing();
  const tidings = connect(server);
  const heard = [];
  await tidings.subscribe('news', (data) => heard.push(data)).ready;
  assert.equal((await tidings.publish('news', { a: 1 }, { key: 'k', event: 'e' })).status, 200);
  const { id, ...request } = server.requests.at(-1);
  assert.deepEqual(request, { method: 'POST', path: '/channels/news', key: 'k', event: 'e', data: { a: 1 } });
  server.connections[0].tell({ channel: 'news', offset: 1, data: 'x' });
  assert.deepEqual(heard, ['x']);
  assert.throws(() => tidings.get('news'), /function/);
});

test('an AbortSignal ends what it was given to, and is not held on to', async () => {
  const server = fakeServer((request) => {
    if (request.path === '/channels/slow') return null;
    return request.method === 'GET' && request.path.startsWith('/channels/') ? standing() : undefined;
  });
  const tidings = connect(server);
  const said = [];
  tidings.on('error', ({ error }) => said.push(error));
  const { signal, abort } = ((controller) => ({ signal: controller.signal, abort: (reason) => controller.abort(reason) }))(new AbortController());
  await settle();
  for (let n = 0; n < 20; n++) await tidings.post('news', n, { signal });
  await outcome(tidings.history('news', { signal }));
  const short = tidings.get('news', () => {}, { signal });
  await short.ready;
  short.close();
  assert.equal(getEventListeners(signal, 'abort').length, 0, 'what is over');

  const heard = [];
  const subscription = tidings.get('news', (data) => heard.push(data), { signal });
  await subscription.ready;
  const reasons = [tidings.get('slow', () => {}, { signal }).ready, tidings.post('slow', 1, { signal }), tidings.history('slow', { signal }), tidings.delete('slow', { signal })]
    .map((promise) => promise.then(() => 'answered', (error) => error));
  const other = outcome(tidings.post('news', 'unaffected'));
  await settle();
  const why = new Error('the user left');
  abort(why);
  server.connections[0].tell({ channel: 'news', offset: 1, data: 'late' });
  assert.deepEqual(await Promise.all(reasons), [why, why, why, why]);
  assert.equal((await other).status, 200);
  await settle();
  assert.deepEqual([heard, said], [[], []]);
  const left = server.requests.filter(({ path }) => path.startsWith('/subscriptions/')).map(({ path }) => path);
  assert.deepEqual(left, ['/subscriptions/news', '/subscriptions/news', '/subscriptions/slow']);

  const before = server.requests.length;
  const late = [tidings.get('late', () => {}, { signal }).ready, tidings.post('late', 1, { signal }), tidings.history('late', { signal })].map((promise) => promise.catch((error) => error));
  assert.deepEqual(await Promise.all(late), [why, why, why]);
  assert.equal(server.requests.length, before, 'what was aborted before it began is not sent');
});

test('what was aborted is not sent again, and is not blamed in the place of another', async () => {
  const server = fakeServer((request) => (request.path === '/channels/x' ? null : undefined));
  const tidings = connect(server);
  const controller = new AbortController();
  await settle();
  const aborted = tidings.post('x', 'aborted', { signal: controller.signal }).catch(({ name }) => name);
  const other = outcome(tidings.post('x', 'other', { key: 'k' }));
  controller.abort();
  assert.equal(await aborted, 'AbortError');
  server.hears = () => undefined;
  server.connections[0].end(1009, 'message_too_big: the aborted one');
  tidings.retry();
  assert.equal((await other).status, 200);
  assert.deepEqual(server.requests.filter(({ method }) => method === 'POST').map(({ data }) => data), ['aborted', 'other', 'other']);
});

async function loop(options = {}, server = subscribing()) {
  const tidings = connect(server);
  const messages = tidings.messages('news', options);
  await settle();
  let offset = 0;
  return { server, tidings, messages, push: (data) => server.connections[0].tell({ channel: 'news', offset: ++offset, data }) };
}

test('for await hands over each publication, from when messages() was called, and unsubscribes when the loop ends', async () => {
  const { messages, push, server } = await loop();
  push('one');
  push('two');
  setImmediate(() => push('three'));
  const heard = [];
  for await (const { data, offset, channel } of messages) {
    heard.push([channel, offset, data]);
    if (data === 'three') break;
  }
  push('four');
  assert.deepEqual(heard, [['news', 1, 'one'], ['news', 2, 'two'], ['news', 3, 'three']]);
  await settle();
  assert.equal(server.requests.at(-1).path, '/subscriptions/news');
  assert.deepEqual(await messages.next(), { value: undefined, done: true });
});

test('next() may be called ahead', async () => {
  const { messages, push } = await loop();
  const ahead = [messages.next(), messages.next(), messages.next()];
  push(1);
  push(2);
  assert.deepEqual((await Promise.all(ahead.slice(0, 2))).map(({ value }) => value.data), [1, 2]);
  await messages.return();
  assert.equal((await ahead[2]).done, true);
});

test('a loop ends with the client, and throws when it is aborted or refused', async () => {
  const closed = await loop();
  closed.push(1);
  closed.tidings.close();
  const heard = [];
  for await (const { data } of closed.messages) heard.push(data);
  assert.deepEqual(heard, [1]);

  const controller = new AbortController();
  const { messages } = await loop({ signal: controller.signal });
  const next = messages.next().catch(({ name }) => name);
  controller.abort();
  assert.equal(await next, 'AbortError');
  assert.equal((await messages.next()).done, true);

  const refused = await loop({}, fakeServer((request) => (request.path === '/channels/news' ? { status: 403, error: { code: 'forbidden', message: 'no' } } : undefined)));
  assert.equal((await outcome(refused.messages.next())).rejected, 'forbidden');
  const early = connect(subscribing()).messages('news', { signal: AbortSignal.abort() });
  assert.equal(await early.next().catch(({ name }) => name), 'AbortError');
});

test('a loop that is too slow gets what waits, and an error with the position to go on from', async () => {
  const { messages, push, server } = await loop({ buffer: 3 });
  for (let n = 1; n <= 5; n++) push(n);
  const heard = [];
  const error = await (async () => { for await (const { data } of messages) heard.push(data); })().catch((found) => found);
  assert.deepEqual([heard, error.code], [[1, 2, 3], 'slow_consumer']);
  assert.match(error.message, /since: 'epoch001:3'/);
  await settle();
  assert.equal(server.requests.at(-1).path, '/subscriptions/news');
  const whole = await loop({ buffer: 3 });
  for (let n = 1; n <= 3; n++) whole.push(n);
  assert.equal((await whole.messages.next()).value.data, 1);
  whole.push(4);
  for (let n = 2; n <= 4; n++) assert.equal((await whole.messages.next()).value.data, n);
});

test('the module and the classic script are the same text between their ends', () => {
  const [module, script] = ['tidings.js', 'tidings.global.js'].map((name) => clientText(name));
  const body = (text) => text.slice(text.indexOf('// The browser client'), text.lastIndexOf('\n}\n'));
  assert.ok(body(module).length > 10_000);
  assert.equal(body(module), body(script));
  assert.doesNotMatch(script, /^(import|export) |import\.meta/m);
  assert.equal(LIMITS.message_bytes, 65_536);
});
