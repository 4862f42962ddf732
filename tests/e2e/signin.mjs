// Our browser client signs in at the real server, in Node with npm ws: node signin.mjs PATH/TO/tidings

import WebSocket from 'ws';
import { clientText } from './client/support.mjs';
import { checks, equal, startConfigured, until } from './support.mjs';

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

/** A client, with what it tells of itself. */
function connect(server, options) {
  const seen = { offers: [], errors: [], closes: [], frames: [] };
  const tidings = new Tidings(server.socketUrl, { WebSocket: pageOf(server, seen.offers), base: 20, ...options });
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

finish();
