// What the console and the tutorial page promise their readers, in real Chromium: node pages.mjs PATH/TO/tidings

import net from 'node:net';
import WebSocket from 'ws';
import { findings, isOpen, shows, startChromium, texts } from './chrome.mjs';
import { checks, equal, makeKey, post, snapshot, startConfigured, startProxy, startServer, until } from './support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node pages.mjs PATH/TO/tidings');

const PAGES = ['/#console', '/#chat', '/#prices', '/#form', '/#upload', '/#game', '/#remote', '/#monitor', '/#clients', '/#cluster', '/tutorial'];
const NOTICE = '.toast';
const KEY = 'the-key-of-the-tests-0123456789';
process.env.TIDINGS_OPERATOR_KEY = KEY; // for the servers that are started here

const { check, finish } = checks();
const { open, openDemo: openOn, faults, end } = await startChromium({ reducedMotion: 'reduce' });
const server = await startServer(binary);
const openDemo = (name, base = server.url) => openOn(base, name);
const close = (...pages) => Promise.all(pages.map((page) => page.close()));

await check('demo data runs on the landing page without a click, and the log goes on showing what others send', async () => {
  const page = await open(server.url);
  await until(() => page.$$eval('#live .tile .now', (tiles) => tiles.length === 4 && tiles.every((tile) => tile.textContent)), 'four prices');
  const offset = (await snapshot(server.url, 'demo.prices')).offset;
  await post(server.url, 'news', { hello: 'curl' });
  await until(async () => (await snapshot(server.url, 'demo.prices')).offset > offset + 3, 'more demo data');
  const rows = await texts(page, '.log .frame');
  equal(rows.slice(0, 14).some((row) => row.includes('"curl"')), true, 'the post among the first rows');
  equal((await snapshot(server.url, 'prices')).offset, 0, 'publications on a channel that is not the demo’s');
  await close(page);
});

await check('a paused list keeps its rows, also those of demo data, and a filter shows them', async () => {
  const page = await open(server.url);
  await until(() => page.$$eval('.log .demo', (rows) => rows.length >= 5), 'rows of demo data');
  const pause = await page.waitForSelector('.log-card button[aria-pressed]');
  await pause.click();
  const rows = await texts(page, '.log .frame');
  const { offset } = await snapshot(server.url, 'demo.prices');
  await until(async () => (await snapshot(server.url, 'demo.prices')).offset > offset + 6, 'more demo data than is kept');
  equal(await texts(page, '.log .frame'), rows, 'rows while it is paused');
  await page.type('.log-card input', 'demo');
  equal((await texts(page, '.log .frame')).length > 0, true, 'rows that a filter finds');
  await pause.click();
  await until(async () => (await texts(page, '.log .frame')).length > 0, 'rows after it');
  equal(await page.$$eval('.log .demo', (found) => found.length <= 12), true, 'few rows of demo data then');
  await close(page);
});

await check('of several open pages one publishes demo data, and none where the switch is off', async () => {
  const [first, second] = [await open(server.url), await open(server.url)];
  await isOpen(first);
  await isOpen(second);
  const senders = async (since) => {
    const { publications } = await (await fetch(`${server.url}/channels/demo.prices?since=${since}&limit=300`)).json();
    return publications.map(({ data }) => data.from);
  };
  const { epoch, offset } = await snapshot(server.url, 'demo.prices');
  // Both may begin; the later name falls silent as soon as it has heard the other.
  await until(async () => (await senders(`${epoch}:${offset}`)).length >= 6, 'some ticks');
  equal(new Set((await senders(`${epoch}:${offset}`)).slice(-4)).size, 1, 'pages that publish');
  for (const page of [first, second]) await page.uncheck('#demo-data');
  const stopped = (await snapshot(server.url, 'demo.prices')).offset;
  await post(server.url, 'news', 'later');
  await shows(first, '.log .in .preview', '"later"');
  equal((await snapshot(server.url, 'demo.prices')).offset <= stopped + 1, true, 'ticks after the end');
  await first.check('#demo-data');
  await close(first, second);
});

