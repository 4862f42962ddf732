// Tokens: asked for at each connection and before one expires, presented so that the first subscription counts, tried again once
// when they are refused, and never shown.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { fakeClock, fakePage, fakeServer, loadClient, outcome, settle, standing } from './support.mjs';

const { Tidings } = await loadClient();
const realConsole = console.error;
let clock;
let tidings;
let said;
beforeEach(() => {
  clock = fakeClock();
  said = [];
  console.error = (text) => said.push(String(text));
});
afterEach(() => {
  tidings?.close();
  clock.restore();
  console.error = realConsole;
});

/** A server, and the events of a client that signs in there. */
function connect(server, options) {
  const seen = { errors: [], closes: [], states: [], frames: [] };
  tidings = new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket, ...options });
  tidings.on('error', ({ channel, error, final }) => seen.errors.push([channel, error.status, error.code, final]));
  tidings.on('close', ({ code, label }) => seen.closes.push([code, label]));
  tidings.on('state', ({ state }) => seen.states.push(state));
  tidings.on('frame', ({ data }) => seen.frames.push(String(data)));
  return seen;
}

const isSubscription = ({ method, path }) => method === 'GET' && path?.startsWith('/channels/');
const subscribing = () => fakeServer((request) => (isSubscription(request) ? standing() : undefined));
const offered = (server) => server.connections.map(({ protocols }) => protocols.slice(1).join());
const auths = (server) => server.requests.filter(({ method }) => method === 'AUTH').map(({ token }) => token);
const refusal = (status, code) => ({ status, error: { code, message: `${code}: no` } });

/** Tokens t1, t2, …, and how often one was asked for. */
function tokens() {
  const found = { count: 0, token: async () => `t${++found.count}` };
  return found;
}

test('a token is offered beside the subprotocol, with the connection, and no frame has it', async () => {
  for (const token of ['header.payload.sig-_~', () => 'header.payload.sig-_~', async () => ' header.payload.sig-_~\n']) {
    const server = subscribing();
    const { frames } = connect(server, { token });
    await tidings.get('news', () => {}).ready;
    assert.deepEqual(server.connections[0].protocols, ['tidings.v1', 'tidings.token.header.payload.sig-_~']);
    assert.deepEqual([auths(server), frames.filter((text) => text.includes('payload'))], [[], []]);
    assert.ok(!server.connections[0].url.includes('payload'));
    tidings.close();
  }
});

test('without a token nothing is offered and nothing presented', async () => {
  for (const token of [undefined, null, '', ' ', () => undefined, async () => null, () => '']) {
    const server = subscribing();
    connect(server, { token });
    await tidings.get('news', () => {}).ready;
    assert.deepEqual([server.connections[0].protocols, auths(server)], [['tidings.v1'], []]);
    tidings.close();
  }
});

test('what can be no subprotocol, or is too long for a head, is presented in the first frame, and never shown', async () => {
  for (const token of ['with/slash+and=', 'two words', 'näher', 'a"quote\\', 'x'.repeat(4097)]) {
    const server = subscribing();
    const { frames } = connect(server, { token });
    await tidings.get('news', () => {}).ready;
    assert.deepEqual(server.connections[0].protocols, ['tidings.v1']);
    assert.deepEqual([server.requests[0].method, auths(server)], ['AUTH', [token]]);
    assert.equal(frames.filter((text) => text.includes('"AUTH"')).join(), `{"id":${server.requests[0].id},"method":"AUTH","token":"…"}`);
    tidings.close();
  }
  const server = subscribing();
  connect(server, { token: 'x'.repeat(4096) });
  await settle();
  assert.equal(server.connections[0].protocols.length, 2);
});

