// A newcomer's first ten minutes, as README.md tells them, in real Chromium: node newcomer.mjs PATH/TO/tidings
// The same over https:// with over-tls.sh. PICTURES names a directory for README's pictures, which are made of what is seen here.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { isOpen, shows, startChromium, texts } from './chrome.mjs';
import { checks, equal, post, snapshot, startServer, tls, until, within } from './support.mjs';
import { takePictures } from './pictures.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node newcomer.mjs PATH/TO/tidings');

const read = (name) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const FIRST_MINUTES = read('README.md').split('\n## The first ten minutes\n')[1].split('\n## ')[0];
const CHINESE = read('README.zh-CN.md');
const REPLIES = ['服务器收到GET请求', '服务器收到POST请求,并返回数据'];

const { check, finish } = checks();
const { open, openDemo: openOn, faults, end } = await startChromium();
const server = await startServer(binary);
const folder = mkdtempSync(path.join(tmpdir(), 'tidings-newcomer-'));

/** A text with the addresses of this server in place of those of the default one. */
function at(url, text) {
  return text.replaceAll('http://127.0.0.1:8080', url).replaceAll('ws://127.0.0.1:8080', url.replace('http', 'ws'));
}

/** The blocks of a text in a language, with the addresses of this server. */
function blocks(language, text = FIRST_MINUTES) {
  const found = [...text.matchAll(/```(\w+)\n(.*?)```/gs)].filter(([, name]) => name === language).map(([, , block]) => block);
  if (!found.length) throw new Error(`there is no block of ${language}`);
  return found.map((block) => at(server.url, block));
}

