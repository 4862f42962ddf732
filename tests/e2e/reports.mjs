// Reports about event streams and sockets, with clients that we did not write: node reports.mjs PATH/TO/tidings

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventSource } from 'eventsource';
import WebSocket from 'ws';
import { checks, equal, post, snapshot, startProxy, startServer, until, within } from './support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node reports.mjs PATH/TO/tidings');

const { EventSourcePolyfill } = createRequire(import.meta.url)('event-source-polyfill');
const { check: counted, finish } = checks();
const check = async (sentence, body) => {
  await counted(sentence, body);
  closeAll();
};
const folder = mkdtempSync(join(tmpdir(), 'tidings-reports-'));
const server = await startServer(binary);

/** Runs `body` with a server whose configuration is this. */
async function configured(toml, body) {
  const file = join(folder, `${Math.random()}.toml`);
  writeFileSync(file, toml);
  const one = await startServer(binary, 0, ['--config', file]);
  try {
    await body(one);
  } finally {
    await one.end();
  }
}

const followed = new Set();

/** What is open when a check fails must not keep the process. */
function closeAll() {
  followed.forEach((source) => source.close());
  followed.clear();
}

/** What a stream of either kind received. */
function follow(Class, url) {
  const source = new Class(url);
  followed.add(source);
  const seen = { source, data: [], opened: 0, positions: [], refused: [], closed: () => source.readyState === 2 };
  source.onopen = () => { seen.opened++; };
  source.onmessage = ({ data }) => seen.data.push(JSON.parse(data));
  source.addEventListener('position', ({ data }) => seen.positions.push(JSON.parse(data)));
  source.addEventListener('refused', ({ data }) => seen.refused.push(JSON.parse(data)));
  return seen;
}

const KINDS = [['eventsource of npm', EventSource], ['event-source-polyfill', EventSourcePolyfill]];

for (const [name, Class] of KINDS) {
  await check(`${name}: a connection that broke loses or repeats what was published meanwhile`, async () => {
    const proxy = await startProxy(server.port);
    const channel = `cut ${name}`;
    const seen = follow(Class, `${proxy.url}/channels/${encodeURIComponent(channel)}`);
    await until(() => seen.positions.length === 1, 'the first position');
    await post(server.url, channel, 1);
    await until(() => seen.data.length === 1, 'the first publication');
    proxy.cut();
    await post(server.url, channel, 2);
    await post(server.url, channel, 3);
    proxy.heal();
    await until(() => seen.data.length >= 3, 'what was missed');
    await post(server.url, channel, 4);
    await until(() => seen.data.includes(4), 'what came after it');
    equal(seen.data, [1, 2, 3, 4], 'publications');
    equal(seen.positions.at(-1).recovered, true, 'told that nothing is missing');
    closeAll();
    proxy.end();
  });

  await check(`${name}: a stream that is new is told that it has recovered`, async () => {
    const seen = follow(Class, `${server.url}/channels/fresh`);
    await until(() => seen.positions.length === 1, 'the position');
    equal('recovered' in seen.positions[0], false, 'a word about recovery');
  });

  await check(`${name}: a server at a limit is given up for good`, async () => {
    await configured('[channels]\ntotal = 1\nper_connection = 1\n', async (full) => {
      await post(full.url, 'only', 1);
      const seen = follow(Class, `${full.url}/channels/another`);
      await until(() => seen.refused.length || seen.closed(), 'the refusal');
      equal(seen.closed(), false, 'given up');
      equal([seen.refused[0].code, seen.refused[0].status], ['channels_full', 503], 'the reason');
      await until(() => seen.refused.length > 1, 'another attempt');
      closeAll();
    });
  });

  await check(`${name}: a server that restarts is given up for good`, async () => {
    const first = await startServer(binary);
    const seen = follow(Class, `${first.url}/channels/restart`);
    await until(() => seen.positions.length === 1, 'the position');
    await first.end();
    const second = await startServer(binary, first.port);
    await until(() => seen.positions.length === 2 || seen.closed(), 'the next position');
    await post(second.url, 'restart', 'after');
    await until(() => seen.data.length === 1, 'what was published after it');
    equal(seen.positions[1].recovered, false, 'told that something may be missing');
    closeAll();
    await second.end();
  });

  await check(`${name}: an option that somebody's client adds is 400, and the stream is given up for good`, async () => {
    const seen = follow(Class, `${server.url}/channels/options?_=1700000000&withCredentials=true&heartbeat=15`);
    await until(() => seen.positions.length || seen.closed(), 'the position');
    equal(seen.closed(), false, 'given up');
  });

  await check(`${name}: a publisher forges what the server says, or the browser`, async () => {
    const channel = `forged-${name.replaceAll(' ', '-')}`;
    const seen = follow(Class, `${server.url}/channels/${channel}`);
    let errors = 0;
    seen.source.addEventListener('error', () => { errors++; });
    await until(() => seen.positions.length === 1, 'the position');
    for (const event of ['error', 'open', 'position', 'reset', 'closed', 'join', 'leave', 'refused']) {
      const answer = await fetch(`${server.url}/channels/${channel}?event=${event}`, { method: 'POST', body: '1' });
      equal([answer.status, (await answer.json()).error.code], [400, 'bad_event'], event);
    }
    await post(server.url, channel, 'true');
    await until(() => seen.data.length === 1, 'what is not forged');
    equal([errors, seen.positions.length, seen.refused.length, (await snapshot(server.url, channel)).offset], [0, 1, 0, 1], 'events');
  });
}

