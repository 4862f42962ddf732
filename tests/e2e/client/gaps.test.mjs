// No hole is silent: each publication comes once and in order, or a gap event says which were lost.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { fakeClock, fakeServer, loadClient, outcome, settle, standing } from './support.mjs';

const { Tidings } = await loadClient();
let clock;
let tidings;
let gaps;
let heard;
beforeEach(() => {
  clock = fakeClock();
  [gaps, heard] = [[], []];
});
afterEach(() => {
  tidings.close();
  clock.restore();
});

/** A client that is subscribed to `news`, and its server; `answers` are those to its GETs, the last for all later ones. */
async function subscribe(answers = [standing()], options = {}) {
  const server = fakeServer((request) => {
    if (request.method !== 'GET' || !request.path.startsWith('/channels/')) return undefined;
    return answers.length > 1 ? answers.shift() : answers[0];
  });
  tidings = new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket });
  tidings.on('gap', ({ channel, position }) => gaps.push([channel, position]));
  const subscription = tidings.get('news', (data, { offset }) => heard.push([offset, data]), options);
  await subscription.ready;
  return { server, subscription, push: (message) => server.connections.at(-1).tell({ channel: 'news', ...message }) };
}

const publications = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => ({ offset: from + index, data: from + index }));

test('an excluded publication moves the position on, and is no gap', async () => {
  const { push, subscription } = await subscribe();
  push({ offset: 1, data: 'one' });
  push({ offset: 2, excluded: true });
  push({ offset: 3, data: 'three' });
  assert.deepEqual([heard, gaps, subscription.position], [[[1, 'one'], [3, 'three']], [], 'epoch001:3']);
  push({ offset: 4, excluded: true });
  assert.equal(subscription.position, 'epoch001:4');
});

test('an own post that is not pushed back moves the position on, where the server tells its offset alone', async () => {
  const { push, server, subscription } = await subscribe();
  const usual = server.hears;
  server.hears = (request) => (request.method === 'POST' ? { epoch: 'epoch001', offset: 1 } : usual(request));
  await tidings.post('news', 1, { excludeSelf: true });
  push({ offset: 2, data: 'two' });
  assert.deepEqual([heard, gaps, subscription.position], [[[2, 'two']], [], 'epoch001:2']);
});

test('offsets that were left out without a word are a gap', async () => {
  const { push, subscription } = await subscribe();
  push({ offset: 1, data: 'one' });
  push({ offset: 4, data: 'four' });
  push({ offset: 6, excluded: true });
  assert.deepEqual(gaps, [['news', 'epoch001:3'], ['news', 'epoch001:5']]);
  assert.deepEqual([heard, subscription.position], [[[1, 'one'], [4, 'four']], 'epoch001:6']);
});

test('a reset is a gap, at whatever offset, and what comes after it is handed over', async () => {
  const { push, subscription } = await subscribe([standing(50)]);
  push({ epoch: 'epoch002', offset: 0, reset: true });
  push({ offset: 1, data: 'new' });
  push({ epoch: 'epoch003', offset: 70, reset: true });
  push({ offset: 71, data: 'newer' });
  assert.deepEqual(gaps, [['news', 'epoch002:0'], ['news', 'epoch003:70']]);
  assert.deepEqual([heard, subscription.position], [[[1, 'new'], [71, 'newer']], 'epoch003:71']);
});

test('frames that this client does not know are ignored, and are no publications', async () => {
  const { push, server, subscription } = await subscribe();
  push({ closed: true, offset: 0 });
  push({ offset: 1, something: 'new' });
  push({ channel: 'other', offset: 1, data: 1 });
  for (const text of ['null', '7', '"x"', '[]', '[null,3]', '[[]]', 'no JSON']) server.connections[0].tell(text);
  assert.deepEqual([heard, gaps, subscription.position], [[], [], 'epoch001:0']);
  push({ offset: 2, data: 'two' });
  assert.deepEqual([heard, gaps], [[[2, 'two']], [['news', 'epoch001:1']]]);
});

test('a resume with everything is no gap; one with a hole, in the middle or at the end, is', async () => {
  const whole = standing(5, { recovered: true, publications: publications(3, 5) });
  const { push, server } = await subscribe([standing(0), whole, standing(8, { recovered: true, publications: [publications(6, 6)[0], publications(8, 8)[0]] }),
    standing(10, { recovered: true, publications: [] })]);
  push({ offset: 1, data: 1 });
  push({ offset: 2, data: 2 });
  const again = async () => {
    server.connections.at(-1).end(1006, '');
    await clock.pass(5_000);
  };
  await again();
  assert.deepEqual([heard.map(([offset]) => offset), gaps], [[1, 2, 3, 4, 5], []]);
  assert.equal(server.requests.at(-1).since, 'epoch001:2');
  await again();
  assert.deepEqual([heard.length, gaps], [7, [['news', 'epoch001:7']]]);
  await again();
  assert.deepEqual(gaps.slice(1), [['news', 'epoch001:10']]);
});

test('a resume that lost something is a gap, in another epoch and in the same with a lower offset', async () => {
  const { push, server, subscription } = await subscribe([standing(0), standing(2, { recovered: false }), standing(1, { recovered: false, epoch: 'epoch002' })]);
  for (const offset of [1, 2, 3, 4, 5]) push({ offset, data: offset });
  server.connections.at(-1).end(1006, '');
  await clock.pass(5_000);
  assert.deepEqual([gaps, subscription.position], [[['news', 'epoch001:2']], 'epoch001:2']);
  push({ offset: 3, data: 'again three' });
  assert.deepEqual(heard.at(-1), [3, 'again three'], 'the server lost its tail: what it now calls 3 is new');
  server.connections.at(-1).end(1006, '');
  await clock.pass(5_000);
  assert.deepEqual([gaps.at(-1), subscription.position], [['news', 'epoch002:1'], 'epoch002:1']);
});

