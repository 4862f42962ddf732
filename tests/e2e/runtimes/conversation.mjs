// Run by ../runtimes.mjs in each runtime: SERVER PROXY [ws]. Talks through the browser client, has its connection cut, and
// prints what it found as JSON.

import process from 'node:process';

const [server, proxy, library] = process.argv.slice(2);

/** Deno loads the client from the server itself; the others, which load no code from the network, have its text. */
async function load() {
  if (globalThis.Deno) return import(`${server}/tidings.js`);
  const text = await (await fetch(`${server}/tidings.js`)).text();
  return import(`data:text/javascript;base64,${btoa(unescape(encodeURIComponent(text)))}`);
}

const { Tidings } = await load();
const found = {};
const options = library ? { WebSocket: (await import('ws')).default } : {};
const socket = (url) => `${url.replace('http', 'ws')}/ws`;
try {
  const home = globalThis.Deno ? new Tidings() : new Tidings(socket(server), options);
  found.url = home.url;
  const channel = `runtimes.${Math.random()}`;
  const messages = home.messages(channel, { binary: true });
  await messages.ready;
  await home.publish(channel, { text: '你好' });
  await home.post(channel, new Uint8Array([1, 0, 10, 2]));
  await home.post(channel, new Blob([new Uint8Array([3])]), { event: 'blob' });
  found.heard = [];
  for await (const { data } of messages) if (found.heard.push(data instanceof Uint8Array ? [...data] : data) === 3) break;
  found.history = (await home.history(channel)).publications.length;
  found.refused = await home.post(channel, { n: 1n }).catch(({ code }) => code);
  found.large = await home.post(channel, 'x'.repeat(100_000)).catch(({ code }) => code);
  found.aborted = await home.history(channel, { signal: AbortSignal.abort() }).catch(({ name }) => name);
  home.close();

  const cut = new Tidings(socket(proxy), { ...options, base: 20 });
  await new Promise((resolve) => {
    found.resumed = [];
    const subscription = cut.subscribe('runtimes', (data) => found.resumed.push(data) === 2 && resolve());
    subscription.ready.then(() => cut.post('runtimes', 'before')).then(() => process.stdout.write('cut\n'));
  });
  cut.close();
} catch (error) {
  found.error = error.message;
}
process.stdout.write(`${JSON.stringify(found)}\n`);
