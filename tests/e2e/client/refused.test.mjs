// What is refused is told, to whoever asked and to whoever listens, and is asked for again only where that may help.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { fakeClock, fakeServer, loadClient, outcome, settle, standing } from './support.mjs';

const { Tidings } = await loadClient();
const realConsole = console.error;
let clock;
let tidings;
let errors;
let said;
beforeEach(() => {
  clock = fakeClock();
  errors = [];
  said = [];
  console.error = (text) => said.push(text);
});
afterEach(() => {
  tidings?.close();
  clock.restore();
  console.error = realConsole;
});

function connect(server, { deaf = false, ...options } = {}) {
  tidings = new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket, ...options });
  if (!deaf) tidings.on('error', ({ channel, error, final }) => errors.push([channel, error.code, final]));
  return tidings;
}

const refusal = (status, code) => ({ status, error: { code, message: `${code}: no` } });
const refusing = (answers) => fakeServer((request) => {
  if (request.method !== 'GET' || !request.path.startsWith('/channels/')) return undefined;
  return answers[decodeURIComponent(request.path.slice(10))] ?? standing();
});

for (const [status, code] of [[400, 'bad_channel'], [403, 'forbidden'], [404, 'not_found'], [401, 'token_needed'], [501, 'not_with_this_engine']]) {
  test(`a get that was refused with ${status} ${code} rejects, is an error event, and is not asked for after a reconnect`, async () => {
    const server = refusing({ 'a*b': refusal(status, code) });
    connect(server);
    const bad = tidings.get('a*b', () => {});
    const found = outcome(bad.ready);
    tidings.get('good', () => {});
    await settle();
    assert.deepEqual([(await found).rejected, errors], [code, [['a*b', code, true]]]);
    server.connections[0].end(1001, 'server_shutdown');
    await clock.pass(60_000);
    assert.deepEqual(server.asked('GET'), ['a*b', 'good', 'good']);
    const again = outcome(tidings.get('a*b', () => {}).ready);
    await settle();
    assert.equal((await again).rejected, code, 'whoever asks anew is answered anew');
    assert.equal(errors.length, 2);
  });
}

test('a refusal that says how long it lasts is not asked about before', async () => {
  let refuses = true;
  const server = fakeServer((request) => {
    if (!request.path.startsWith('/channels/')) return undefined;
    return refuses ? { status: 429, error: { code: 'too_many_requests', message: 'no', retry_after_ms: 45_000 } } : standing();
  });
  connect(server);
  const subscription = tidings.get('news', () => {});
  subscription.ready.catch(() => {});
  await settle();
  const post = await tidings.post('news', 1).catch((error) => error);
  assert.deepEqual([post.code, post.retryAfter], ['too_many_requests', 45_000]);
  refuses = false;
  await clock.pass(44_900);
  assert.deepEqual(server.asked('GET'), ['news']);
  await clock.pass(1_200);
  assert.deepEqual(server.asked('GET'), ['news', 'news']);
  assert.equal((await subscription.ready).status, 200);
});

for (const [status, code] of [[429, 'too_many_subscriptions'], [503, 'channels_full'], [500, 'internal_error']]) {
  test(`a get that was refused with ${status} ${code} is told, asked again, and delivers in the end`, async () => {
    const answers = { full: refusal(status, code) };
    const server = refusing(answers);
    connect(server);
    const heard = [];
    const subscription = tidings.get('full', (data) => heard.push(data));
    const first = outcome(subscription.ready);
    await settle();
    assert.deepEqual([(await first).rejected, errors], [code, [['full', code, false]]]);
    const next = outcome(subscription.ready);
    await clock.pass(20_000);
    assert.ok(errors.length > 1, 'asked again');
    assert.equal((await next).rejected, code);
    delete answers.full;
    const last = outcome(subscription.ready);
    await clock.pass(20_000);
    assert.equal((await last).status, 200);
    server.connections[0].tell({ channel: 'full', offset: 1, data: 'came' });
    assert.deepEqual(heard, ['came']);
  });
}

test('the waits of a refused subscription grow, and retry() ends them', async () => {
  const answers = { full: refusal(503, 'busy') };
  const server = refusing(answers);
  connect(server);
  const subscription = tidings.get('full', () => {});
  await clock.pass(300_000);
  const asked = server.asked('GET').length;
  assert.ok(asked >= 15 && asked < 200, `${asked} times in five minutes`);
  delete answers.full;
  tidings.retry();
  await settle();
  assert.equal((await subscription.ready).status, 200);
});

test('a refusal that nobody listens to is written to the console, and one that somebody does is not', async () => {
  const server = refusing({ bad: refusal(403, 'forbidden') });
  connect(server, { deaf: true });
  tidings.get('bad', () => {});
  await settle();
  assert.deepEqual(said, ['tidings: channel bad: forbidden: no']);
  await outcome(tidings.get('bad', () => {}).ready);
  const stop = tidings.on('error', () => {});
  tidings.get('bad', () => {});
  await settle();
  assert.equal(said.length, 1);
  stop();
  tidings.get('bad', () => {});
  await settle();
  assert.equal(said.length, 2);
});

