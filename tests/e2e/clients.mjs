// Clients for Node that we did not write: node clients.mjs PATH/TO/tidings

import { EventSource } from 'eventsource';
import WebSocket from 'ws';
import { checks, equal, post, snapshot, startProxy, startServer, until, within } from './support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node clients.mjs PATH/TO/tidings');

const { check, finish } = checks();
const server = await startServer(binary);
const socketUrl = `${server.url.replace('http', 'ws')}/ws`;

/** A socket whose text messages are read one after the other; both the npm and the global WebSocket fit. */
async function open(Class, protocols = []) {
  const socket = new Class(socketUrl, protocols);
  const queue = [];
  socket.onmessage = ({ data }) => queue.push(data);
  await within(new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('the handshake failed'));
  }), 'the handshake');
  const next = async () => {
    await until(() => queue.length, 'a message');
    return queue.shift();
  };
  return {
    socket,
    next,
    send: (request) => socket.send(typeof request === 'string' ? request : JSON.stringify(request)),
    json: async () => JSON.parse(await next()),
    close: () => within(new Promise((resolve) => {
      socket.onclose = resolve;
      socket.close(1000);
    }), 'the close'),
  };
}

async function converse(Class, channel) {
  const plain = await open(Class);
  plain.send('GET');
  equal(await plain.next(), '服务器收到GET请求', 'reply to GET');
  plain.send(JSON.stringify({ name: '张三', age: 25 }));
  equal(await plain.next(), '服务器收到POST请求,并返回数据', 'reply to JSON');
  equal((await plain.close()).code, 1000, 'close code');

  const first = await open(Class, ['tidings.v1']);
  equal(first.socket.protocol, 'tidings.v1', 'subprotocol');
  const path = `/channels/${encodeURIComponent(channel)}`;
  first.send({ id: 1, method: 'GET', path });
  const { status, epoch, offset } = await first.json();
  equal([status, offset], [200, 0], 'answer to GET');
  first.send({ id: 'two', method: 'POST', path, data: { 值: 1 } });
  const push = await first.json();
  equal([push.channel, push.offset, push.data], [channel, 1, { 值: 1 }], 'push before the answer');
  const answer = await first.json();
  equal([answer.id, answer.status, answer.offset], ['two', 200, 1], 'answer to POST');
  first.send({ id: 3, method: 'GET', path: '/livez' });
  equal((await first.json()).status, 200, 'livez');
  first.send({ id: 4, method: 'GETT', path });
  equal((await first.json()).error !== undefined, true, 'an error for a wrong method');
  await first.close();

  for (const n of [2, 3]) await post(server.url, channel, n);
  const second = await open(Class, ['tidings.v1']);
  second.send({ id: 1, method: 'GET', path, since: `${epoch}:1` });
  const resumed = await second.json();
  equal([resumed.recovered, resumed.offset, resumed.publications.map(({ data }) => data)], [true, 3, [2, 3]], 'resume');
  second.send({ id: 2, method: 'DELETE', path: `/subscriptions/${encodeURIComponent(channel)}` });
  equal((await second.json()).status, 200, 'unsubscribe');
  await second.close();

  const third = await open(Class, ['tidings.v1']);
  third.send({ id: 1, method: 'GET', path, since: 'neverwas00:1' });
  equal((await third.json()).recovered, false, 'recovered after a foreign epoch');
  await third.close();
}

await check('npm ws connects, GETs, POSTs, resumes and closes', () => converse(WebSocket, 'node 频道'));

await check('the global WebSocket does the same', () => (globalThis.WebSocket ? converse(globalThis.WebSocket, 'node-global') : 'skip'));

await check('npm ws is given none of the subprotocols that the server does not speak, and one that it does', async () => {
  const client = await open(WebSocket, ['nonsense.v9', 'tidings.v1']);
  equal(client.socket.protocol, 'tidings.v1', 'subprotocol');
  await client.close();
});

await check('npm ws publishes and receives binary frames', async () => {
  const client = await open(WebSocket, ['tidings.v1']);
  client.socket.binaryType = 'nodebuffer';
  const frame = (request, body) => Buffer.concat([Buffer.from(`${JSON.stringify(request)}\n`), body]);
  client.socket.send(frame({ id: 1, method: 'GET', path: '/channels/bytes' }, Buffer.alloc(0)));
  const first = await client.next();
  equal(JSON.parse(String(first).split('\n')[0]).status, 200, 'answer to GET');
  const body = Buffer.from([0, 10, 255, 10, 1]);
  client.socket.send(frame({ id: 2, method: 'POST', path: '/channels/bytes' }, body));
  const push = await client.next();
  const end = push.indexOf(10);
  equal(JSON.parse(push.subarray(0, end)).offset, 1, 'offset');
  equal([...push.subarray(end + 1)], [...body], 'body');
  await client.close();
});

await check('npm ws gets permessage-deflate or does without', async () => {
  const socket = new WebSocket(socketUrl, { perMessageDeflate: true });
  await within(new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject)), 'the handshake');
  socket.send('GET');
  const [data] = await within(new Promise((resolve) => socket.once('message', (...found) => resolve(found))), 'the reply');
  equal(String(data), '服务器收到GET请求', 'reply');
  socket.terminate();
});

await check('EventSource follows a channel and resumes by itself from Last-Event-ID', async () => {
  const proxy = await startProxy(server.port);
  const [heard, positions, asked] = [[], [], []];
  const source = new EventSource(`${proxy.url}/channels/stream`, {
    fetch: (url, options) => {
      asked.push(new Headers(options.headers).get('last-event-id'));
      return fetch(url, options);
    },
  });
  source.addEventListener('position', ({ data }) => positions.push(JSON.parse(data)));
  source.onmessage = ({ data, lastEventId }) => heard.push([JSON.parse(data), Number(lastEventId.split(':')[1])]);
  await until(() => positions.length === 1, 'the position');
  await post(server.url, 'stream', { n: 1.5 });
  await until(() => heard.length === 1, 'the first event');
  proxy.cut();
  await post(server.url, 'stream', '第二');
  proxy.heal();
  await until(() => heard.length === 2, 'the event of the break');
  await post(server.url, 'stream', null);
  await until(() => heard.length === 3, 'the event after it');
  source.close();
  proxy.end();
  equal(heard, [[{ n: 1.5 }, 1], ['第二', 2], [null, 3]], 'events');
  equal([asked[1], positions[1].recovered], [`${positions[0].epoch}:1`, true], 'the resumed request');
});

await check('fetch reads a snapshot, and an idempotency key publishes once', async () => {
  const send = () => fetch(`${server.url}/channels/keys`, {
    method: 'POST', headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'abc' }, body: '{"a":1.10}',
  });
  const [first, second] = [await (await send()).json(), await (await send()).json()];
  equal([first.offset, second.offset], [1, 1], 'offsets');
  equal((await snapshot(server.url, 'keys')).publications.length, 1, 'publications');
  const text = await (await fetch(`${server.url}/channels/keys`)).text();
  equal(text.includes('{"a":1.10}'), true, 'data byte for byte');
});

await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));
finish();
