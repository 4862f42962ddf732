// The console's page about a cluster, in real Chromium, with two servers and a real Redis: node cluster.mjs PATH/TO/tidings

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { findings, isOpen, shows, startChromium, texts } from './chrome.mjs';
import { checks, equal, post, startConfigured, startRedis, startServer, until } from './support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node cluster.mjs PATH/TO/tidings');

const KEY = 'the-key-of-the-tests-0123456789';
process.env.TIDINGS_OPERATOR_KEY = KEY; // for the servers that are started here

const { check, finish } = checks();
const { open, faults, end } = await startChromium({ reducedMotion: 'reduce' });
const PANEL = '.panel-cluster';

/** The page of a server, with the operators' key. */
async function openPage(url) {
  const page = await open(`${url}/#operator=${KEY}`);
  await isOpen(page);
  await page.click('#tab-cluster');
  return page;
}

const rows = (page) => texts(page, `${PANEL} .clients li`);
const visible = (page, selector) => page.locator(`${PANEL} ${selector}:visible`).allTextContents();

/** Where SHOTS names a folder, the page as it is looked at, light and dark, on a desk and on a phone. */
async function shoot(page, name) {
  if (!process.env.SHOTS) return;
  mkdirSync(process.env.SHOTS, { recursive: true });
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const [device, width, height] of [['desktop', 1280, 860], ['phone', 390, 844]]) {
      await page.setViewportSize({ width, height });
      await page.screenshot({ path: path.join(process.env.SHOTS, `${name}-${device}-${colorScheme}.png`) });
    }
  }
}

const first = await startRedis();
const toml = `[server]\nengine = "redis"\n\n[redis]\nurl = "redis://127.0.0.1:${first.port}"\n`;
const nodes = [await startConfigured(binary, toml), await startConfigured(binary, toml)];

await check('each of two nodes lists both, marks itself, and says what Redis they share', async () => {
  await post(nodes[0].url, 'news', 1);
  for (const node of nodes) {
    const page = await openPage(node.url);
    await until(async () => (await rows(page)).length === 2, 'both nodes');
    equal((await rows(page)).map((row) => row.includes('this node')).sort(), [false, true], 'which are marked');
    const own = await texts(page, `${PANEL} .clients [aria-current] b`);
    equal(own, [new URL(node.url).host], 'the address of the one that is marked');
    equal(await visible(page, '.pill'), ['connected'], 'the state of the link');
    await shows(page, `${PANEL} .facts dd`, `127.0.0.1:${first.port} (Redis`);
    await shows(page, `${PANEL} .clients [aria-current] .hint`, 'up for ');
    await until(async () => Number(await page.textContent(`${PANEL} .clients [aria-current] dd`)) >= 1, 'its connection of this page');
    await page.close();
  }
});

await check('axe-core finds nothing in it', async () => {
  const page = await openPage(nodes[0].url);
  await until(async () => (await rows(page)).length === 2, 'both nodes');
  equal(await findings(page, 'cluster'), [], 'findings');
  await shoot(page, 'cluster-nodes');
  await page.close();
});

await check('while Redis is away the page says so, and when it is back the nodes are there again', async () => {
  const page = await openPage(nodes[1].url);
  await until(async () => (await rows(page)).length === 2, 'both nodes');
  await first.end();
  await shows(page, `${PANEL} .pill`, 'away');
  equal(await visible(page, '.empty'), ['While Redis is away nothing is known of the nodes.'], 'instead of the nodes');
  equal(await findings(page, 'cluster, away'), [], 'findings');
  await shoot(page, 'cluster-away');
  const second = await startRedis(first.port);
  await shows(page, `${PANEL} .pill`, 'connected');
  await until(async () => (await rows(page)).length === 2, 'both nodes again');
  await page.close();
  for (const node of nodes) equal((await node.end()).code, 0, 'exit code');
  await second.end();
});

await check('a node that has never reached Redis says which it is, and since when it waits', async () => {
  const gone = await startRedis();
  await gone.end();
  const began = Date.now();
  const node = await startConfigured(binary, toml.replace(first.port, gone.port));
  const page = await openPage(node.url);
  await shows(page, `${PANEL} .pill`, 'away');
  const cluster = await (await fetch(`${node.url}/cluster`, { headers: { Authorization: `Bearer ${KEY}` } })).json();
  equal([cluster.up, /^[0-9a-f]{8}$/.test(cluster.node), cluster.since_ms >= began], [false, true, true], JSON.stringify(cluster));
  await page.close();
  equal((await node.end()).code, 0, 'exit code');
});

await check('a server with another engine says that it stands alone, and what would change that', async () => {
  const alone = await startServer(binary);
  const page = await openPage(alone.url);
  await shows(page, `${PANEL} .card:not([hidden]) h2`, 'This server stands alone');
  equal((await visible(page, '.card code')).slice(0, 2), ['server.engine = "redis"', 'redis.url'], 'what would change it');
  equal(await visible(page, '.clients li'), [], 'nodes');
  equal(await findings(page, 'cluster, alone'), [], 'findings');
  await shoot(page, 'cluster-alone');
  await page.close();
  await alone.end();
});

await check('no page met an error or its content security policy', () => equal(faults, [], 'faults'));
await end();
finish();
