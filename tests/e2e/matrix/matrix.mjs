// The matrix of clients with the browser's interface: Node's own WebSocket, undici's, npm ws, and Chromium's:
//   node --experimental-websocket matrix.mjs PATH/TO/tidings

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { WebSocket as Undici } from 'undici';
import Ws from 'ws';
import { checks, equal, startServer, tls, within } from '../support.mjs';
import { drained, exercise } from './script.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node --experimental-websocket matrix.mjs PATH/TO/tidings');

const { check, finish } = checks();
const matrix = JSON.parse(readFileSync(new URL('matrix.json', import.meta.url)));
// One is as good as four over TLS: most of the time is spent in waiting for them.
if (tls.length) matrix.pings = 1;
const folder = mkdtempSync(join(tmpdir(), 'tidings-matrix-'));
const config = join(folder, 'server.toml');
writeFileSync(config, matrix.server);
const server = await startServer(binary, 0, ['--config', config]);
const base = server.url.replace('http', 'ws');

async function report(client, results) {
  for (const { sentence, error } of results) {
    await check(`${client} ${sentence}`, () => { if (error) throw new Error(error); });
  }
}

const own = [
  ['Node’s own WebSocket', globalThis.WebSocket, null, 'node-own'],
  ['undici', Undici, null, 'undici'],
  ['npm ws', Ws, { perMessageDeflate: true }, 'ws'],
  ['npm ws without compression', Ws, { perMessageDeflate: false }, 'ws-plain'],
];
for (const [name, WebSocket, options, channel] of own) {
  await check(`${name} is there`, () => equal(typeof WebSocket, 'function', 'its class'));
  // undici does not offer compression in every version; it is asked what it offers.
  await report(name, await exercise({ WebSocket, base, matrix, options, channel }));
}

// What only npm ws can do.
async function opened(options) {
  const socket = new Ws(`${base}/echo`, options);
  await within(new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)), 'the handshake');
  return socket;
}

await check('npm ws sends fragments, with a ping between them', async () => {
  for (const perMessageDeflate of [false, true]) {
    const socket = await opened({ perMessageDeflate });
    const pong = new Promise((resolve) => socket.once('pong', resolve));
    const message = new Promise((resolve) => socket.once('message', resolve));
    const parts = ['时间', 'x'.repeat(2000), '', 'end'];
    parts.forEach((part, index) => {
      socket.send(part, { fin: index === parts.length - 1 });
      if (index === 1) socket.ping('between');
    });
    equal(String(await within(pong, 'a pong')), 'between', 'pong');
    equal(String(await within(message, 'a message')), parts.join(''), 'message');
    socket.terminate();
  }
});
await check('npm ws is pinged by the server', async () => {
  const socket = await opened({});
  let pings = 0;
  await within(new Promise((resolve) => socket.on('ping', () => { pings += 1; if (pings === matrix.pings) resolve(); })), 'pings');
  equal(socket.readyState, Ws.OPEN, 'state');
  socket.terminate();
});
await check('npm ws closes with each code that it may send, and reads it back', async () => {
  for (const code of matrix.codes.filter((each) => each !== 1010)) {
    const socket = await opened({});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.close(code, 'bye');
    equal(await within(closed, 'the close'), code, 'code');
  }
});

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
});
// The console's Content-Security-Policy forbids code made of text, which is how the script gets into the page.
const page = await (await browser.newContext({ bypassCSP: true })).newPage();
await page.goto(server.url);
const inPage = await page.evaluate(async ([source, url, given]) => {
  const run = new Function(`return (${source})`)();
  return run({ WebSocket: window.WebSocket, base: url, matrix: given, options: null, channel: 'chromium' });
}, [exercise.toString(), base, matrix]);
await report('Chromium', inPage);

// Everybody is told goodbye by one server that drains.
let waiting = 0;
let everybody;
const all = new Promise((resolve) => { everybody = resolve; });
const ready = async () => { waiting += 1; if (waiting === 3) everybody(); return all; };
const goodbyes = [globalThis.WebSocket, Undici, Ws].map((WebSocket) => drained({ WebSocket, base, ready }));
await within(all, 'three open sockets');
const ended = server.end();
await check('all three of Node’s are told 1012 when the server drains', async () => {
  for (const goodbye of goodbyes) equal((await within(goodbye, 'the goodbye')).code, 1012, 'code');
});
await browser.close();
await check('the server ends cleanly', async () => equal((await ended).code, 0, 'exit code'));
rmSync(folder, { recursive: true });
finish();
