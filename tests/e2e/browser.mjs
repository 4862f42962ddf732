// The console, the tutorial page and the browser client in real Chromium: node browser.mjs PATH/TO/tidings
// CHROMIUM names another browser binary; SHOTS a directory for screenshots of every page.

import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { shows, startChromium, texts } from './chrome.mjs';
import { checks, equal, post, snapshot, startProxy, startServer, until } from './support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node browser.mjs PATH/TO/tidings');

const KEY = 'the-key-of-the-tests-0123456789';
process.env.TIDINGS_OPERATOR_KEY = KEY; // for the servers that are started here
const DEMOS = ['console', 'chat', 'prices', 'form', 'upload', 'game', 'remote', 'monitor', 'clients', 'cluster'];

const { check, finish } = checks();
const { open, openDemo: openOn, faults, end } = await startChromium();
const server = await startServer(binary);
const openDemo = (name, base = server.url) => openOn(base, name);

/** A page that subscribes through the browser client and keeps what it hears in `heard` and `gaps`. */
async function openListener(base, channel) {
  const page = await open(`${base}/tutorial`);
  await page.evaluate(async (name) => {
    const { Tidings } = await import('/tidings.js');
    const seen = { heard: [], gaps: 0, closes: 0 };
    const tidings = new Tidings();
    tidings.on('gap', () => { seen.gaps++; });
    tidings.on('close', () => { seen.closes++; });
    await tidings.get(name, (data) => seen.heard.push(data)).ready;
    Object.assign(globalThis, { seen, tidings });
  }, channel);
  return { page, seen: () => page.evaluate(() => globalThis.seen) };
}

await check('the tutorial page gets both replies', async () => {
  const page = await open(`${server.url}/tutorial`);
  await page.click('#get:not([disabled])');
  await shows(page, '#output .received', '服务器收到GET请求');
  await page.click('#post');
  await shows(page, '#output .received', '服务器收到POST请求,并返回数据');
  equal(await texts(page, '#output .received'), ['服务器收到GET请求', '服务器收到POST请求,并返回数据'], 'replies');
  await page.close();
});

await check('the literal statements of the tutorial work in any page', async () => {
  const page = await open(`${server.url}/tutorial`);
  const replies = await page.evaluate(() => new Promise((resolve, reject) => {
    const ws = new WebSocket(`ws://${location.host}/ws`);
    const found = [];
    ws.onopen = () => {
      ws.send('GET');
      ws.send(JSON.stringify({ name: '张三', age: 25 }));
    };
    ws.onmessage = ({ data }) => found.push(data) === 2 && resolve(found);
    ws.onclose = () => reject(new Error('closed'));
  }));
  equal(replies, ['服务器收到GET请求', '服务器收到POST请求,并返回数据'], 'replies');
  await page.close();
});

await check('what curl posts appears on an open console at once, Chinese text too', async () => {
  const page = await openDemo('console');
  await shows(page, '.preview', '"recovered"').catch(() => shows(page, '.preview', '"status":200'));
  await post(server.url, 'news', { hello: '世界你好' });
  await shows(page, '.log .in .preview', '世界你好');
  await page.fill('textarea[name=data]', '{"from":"console"}');
  await page.click('.card button.primary:has-text("POST")');
  await shows(page, '.hint', 'Published as news');
  await page.fill('textarea[name=data]', '{"from":');
  equal(await page.isDisabled('button.primary:has-text("POST")'), true, 'button at wrong JSON');
  await page.close();
});

