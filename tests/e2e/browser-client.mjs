// Our browser client in real Chromium, without the pages around it: node browser-client.mjs PATH/TO/tidings
// CHROMIUM names another browser binary.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { WebSocketServer } from 'ws';
import { startChromium } from './chrome.mjs';
import { checks, equal, post, startConfigured, startServer, until } from './support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node browser-client.mjs PATH/TO/tidings');

const { check, finish } = checks();
const folder = mkdtempSync(path.join(tmpdir(), 'tidings-e2e-'));
const browser = await startChromium();
const server = await startServer(binary);
const socketUrl = `${server.url.replace('http', 'ws')}/ws`;

/** A page of the server with a client that subscribes `channel` and keeps what it hears in `seen`. */
async function openClient(channel, base = server.url) {
  const page = await browser.open(`${base}/tutorial`);
  await page.evaluate(async (name) => {
    const { Tidings } = await import('/tidings.js');
    const seen = { heard: [], states: [], errors: [] };
    const tidings = new Tidings();
    tidings.on('state', ({ state }) => seen.states.push(state));
    tidings.on('error', (detail) => seen.errors.push([detail.channel, detail.error.code]));
    globalThis.outcome = (promise) => promise.then(({ status }) => status, ({ code, message }) => code ?? message);
    await tidings.get(name, (data) => seen.heard.push(data)).ready;
    Object.assign(globalThis, { seen, tidings });
  }, channel);
  return { page, seen: () => page.evaluate(() => globalThis.seen) };
}

await check('one bad post does not take a page off the air', async () => {
  const { page, seen } = await openClient('air');
  const found = await page.evaluate(() => {
    const bad = ['x'.repeat(100_000), { n: 1n }, new Blob([new Uint8Array(100_000)]), undefined];
    const { outcome, tidings } = globalThis;
    return Promise.all([...bad.map((data) => outcome(tidings.post('air', data))), outcome(tidings.get('\ud800', () => {}).ready), outcome(tidings.post('air', 'fine'))]);
  });
  equal(found, ['message_too_big', 'bad_json', 'message_too_big', 'bad_json', 'bad_channel', 200], 'outcomes');
  await until(async () => (await seen()).heard.length === 1, 'the good post');
  equal((await seen()).states, ['open'], 'states');
  await page.close();
});

await check('a browser that goes offline lets go at once, and is back with what it missed when it is online', async () => {
  const { page, seen } = await openClient('network');
  // The page hears of it after the client, which listened first.
  await page.evaluate(() => globalThis.addEventListener('offline', () => { globalThis.then = globalThis.tidings.state; }));
  await browser.context.setOffline(true);
  await until(async () => (await seen()).states.includes('waiting'), 'the state waiting');
  equal(await page.evaluate(() => globalThis.then), 'waiting', 'the state when the page heard of it');
  await post(server.url, 'network', 'missed');
  await browser.context.setOffline(false);
  await until(async () => (await seen()).heard.length === 1, 'what was missed');
  equal((await seen()).heard, ['missed'], 'publications');
  await page.close();
});

/** A web server of our own on a loopback name, whose pages are of another origin than the server's. */
async function startPages(content) {
  const pages = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html').end(content));
  await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));
  return { url: `http://localhost:${pages.address().port}/`, end: () => pages.close() };
}

const CONVERSATION = `
  const heard = [];
  const subscription = tidings.subscribe('classic', (data) => heard.push(data));
  subscription.ready.then(() => tidings.publish('classic', 'spoken')).then(async () => {
    while (!heard.length) await new Promise((resolve) => setTimeout(resolve, 10));
    done({ heard, url: tidings.url, state: tidings.state });
  }).catch((error) => done({ error: error.message }));`;

await check('a page that is opened as a file loads the classic script, and its client finds the server that it came from', async () => {
  const dev = await startServer(binary, 0, ['--dev']);
  const file = path.join(folder, 'page.html');
  writeFileSync(file, `<!doctype html><meta charset="utf-8"><title>A file</title><script src="${dev.url}/tidings.global.js"></script>
    <script>const tidings = new Tidings(); const done = (found) => { globalThis.found = found; };${CONVERSATION}</script>`);
  const page = await browser.open(pathToFileURL(file).href);
  const found = await until(() => page.evaluate(() => globalThis.found), 'what the page found');
  equal(found, { heard: ['spoken'], url: `${dev.url.replace('http', 'ws')}/ws`, state: 'open' }, 'the page');
  equal(await page.evaluate(() => [typeof Tidings, typeof TidingsError, typeof DEFAULTS, typeof Channel]), ['function', 'function', 'undefined', 'undefined'], 'globals');
  await page.close();
  await dev.end();
});

for (const [kind, load] of [
  ['module', `import Tidings from '${server.url}/tidings.js';`],
  ['classic', `importScripts('${server.url}/tidings.global.js');`],
]) {
  await check(`the client runs in a ${kind} worker`, async () => {
    const pages = await startPages('<!doctype html><title>Workers</title>');
    const page = await browser.open(pages.url);
    const code = `${load} const tidings = new Tidings('${socketUrl}'); const done = (found) => postMessage(found);${CONVERSATION}`;
    const found = await page.evaluate(([text, type]) => new Promise((resolve, reject) => {
      const worker = new Worker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })), { type });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(`the worker failed: ${message}`));
    }), [code, kind]);
    equal([found.error, found.state, found.heard?.at(-1)], [undefined, 'open', 'spoken'], 'the worker');
    await page.close();
    pages.end();
  });
}

