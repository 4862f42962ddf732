// One bad request must not take a page off the air: nothing that is sent again after a reconnect may end the connection or
// stop the loop.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { fakeClock, fakeServer, loadClient, LIMITS, outcome, settle, standing } from './support.mjs';

const { Tidings } = await loadClient();
const URL = 'ws://server.test/ws';
let clock;
let tidings;
beforeEach(() => { clock = fakeClock(); });
afterEach(() => {
  tidings?.close();
  clock.restore();
});

const connect = (server, options = {}) => {
  tidings = new Tidings(URL, { WebSocket: server.WebSocket, ...options });
  return tidings;
};
const subscribed = (request) => (request.method === 'GET' && request.path.startsWith('/channels/') ? standing() : undefined);
const CHANNEL = (request, name) => request.path === `/channels/${name}`;

const CLOSES = [
  [1002, 'protocol_error', 'protocol_error', 400],
  [1003, 'binary messages are not accepted here', 'unsupported_data', 400],
  [1007, '', 'invalid_utf8', 400],
  [1009, 'message_too_big: 70 bytes are more than 64', 'message_too_big', 413],
  [1008, 'too_many_fragments: a message in more fragments than the limit', 'too_many_fragments', 400],
  [1008, 'bad_request', 'bad_request', 400],
];
for (const [code, reason, name, status] of CLOSES) {
  test(`after close ${code} ${reason} only the oldest unanswered request is rejected`, async () => {
    const server = fakeServer((request) => (CHANNEL(request, 'bad') ? [code, reason] : subscribed(request)));
    connect(server);
    const heard = [];
    tidings.get('news', (data) => heard.push(data));
    await settle();
    const bad = outcome(tidings.post('bad', 1, { key: 'k-bad' }));
    const good = outcome(tidings.post('good', 2, { key: 'k-good' }));
    await clock.pass(5_000);
    const { rejected, status: found, message } = await bad;
    assert.deepEqual([rejected, found], [name, status]);
    if (reason.includes(': ')) assert.equal(message, reason.slice(reason.indexOf(': ') + 2));
    assert.equal((await good).status, 200);
    assert.deepEqual(server.asked('POST').filter((channel) => channel === 'bad'), ['bad'], 'what was to blame was sent again');
    assert.deepEqual(server.requests.filter((request) => CHANNEL(request, 'good')).map(({ key }) => key), ['k-good', 'k-good']);
    assert.equal(server.connections.length, 2);
    server.connections[1].tell({ channel: 'news', offset: 1, data: 'still here' });
    assert.deepEqual(heard, ['still here']);
  });
}

test('what was answered before the close is not suspected', async () => {
  const server = fakeServer((request) => (CHANNEL(request, 'bad') ? [1009, 'too big'] : subscribed(request)));
  connect(server);
  await settle();
  const outcomes = ['a', 'b', 'bad', 'c'].map((channel) => outcome(tidings.post(channel, 1)));
  await clock.pass(5_000);
  assert.deepEqual((await Promise.all(outcomes)).map((each) => each.rejected ?? each.status), [200, 200, 'message_too_big', 200]);
});

test('a subscription that is to blame is rejected, and others live', async () => {
  const server = fakeServer((request) => (CHANNEL(request, 'bad') ? [1008, 'bad_request: no'] : subscribed(request)));
  connect(server);
  const errors = [];
  tidings.on('error', ({ channel, error }) => errors.push([channel, error.code]));
  const good = tidings.get('good', () => {});
  const bad = outcome(tidings.get('bad', () => {}).ready);
  await clock.pass(5_000);
  assert.equal((await bad).rejected, 'bad_request');
  assert.deepEqual(errors, [['bad', 'bad_request']]);
  assert.equal((await good.ready).status, 200);
  server.connections.at(-1).end(1006, '');
  await clock.pass(5_000);
  assert.deepEqual(server.asked('GET').filter((channel) => channel === 'bad'), ['bad']);
  assert.equal(server.asked('GET').at(-1), 'good');
});