await check('axe-core finds nothing in any page, light and dark, on a desk and on a phone, and each has one h1', async () => {
  const found = [];
  for (const target of PAGES) {
    const page = await open(`${server.url}${target}`);
    await isOpen(page);
    if (target === '/#console') await shows(page, '#live .now', '.');
    if (target === '/#chat') await page.fill('input[name=text]', 'hello').then(() => page.press('input[name=text]', 'Enter')).then(() => shows(page, '.messages p', 'hello'));
    found.push(...await findings(page, target));
    await page.close();
  }
  equal(found, [], 'findings');
});

await check('a name in the chat can be read in every hue that it may have, light and dark', async () => {
  const page = await open(`${server.url}/#chat`);
  await isOpen(page);
  await page.fill('input[name=text]', 'hello');
  await page.press('input[name=text]', 'Enter');
  await shows(page, '.messages .mine p', 'hello');
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    // Both kinds of bubble: a name is drawn on each of the two backgrounds.
    for (const mine of [true, false]) {
      const worst = await page.evaluate((own) => {
        const author = document.querySelector('.messages b');
        const bubble = author.closest('li');
        bubble.classList.toggle('mine', own);
        const channels = (color) => color.match(/[\d.]+/g).slice(0, 3).map((text) => Number(text) / 255);
        // WCAG 2.1, relative luminance and contrast ratio.
        const luminance = (color) => channels(color).map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
        const behind = luminance(getComputedStyle(bubble).backgroundColor);
        const ratios = Array.from({ length: 360 }, (_, hue) => {
          author.style.setProperty('--hue', hue);
          const ink = luminance(getComputedStyle(author).color);
          return (Math.max(ink, behind) + 0.05) / (Math.min(ink, behind) + 0.05);
        });
        return Math.min(...ratios);
      }, mine);
      equal(worst >= 4.5, true, `${colorScheme}, ${mine ? 'own' : 'another’s'} message: the least contrast is ${worst.toFixed(2)}`);
    }
  }
  await close(page);
});

await check('the chat shows when each message was sent, and what waits to be sent while the connection is away', async () => {
  const proxy = await startProxy(server.port);
  const [ann, bob] = [await openDemo('chat', proxy.url), await openDemo('chat')];
  await shows(ann, '.people', '(you)');
  proxy.cut();
  await until(() => ann.evaluate(() => document.getElementById('status').dataset.state !== 'open'), 'the break');
  await ann.fill('input[name=text]', 'written offline');
  await ann.press('input[name=text]', 'Enter');
  await shows(ann, '.messages .waiting .note', 'waits for the connection');
  await shows(ann, '.messages .waiting time', ':');
  proxy.heal();
  await shows(bob, '.messages p', 'written offline');
  await until(async () => (await texts(ann, '.messages .waiting')).length === 0, 'the end of the wait');
  equal((await texts(ann, '.messages p')).filter((text) => text === 'written offline').length, 1, 'how often it is shown');
  for (const page of [ann, bob]) equal((await texts(page, '.messages li:last-child time')).every((text) => /^\d\d:\d\d$/.test(text)), true, 'times');
  await close(ann, bob);
  proxy.end();
});

await check('after a restart there is one notice, not one for each channel', async () => {
  const first = await startServer(binary);
  await post(first.url, 'news', 1);
  await post(first.url, 'inbox', 1);
  const page = await openDemo('console', first.url);
  await shows(page, '.log .in .preview', '"channel":"inbox"');
  await page.evaluate(() => {
    globalThis.notices = [];
    const seen = new MutationObserver((records) => records.forEach(({ addedNodes }) => addedNodes.forEach((node) => globalThis.notices.push(node.textContent))));
    seen.observe(document.getElementById('toasts'), { childList: true });
  });
  await first.end('SIGKILL');
  const second = await startServer(binary, first.port);
  await shows(page, NOTICE, 'could not be recovered');
  await isOpen(page);
  await post(second.url, 'news', 'after');
  await shows(page, '.log .in .preview', '"after"');
  equal((await page.evaluate(() => globalThis.notices)).length, 1, 'notices');
  await close(page);
  await second.end();
});