test('what is no token is refused at once, or as one that could not be fetched', async () => {
  const server = subscribing();
  assert.throws(() => connect(server, { token: 5 }), ({ code, message }) => code === 'token_unavailable' && message.includes('number'));
  const secret = { jwt: 'secret' };
  const { errors } = connect(server, { token: async () => secret });
  await settle();
  assert.deepEqual([errors, server.connections.length], [[[undefined, 0, 'token_unavailable', false]], 0]);
});

test('each connection asks for a token anew', async () => {
  const [server, found] = [subscribing(), tokens()];
  connect(server, found);
  for (let n = 1; n <= 3; n++) {
    await clock.pass(5_000);
    assert.equal(found.count, n);
    server.connections.at(-1).end(1006, '');
  }
  assert.deepEqual(offered(server), ['tidings.token.t1', 'tidings.token.t2', 'tidings.token.t3']);
});

test('a token that cannot be fetched is an error, and asked for again after the usual waits', async () => {
  const server = subscribing();
  let fails = true;
  let asked = 0;
  const { errors, closes } = connect(server, { token: async () => {
    asked++;
    if (fails) throw new Error('my server is away');
    return 'fetched';
  } });
  const ready = outcome(tidings.get('news', () => {}).ready);
  await clock.pass(60_000);
  assert.ok(asked > 3 && asked < 40, `${asked} times in a minute`);
  assert.deepEqual([server.connections.length, errors[0], errors.length, closes.length], [0, [undefined, 0, 'token_unavailable', false], asked, asked]);
  fails = false;
  tidings.retry();
  assert.equal((await ready).status, 200);
  assert.deepEqual(offered(server), ['tidings.token.fetched']);
});

test('a token that takes too long is given up, and what comes of it later counts no more', async () => {
  const server = subscribing();
  const answers = [];
  const { errors } = connect(server, { token: () => new Promise((resolve, reject) => answers.push({ resolve, reject })), base: 1 });
  await clock.pass(10_010);
  assert.equal(answers.length, 2);
  answers[0].resolve('late');
  await settle();
  assert.equal(server.connections.length, 0);
  answers[1].resolve('right');
  await settle();
  assert.deepEqual([offered(server), errors], [['tidings.token.right'], []]);
  tidings.close();
  connect(server, { token: () => new Promise((resolve, reject) => answers.push({ resolve, reject })) });
  tidings.close();
  answers[2].reject(new Error('too late'));
  await settle();
  assert.deepEqual([server.connections.length, said], [1, []], 'after the end');
});

test('before it expires a token is replaced on the same connection', async () => {
  const [server, found] = [subscribing(), tokens()];
  const { errors, frames, closes } = connect(server, found);
  await tidings.get('news', () => {}).ready;
  await clock.pass(600_000);
  server.connections[0].tell({ auth: 'expiring', in: 60 });
  await clock.pass(0);
  assert.deepEqual([found.count, auths(server)], [2, ['t2']]);
  await clock.pass(600_000);
  server.connections[0].tell({ auth: 'expiring', in: 60 });
  await clock.pass(70_000);
  assert.deepEqual([found.count, auths(server), errors, closes], [3, ['t2', 't3'], [], []]);
  assert.equal(frames.filter((text) => /"t\d"/.test(text)).length, 0, 'frames that show a token');
  assert.equal(server.connections.length, 1);
});

test('a short-lived token is replaced halfway, not again and again', async () => {
  const [server, found] = [subscribing(), tokens()];
  const usual = server.hears;
  const expires = (connection) => Promise.resolve().then(() => connection.tell({ auth: 'expiring', in: 20 }));
  server.hears = (request, connection) => {
    if (request.method === 'AUTH' || request.path === '/limits') expires(connection); // the notice follows at once
    return usual(request);
  };
  connect(server, found);
  await clock.pass(100_000);
  assert.ok(found.count >= 9 && found.count <= 12, `${found.count} tokens of 20 s in 100 s`);
  assert.equal(server.connections.length, 1);
});