test('many bad requests are sorted out one by one, without longer and longer waits', async () => {
  const server = fakeServer((request) => (request.path.startsWith('/channels/bad') ? [1009, ''] : subscribed(request)));
  connect(server);
  await settle();
  const outcomes = Array.from({ length: 20 }, (_, index) => outcome(tidings.post(index === 19 ? 'good' : `bad${index}`, index)));
  await clock.pass(19 * 500);
  const results = await Promise.race([Promise.all(outcomes), settle().then(() => 'still waiting')]);
  assert.equal(results.filter?.((each) => each.rejected === 'message_too_big').length, 19, String(results));
  assert.equal(results[19].status, 200);
});

test('other closes blame nobody: everything is sent again, with the same key', async () => {
  for (const [code, reason] of [[1001, 'server_shutdown'], [1006, ''], [1008, 'slow_consumer'], [1011, 'internal_error'], [1012, ''], [1013, 'overloaded']]) {
    let ends = true;
    const server = fakeServer((request) => {
      if (request.method !== 'POST') return subscribed(request);
      if (!ends) return {};
      ends = false;
      return [code, reason];
    });
    connect(server);
    await settle();
    const post = outcome(tidings.post('news', 1));
    await clock.pass(5_000);
    assert.equal((await post).status, 200, `${code} ${reason}`);
    const keys = server.requests.filter(({ method }) => method === 'POST').map(({ key }) => key);
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1]);
    tidings.close();
  }
});

test('what has no JSON, and a name with half a surrogate pair, reject that promise only', async () => {
  const server = fakeServer(subscribed);
  const open = [];
  for (const when of ['before the connection', 'on it']) {
    if (when === 'before the connection') connect(server);
    if (when === 'on it') await settle();
    const circle = {};
    circle.circle = circle;
    const deep = [];
    for (let inner = deep, level = 0; level < 100_000; level++) inner.push(inner = []);
    const failing = { toJSON() { throw new RangeError('not me'); } };
    const bad = [circle, { n: 1n }, 1n, undefined, () => {}, Symbol('s'), deep, failing, { toJSON() {} }];
    for (const data of bad) assert.equal((await outcome(tidings.post('x', data))).rejected, 'bad_json', `${when}: ${typeof data}`);
    assert.equal((await outcome(tidings.post('x', 1, { event: 1n }))).rejected, 'bad_json');
    assert.equal((await outcome(tidings.post('\ud800', 1))).rejected, 'bad_channel');
    assert.equal((await outcome(tidings.history('\ud800'))).rejected, 'bad_channel');
    assert.equal((await outcome(tidings.delete('\ud800'))).rejected, 'bad_channel');
    assert.equal((await outcome(tidings.get('\ud800', () => {}).ready)).rejected, 'bad_channel');
    assert.equal((await outcome(tidings.get('x', () => {}, { last: 1n }).ready)).rejected, 'bad_json');
    assert.equal((await outcome(tidings.get('x', () => {}, { since: 'x'.repeat(70_000) }).ready)).rejected, 'message_too_big');
    open.push(outcome(tidings.post('x', null)));
  }
  await clock.pass(1_000);
  assert.deepEqual((await Promise.all(open)).map(({ status }) => status), [200, 200]);
  assert.equal(server.connections.length, 1);
  assert.equal(server.asked('GET').length, 0, 'a refused channel was asked for');
});

test('a message is checked against 64 KiB in UTF-8 until the server has told its limit, and then against that', async () => {
  const server = fakeServer((request) => (request.path === '/limits' ? null : subscribed(request)));
  connect(server);
  await settle();
  const frameOf = (length, character) => tidings.post('x', character.repeat(length), { key: 'k' });
  const sized = async (bytes, character = 'x') => {
    const before = server.requests.length;
    const width = Buffer.byteLength(character);
    const overhead = Buffer.byteLength(JSON.stringify({ id: 10, method: 'POST', path: '/channels/x', key: 'k', data: '' }));
    const rest = bytes - overhead;
    const result = await outcome(tidings.post('x', character.repeat(Math.floor(rest / width)) + 'x'.repeat(rest % width), { key: 'k' }));
    return result.rejected ?? (server.requests.length > before ? 'sent' : 'lost');
  };
  for (let spare = 0; spare < 8; spare++) await outcome(frameOf(1, 'x')); // so that ids have two digits
  assert.deepEqual([await sized(65_536), await sized(65_537)], ['sent', 'message_too_big']);
  assert.deepEqual([await sized(65_536, '世'), await sized(65_537, '世')], ['sent', 'message_too_big']);
  server.connections[0].tell({ id: server.requests.find(({ path }) => path === '/limits').id, status: 200, ...LIMITS, message_bytes: 100_000 });
  assert.equal(tidings.limits.message_bytes, 100_000);
  assert.deepEqual([await sized(100_000), await sized(100_001)], ['sent', 'message_too_big']);
  const bytes = await outcome(tidings.post('x', new Uint8Array(100_000)));
  assert.deepEqual([bytes.rejected, bytes.status], ['message_too_big', 413]);
  assert.equal((await outcome(tidings.post('x', new Blob([new Uint8Array(100_001)])))).rejected, 'message_too_big');
  assert.equal(server.connections.length, 1);
});