test('each listener of a refused channel hears of it, and one that leaves before the answer too', async () => {
  const server = refusing({ bad: refusal(403, 'forbidden'), slow: null });
  connect(server);
  const [one, two] = [tidings.get('bad', () => {}), tidings.get('bad', () => {})].map(({ ready }) => outcome(ready));
  server.hears = ((usual) => (request) => (request.path === '/channels/slow' ? null : usual(request)))(server.hears);
  const slow = tidings.get('slow', () => {});
  const left = outcome(slow.ready);
  await settle();
  slow.close();
  assert.deepEqual((await Promise.all([one, two, left])).map(({ rejected }) => rejected), ['forbidden', 'forbidden', 'closed']);
});

const CLOSES = [
  [4403, 'origin_not_allowed: pages of http://a.test may not connect; --allow-origin http://a.test allows it', 403, 'origin_not_allowed'],
  [4401, 'token_needed: sign in first', 401, 'token_needed'],
  [4421, 'misdirected_request: this is not b.test', 421, 'misdirected_request'],
  [4404, 'not_found: /ws is the address', 404, 'not_found'],
  [1008, 'origin_not_allowed', 403, 'origin_not_allowed'],
];
for (const [code, reason, status, label] of CLOSES) {
  test(`a connection refused with ${code} ${label} says so, rejects what waits, and is tried again slowly or by retry()`, async () => {
    const server = refusing({});
    let refuses = true;
    const { hears } = server;
    server.hears = (request, connection) => (refuses ? [code, reason] : hears(request, connection));
    connect(server);
    const [states, closes, waits] = [[], [], []];
    tidings.on('state', ({ state }) => states.push(state));
    tidings.on('close', (detail) => closes.push(detail));
    tidings.on('waiting', (detail) => waits.push(detail));
    const subscription = tidings.get('news', () => {});
    const [ready, post] = [outcome(subscription.ready), outcome(tidings.post('news', 1, { key: false }))];
    await settle();
    assert.equal(tidings.state, 'refused');
    for (const { rejected, status: found } of [await ready, await post]) assert.deepEqual([rejected, found], [label, status]);
    assert.deepEqual(errors, [[undefined, label, true]]);
    const sentence = reason.split(': ')[1];
    if (sentence) assert.equal((await post).message, sentence);
    assert.deepEqual([closes[0].code, closes[0].label, closes[0].reason], [code, label, reason]);
    assert.ok(closes[0].message.includes(sentence ?? label));
    assert.equal((await outcome(tidings.post('news', 2))).rejected, label, 'a later post rejects at once');
    assert.equal((await outcome(tidings.get('later', () => {}).ready)).rejected, label);
    assert.ok(waits[0].wait >= 10_000 && waits[0].wait <= 20_000 && waits[0].at === clock.monotonic + waits[0].wait, JSON.stringify(waits));
    await clock.pass(1_200_000);
    const tries = server.connections.length;
    assert.ok(tries >= 6 && tries <= 12, `${tries} attempts in 20 minutes`);
    assert.ok(waits.at(-1).wait <= 300_000 && waits.at(-1).wait >= 150_000);
    refuses = false;
    const again = outcome(subscription.ready);
    tidings.retry();
    await settle();
    assert.deepEqual([server.connections.length, tidings.state, (await again).status], [tries + 1, 'open', 200]);
    assert.equal((await outcome(tidings.post('news', 3))).status, 200);
  });
}

test('a refusal that passes (4429) keeps what waits, and is tried again slowly', async () => {
  const server = refusing({});
  let refuses = true;
  const { hears } = server;
  server.hears = (request, connection) => (refuses ? [4429, 'too_many_connections: 100 is the most for one address'] : hears(request, connection));
  connect(server);
  const posts = [true, false].map((again) => outcome(tidings.post('news', 1, again ? {} : { key: false })));
  await settle();
  assert.deepEqual([tidings.state, errors], ['waiting', [[undefined, 'too_many_connections', false]]]);
  await clock.pass(9_000);
  assert.equal(server.connections.length, 1);
  refuses = false;
  await clock.pass(12_000);
  assert.deepEqual((await Promise.all(posts)).map(({ status }) => status), [200, 200]);
});

test('waiting tells when the next attempt is, and retry() makes it now', async () => {
  const server = refusing({});
  connect(server, { base: 20_000 });
  const waits = [];
  await settle();
  tidings.on('waiting', (detail) => waits.push(detail));
  server.connections[0].end(1006, '');
  assert.equal(waits.length, 1);
  const [{ at, wait }] = waits;
  assert.equal(at, clock.monotonic + wait);
  assert.ok(wait >= 0 && wait <= 20_000);
  await clock.pass(wait - 1);
  assert.equal(server.connections.length, 1);
  await clock.pass(2);
  assert.equal(server.connections.length, 2);
  server.connections[1].end(1006, '');
  tidings.retry();
  tidings.retry();
  await settle();
  assert.deepEqual([server.connections.length, tidings.state], [3, 'open']);
  tidings.retry();
  assert.equal(server.connections.length, 3, 'nothing to retry');
  tidings.close();
  tidings.retry();
  assert.deepEqual([server.connections.length, tidings.state], [3, 'closed']);
});