test('the same token again, or none, is asked for less and less often, and not presented', async () => {
  for (const token of ['always', '']) {
    const server = subscribing();
    let asked = 0;
    connect(server, { token: () => {
      asked++;
      return asked > 1 ? token : 'always';
    } });
    await clock.pass(600_000);
    server.connections[0].tell({ auth: 'expiring', in: 60 });
    await clock.pass(60_000);
    assert.ok(asked > 4 && asked < 10, `${asked} times`);
    assert.deepEqual([auths(server), server.connections.length], [[], 1]);
    tidings.close();
  }
});

test('a renewal that fails is told of and tried again in the time that is left', async () => {
  const server = subscribing();
  const answers = [new Error('away'), 'refused', 'good'];
  let asked = 0;
  const usual = server.hears;
  server.hears = (request) => (request.token === 'refused' ? refusal(503, 'keys_unavailable') : usual(request));
  const { errors } = connect(server, { token: async () => {
    const answer = asked++ ? answers.shift() : 'first';
    if (answer instanceof Error) throw answer;
    return answer;
  } });
  await clock.pass(600_000);
  server.connections[0].tell({ auth: 'expiring', in: 60 });
  await clock.pass(60_000);
  assert.deepEqual([asked, auths(server)], [4, ['refused', 'good']]);
  assert.deepEqual(errors, [[undefined, 0, 'token_unavailable', false], [undefined, 503, 'keys_unavailable', false]]);
  assert.equal(server.connections.length, 1);
});

test('notices that say nothing useful, or come to a client without tokens, change nothing', async () => {
  for (const token of [undefined, 'fixed']) {
    const server = subscribing();
    const { errors } = connect(server, { token });
    await settle();
    for (const seconds of [undefined, null, -1, 'soon', NaN, 60]) server.connections[0].tell({ auth: 'expiring', in: seconds });
    await clock.pass(100_000);
    assert.deepEqual([auths(server), errors, server.connections.length], [[], [], 1]);
    tidings.close();
  }
});

test('a renewed token of another user opens another connection, which resumes', async () => {
  const [server, found] = [subscribing(), tokens()];
  const usual = server.hears;
  server.hears = (request) => (request.method === 'AUTH' ? refusal(403, 'forbidden') : usual(request));
  const { errors } = connect(server, found);
  await tidings.get('news', () => {}).ready;
  await clock.pass(600_000);
  server.connections[0].tell({ auth: 'expiring', in: 60 });
  await clock.pass(1_000);
  assert.deepEqual([offered(server), errors], [['tidings.token.t1', 'tidings.token.t3'], []]);
  assert.equal(server.requests.findLast(isSubscription).since, 'epoch001:0');
});

const LABELS = ['token_expired', 'token_needed', 'token_invalid', 'token_revoked', 'key_invalid'];
for (const label of LABELS) {
  test(`after 4401 ${label} another token is tried once, and then no more`, async () => {
    const [server, found] = [subscribing(), tokens()];
    const usual = server.hears;
    let refuses = true;
    server.hears = (request) => (refuses ? [4401, `${label}: sign in again`] : usual(request));
    const { errors, closes, states } = connect(server, found);
    const waits = [];
    tidings.on('waiting', (wait) => waits.push(wait));
    const subscription = tidings.get('news', () => {});
    const [ready, post] = [outcome(subscription.ready), outcome(tidings.post('news', 1, { key: false }))];
    await clock.pass(3_600_000);
    assert.deepEqual([server.connections.length, found.count], [2, 2], 'connections and tokens');
    assert.deepEqual([errors, closes], [[[undefined, 401, label, true]], [[4401, label], [4401, label]]]);
    assert.deepEqual([states.at(-1), tidings.state, waits.length], ['refused', 'refused', 1]);
    for (const { rejected, status, message } of [await ready, await post]) assert.deepEqual([rejected, status, message], [label, 401, 'sign in again']);
    assert.equal((await outcome(tidings.post('news', 2))).rejected, label);
    refuses = false;
    const again = outcome(subscription.ready);
    tidings.retry();
    await settle();
    assert.deepEqual([(await again).status, tidings.state, found.count], [200, 'open', 3]);
  });
}

