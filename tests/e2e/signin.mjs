// Our browser client signs in at the real server, in Node with npm ws: node signin.mjs PATH/TO/tidings

import { createHmac } from 'node:crypto';
import WebSocket from 'ws';
import { clientText } from './client/support.mjs';
import { checks, equal, makeKey, post, startConfigured, until } from './support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node signin.mjs PATH/TO/tidings');

const RULES = '[[channel]]\nmatch = "open"\nread = ["anyone"]\n';
const KEY = 'the-key-of-the-tests-0123456789';
const ODD_KEY = 'a/key=with+characters-of-base64';
const { Tidings } = await import(`data:text/javascript;base64,${Buffer.from(clientText()).toString('base64')}`);
const { check, finish } = checks();

/** A socket as that of a page, which can read why it is refused; and a record of what was offered. */
function pageOf(server, offers = []) {
  return class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, { origin: server.url });
      offers.push([url, ...protocols].join());
    }
  };
}

const clients = [];

/** A client, with what it tells of itself. */
function connect(server, options) {
  const seen = { offers: [], errors: [], closes: [], frames: [] };
  const tidings = new Tidings(server.socketUrl, { WebSocket: pageOf(server, seen.offers), base: 20, ...options });
  clients.push(tidings);
  tidings.on('error', ({ channel, error, final }) => seen.errors.push([channel, error.status, error.code, final]));
  tidings.on('close', ({ code, label }) => seen.closes.push([code, label]));
  tidings.on('frame', ({ data }) => seen.frames.push(String(data)));
  return { tidings, seen };
}

const outcome = (promise) => promise.then(({ status }) => status, ({ code, message }) => code ?? message);
const never = (server, seen, secret) => equal([server.log(), ...seen.frames].filter((text) => text.includes(secret)), [], 'logs and frames with the secret');

process.env.TIDINGS_OPERATOR_KEY = KEY;
const server = await startConfigured(binary, RULES);

await check('a key opens what a rule keeps from others, from the first request on', async () => {
  for (const token of [KEY, () => KEY, async () => `${KEY}\n`]) {
    const { tidings, seen } = connect(server, { token });
    equal(await Promise.all([outcome(tidings.get('closed', () => {}).ready), outcome(tidings.post('closed', 1))]), [200, 200], 'subscription and post');
    equal(seen.offers, [`${server.socketUrl},tidings.v1,tidings.token.${KEY}`], 'what was offered');
    never(server, seen, KEY);
    tidings.close();
  }
});

await check('without it the same is refused, and the rule is named', async () => {
  const { tidings, seen } = connect(server, {});
  const told = await new Promise((resolve) => tidings.get('closed', () => {}, { onError: resolve }));
  equal([told.status, told.code, /\[\[channel\]\] rule/.test(told.message)], [401, 'token_needed', true], told.message);
  equal([await outcome(tidings.get('open', () => {}).ready), seen.closes], [200, []], 'what is open');
  tidings.close();
});

await check('a page whose token is refused tries one more, and then gives up with the reason', async () => {
  let asked = 0;
  const { tidings, seen } = connect(server, { token: () => `wrong-${++asked}` });
  equal(await outcome(tidings.get('open', () => {}).ready), 'token_invalid', 'ready');
  equal([asked, seen.offers.length, seen.errors], [2, 2, [[undefined, 401, 'token_invalid', true]]], 'tokens, connections and errors');
  equal([seen.closes, tidings.state], [[[4401, 'token_invalid'], [4401, 'token_invalid']], 'refused'], 'closes and state');
  never(server, seen, 'wrong-');
  tidings.close();
});

await check('outside of pages, where no status can be read, the reason comes by AUTH', async () => {
  const { tidings, seen } = connect(server, { token: 'wrong', WebSocket });
  equal(await outcome(tidings.post('closed', 1)), 'token_invalid', 'a post');
  equal([seen.errors, tidings.state], [[[undefined, 401, 'token_invalid', true]], 'refused'], 'errors and state');
  equal(seen.closes, [[1006, ''], [4401, 'token_invalid'], [4401, 'token_invalid']], 'closes');
  tidings.close();
});