test('limits are asked for first on each connection, and nothing waits for them', async () => {
  const server = fakeServer((request) => (request.path === '/limits' ? null : subscribed(request)));
  connect(server);
  tidings.get('news', () => {});
  const post = outcome(tidings.post('news', 1));
  await settle();
  assert.equal((await post).status, 200);
  assert.deepEqual(server.requests.map(({ path }) => path), ['/limits', '/channels/news', '/channels/news']);
  server.connections[0].end(1006, '');
  await clock.pass(1_000);
  assert.deepEqual(server.requests.slice(3).map(({ path }) => path), ['/limits', '/channels/news']);
});

test('a server that answers /limits with 404 leaves the defaults; one that ends the connection is not asked on the next', async () => {
  const old = fakeServer(subscribed);
  old.limits = null;
  connect(old);
  await settle();
  assert.deepEqual([tidings.limits.message_bytes, tidings.limits.binary], [65_536, true]);
  tidings.close();

  const strict = fakeServer((request) => (request.path === '/limits' ? [1008, 'bad_request'] : subscribed(request)));
  connect(strict);
  const post = outcome(tidings.post('news', 1));
  await clock.pass(5_000);
  assert.equal((await post).status, 200);
  assert.equal(strict.connections.length, 2);
});

test('limits that say nothing, or nonsense, leave the defaults for what they do not say', async () => {
  for (const limits of [{}, { message_bytes: 'many', binary: 'yes' }, { message_bytes: 0 }, { message_bytes: -1, body_bytes: null }]) {
    const server = fakeServer(subscribed);
    server.limits = limits;
    connect(server);
    await settle();
    assert.deepEqual(tidings.limits, LIMITS, JSON.stringify(limits));
    assert.equal((await outcome(tidings.post('x', 1))).status, 200);
    tidings.close();
  }
});

test('a close without a code or a reason, as some sockets report it, is a broken connection', async () => {
  const server = fakeServer(subscribed);
  connect(server);
  const closes = [];
  tidings.on('close', ({ code, label }) => closes.push([code, label]));
  await settle();
  server.connections[0].end(undefined, undefined);
  await clock.pass(1_000);
  assert.deepEqual([closes, tidings.state], [[[1006, '']], 'open']);
});

test('a server without binary frames: binary posts reject at once, subscriptions go on as text', async () => {
  const server = fakeServer(subscribed);
  server.limits = { ...LIMITS, binary: false };
  connect(server);
  await settle();
  assert.equal((await outcome(tidings.post('x', new Uint8Array(3)))).rejected, 'unsupported_data');
  const bytes = [];
  const subscription = tidings.get('x', (data) => bytes.push(...data), { binary: true });
  await subscription.ready;
  assert.equal(server.requests.at(-1).body, undefined);
  server.connections[0].tell({ channel: 'x', offset: 1, content_type: 'a/b', data_base64: 'AQI=' });
  assert.deepEqual(bytes, [1, 2]);
  assert.equal(server.connections.length, 1);
});

test('a binary post and subscription made before the limits are known cost one connection each, and nothing else', async () => {
  const server = fakeServer((request) => (request.body ? [1003, 'unsupported_data'] : subscribed(request)));
  server.limits = null;
  connect(server);
  const subscription = tidings.get('x', () => {}, { binary: true });
  const binary = outcome(tidings.post('x', new Uint8Array(3)));
  const text = outcome(tidings.post('x', 'text'));
  await clock.pass(5_000);
  assert.equal((await subscription.ready).status, 200);
  assert.deepEqual([(await binary).rejected, (await text).status], ['unsupported_data', 200]);
});