await check('two pages chat, and markup stays text', async () => {
  const [ann, bob] = [await openDemo('chat'), await openDemo('chat')];
  for (const [page, name] of [[ann, 'Ann'], [bob, '小明']]) {
    await page.fill('input[name=name]', name);
    await page.click('button:has-text("Enter")');
  }
  await shows(ann, '.people', '小明');
  await shows(bob, '.people', 'Ann');
  for (const [page, text] of [[ann, 'hello <b>Bob</b>'], [bob, '你好 Ann']]) {
    await page.fill('input[name=text]', text);
    await page.press('input[name=text]', 'Enter');
  }
  await shows(bob, '.messages p', 'hello <b>Bob</b>');
  await shows(ann, '.messages p', '你好 Ann');
  equal(await bob.$$eval('.messages p b', (found) => found.length), 0, 'elements made of markup');
  await Promise.all([ann.close(), bob.close()]);
});

await check('prices and weather tick on a page that does not publish', async () => {
  const [publisher, reader] = [await openDemo('prices'), await openDemo('prices')];
  await reader.uncheck('#publish-demo');
  await publisher.check('#publish-demo');
  await until(() => reader.$$eval('#prices .tile', (tiles) => tiles.length >= 6), 'six prices');
  await until(() => reader.$$eval('#weather .tile', (tiles) => tiles.length >= 5), 'five reports');
  const before = (await texts(reader, '#prices .now')).join();
  await until(async () => (await texts(reader, '#prices .now')).join() !== before, 'another price');
  await Promise.all([publisher.close(), reader.close()]);
});

await check('a form submission appears on another page', async () => {
  const [sender, reader] = [await openDemo('form'), await openDemo('form')];
  await sender.fill('.panel-form input[name=name]', '张三');
  await sender.fill('.panel-form input[name=age]', '25');
  await sender.fill('.panel-form textarea', 'a & b = <c>');
  await sender.click('.panel-form button.primary');
  await shows(reader, '.submissions dd', 'a & b = <c>');
  await shows(reader, '.submissions dd', '张三');
  await shows(sender, '.hint', 'Thank you');
  await Promise.all([sender.close(), reader.close()]);
});

await check('a file of 300 KiB arrives on another page with the same SHA-256', async () => {
  const [sender, reader] = [await openDemo('upload'), await openDemo('upload')];
  const content = randomBytes(300 * 1024);
  const sum = createHash('sha256').update(content).digest('hex');
  await sender.setInputFiles('#file', { name: '照片.bin', mimeType: 'application/octet-stream', buffer: content });
  await shows(reader, '.uploads [data-state=done]', 'SHA-256 matches');
  await shows(reader, '.uploads [data-state=done] .sum', sum);
  await shows(sender, '.uploads [data-state=done]', 'sent');
  const [download] = await Promise.all([reader.waitForEvent('download'), reader.click('.uploads a[download]')]);
  equal(createHash('sha256').update(readFileSync(await download.path())).digest('hex'), sum, 'SHA-256 of the downloaded file');
  await Promise.all([sender.close(), reader.close()]);
});

await check('a move in the game is seen by another page', async () => {
  const [player, reader] = [await openDemo('game'), await openDemo('game')];
  await player.focus('.board');
  // Wherever the brush begins, at an edge too, this paints three squares.
  for (const key of [' ', 'ArrowRight', 'ArrowRight', ...Array(4).fill('ArrowLeft')]) await player.keyboard.down(key);
  await until(async () => (await texts(reader, '.scores b')).some((count) => Number(count) >= 3), 'three squares');
  await Promise.all([player.close(), reader.close()]);
});

await check('the remote control drives the robot of another page', async () => {
  const [remote, screen] = [await openDemo('remote'), await openDemo('remote')];
  await remote.click('.lamp');
  await until(() => screen.$eval('.floor', (floor) => floor.dataset.lamp === 'on'), 'the lamp');
  await remote.click('.key.ArrowRight');
  await until(() => screen.$eval('.floor', (floor) => floor.dataset.at === '3,2'), 'the robot at 3,2');
  await remote.click('.lamp');
  await until(() => screen.$eval('.floor', (floor) => floor.dataset.lamp === 'off'), 'the dark lamp');
  await Promise.all([remote.close(), screen.close()]);
});