/** The commands of a text that begin with a word, without their comments. */
function commands(word, text) {
  const lines = blocks('sh', text).join('\n').split('\n').map((line) => line.replace(/\s+# .*$/, ''));
  return lines.filter((line) => line.startsWith(word));
}

const shell = (command) => execFileSync('sh', ['-c', `${command} --silent --show-error --noproxy '*'`], { encoding: 'utf8', timeout: 20_000 });

/** A page of another port of this machine, or of another site. */
async function site(host, html) {
  const web = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html; charset=utf-8').end(html));
  await new Promise((resolve) => web.listen(0, '127.0.0.1', resolve));
  return { url: `http://${host}:${web.address().port}/`, end: () => web.close() };
}

function file(name, html) {
  const place = path.join(folder, name);
  writeFileSync(place, html);
  return pathToFileURL(place).href;
}

/** A page that runs README's first lines of JavaScript and keeps what they print. */
function page(script) {
  return `<!doctype html><meta charset="utf-8"><title>mine</title><script>globalThis.printed = []; console.log = (value) => printed.push(value);</script>
<script type="module">${script}</script>`;
}

const printed = (tab) => tab.evaluate(() => globalThis.printed);

/** What becomes of a bare socket of a page: its first answer to GET, or how it was closed. */
function trySocket(tab, url) {
  return tab.evaluate((target) => new Promise((resolve) => {
    const socket = new WebSocket(target);
    let told = null;
    socket.onopen = () => socket.send('GET');
    socket.onmessage = ({ data }) => {
      told = { data };
      socket.close();
    };
    socket.onclose = ({ code, reason }) => resolve(told ?? { code, reason });
  }), url);
}

await check('README’s commands do what it says, and an open console shows what they publish', async () => {
  const tab = await openOn(server.url, 'console');
  const [publish, read, follow] = commands('curl');
  const answer = JSON.parse(shell(publish));
  equal([answer.channel, answer.offset], ['news', 1], 'the answer to the first command');
  await shows(tab, '.log .in .preview', '"text":"hello"');
  equal(JSON.parse(shell(read)).publications.map(({ data }) => data), [{ text: 'hello' }], 'what was published');
  const reader = spawn('sh', ['-c', `exec ${follow} --silent --noproxy '*'`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let heard = '';
  reader.stdout.on('data', (bytes) => { heard += bytes; });
  await until(() => heard.includes('event: position') || heard.includes('event: open'), 'the beginning of the stream');
  shell(publish);
  await until(() => heard.includes('data: {"text":"hello"}'), 'the publication on the stream');
  reader.kill();
  await tab.close();
});

await check('README’s demo publishes prices that the console shows', async () => {
  const tab = await openOn(server.url, 'prices');
  const demo = spawn(binary, ['demo', '--url', server.url], { stdio: ['ignore', 'ignore', 'inherit'] });
  await shows(tab, '#prices .tile h3', 'TIDE');
  demo.kill();
  await within(new Promise((resolve) => demo.once('exit', resolve)), 'the end of the demo');
  await tab.close();
});

await check('README’s scripts run in a page that another port of this machine serves', async () => {
  const [bare, client] = blocks('js');
  for (const [script, wanted] of [[bare, 'with a bare socket'], [client, 'with the browser client']]) {
    const own = await site('localhost', page(script));
    const tab = await open(own.url);
    await until(() => tab.evaluate(() => globalThis.socket?.readyState !== 0), 'the page');
    await until(async () => {
      await post(server.url, 'news', { for: wanted });
      return JSON.stringify(await printed(tab)).includes(wanted);
    }, `a publication, ${wanted}`);
    await tab.close();
    own.end();
  }
  equal((await snapshot(server.url, 'news')).publications.some(({ data }) => data.text === 'hello'), true, 'what the script posted');
});

await check('the Chinese README’s command and scripts do what it says', async () => {
  const [first, second] = blocks('js', CHINESE);
  const own = await site('localhost', page(first));
  let tab = await open(own.url);
  await until(() => tab.evaluate(() => globalThis.socket?.readyState !== 0), 'the page');
  const [publish] = commands('curl', CHINESE);
  shell(publish);
  await until(async () => JSON.stringify(await printed(tab)).includes('"text":"你好"'), 'what was published');
  await tab.close();
  own.end();
  const replies = await site('localhost', page(second));
  tab = await open(replies.url);
  await until(async () => (await printed(tab)).length === 2, 'two replies');
  equal(await printed(tab), REPLIES, 'replies');
  await tab.close();
  replies.end();
});

await check('the address that a terminal shows lets the console see the server’s figures, and Ctrl-C stops it', async () => {
  // Standard error is a terminal there, so the key is shown. `exec`, since dash stays between and answers for the server with 130.
  const terminal = spawn('script', ['--quiet', '--return', '--command', `exec ${binary} serve --listen 127.0.0.1:0 ${tls.join(' ')}`, '/dev/null']);
  const ended = new Promise((resolve) => terminal.once('exit', resolve));
  let shown = '';
  terminal.stdout.on('data', (bytes) => { shown += bytes; });
  const [url] = await until(() => /https?:\/\/\S+#operator=[\w.~-]+/.exec(shown), 'the address with the key');
  const tab = await open(url);
  await until(() => tab.evaluate(() => !location.hash.includes('operator')), 'the key to leave the address');
  const figures = await tab.evaluate(async () => (await fetch('/metrics', { headers: { Authorization: `Bearer ${sessionStorage.getItem('tidings.operator').replaceAll('"', '')}` } })).status);
  equal(figures, 200, 'the status of /metrics with the tab’s key');
  await tab.close();
  terminal.stdin.write('\u0003');
  equal(await within(ended, 'the end after Ctrl-C'), 0, 'exit code');
});

await check('a socket to / is one to /ws', async () => {
  const tab = await open(`${server.url}/tutorial`);
  equal(await trySocket(tab, `${server.url.replace('http', 'ws')}/`), { data: REPLIES[0] }, 'the answer');
  await tab.close();
});

await check('a page of another site is told by the Close why it may not use the server, and what would allow it', async () => {
  const other = await site('evil.test', page(''));
  const tab = await open(other.url, false);
  const { code, reason } = await trySocket(tab, `${server.url.replace('http', 'ws')}/ws`);
  equal([code, reason.split(':')[0]], [4403, 'origin_not_allowed'], 'how it was closed');
  equal(reason.includes('--allow-origin'), true, `what would allow it, in “${reason}”`);
  await tab.close();
  other.end();
});

await check('a page that was opened as a file is told the same, and works with --dev', async () => {
  const dev = await startServer(binary, 0, ['--dev']);
  for (const [own, allowed] of [[server, false], [dev, true]]) {
    const tab = await open(file(`mine-${allowed}.html`, page('')), false);
    const outcome = await trySocket(tab, `${own.url.replace('http', 'ws')}/ws`);
    if (allowed) equal(outcome, { data: REPLIES[0] }, 'the answer');
    else equal([outcome.code, outcome.reason.split(':')[0]], [4403, 'origin_not_allowed'], 'how it was closed');
    await tab.close();
  }
  await dev.end();
});

await check('the tutorial page runs when it is saved and opened as a file: it says that --dev is needed, and then works', async () => {
  const dev = await startServer(binary, 0, ['--dev']);
  const html = await (await fetch(`${server.url}/tutorial`)).text();
  for (const [own, allowed] of [[server, false], [dev, true]]) {
    const tab = await open(file(`tutorial-${allowed}.html`, at(own.url, html)), false);
    equal(await tab.isVisible('#note'), true, 'the note for files');
    if (allowed) {
      await tab.click('#get:not([disabled])');
      await tab.click('#post:not([disabled])');
      await until(async () => (await texts(tab, '#output .received')).length === 2, 'two answers');
      equal(await texts(tab, '#output .received'), REPLIES, 'answers');
    } else {
      await shows(tab, '#status', '4403');
    }
    await tab.close();
  }
  await dev.end();
});

await check('after the server was killed and started again the console goes on by itself, and by its button at once', async () => {
  const first = await startServer(binary);
  const tab = await openOn(first.url, 'console');
  await tab.setViewportSize({ width: 390, height: 844 });
  await first.end('SIGKILL');
  await shows(tab, '#status', 'reconnecting');
  await shows(tab, '#countdown', 'in ');
  // In one go, so that no timer comes between: the button is there, fits a phone, and makes the attempt now.
  const seen = await until(() => tab.evaluate(() => {
    const [pill, retry] = ['status', 'retry'].map((id) => document.getElementById(id));
    if (pill.dataset.state !== 'waiting' || retry.hidden) return null;
    const right = retry.getBoundingClientRect().right;
    retry.click();
    return { fits: right <= document.documentElement.clientWidth, state: pill.dataset.state };
  }), 'the button');
  equal(seen, { fits: true, state: 'connecting' }, 'the button');
  const second = await startServer(binary, first.port);
  await isOpen(tab);
  equal(await tab.isHidden('#retry'), true, 'the button, hidden');
  await post(second.url, 'news', { hello: 'again' });
  await shows(tab, '.log .in .preview', '"again"');
  await tab.close();
  await second.end();
});

if (process.env.PICTURES) {
  await check(`README’s pictures, in ${process.env.PICTURES}`, async () => {
    mkdirSync(process.env.PICTURES, { recursive: true });
    const own = await startServer(binary);
    await takePictures({ openDemo: (name) => openOn(own.url, name), url: own.url, directory: process.env.PICTURES });
    await own.end();
  });
}
await check('no page met an error or its content security policy', () => equal(faults, [], 'faults'));
await end();
await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));
rmSync(folder, { recursive: true, force: true });
finish();