await check('readers of a stream all come back at the same moment', async () => {
  const text = async () => {
    const aborted = new AbortController();
    const answer = await fetch(`${server.url}/channels/retry`, { headers: { Accept: 'text/event-stream' }, signal: aborted.signal });
    const { value } = await answer.body.getReader().read();
    aborted.abort();
    return Number(/^retry: (\d+)$/m.exec(new TextDecoder().decode(value))[1]);
  };
  const retries = [];
  for (let i = 0; i < 12; i++) retries.push(await text());
  equal(retries.every((ms) => ms >= 1000 && ms <= 3000), true, `between a half and one and a half of 2 s: ${retries}`);
  equal(new Set(retries).size > 6, true, `drawn for each: ${retries}`);
});

await check('HEAD of a stream is another answer than GET', async () => {
  const answer = await fetch(`${server.url}/channels/head`, { method: 'HEAD', headers: { Accept: 'text/event-stream' } });
  equal([answer.status, answer.headers.get('content-type')], [200, 'text/event-stream'], 'HEAD');
});

await check('fetch with JSON.stringify publishes a string', async () => {
  const answer = await fetch(`${server.url}/channels/fetched`, { method: 'POST', body: JSON.stringify({ a: [1] }) });
  equal(answer.status, 200, 'status');
  equal((await snapshot(server.url, 'fetched')).publications[0].data, { a: [1] }, 'data');
});

await check('a page of another origin sees only “error”, code 1006', async () => {
  for (const [origin, path, code, label] of [
    ['null', '/ws', 4403, 'origin_not_allowed'],
    ['https://elsewhere.example', '/ws', 4403, 'origin_not_allowed'],
    ['https://elsewhere.example', '/channels/x', 4403, 'origin_not_allowed'],
    [server.url, '/nothing', 4404, 'not_found'],
  ]) {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`, { origin });
    const closed = await within(new Promise((resolve, reject) => {
      socket.on('close', (number, reason) => resolve([number, String(reason)]));
      socket.on('error', reject);
    }), `the close for ${origin}`);
    equal([closed[0], closed[1].split(':')[0]], [code, label], `${origin} at ${path}`);
    equal(closed[1].includes(': '), true, `a sentence: ${closed[1]}`);
  }
});

closeAll();
await server.end();
rmSync(folder, { recursive: true });
finish();