await check('the monitor draws the server', async () => {
  const page = await open(`${server.url}/#operator=${KEY}`);
  await page.click('#tab-monitor');
  await until(() => page.$$eval('.panel-monitor .spark-line', (lines) => lines.some((line) => line.hasAttribute('d'))), 'a line');
  await until(async () => !(await texts(page, '.panel-monitor .now')).slice(0, 3).some((text) => ['–', 'not available'].includes(text)), 'connections, publications and deliveries');
  await page.close();
});

await check('a page whose connection broke resumes without a hole, and each publication arrives once', async () => {
  const proxy = await startProxy(server.port);
  const { page, seen } = await openListener(proxy.url, 'holes');
  for (let n = 1; n <= 5; n++) await post(server.url, 'holes', n);
  await until(async () => (await seen()).heard.length === 5, 'the first five');
  proxy.cut();
  await until(async () => (await seen()).closes > 0, 'the break');
  for (let n = 6; n <= 15; n++) await post(server.url, 'holes', n);
  proxy.heal();
  await post(server.url, 'holes', 16);
  await until(async () => (await seen()).heard.length >= 16, 'the rest');
  const { heard, gaps } = await seen();
  equal(heard, Array.from({ length: 16 }, (_, index) => index + 1), 'publications');
  equal(gaps, 0, 'gaps');
  await page.close();
  proxy.end();
});

await check('a post whose answer was lost is sent again and published once; posts made offline follow', async () => {
  const proxy = await startProxy(server.port);
  const { page, seen } = await openListener(proxy.url, 'once');
  proxy.swallow();
  await page.evaluate(() => { globalThis.first = globalThis.tidings.post('once', 'first'); });
  await until(async () => (await snapshot(server.url, 'once')).offset === 1, 'the post');
  proxy.cut();
  await until(async () => (await seen()).closes > 0, 'the break');
  await page.evaluate(() => { globalThis.second = globalThis.tidings.post('once', 'second'); });
  proxy.heal();
  equal(await page.evaluate(async () => [(await globalThis.first).offset, (await globalThis.second).offset]), [1, 2], 'offsets');
  await until(async () => (await seen()).heard.length >= 2, 'both');
  equal((await seen()).heard, ['first', 'second'], 'publications');
  equal((await snapshot(server.url, 'once')).offset, 2, 'last offset');
  await page.close();
  proxy.end();
});

await check('a page resumes after the server was killed and started again, and is told of the gap', async () => {
  const first = await startServer(binary);
  const { page, seen } = await openListener(first.url, 'killed');
  await post(first.url, 'killed', 'before');
  await until(async () => (await seen()).heard.length === 1, 'the first message');
  await first.end('SIGKILL');
  const second = await startServer(binary, first.port);
  await until(async () => (await seen()).gaps === 1, 'the gap signal');
  await post(second.url, 'killed', 'after');
  await until(async () => (await seen()).heard.includes('after'), 'the message after the restart');
  equal((await seen()).heard, ['before', 'after'], 'messages');
  await page.close();
  await second.end();
});