test('a first subscription with a position hands over what came after it; one that names a lost position is a gap', async () => {
  await subscribe([standing(5, { recovered: true, publications: publications(4, 5) })], { since: 'epoch001:3' });
  assert.deepEqual([heard, gaps], [[[4, 4], [5, 5]], []]);
  tidings.close();
  heard.length = 0;
  await subscribe([standing(9, { recovered: false, publications: publications(8, 9) })], { since: 'epoch000:3', last: 2 });
  assert.deepEqual([heard, gaps], [[[8, 8], [9, 9]], [['news', 'epoch001:9']]]);
  tidings.close();
  [heard.length, gaps.length] = [0, 0];
  await subscribe([standing(9, { recovered: true, publications: publications(8, 9) })], { since: 'epoch001:3' });
  assert.deepEqual([heard, gaps], [[[8, 8], [9, 9]], [['news', 'epoch001:7']]], 'a server that claims to have recovered and has not');
});

test('a first subscription to the newest is no gap, whatever came before', async () => {
  await subscribe([standing(100, { publications: publications(91, 100) })], { last: 10 });
  assert.deepEqual([heard.length, gaps], [10, []]);
});

/** A second listener of `news`, whose history is answered by `page(request)`. */
async function second(server, page, options) {
  const usual = server.hears;
  const asks = [];
  server.hears = (request) => (request.once ? (asks.push(request), page(request)) : usual(request));
  const late = [];
  tidings.get('news', (data, { offset }) => late.push(offset), options);
  return { late, asks };
}

test('a second listener gets all of its past, page by page, and then what came meanwhile', async () => {
  const { push, server } = await subscribe([standing(0)]);
  for (const { offset, data } of publications(1, 10)) push({ offset, data });
  let held = null;
  const { late, asks } = await second(server, (request) => {
    const from = Number(request.since.split(':')[1]);
    if (from === 8) {
      held = request;
      return null;
    }
    return { epoch: 'epoch001', offset: from + 4, recovered: true, publications: publications(from + 1, from + 4) };
  }, { since: 'epoch001:0' });
  await settle();
  push({ offset: 11, data: 11 });
  assert.deepEqual(late, [1, 2, 3, 4, 5, 6, 7, 8]);
  server.connections.at(-1).tell({ id: held.id, status: 200, epoch: 'epoch001', offset: 11, recovered: true, publications: publications(9, 11) });
  await settle();
  push({ offset: 12, data: 12 });
  assert.deepEqual([late, gaps, asks.length], [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [], 3]);
});

test('a second listener that comes before the first answer gets its past, too', async () => {
  const server = fakeServer((request) => {
    if (request.once) return { epoch: 'epoch001', offset: 10, publications: publications(8, 10) };
    return request.method === 'GET' && request.path.startsWith('/channels/') ? standing(10) : undefined;
  });
  tidings = new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket });
  const late = [];
  tidings.get('news', (data) => heard.push(data));
  tidings.get('news', (data) => late.push(data), { last: 3 });
  await settle();
  server.connections[0].tell({ channel: 'news', offset: 11, data: 11 });
  assert.deepEqual([heard, late], [[11], [8, 9, 10, 11]]);
});

test('a reset while a second listener waits for its past loses nothing of the new epoch', async () => {
  const { push, server } = await subscribe([standing(10)]);
  let held = null;
  const { late } = await second(server, (request) => {
    held = request;
    return null;
  }, { last: 5 });
  await settle();
  push({ offset: 11, data: 11 });
  push({ epoch: 'epoch002', offset: 0, reset: true });
  push({ offset: 1, data: 1 });
  push({ offset: 2, data: 2 });
  server.connections.at(-1).tell({ id: held.id, status: 200, epoch: 'epoch001', offset: 10, publications: publications(6, 10) });
  await settle();
  push({ offset: 3, data: 3 });
  assert.deepEqual(late, [11, 1, 2, 3]);
  assert.deepEqual(heard.map(([offset]) => offset), [11, 1, 2, 3]);
});

test('a second listener whose past cannot be had is told so, and lives on', async () => {
  const { push, server } = await subscribe([standing(10)]);
  const errors = [];
  tidings.on('error', ({ channel, error }) => errors.push([channel, error.code]));
  const { late } = await second(server, () => ({ status: 403, error: { code: 'forbidden', message: 'no' } }), { last: 5 });
  await settle();
  push({ offset: 11, data: 11 });
  assert.deepEqual([late, errors], [[11], [['news', 'forbidden']]]);
  const { asks } = await second(server, () => ({ epoch: 'epoch001', offset: 11, recovered: false, publications: [] }), { since: 'epoch000:1' });
  await settle();
  assert.deepEqual([asks.length, gaps], [1, [['news', 'epoch001:11']]]);
});

test('a channel is called as it is called, also by a number', async () => {
  const server = fakeServer((request) => (request.method === 'GET' && request.path.startsWith('/channels/') ? standing() : undefined));
  tidings = new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket });
  await tidings.get(42, (data) => heard.push(data)).ready;
  server.connections[0].tell({ channel: '42', offset: 1, data: 'here' });
  assert.deepEqual(heard, ['here']);
  assert.equal((await outcome(tidings.post(42, 1))).status, 200);
});
