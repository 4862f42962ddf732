// Our browser client in real Chromium, without the pages around it: node browser-client.mjs PATH/TO/tidings
// CHROMIUM names another browser binary.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { checks, equal, post, startServer, until } from './support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node browser-client.mjs PATH/TO/tidings');

const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

const { check, finish } = checks();
const profile = mkdtempSync(path.join(tmpdir(), 'tidings-e2e-'));
const browser = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
const server = await startServer(binary);

/** A page of the server with a client that subscribes `channel` and keeps what it hears in `seen`. */
async function openClient(channel, base = server.url) {
  const page = await browser.newPage();
  await page.goto(`${base}/tutorial`);
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
  await browser.setOffline(true);
  await until(async () => (await seen()).states.includes('waiting'), 'the state waiting');
  equal(await page.evaluate(() => globalThis.then), 'waiting', 'the state when the page heard of it');
  await post(server.url, 'network', 'missed');
  await browser.setOffline(false);
  await until(async () => (await seen()).heard.length === 1, 'what was missed');
  equal((await seen()).heard, ['missed'], 'publications');
  await page.close();
});

await browser.close();
await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));
rmSync(profile, { recursive: true, force: true });
finish();