test('what the network or the page does is no reason to ask again after a token was refused twice', async () => {
  const page = fakePage();
  const server = fakeServer(() => [4401, 'token_invalid: no']);
  connect(server, tokens());
  await clock.pass(5_000);
  for (const name of ['online', 'pageshow', 'offline', 'online']) page.fire(name);
  await clock.pass(600_000);
  assert.equal(server.connections.length, 2);
  tidings.close();
  page.leave();
});

test('a token that is refused now and then, between answers, is replaced each time', async () => {
  const [server, found] = [subscribing(), tokens()];
  const { errors } = connect(server, found);
  const heard = [];
  await tidings.get('news', (data) => heard.push(data)).ready;
  for (let n = 1; n <= 5; n++) {
    server.connections.at(-1).end(4401, 'token_expired');
    await clock.pass(10_000);
    assert.deepEqual([server.connections.length, tidings.state, errors], [n + 1, 'open', []]);
  }
  server.connections.at(-1).tell({ channel: 'news', offset: 1, data: 'here' });
  assert.deepEqual(heard, ['here']);
});

test('a break between two refusals is no answer', async () => {
  const closes = [[4401, 'token_invalid: no'], [1006, ''], [4401, 'token_invalid: no']];
  const server = fakeServer(() => closes.shift() ?? null);
  const { errors } = connect(server, tokens());
  await clock.pass(600_000);
  assert.deepEqual([server.connections.length, errors], [3, [[undefined, 401, 'token_invalid', true]]]);
});

test('4401 without a token is as before: asked again slowly', async () => {
  const server = fakeServer(() => [4401, 'token_needed: sign in first']);
  const { errors } = connect(server, {});
  await clock.pass(1_200_000);
  assert.equal(errors[0][3], true);
  assert.ok(server.connections.length >= 6 && server.connections.length <= 12, `${server.connections.length} attempts in 20 minutes`);
});

test('other closes keep their waits, with a token too', async () => {
  for (const [code, reason, state] of [[4403, 'forbidden: no', 'refused'], [4429, 'too_many_connections: no', 'waiting'], [1008, 'slow_consumer', 'waiting'], [1012, '', 'waiting']]) {
    const server = fakeServer(() => [code, reason]);
    connect(server, tokens());
    await settle();
    assert.equal(tidings.state, state, reason);
    await clock.pass(600_000);
    assert.ok(server.connections.length > 2, `${server.connections.length} attempts after ${code}`);
    tidings.close();
  }
});

test('a post without a key that was in flight when the token expired is not published twice', async () => {
  const server = subscribing();
  connect(server, tokens());
  await tidings.get('news', () => {}).ready;
  const usual = server.hears;
  server.hears = (request) => (request.method === 'POST' ? null : usual(request));
  const [lost, kept] = [outcome(tidings.post('news', 1, { key: false })), outcome(tidings.post('news', 2))];
  await settle();
  server.hears = usual;
  server.connections[0].end(4401, 'token_expired');
  await clock.pass(5_000);
  assert.deepEqual([(await lost).rejected, (await kept).status], ['connection_lost', 200]);
});

test('an AUTH that is refused in the first frame ends that connection as a 4401 does', async () => {
  const server = subscribing();
  const usual = server.hears;
  server.hears = (request) => (request.method === 'AUTH' ? refusal(401, 'token_invalid') : usual(request));
  const { errors, closes } = connect(server, { token: 'not/a/subprotocol' });
  const heard = [];
  tidings.get('news', (data) => heard.push(data));
  await clock.pass(600_000);
  assert.deepEqual([server.connections.length, errors], [2, [[undefined, 401, 'token_invalid', true]]]);
  assert.deepEqual(closes, [[4401, 'token_invalid'], [4401, 'token_invalid']]);
  server.connections[1].tell({ channel: 'news', offset: 1, data: 'of a connection that is over' });
  assert.deepEqual(heard, []);
});