await check('signIn opens what was closed, on the same connection', async () => {
  let token = null;
  const { tidings, seen } = connect(server, { token: () => token });
  equal(await outcome(tidings.get('closed', () => {}).ready), 'token_needed', 'before');
  token = 'wrong';
  equal(await outcome(tidings.signIn()), 'token_invalid', 'a wrong one');
  token = KEY;
  await tidings.signIn();
  equal(await outcome(tidings.get('closed', () => {}).ready), 200, 'after');
  equal([seen.offers.length, seen.closes], [1, []], 'connections');
  never(server, seen, KEY);
  tidings.close();
});

await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));

await check('a key that can be no subprotocol is presented in the first frame', async () => {
  process.env.TIDINGS_OPERATOR_KEY = ODD_KEY;
  const odd = await startConfigured(binary, RULES);
  const { tidings, seen } = connect(odd, { token: ODD_KEY });
  equal(await outcome(tidings.get('closed', () => {}).ready), 200, 'the first subscription');
  equal(seen.offers, [`${odd.socketUrl},tidings.v1`], 'what was offered');
  await until(() => seen.frames.some((text) => text.includes('"method":"AUTH","token":"…"')), 'the frame, without the key').catch((error) => { throw new Error(`${error.message}: ${seen.frames}`); });
  never(odd, seen, ODD_KEY);
  tidings.close();
  await odd.end();
});

const SECRET = 'the-secret-of-the-tests-0123456789-abcdef';
const ISSUER = `[[issuer]]\nname = "tests"\nissuer = "tests"\naudience = "tidings"\nsecret = "${SECRET}"\nleeway = "0s"\n`;

