// Run by js.mjs with the installed package: SERVER PROXY [ws]. Publishes, is cut off when it says so, and prints what it heard.

import process from 'node:process';
import Tidings, { TidingsError } from 'tidings';

const [server, proxy, library] = process.argv.slice(2);
const options = { base: 20, ...(library ? { WebSocket: (await import('ws')).default } : {}) };
const reader = new Tidings(proxy, options);
const writer = new Tidings(server, options);
const [heard, gaps] = [[], []];
reader.on('gap', (gap) => gaps.push(gap));
await new Promise((resolve, reject) => {
  const subscription = reader.subscribe('packages', (data) => heard.push(data) === 200 && resolve());
  subscription.ready.then(async () => {
    for (let n = 0; n < 200; n++) {
      if (n === 100) process.stdout.write('cut\n');
      await writer.publish('packages', n);
    }
  }).catch(reject);
});
const refused = await writer.publish('a*b', 1).catch((error) => [error instanceof TidingsError, error.code]);
reader.close();
writer.close();
process.stdout.write(`${JSON.stringify({ node: process.versions.node.split('.')[0], heard: heard.every((data, n) => data === n) && heard.length, gaps, refused })}\n`);