test('an AUTH that fails for a while is tried again, and one that a server does not know is final', async () => {
  for (const [answer, final] of [[refusal(503, 'keys_unavailable'), false], [refusal(400, 'bad_request'), true]]) {
    const server = subscribing();
    const usual = server.hears;
    server.hears = (request) => (request.method === 'AUTH' ? answer : usual(request));
    const { errors } = connect(server, { token: 'not/a/subprotocol' });
    await clock.pass(5_000);
    if (final) assert.deepEqual(errors, [[undefined, 400, 'bad_request', true]]);
    else assert.ok(server.connections.length > 2 && errors.length === 0);
    server.hears = usual;
    tidings.retry();
    await clock.pass(30_000);
    assert.equal(tidings.state, 'open');
    tidings.close();
  }
});

test('a connection that the server closes for its first frame is no answer to it', async () => {
  const closes = [[1009, ''], [1002, '']];
  const server = fakeServer((request) => (request.method === 'AUTH' ? closes.shift() : undefined));
  connect(server, { token: 'not/a/subprotocol' });
  await clock.pass(10_000);
  assert.deepEqual([server.connections.length, tidings.state], [3, 'open']);
});

test('a handshake that fails without a reason is followed by one that presents the token where the answer can be read', async () => {
  const [server, found] = [subscribing(), tokens()];
  server.accepts = false;
  const { errors } = connect(server, found);
  await settle();
  server.accepts = true;
  const usual = server.hears;
  server.hears = (request) => (request.method === 'AUTH' ? refusal(401, 'token_invalid') : usual(request));
  await clock.pass(600_000);
  assert.deepEqual([offered(server), auths(server), errors], [['tidings.token.t1', '', ''], ['t2', 't3'], [[undefined, 401, 'token_invalid', true]]]);
  server.hears = usual;
  tidings.retry();
  await settle();
  server.connections.at(-1).end(1001, '');
  await clock.pass(5_000);
  assert.deepEqual(offered(server).at(-1), 'tidings.token.t5', 'once one was accepted, as at first');
});

test('signIn presents another token on the open connection, and opens another one for another user or nobody', async () => {
  const server = subscribing();
  const usual = server.hears;
  let token = null;
  server.hears = (request) => {
    if (isSubscription(request) && !auths(server).length) return refusal(401, 'token_needed');
    return request.token === 'bob' ? refusal(403, 'forbidden') : usual(request);
  };
  const { errors } = connect(server, { token: async () => token });
  await outcome(tidings.get('private', () => {}).ready);
  token = 'ann';
  await tidings.signIn();
  await tidings.signIn();
  assert.deepEqual([auths(server), server.connections.length], [['ann'], 1], 'once');
  assert.equal((await tidings.get('private', () => {}).ready).status, 200);
  token = 'bob';
  await tidings.signIn();
  token = null;
  await tidings.signIn();
  assert.deepEqual(offered(server), ['', 'tidings.token.bob', '']);
  assert.deepEqual(errors, [['private', 401, 'token_needed', true]]);
});

test('signIn fails as the server or the function says, and comes back from a refusal', async () => {
  const server = subscribing();
  const usual = server.hears;
  let token = 'first';
  server.hears = (request) => (request.token === 'bad' ? refusal(401, 'token_invalid') : usual(request));
  connect(server, { token: () => {
    if (token === 'none') throw new Error('not signed in');
    return token;
  } });
  await settle();
  token = 'bad';
  assert.equal((await outcome(tidings.signIn())).rejected, 'token_invalid');
  token = 'none';
  assert.equal((await outcome(tidings.signIn())).rejected, 'token_unavailable');
  token = 'first';
  server.hears = () => [4401, 'token_revoked: no'];
  server.connections[0].end(4401, 'token_revoked: no');
  await clock.pass(60_000);
  assert.equal(tidings.state, 'refused');
  server.hears = usual;
  await tidings.signIn();
  assert.equal(tidings.state, 'open');
  tidings.close();
  assert.equal((await outcome(tidings.signIn())).rejected, 'closed');
});