await check('a page of another origin can neither read nor publish', async () => {
  const evil = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>evil</title>'));
  await new Promise((resolve) => evil.listen(0, '127.0.0.1', resolve));
  await post(server.url, 'secret', 'hidden');
  const page = await open(`http://evil.test:${evil.address().port}/`, false);
  const found = await page.evaluate(async (url) => {
    const target = `${url}/channels/secret`;
    const outcome = (promise) => promise.then((value) => `reached: ${value}`, () => 'refused');
    const text = async (response) => `${response.status} ${await response.text()}`;
    const json = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '"stolen"' };
    return {
      read: await outcome(fetch(target).then(text)),
      postJson: await outcome(fetch(target, json).then(text)),
      postSimple: await outcome(fetch(target, { method: 'POST', mode: 'no-cors', body: '"stolen"' }).then((response) => response.type)),
      stream: await new Promise((resolve) => {
        const source = new EventSource(target);
        source.onerror = () => {
          source.close();
          resolve('refused');
        };
        for (const name of ['open', 'message', 'position']) source.addEventListener(name, () => resolve('reached'));
      }),
      socket: await new Promise((resolve) => {
        // The handshake succeeds, so that the page can read why it is refused; what is asked there is not answered.
        const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
        socket.onopen = () => socket.send('{"id":1,"method":"GET","path":"/channels/secret","last":1}');
        socket.onmessage = ({ data }) => resolve(`reached: ${data}`);
        socket.onclose = ({ code, reason }) => resolve(`${code} ${reason.split(':')[0]}`);
      }),
    };
  }, server.url);
  // A form post without CORS is always sent; its answer is opaque to the page. What counts is that nothing was published.
  equal({ ...found, postSimple: '' }, { read: 'refused', postJson: 'refused', postSimple: '', stream: 'refused', socket: '4403 origin_not_allowed' }, 'attempts');
  equal((await snapshot(server.url, 'secret')).offset, 1, 'last offset');
  const rebound = await page.goto(`http://evil.test:${server.port}/`);
  equal(rebound.status(), 421, 'status of the console under a foreign name');
  await page.close();
  evil.close();
});

async function paint(page) {
  const box = await page.locator('.board').boundingBox();
  await page.mouse.move(box.x + box.width * 0.25, box.y + box.height * 0.6);
  await page.mouse.down();
  for (const [x, y] of [[0.4, 0.3], [0.55, 0.6], [0.7, 0.3], [0.8, 0.7]]) await page.mouse.move(box.x + box.width * x, box.y + box.height * y);
  await page.mouse.up();
}

async function shoot(directory) {
  mkdirSync(directory, { recursive: true });
  const tooWide = [];
  const publisher = await openDemo('prices');
  await publisher.check('#publish-demo');
  const pages = [...DEMOS.map((name) => [name, `${server.url}/#${name}`]), ['tutorial', `${server.url}/tutorial`]];
  for (const [name, url] of pages) {
    const page = await open(url);
    if (['monitor', 'clients', 'cluster'].includes(name)) await page.evaluate((key) => { location.hash = `operator=${key}`; }, KEY);
    if (name === 'monitor') await until(() => page.$$eval('.panel-monitor .spark-line', (lines) => lines.some((line) => line.getAttribute('d')?.split('L').length > 4)), 'some readings').catch(() => {});
    if (name === 'clients') await until(() => page.$$eval('.clients li', (rows) => rows.length > 3), 'some connections');
    if (name === 'prices') await until(() => page.$$eval('#prices .spark-line', (lines) => lines.length >= 6 && lines[0].getAttribute('d')?.split('L').length > 6), 'some ticks');
    if (name === 'console') await page.click('.frame:has-text("世界")');
    if (name === 'remote') await page.click('.lamp');
    if (name === 'chat') await page.fill('input[name=text]', 'Beautiful, isn’t it?').then(() => page.press('input[name=text]', 'Enter'));
    if (name === 'game') await paint(page);
    if (name === 'tutorial') await page.click('#get:not([disabled])').then(() => page.click('#post'));
    for (const scheme of ['light', 'dark']) {
      for (const [device, width, height] of [['desktop', 1280, 860], ['phone', 390, 844]]) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wide > 0) tooWide.push(`${name} by ${wide} pixels on a ${device}`);
        await page.evaluate(() => scrollTo(0, 0));
        await page.screenshot({ path: path.join(directory, `${name}-${device}-${scheme}.png`) });
      }
    }
    await page.close();
  }
  await publisher.close();
  equal(tooWide, [], 'pages wider than the screen');
}

if (process.env.SHOTS) await check(`screenshots of every page fit their width, in ${process.env.SHOTS}`, () => shoot(process.env.SHOTS));
await check('no page met an error or its content security policy', () => equal(faults, [], 'faults'));

await end();
await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));
finish();
