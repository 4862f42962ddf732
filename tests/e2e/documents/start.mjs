// The programs of docs/start/: each subscribes, publishes, and resumes after its connection was cut:  node start.mjs PATH/TO/tidings
// PYTHON names a Python that has websockets, CHROMIUM a browser. What cannot be run here is skipped.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { shows, startChromium, texts } from '../chrome.mjs';
import { checks, equal, post, startProxy, startServer, until } from '../support.mjs';
import { blocksOf, only, programsOf } from './page.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node start.mjs PATH/TO/tidings');

const { check, finish } = checks();
const server = await startServer(binary);
const folder = mkdtempSync(path.join(tmpdir(), 'tidings-start-'));
const python = process.env.PYTHON ?? 'python3';
const isThere = (command, ...more) => spawnSync(command, more, { stdio: 'ignore' }).status === 0;
const environment = { ...process.env, GOPROXY: 'off', GOFLAGS: '-mod=mod', NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' };

/** What runs the programs of a page, and whether that is here. */
const LANGUAGES = [
  { page: 'start/node.md', command: [process.execPath, '--experimental-websocket', '--no-warnings'], end: 'mjs', there: () => true },
  { page: 'start/python.md', command: [python], end: 'py', there: () => isThere(python, '-c', 'import websockets') },
  { page: 'start/php.md', command: ['php'], end: 'php', there: () => isThere('php', '-v') },
  { page: 'start/go.md', command: ['go', 'run'], end: 'go', there: () => isThere('go', 'version') },
];

/** Writes a text with the address of a server in place of the page's. */
function write(name, text, { port }) {
  equal(text.includes('127.0.0.1:8080'), true, `the address in ${name}`);
  writeFileSync(path.join(folder, name), text.replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`));
}

/** Starts a program that goes on. A group of its own, since `go run` starts another. */
function start([command, ...more], name) {
  const child = spawn(command, [...more, name], { cwd: folder, env: environment, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (bytes) => { printed += bytes; });
  return { printed: () => printed, end: () => process.kill(-child.pid, 'SIGKILL') };
}

for (const { page, command, end, there } of LANGUAGES) {
  await check(`the programs of ${page} subscribe, publish and resume`, async () => {
    if (!there()) return 'skip';
    const programs = programsOf(page);
    equal([...programs.keys()].sort(), [`publish.${end}`, `subscribe.${end}`], 'programs');
    for (const { language, text } of blocksOf(page)) {
      if (language === 'sh' && text.startsWith('curl')) spawnSync('sh', ['-ec', text.replace('127.0.0.1:8080', `127.0.0.1:${server.port}`)], { cwd: folder });
    }
    const front = await startProxy(server.port);
    write(`subscribe.${end}`, programs.get(`subscribe.${end}`), { port: new URL(front.url).port });
    write(`publish.${end}`, programs.get(`publish.${end}`), server);
    const reader = start(command, `subscribe.${end}`);
    try {
      await until(() => reader.printed().includes('subscribed'), `${page} to subscribe`, 80_000);
      const published = spawnSync(command[0], [...command.slice(1), `publish.${end}`], { cwd: folder, env: environment, encoding: 'utf8' });
      equal([published.status, published.stdout.includes('200')], [0, true], `${published.stdout}${published.stderr}`);
      await until(() => reader.printed().includes('hello'), 'the publication');
      front.cut();
      await post(server.url, 'news', { text: `missed by ${end}` });
      front.heal();
      await until(() => reader.printed().includes(`missed by ${end}`), `what ${page} missed, in ${reader.printed()}`);
      return equal(reader.printed().includes('something was missed'), false, 'a gap');
    } finally {
      reader.end();
      front.end();
    }
  });
}

const withBrowser = existsSync(process.env.CHROMIUM ?? '/usr/bin/chromium');
const chromium = withBrowser ? await startChromium() : null;

await check('the page of start/browser.md shows in one window what is sent in another', async () => {
  if (!chromium) return 'skip';
  const html = only(blocksOf('start/browser.md'), 'html', '<form>').replaceAll('127.0.0.1:8080', `127.0.0.1:${server.port}`);
  const web = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html; charset=utf-8').end(html));
  await new Promise((resolve) => web.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${web.address().port}/`;
  const tabs = [await chromium.open(url), await chromium.open(url)];
  await shows(tabs[1], 'li', 'hello'); // what the programs above have published
  await tabs[0].fill('input', 'from a window');
  await tabs[0].click('button');
  for (const tab of tabs) await shows(tab, 'li', 'from a window');
  for (const tab of tabs) await tab.close();
  web.close();
});

/** Scripts of pages that print what is published in the channel `news`. */
const PRINTING = [['start/browser.md', 'new WebSocket'], ['subscribing.md', 'new WebSocket'], ['subscribing.md', 'new Tidings'], ['event-streams.md', 'new EventSource']];

for (const [page, part] of PRINTING) {
  await check(`the script of ${page} with ${part} prints what is published`, async () => {
    if (!chromium) return 'skip';
    const script = only(blocksOf(page), 'js', part).replaceAll('127.0.0.1:8080', `127.0.0.1:${server.port}`);
    const html = `<!doctype html><meta charset="utf-8"><title>${page}</title><script>globalThis.printed = []; console.log = (...values) => printed.push(values);</script>
<script type="module">${script}\nglobalThis.ready = true;</script>`;
    const web = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html; charset=utf-8').end(html));
    await new Promise((resolve) => web.listen(0, '127.0.0.1', resolve));
    const tab = await chromium.open(`http://127.0.0.1:${web.address().port}/`);
    await until(() => tab.evaluate(() => globalThis.ready), 'the script');
    let count = 0;
    await until(async () => {
      // Again and again, since a bare socket says to nobody but the script that it is open.
      await post(server.url, 'news', { mark: `${page} ${count += 1}` });
      return JSON.stringify(await tab.evaluate(() => globalThis.printed)).includes(`"${page} `);
    }, 'what was published');
    await tab.close();
    return web.close();
  });
}

await check('the page of the tutorial receives what the tutorial says, opened as a file', async () => {
  if (!chromium) return 'skip';
  const dev = await startServer(binary, 0, ['--dev']);
  const blocks = blocksOf('tutorial.md');
  write('tutorial.html', only(blocks, 'html', 'WebSocket'), dev);
  const tab = await chromium.open(pathToFileURL(path.join(folder, 'tutorial.html')).href);
  await shows(tab, '#log', 'connected');
  const wanted = blocks.filter(({ language, text }) => language === 'text' && /^[→←]/.test(text)).flatMap(({ text }) => text.trim().split('\n'));
  for (const button of ['get', 'post', 'subscribe']) {
    await tab.click(`#${button}`);
    const answers = ['get', 'post', 'subscribe'].indexOf(button) + 1;
    await until(async () => (await texts(tab, '#log'))[0].split('←').length - 1 === answers, `the answer to ${button}`);
  }
  const curl = only(blocks, 'sh', 'from a terminal').replace('127.0.0.1:8080', `127.0.0.1:${dev.port}`);
  equal(spawnSync('sh', ['-ec', `${curl.trim()} --silent --noproxy '*'`]).status, 0, 'curl');
  await shows(tab, '#log', '"from a terminal"');
  await tab.click('#publish');
  await shows(tab, '#log', '"text":"hello"}}');
  const found = (await texts(tab, '#log'))[0].trim().split('\n').slice(1);
  const like = (pattern, line) => new RegExp(`^${pattern.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`).test(line);
  equal(found.length, wanted.length, `lines in ${found}`);
  wanted.forEach((pattern, at) => equal(like(pattern, found[at]), true, `“${found[at]}” is “${pattern}”`));
  await tab.close();
  return equal((await dev.end()).code, 0, 'exit code');
});

if (chromium) {
  equal(chromium.faults, [], 'faults of pages');
  await chromium.end();
}
rmSync(folder, { recursive: true, force: true });
await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));
finish();