test('what waits for the connection is checked again against the limits of the server that comes', async () => {
  const server = fakeServer(subscribed);
  connect(server);
  await settle();
  server.accepts = false;
  server.connections[0].end(1006, '');
  const large = outcome(tidings.post('x', 'x'.repeat(10_000)));
  server.limits = { ...LIMITS, message_bytes: 1_000 };
  const hears = server.hears;
  server.hears = (request, connection, frame) => (frame.length > 1_000 ? [1009, 'message_too_big: too big'] : hears(request));
  server.accepts = true;
  const small = outcome(tidings.post('x', 'small'));
  await clock.pass(10_000);
  assert.deepEqual([(await large).rejected, (await small).status], ['message_too_big', 200]);
});

test('an error that could not name its request answers the oldest', async () => {
  const server = fakeServer((request, connection) => {
    if (!CHANNEL(request, 'deep')) return subscribed(request);
    connection.tell({ status: 400, error: { code: 'too_deep', message: 'more than 64 levels' } });
    return null;
  });
  connect(server);
  await settle();
  const [deep, next] = [outcome(tidings.post('deep', 1)), outcome(tidings.post('next', 2))];
  await settle();
  assert.deepEqual([(await deep).rejected, (await next).status], ['too_deep', 200]);
});

test('a request that breaks every connection without a word is given up in the end, and the rest goes on', async () => {
  for (const [code, again] of [[1006, true], [1011, true]]) {
    const server = fakeServer((request) => (CHANNEL(request, 'poison') ? [code, ''] : subscribed(request)));
    connect(server, { resends: 3 });
    await settle();
    const poison = outcome(tidings.post('poison', 1));
    const good = outcome(tidings.post('good', 2));
    await clock.pass(60_000);
    assert.deepEqual([(await poison).rejected, (await good).status], ['connection_lost', 200], String([code, again]));
    assert.equal(server.asked('POST').filter((channel) => channel === 'poison').length, 3);
    tidings.close();
  }
});

test('a socket that cannot send one thing does not keep the others waiting', async () => {
  const server = fakeServer(subscribed);
  const send = server.WebSocket.prototype.send;
  server.WebSocket.prototype.send = function (frame) {
    if (String(frame).includes('unsendable')) throw new RangeError('too much for this socket');
    send.call(this, frame);
  };
  connect(server);
  const outcomes = [outcome(tidings.post('unsendable', 1)), outcome(tidings.post('x', 2))];
  tidings.get('later', () => {});
  await settle();
  assert.deepEqual((await Promise.all(outcomes)).map((each) => each.rejected ?? each.status), ['not_sent', 200]);
  assert.deepEqual(server.asked('GET'), ['later']);
});

test('a page that closes the client, or asks again, while it hears of the end finds it so', async () => {
  const server = fakeServer(subscribed);
  connect(server);
  const states = [];
  await settle();
  tidings.on('close', () => tidings.close());
  tidings.on('state', ({ state }) => states.push(state));
  server.connections[0].end(1006, '');
  await clock.pass(60_000);
  assert.deepEqual(states, ['closed']);
  assert.equal(server.connections.length, 1, 'a closed client connected again');
});

test('a socket that cannot be made is a failed attempt, and the next follows', async () => {
  const server = fakeServer(subscribed);
  let fails = 0;
  const WebSocket = class extends server.WebSocket {
    constructor(...given) {
      if (fails-- > 0) throw new Error('not now');
      super(...given);
    }
  };
  connect(server, { WebSocket });
  await settle();
  fails = 3;
  server.connections[0].end(1006, '');
  const post = outcome(tidings.post('x', 1));
  await clock.pass(10_000);
  assert.equal((await post).status, 200);
  fails = 1;
  assert.throws(() => new Tidings(URL, { WebSocket }), /not now/);
});

test('closing the client leaves nothing that waits for ever', async () => {
  const server = fakeServer(() => null);
  connect(server);
  const open = [outcome(tidings.get('news', () => {}).ready), outcome(tidings.post('news', 1)), outcome(tidings.history('news'))];
  await settle();
  tidings.close();
  assert.deepEqual((await Promise.all(open)).map(({ rejected }) => rejected), ['closed', 'closed', 'closed']);
  assert.equal((await outcome(tidings.post('news', 2))).rejected, 'closed');
  assert.equal(clock.timers.size, 0);
});