await check('a page of a foreign origin hears from its client what the server would need to let it in, and comes in when that is so', async () => {
  const pages = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>Foreign</title>'));
  await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));
  const origin = `http://evil.test:${pages.address().port}`;
  const first = await startServer(binary);
  const page = await browser.open(origin);
  const found = await page.evaluate(async (url) => {
    const { Tidings } = await import(`${url}/tidings.js`);
    const tidings = Object.assign(globalThis, { tidings: new Tidings(`${url}/ws`) }).tidings;
    const error = await new Promise((resolve) => tidings.on('error', resolve));
    return [error.error.code, error.error.status, error.error.message, tidings.state, await tidings.post('x', 1).catch(({ code }) => code)];
  }, first.url);
  equal([found[0], found[1], found[3], found[4]], ['origin_not_allowed', 403, 'refused', 'origin_not_allowed'], 'the refusal');
  equal(found[2].includes('--allow-origin'), true, `the sentence: ${found[2]}`);
  await first.end();
  const second = await startServer(binary, first.port, ['--allow-origin', origin]);
  await page.evaluate(() => globalThis.tidings.retry());
  await until(() => page.evaluate(() => globalThis.tidings.state === 'open'), 'the connection');
  await page.close();
  await second.end();
  pages.close();
});

await check('a connection that is refused with 4403 says the server’s sentence, and retry() comes back', async () => {
  const strict = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: (offered) => [...offered][0] });
  await new Promise((resolve) => strict.once('listening', resolve));
  let refuses = true;
  strict.on('connection', (socket) => {
    if (refuses) return socket.close(4403, 'origin_not_allowed: pages from http://localhost may not connect');
    return socket.on('message', (text) => socket.send(JSON.stringify({ id: JSON.parse(text).id, status: 200, channel: 'x', epoch: 'epoch001', offset: 0, publications: [] })));
  });
  const pages = await startPages('<!doctype html><title>Refused</title>');
  const page = await browser.open(pages.url);
  const found = await page.evaluate(async ([client, url]) => {
    const { Tidings } = await import(client);
    const tidings = new Tidings(url);
    const errors = [];
    tidings.on('error', ({ channel, error, final }) => errors.push([channel, error.code, error.status, error.message, final]));
    const wait = new Promise((resolve) => tidings.on('waiting', ({ wait: ms, at }) => resolve([ms >= 10_000, at > performance.now()])));
    const post = await tidings.post('x', 1).catch(({ code }) => code);
    const waits = await wait;
    globalThis.tidings = tidings;
    return { errors, post, waits, state: tidings.state };
  }, [`${server.url}/tidings.js`, `ws://127.0.0.1:${strict.address().port}/ws`]);
  const sentence = 'pages from http://localhost may not connect';
  equal(found, { errors: [[null, 'origin_not_allowed', 403, sentence, true]], post: 'origin_not_allowed', waits: [true, true], state: 'refused' }, 'the page');
  refuses = false;
  equal(await page.evaluate(() => {
    const again = new Promise((resolve) => globalThis.tidings.on('open', resolve));
    globalThis.tidings.retry();
    return again.then(() => globalThis.tidings.post('x', 2)).then(({ status }) => status);
  }), 200, 'a post after retry()');
  await page.close();
  pages.end();
  strict.clients.forEach((socket) => socket.terminate());
  strict.close();
});

await check('a page signs in with its handshake, and one whose token is refused tries one more and reads why', async () => {
  const key = 'the-key-of-the-tests-0123456789';
  process.env.TIDINGS_OPERATOR_KEY = key;
  const strict = await startConfigured(binary, '[[channel]]\nmatch = "open"\nread = ["anyone"]\n');
  delete process.env.TIDINGS_OPERATOR_KEY;
  const page = await browser.open(`${strict.url}/tutorial`);
  const found = await page.evaluate(async (right) => {
    const { Tidings } = await import('/tidings.js');
    const calls = [];
    const errors = [];
    const converse = async (name, token) => {
      const tidings = new Tidings('/ws', { base: 20, token: async () => {
        calls.push(name);
        return token;
      } });
      tidings.on('error', ({ error, final }) => errors.push([error.code, error.status, final]));
      const result = await tidings.get('closed', () => {}).ready.then(({ status }) => status, ({ code }) => code);
      tidings.close();
      return result;
    };
    return [await converse('right', right), await converse('wrong', 'not-the-key'), await converse('odd', 'not/a/subprotocol'), calls, errors];
  }, key);
  const refused = ['token_invalid', 401, true];
  equal(found, [200, 'token_invalid', 'token_invalid', ['right', 'wrong', 'wrong', 'odd', 'odd'], [refused, refused]], 'the page');
  equal([key, 'not-the-key'].filter((secret) => strict.log().includes(secret)), [], 'secrets in the log');
  await page.close();
  await strict.end();
});

await check('no page met an error or its content security policy', () => equal(browser.faults, [], 'faults'));

await browser.end();
await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));
rmSync(folder, { recursive: true, force: true });
finish();