await check('a channel that was refused for good is forgotten', async () => {
  const page = await openDemo('console');
  await page.fill('input[name=channel][placeholder]', 'a*b');
  await page.click('.card button:has-text("GET")');
  await shows(page, NOTICE, 'a*b');
  await until(async () => !(await texts(page, '.chips li')).some((text) => text.includes('a*b')), 'the end of its chip');
  equal(await page.evaluate(() => localStorage.getItem('tidings.channels').includes('a*b')), false, 'what the browser remembers');
  await close(page);
});

await check('players have colours that differ, on each page the same', async () => {
  const pages = [];
  for (let n = 0; n < 4; n++) pages.push(await openDemo('game'));
  for (const page of pages) {
    await page.focus('.board');
    for (const key of [' ', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
  }
  const colours = (page) => page.$$eval('.scores li', (items) => Object.fromEntries(items.map((item) => [item.dataset.player, item.querySelector('i').style.background]).sort()));
  await until(async () => Object.keys(await colours(pages[0])).length >= 4, 'four players');
  const seen = await until(async () => {
    const [a, b] = [await colours(pages[0]), await colours(pages[3])];
    return JSON.stringify(a) === JSON.stringify(b) && a;
  }, 'the same colours on two pages');
  equal(new Set(Object.values(seen)).size, Object.keys(seen).length, 'different colours');
  await close(...pages);
});

await check('the monitor counts sockets and streams, not idle HTTP connections', async () => {
  const own = await startServer(binary);
  const idle = await Promise.all(Array.from({ length: 7 }, () => new Promise((resolve) => {
    const socket = net.connect(own.port, '127.0.0.1', () => socket.write(`GET /livez HTTP/1.1\r\nHost: 127.0.0.1:${own.port}\r\n\r\n`));
    socket.once('data', () => resolve(socket));
  })));
  const page = await open(`${own.url}/#operator=${KEY}`);
  await isOpen(page);
  await page.click('#tab-monitor');
  await shows(page, '.panel-monitor .tile:first-child .now', '1');
  equal(await texts(page, '.panel-monitor .tile:first-child'), ['Sockets and streams1'], 'the first figure');
  idle.forEach((socket) => socket.destroy());
  await close(page);
  await own.end();
});

await check('the operator’s key goes from the address into this tab alone, and with each request for figures', async () => {
  const page = await open('about:blank');
  const sent = [];
  page.on('request', (request) => sent.push(request));
  await page.goto(`${server.url}/#operator=${encodeURIComponent(KEY)}`);
  await isOpen(page);
  equal(new URL(page.url()).hash, '', 'the fragment that is left');
  equal(await page.evaluate(() => [sessionStorage.getItem('tidings.operator'), JSON.stringify(localStorage)].map((text) => text.includes('the-key'))), [true, false], 'who remembers it');
  await page.click('#tab-monitor');
  await shows(page, '.panel-monitor .tile h3', 'Sockets and streams');
  const metrics = sent.find((request) => request.url().endsWith('/metrics'));
  equal((await metrics.allHeaders()).authorization, `Bearer ${KEY}`, 'its Authorization');
  equal(sent.map((request) => request.url()).filter((url) => url.includes('the-key')), [], 'addresses with the key');
  await post(server.url, 'emptied', 1);
  await page.click('summary:has-text("Channels")');
  await page.click('button[aria-label="Empty the history of emptied"]');
  await until(async () => (await snapshot(server.url, 'emptied')).publications.length === 0, 'the empty history');
  await close(page);
});

await check('without the key the monitor shows what the page knows, and takes the key in a box', async () => {
  const page = await openDemo('monitor');
  await shows(page, '.panel-monitor .tile h3', 'Round trip');
  await until(() => page.$eval('.panel-monitor .tile:last-child .now', (now) => now.textContent.endsWith(' ms')), 'a round trip');
  const signIn = async (key) => {
    await page.fill('.panel-monitor input[name=key]', key);
    await page.click('.panel-monitor button:has-text("Sign in")');
  };
  await signIn('not-the-key-of-this-server');
  await shows(page, '.panel-monitor .bad', 'The key was refused');
  equal(await page.evaluate(() => sessionStorage.length), 0, 'what the tab keeps of a wrong key');
  await signIn(KEY);
  await shows(page, '.panel-monitor .tile h3', 'Sockets and streams');
  await close(page);
});

await check('operators see who is connected, end a connection with a second click, and revoke', async () => {
  const own = await startServer(binary);
  const other = new WebSocket(own.socketUrl);
  const closed = new Promise((resolve) => other.addEventListener('close', resolve));
  const name = await new Promise((resolve) => {
    other.addEventListener('open', () => other.send('{"id":1,"method":"GET","path":"/channels/seen"}'));
    other.addEventListener('message', ({ data }) => resolve(JSON.parse(data).connection), { once: true });
  });
  const page = await openDemo('clients', own.url);
  await shows(page, '.panel-clients .card:not([hidden]) h2', 'For operators');
  await page.fill('.panel-clients input[type=password]', KEY);
  await page.click('.panel-clients button:has-text("Sign in")');
  await shows(page, '.clients code', name);
  equal(await texts(page, '#account'), ['Sign out'], 'the button at the foot');
  await page.fill('.panel-clients input[name=channel]', 'seen');
  await until(async () => (await texts(page, '.clients code')).length === 1, 'the one that is subscribed');
  const end = `button[aria-label="Disconnect anonymous ${name}"]`;
  await page.click(end);
  equal(await texts(page, end), ['Really?'], 'the button after the first click');
  equal(other.readyState, WebSocket.OPEN, 'the connection after the first click');
  await page.click(end);
  equal((await closed).code, 4403, 'the code of the Close');
  await until(async () => (await texts(page, '.clients code')).length === 0, 'the list without it');
  await page.selectOption('.panel-clients select[name=kind]', 'key');
  await page.fill('.panel-clients input[name=name]', 'backend');
  await page.click('.panel-clients form button:has-text("Revoke")');
  await shows(page, '.clients li', 'backend');
  await page.click('button[aria-label="Take back the revocation of key backend"]');
  await shows(page, '.panel-clients .empty:not([hidden])', 'Nothing is revoked.');
  await close(page);
  await own.end();
});

const RULES = '[[channel]]\nmatch = "news"\nread = ["anyone"]\n\n[[channel]]\nmatch = "form"\nread = ["anyone"]\n\n[[channel]]\nmatch = "demo.*"\nread = ["token"]\n';
const backend = makeKey(binary, 'backend', '--channels', 'demo.*', '--channels', 'inbox', '--may', 'read');
const strict = await startConfigured(binary, `${RULES}\n${backend.block}`);
const kept = (page) => page.evaluate(() => sessionStorage.getItem('tidings.operator'));
const signIn = async (page, key) => {
  await page.fill('.sign-in input[name=key]', key);
  await page.click('.sign-in button.primary');
};

await check('a console that is refused says which rule refused it, and takes a token or a key in a box', async () => {
  const page = await openDemo('console', strict.url);
  await shows(page, '.refusals li', 'match = "demo.*"');
  await shows(page, '.refusals li', 'no [[channel]] rule matches');
  equal(await texts(page, NOTICE), [], 'notices, which would say the same');
  equal(await texts(page, '.chips .locked span'), ['inbox'], 'channels that wait for a key');
  await signIn(page, 'not-the-key-of-this-server');
  await shows(page, '.sign-in .bad', 'what was presented');
  equal(await kept(page), null, 'what the tab keeps of a wrong one');
  await Promise.all([page.waitForEvent('load'), signIn(page, KEY)]);
  await isOpen(page);
  await shows(page, '#live .now', '.');
  equal([await page.isVisible('.sign-in'), await texts(page, '.chips .locked')], [false, []], 'the box, and channels that wait');
  equal([await kept(page), new URL(page.url()).href.includes(KEY)], [KEY, false], 'where the key is');
  equal((await texts(page, '.log li')).filter((text) => text.includes(KEY)), [], 'frames that show it');
  await Promise.all([page.waitForEvent('load'), page.click('#account')]);
  await shows(page, '.refusals li', 'match = "demo.*"');
  equal(await kept(page), null, 'what is left after signing out');
  await page.click('.sign-in button:has-text("Not now")');
  await page.fill('textarea[name=data]', '{"typed":"before"}');
  await page.click('.card button.primary:has-text("POST")');
  await shows(page, '.panel-console .bad', '401');
  equal(await page.isVisible('.sign-in'), true, 'the box, for another rule');
  await close(page);
});

await check('a backend’s key opens what it grants, and what it does not is told with the rule and the key’s name', async () => {
  const page = await openDemo('console', strict.url);
  await page.waitForSelector('.sign-in:not([hidden])');
  await Promise.all([page.waitForEvent('load'), signIn(page, backend.secret)]);
  await isOpen(page);
  await until(async () => (await texts(page, '.chips .locked')).length === 0, 'the channel that the key grants');
  await shows(page, '.refusals li', 'match = "demo.*"');
  await shows(page, '.sign-in h2', 'something else');
  equal(await page.evaluate(() => scrollY), 0, 'how far the box is above what is seen');
  equal((await page.content()).includes(backend.secret), false, 'the secret in the page');
  await close(page);
});

await check('where nothing but a submission was refused, signing in loses nothing that was typed', async () => {
  const page = await openDemo('form', strict.url);
  await page.fill('.panel-form input[name=name]', '张三');
  await page.fill('.panel-form textarea', 'typed before');
  await page.click('.panel-form button.primary');
  await shows(page, '.refusals li', 'form');
  await signIn(page, KEY);
  await page.waitForSelector('.sign-in', { state: 'hidden' });
  await page.click('.panel-form button.primary');
  await shows(page, '.panel-form .hint', 'Thank you');
  await shows(page, '.submissions dd', 'typed before');
  equal(await texts(page, '#account'), ['Sign out'], 'the button at the foot');
  await close(page);
});

await check('a key that no longer counts is told of once, and the page stays where it is', async () => {
  const page = await open(strict.url);
  await page.evaluate(() => sessionStorage.setItem('tidings.operator', 'the-key-of-yesterday'));
  await page.reload();
  await shows(page, '.refusals li', 'what was presented');
  equal(await page.evaluate(() => document.getElementById('status').dataset.state), 'refused', 'the state');
  await Promise.all([page.waitForEvent('load'), page.click('.sign-in button:has-text("Sign out")')]);
  await isOpen(page);
  await close(page);
});

await check('the box is for everybody: axe-core finds nothing in it', async () => {
  const page = await openDemo('console', strict.url);
  await page.waitForSelector('.sign-in:not([hidden])');
  await signIn(page, 'wrong');
  await shows(page, '.sign-in .bad', 'what was presented');
  equal(await findings(page, 'the box'), [], 'findings');
  await close(page);
});
await strict.end();

await check('the tutorial page is Chinese, shows its source, and reconnects by itself', async () => {
  const first = await startServer(binary);
  const page = await open(`${first.url}/tutorial`);
  await isOpen(page);
  equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN', 'language');
  const prose = await page.$$eval('h1, h2, p, button, .pill span', (found) => found.filter((each) => !/[\u4e00-\u9fff]/.test(each.textContent)).map((each) => each.textContent));
  equal(prose, [], 'words without Chinese');
  const script = await page.$eval('script', (each) => each.textContent.trim());
  equal(await page.textContent('#source'), script, 'the source');
  equal(await page.isHidden('#note'), true, 'the note for files, hidden');
  await first.end('SIGKILL');
  await until(() => page.$eval('#status', ({ dataset }) => dataset.state === 'closed'), 'the break');
  const second = await startServer(binary, first.port);
  await isOpen(page);
  await page.click('#get:not([disabled])');
  await shows(page, '#output .received', '服务器收到GET请求');
  await close(page);
  await second.end();
});

await check('no page met an error or its content security policy', () => equal(faults, [], 'faults'));
await end();
await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));
finish();