test('signIn does not wait for ever where the connection breaks under it', async () => {
  const server = subscribing();
  const usual = server.hears;
  let count = 0;
  connect(server, { token: () => `t${++count}` });
  await settle();
  server.hears = (request) => (request.method === 'AUTH' ? [1006, ''] : usual(request));
  const signed = outcome(tidings.signIn());
  await clock.pass(5_000);
  assert.equal(await signed, undefined, 'the next connection has begun with a token of its own');
  assert.equal(tidings.state, 'open');
});

test('a subscription that the server ends is told of, and not asked for again', async () => {
  const server = subscribing();
  const { errors } = connect(server, {});
  const [heard, told, looped] = [[], [], []];
  const subscription = tidings.get('news', (data) => heard.push(data), { onError: ({ code, status }) => told.push([code, status]) });
  await subscription.ready;
  const loop = (async () => {
    for await (const { data } of tidings.messages('chat')) looped.push(data);
  })();
  tidings.get('stays', (data) => heard.push(data));
  await settle();
  const post = outcome(tidings.history('news'));
  const ended = (channel, status, code) => server.connections[0].tell({ channel, ended: true, ...refusal(status, code) });
  ended('news', 401, 'token_needed');
  ended('chat', 403, 'forbidden');
  ended('unknown', 403, 'forbidden');
  assert.equal((await post).status, 200, 'it is the answer to no request');
  assert.equal((await outcome(loop)).rejected, 'forbidden');
  assert.deepEqual(errors, [['news', 401, 'token_needed', true], ['chat', 403, 'forbidden', true]]);
  assert.deepEqual(told, [['token_needed', 401]]);
  assert.equal((await outcome(subscription.ready)).rejected, 'token_needed');
  for (const channel of ['news', 'stays']) server.connections[0].tell({ channel, offset: 1, data: channel });
  server.connections[0].end(1006, '');
  await clock.pass(600_000);
  assert.deepEqual(heard, ['stays']);
  assert.deepEqual(server.asked('GET').filter((channel) => channel !== 'stays'), ['news', 'chat', 'news']);
  assert.equal((await tidings.get('news', () => {}).ready).status, 200, 'whoever asks anew is answered anew');
});

test('an end that comes after a page left and asked again is that of what it left', async () => {
  const server = subscribing();
  const { errors } = connect(server, {});
  const first = tidings.get('news', () => {});
  await first.ready;
  const usual = server.hears;
  server.hears = (request) => (isSubscription(request) ? null : usual(request));
  first.close();
  const second = tidings.get('news', () => {});
  await settle();
  server.connections[0].tell({ channel: 'news', ended: true, ...refusal(403, 'forbidden') });
  server.connections[0].tell({ id: server.requests.findLast(isSubscription).id, status: 200, ...standing() });
  assert.deepEqual([(await second.ready).status, errors], [200, []]);
});

test('onError hears each refusal, in place of the console, and not the page’s own close', async () => {
  const server = fakeServer((request) => (isSubscription(request) ? refusal(503, 'busy') : undefined));
  tidings = new Tidings('ws://server.test/ws', { WebSocket: server.WebSocket });
  const told = [];
  const subscription = tidings.get('full', () => {}, { onError: ({ code }) => told.push(code) });
  await clock.pass(30_000);
  assert.ok(told.length > 2 && told.every((code) => code === 'busy'));
  assert.deepEqual(said, []);
  const before = told.length;
  subscription.close();
  assert.equal(told.length, before);
});