/** A token of a user for some channels, for so many seconds, with more claims. */
function tokenFor(sub, channels, seconds = 600, more = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const signed = `${part({ alg: 'HS256' })}.${part({ iss: 'tests', aud: 'tidings', sub, exp, grants: [{ channels, may: ['read', 'write'] }], ...more })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

process.env.TIDINGS_OPERATOR_KEY = KEY;
const issued = await startConfigured(binary, `${RULES}\n${ISSUER}`);
const publish = (channel, data) => post(issued.url, channel, data, { Authorization: `Bearer ${KEY}` });

await check('a token opens the channels that it names, and no other', async () => {
  const { tidings, seen } = connect(issued, { token: tokenFor('ann', ['a', 'b']) });
  equal(await Promise.all(['a', 'b', 'c'].map((channel) => outcome(tidings.get(channel, () => {}).ready))), [200, 200, 'forbidden'], 'subscriptions');
  equal(await Promise.all(['a', 'c'].map((channel) => outcome(tidings.post(channel, 1)))), [200, 'forbidden'], 'posts');
  never(issued, seen, 'eyJ');
  tidings.close();
});

await check('what a token subscribes to by itself is handed over once, to those who asked for it', async () => {
  const { tidings, seen } = connect(issued, { token: tokenFor('ann', ['s*'], 600, { subs: ['s1', 's2'] }) });
  const heard = [];
  await publish('s1', 'past');
  await tidings.get('s1', (data) => heard.push(data), { last: 1 }).ready;
  for (const channel of ['s2', 's1']) await publish(channel, channel);
  await until(() => heard.length >= 2, 'both');
  equal([heard, seen.errors], [['past', 's1'], []], 'publications and errors');
  tidings.close();
});

await check('before it expires a token is replaced, and the connection stays', async () => {
  let asked = 0;
  const { tidings, seen } = connect(issued, { token: () => {
    asked++;
    return tokenFor('ann', ['a'], asked === 1 ? 20 : 600);
  } });
  const heard = [];
  await tidings.get('a', (data) => heard.push(data)).ready;
  await until(() => seen.frames.some((text) => text.includes('"AUTH"')), 'the renewal');
  await tidings.post('a', 'after');
  await until(() => heard.includes('after'), 'a publication after it');
  equal([asked, seen.offers.length, seen.closes, seen.errors], [2, 1, [], []], 'tokens, connections, closes and errors');
  equal(seen.frames.filter((text) => text.includes('"status":4')), [], 'refusals');
  never(issued, seen, 'eyJ');
  tidings.close();
});

await check('a token that was not replaced in time costs its connection, and another one resumes', async () => {
  const tokens = [tokenFor('ann', ['a'], 3)];
  let asked = 0;
  const { tidings, seen } = connect(issued, { token: () => tokens[Math.min(asked++, tokens.length - 1)] });
  const heard = [];
  await tidings.get('a', (data) => heard.push(data)).ready;
  tidings.on('close', () => { tokens[0] = tokenFor('ann', ['a']); });
  await until(() => seen.closes.length === 1, 'the close');
  await publish('a', 'meanwhile');
  await until(() => heard.includes('meanwhile'), 'what was published meanwhile');
  equal([seen.closes, seen.errors, seen.offers.length], [[[4401, 'token_expired']], [], 2], 'closes, errors and connections');
  tidings.close();
});

await check('a token whose time is over is tried twice, and that is all', async () => {
  const { tidings, seen } = connect(issued, { token: tokenFor('ann', ['a'], -10) });
  equal(await outcome(tidings.get('a', () => {}).ready), 'token_expired', 'ready');
  equal([seen.errors, seen.offers.length], [[[undefined, 401, 'token_expired', true]], 2], 'errors and connections');
  tidings.close();
});

await check('a subscription that a new token does not allow ends, and is not asked for again; the others go on', async () => {
  let token = tokenFor('ann', ['a', 'b']);
  const { tidings, seen } = connect(issued, { token: () => token });
  const [heard, told] = [[], []];
  const onError = ({ status, code }) => told.push([status, code]);
  await Promise.all(['a', 'b'].map((channel) => tidings.get(channel, (data) => heard.push([channel, data]), { onError }).ready));
  token = tokenFor('ann', ['a']);
  await tidings.signIn();
  await until(() => told.length > 0, 'the end of one');
  for (const channel of ['b', 'a']) await publish(channel, 'later');
  await until(() => heard.length > 0, 'a publication');
  equal([heard, told], [[['a', 'later']], [[403, 'forbidden']]], 'what was heard and told');
  equal(seen.errors, [['b', 403, 'forbidden', true]], 'errors');
  equal(seen.frames.filter((text) => text.includes('"GET"') && text.includes('/channels/b')).length, 1, 'how often it was asked for');
  equal(seen.offers.length, 1, 'connections');
  tidings.close();
});

await check('signing in as another user takes another connection', async () => {
  let token = tokenFor('ann', ['a']);
  const { tidings, seen } = connect(issued, { token: () => token });
  equal(await outcome(tidings.get('b', () => {}).ready), 'forbidden', 'as the first');
  token = tokenFor('bob', ['b']);
  await tidings.signIn();
  equal([await outcome(tidings.get('b', () => {}).ready), seen.offers.length], [200, 2], 'as the second, and connections');
  tidings.close();
});

await check('the server with an issuer drains and exits with 0', async () => equal((await issued.end()).code, 0, 'exit code'));

await check('a backend’s key serves as a token, where it may come from and for what it grants', async () => {
  const [near, far] = [makeKey(binary, 'near', '--channels', 'orders', '--may', 'read'), makeKey(binary, 'far', '--channels', '**', '--may', 'read', '--network', '192.0.2.0/24')];
  const keyed = await startConfigured(binary, `${RULES}\n${near.block}\n${far.block}`);
  const one = connect(keyed, { token: near.secret });
  equal(await Promise.all([one.tidings.get('orders', () => {}).ready, one.tidings.post('orders', 1)].map(outcome)), [200, 'forbidden'], 'the key');
  const two = connect(keyed, { token: far.secret });
  equal(await outcome(two.tidings.get('orders', () => {}).ready), 'key_network', 'a key from another network');
  const three = connect(keyed, { token: `${near.secret.slice(0, -1)}${near.secret.endsWith('A') ? 'E' : 'A'}` });
  equal(await outcome(three.tidings.get('orders', () => {}).ready), 'key_invalid', 'a wrong key');
  equal([one, two, three].map(({ seen }) => seen.offers.length), [1, 1, 2], 'connections');
  equal([near.secret, far.secret].filter((secret) => keyed.log().includes(secret)), [], 'secrets in the log');
  [one, two, three].forEach(({ tidings }) => tidings.close());
  await keyed.end();
});

clients.forEach((tidings) => tidings.close()); // those of a check that failed would connect for ever
finish();
