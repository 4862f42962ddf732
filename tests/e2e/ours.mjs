// Our browser client against the real server, in Node with npm ws: node ours.mjs PATH/TO/tidings

import WebSocket from 'ws';
import { clientText } from './client/support.mjs';
import { checks, equal, post, startConfigured, startProxy, startServer, until } from './support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node ours.mjs PATH/TO/tidings');

const { check, finish } = checks();
const server = await startServer(binary);
const { socketUrl } = server;

const served = await (await fetch(`${server.url}/tidings.js`)).text();
const { Tidings } = await import(`data:text/javascript;base64,${Buffer.from(served).toString('base64')}`);

/** What became of a promise: its status, or its error's code. */
const outcome = (promise) => promise.then(({ status }) => status, ({ code, message }) => code ?? message);

await check('what is served is what the unit tests test', () => equal(served === clientText(), true, 'the same text'));

await check('our browser client runs in Node with npm ws', async () => {
  const tidings = new Tidings(socketUrl, { WebSocket });
  const heard = [];
  await tidings.get('ours', (data) => heard.push(data)).ready;
  await tidings.post('ours', { text: '你好' });
  await tidings.post('ours', new Uint8Array([1, 0, 10, 2]));
  await until(() => heard.length === 2, 'both');
  equal([heard[0], [...heard[1]]], [{ text: '你好' }, [1, 0, 10, 2]], 'publications');
  const late = [];
  tidings.get('ours', (data) => late.push(data), { last: 10 });
  await until(() => late.length === 2, 'the past for a second listener');
  equal((await tidings.history('ours', { last: 1 })).publications.length, 1, 'history');
  const failed = await tidings.post('no/such*name', 1).then(() => null, (error) => error);
  equal(failed?.status >= 400, true, 'a refused name');
  tidings.close();
});

await check('our browser client asks a silent connection whether it lives, and replaces one that does not answer', async () => {
  const proxy = await startProxy(server.port);
  const [heard, states, sent] = [[], [], []];
  const tidings = new Tidings(`${proxy.url}/ws`, { WebSocket, silence: 100, answer: 150, base: 50 });
  tidings.on('state', ({ state }) => states.push(state));
  tidings.on('frame', ({ dir, data }) => dir === 'out' && sent.push(data));
  await tidings.get('silent', (data) => heard.push(data)).ready;
  await until(() => sent.filter((text) => text.includes('/livez')).length >= 3, 'three questions');
  equal(states.filter((state) => state === 'waiting'), [], 'breaks while the server answers');
  proxy.swallow();
  await until(() => states.includes('waiting'), 'the break');
  await post(server.url, 'silent', 'missed');
  proxy.heal();
  await until(() => heard.length === 1, 'what was missed');
  const late = new Tidings(socketUrl, { WebSocket, queue: 2 });
  const results = await Promise.allSettled([1, 2, 3].map((n) => late.post('silent', n)));
  equal(results.map((each) => each.reason?.code ?? each.status), ['fulfilled', 'fulfilled', 'queue_full'], 'posts before the connection');
  late.close();
  tidings.close();
  proxy.end();
});

await check('one bad post does not take a page off the air: too large, no JSON, half a surrogate pair, too deep', async () => {
  const tidings = new Tidings(socketUrl, { WebSocket });
  const heard = [];
  let closes = 0;
  tidings.on('close', () => closes++);
  const circle = {};
  circle.circle = circle;
  const deep = JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`);
  for (const when of ['before the connection is there', 'on it']) {
    if (when === 'on it') await tidings.get('air', (data) => heard.push(data)).ready;
    const bad = ['x'.repeat(100_000), '世'.repeat(30_000), { n: 1n }, circle, undefined, () => {}, deep, new Uint8Array(70_000)];
    const found = await Promise.all([...bad.map((data) => outcome(tidings.post('air', data))), outcome(tidings.get('\ud800', () => {}).ready),
      outcome(tidings.post('\udfff', 1)), outcome(tidings.post('air', 'fine'))]);
    equal(found, ['message_too_big', 'message_too_big', 'bad_json', 'bad_json', 'bad_json', 'bad_json', 'too_deep', 'message_too_big',
      'bad_channel', 'bad_channel', 200], when);
  }
  await until(() => heard.length === 1, 'the good post');
  equal([heard, closes], [['fine'], 0], 'publications and closes');
  tidings.close();
});

await check('a server with small messages and none in binary costs each bad request one connection, and the others live', async () => {
  const small = await startConfigured(binary, '[websocket]\nmessage_bytes = 1024\nbinary = false\n[server]\ninline_parse_bytes = 512\n');
  const tidings = new Tidings(small.socketUrl, { WebSocket, base: 20 });
  const [heard, closes] = [[], []];
  tidings.on('close', ({ code }) => closes.push(code));
  const subscription = tidings.get('kept', (data) => heard.push(data), { binary: true });
  const early = [tidings.post('kept', 'x'.repeat(10_000)), tidings.post('kept', 'good'), tidings.post('kept', new Uint8Array(8)), tidings.post('kept', 'better')];
  equal(await Promise.all(early.map(outcome)), ['message_too_big', 200, 'unsupported_data', 200], 'posts before the limits were known');
  equal((await subscription.ready).status, 200, 'the subscription that asked for binary frames');
  equal(tidings.limits, { message_bytes: 1024, body_bytes: 1_048_576, binary: false, batch: 100 }, 'limits');
  const ends = closes.length;
  for (let count = 0; count < 10; count++) await tidings.history('kept'); // so that ids have two digits
  const overhead = JSON.stringify({ id: 10, method: 'POST', path: '/channels/kept', key: 'k', data: '' }).length;
  const exact = [1024, 1025].map((size) => outcome(tidings.post('kept', 'x'.repeat(size - overhead), { key: 'k' })));
  equal(await Promise.all(exact), [200, 'message_too_big'], 'a frame of exactly the limit, and one byte more');
  equal([await outcome(tidings.post('kept', new Uint8Array(8))), closes.length], ['unsupported_data', ends], 'binary, now that it is known');
  await until(() => heard.length >= 2 && heard.at(-1).length > 100, 'the publications');
  equal(heard.filter((data) => data === 'better').length, 1, 'publications of one that was sent again');
  tidings.close();
  await small.end();
});

/** A socket whose frames that hold `poison` go out as something that the protocol forbids. */
class Poisoning extends WebSocket {
  send(frame) {
    const text = String(frame);
    if (text.includes('poison-1002')) this._socket.write(Buffer.from([0x81, 1, 65])); // without a mask
    else if (text.includes('poison-1007')) super.send(Buffer.from([0xff, 0xfe]), { binary: false });
    else super.send(frame);
  }
}

await check('after a real close with 1002 or 1007 only what caused it is rejected', async () => {
  const tidings = new Tidings(socketUrl, { WebSocket: Poisoning, base: 20 });
  await tidings.get('closes', () => {}).ready;
  for (const [data, code] of [['poison-1002', 'protocol_error'], ['poison-1007', 'invalid_utf8']]) {
    const found = await Promise.all([tidings.post('closes', 'before'), tidings.post('closes', data), tidings.post('closes', 'after')].map(outcome));
    equal(found, [200, code, 200], data);
  }
  tidings.close();
});

await check('a refused get is told, and not asked for again after a reconnect; other channels are', async () => {
  const proxy = await startProxy(server.port);
  const tidings = new Tidings(`${proxy.url}/ws`, { WebSocket, base: 20 });
  const [errors, asked, heard] = [[], [], []];
  tidings.on('error', ({ channel, error, final }) => errors.push([channel, error.code, error.status, final]));
  tidings.on('frame', ({ dir, data }) => dir === 'out' && asked.push(String(data)));
  equal(await outcome(tidings.get('a*b', () => {}).ready), 'bad_channel', 'ready');
  await tidings.get('good', (data) => heard.push(data)).ready;
  proxy.cut();
  await until(() => tidings.state === 'waiting', 'the break');
  proxy.heal();
  tidings.retry();
  await post(server.url, 'good', 'here');
  await until(() => heard.length === 1, 'the publication');
  equal([errors, asked.filter((text) => text.includes('a*b')).length], [[['a*b', 'bad_channel', 400, true]], 1], 'errors and questions');
  tidings.close();
  proxy.end();
});

await check('publications that this page excluded itself from are no gap', async () => {
  const [one, two] = [0, 1].map(() => new Tidings(socketUrl, { WebSocket }));
  const [heard, gaps] = [[], []];
  one.on('gap', (gap) => gaps.push(gap));
  const subscription = one.get('own', (data) => heard.push(data));
  await subscription.ready;
  for (const data of ['mine', 'mine too']) await one.post('own', data, { excludeSelf: true });
  await two.post('own', 'theirs');
  await Promise.all(['mine', 'mine'].map((data) => one.post('own', data, { excludeSelf: true })));
  await two.post('own', 'theirs again');
  await until(() => heard.length === 2, 'both of the other page');
  equal([heard, gaps, subscription.position.split(':')[1]], [['theirs', 'theirs again'], [], '6'], 'publications, gaps and position');
  one.close();
  two.close();
});

await check('a second listener gets a past that is longer than one replay, without a hole', async () => {
  const tidings = new Tidings(socketUrl, { WebSocket });
  const [first, late, gaps] = [[], [], []];
  tidings.on('gap', (gap) => gaps.push(gap));
  const { epoch, offset } = await tidings.get('long', (data) => first.push(data)).ready;
  for (let n = 0; n < 700; n += 50) await Promise.all(Array.from({ length: 50 }, (_, index) => tidings.post('long', n + index, { key: false })));
  tidings.get('long', (data) => late.push(data), { since: `${epoch}:${offset}` });
  await tidings.post('long', 700);
  await until(() => late.length >= 701, 'all of the past');
  const all = Array.from({ length: 701 }, (_, index) => index);
  equal([late, first, gaps], [all, all, []], 'publications and gaps');
  tidings.close();
});

await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));
finish();
