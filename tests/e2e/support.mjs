// What the end-to-end scripts share: a server of their own, a proxy that cuts connections, checks that are counted.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

const LIMIT = 30_000; // the longest wait for anything
const POLL = 25;

const started = new Set();
process.on('exit', () => started.forEach((child) => child.kill('SIGKILL')));

/** What a server is started with when a script runs over TLS (over-tls.sh). */
export const tls = process.env.CERTIFICATES
  ? ['--server.tls', 'true', '--tls.chain', `${process.env.CERTIFICATES}/chain.pem`, '--tls.key', `${process.env.CERTIFICATES}/key.pem`] : [];

/** Starts the binary and waits for the line that tells its address. `log` is what it writes to standard error. */
export async function startServer(binary, port = 0, more = []) {
  const child = spawn(binary, ['serve', '--listen', `127.0.0.1:${port}`, ...tls, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
  const log = [];
  child.stderr.on('data', (text) => {
    log.push(text);
    process.stderr.write(text);
  });
  started.add(child);
  const ended = new Promise((resolve) => child.once('close', (code, signal) => {
    started.delete(child);
    resolve({ code, signal });
  }));
  const url = await within(new Promise((resolve, reject) => {
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      const match = /listening on (https?:\/\/\S+)/.exec(line);
      if (match) resolve(match[1].replace(/\/$/, ''));
    });
    child.once('error', reject);
    ended.then(({ code }) => reject(new Error(`the server ended with ${code} before it listened`)));
  }), 'the line “listening on”');
  return {
    url,
    socketUrl: `${url.replace('http', 'ws')}/ws`,
    port: Number(new URL(url).port),
    log: () => Buffer.concat(log).toString(),
    end(signal = 'SIGTERM') {
      child.kill(signal);
      return within(ended, `the end after ${signal}`, 60_000);
    },
  };
}

/** Starts it with a configuration of its own, which may name the folder that the files in `files` are written to as FOLDER. */
export async function startConfigured(binary, toml, files = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidings-e2e-'));
  const write = (name, text) => writeFileSync(path.join(folder, name), text.replaceAll('FOLDER', folder));
  Object.entries({ ...files, 'tidings.toml': toml }).forEach(([name, text]) => write(name, text));
  const server = await startServer(binary, 0, ['--config', path.join(folder, 'tidings.toml')]);
  const end = (signal) => server.end(signal).finally(() => rmSync(folder, { recursive: true, force: true }));
  return { ...server, end };
}

/** Starts a Redis that keeps nothing, at a port that is free if none is named. */
export async function startRedis(port) {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidings-redis-'));
  const at = port ?? await freePort();
  const child = spawn('redis-server', ['--port', String(at), '--bind', '127.0.0.1', '--save', '', '--dir', folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  started.add(child);
  const ended = new Promise((resolve) => child.once('close', () => {
    started.delete(child);
    rmSync(folder, { recursive: true, force: true });
    resolve();
  }));
  await within(new Promise((resolve, reject) => {
    readline.createInterface({ input: child.stdout }).on('line', (line) => line.includes('Ready to accept connections') && resolve());
    child.once('error', reject);
    ended.then(() => reject(new Error('redis-server ended before it was ready')));
  }), 'redis-server');
  return {
    port: at,
    end() {
      child.kill('SIGKILL');
      return within(ended, 'the end of redis-server');
    },
  };
}

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A backend's key, as the binary makes it: its secret, and its block in a configuration. */
export function makeKey(binary, name, ...more) {
  const { status, stdout, stderr } = spawnSync(binary, ['key', 'new', name, ...more], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`key new: ${stderr}`);
  return { secret: stdout.trim(), block: stderr.slice(stderr.indexOf('[[key]]')) };
}

/** Rejects when `promise` takes longer than its time limit. */
export function within(promise, what, limit = LIMIT) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`waited ${limit} ms for ${what}`)), limit); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks `condition` until it answers something true, and returns that. */
export async function until(condition, what, limit = LIMIT) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${limit} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

/** A TCP proxy in front of a port: `cut()` breaks what runs through it and refuses more until `heal()`. */
export async function startProxy(target) {
  const pairs = new Set();
  const state = { broken: false, deaf: false };
  const server = net.createServer((near) => {
    if (state.broken) return near.destroy();
    const far = net.connect(target, '127.0.0.1');
    const pair = [near, far];
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      pair.forEach((socket) => socket.destroy());
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes) => state.deaf || near.write(bytes));
    return undefined;
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const drop = () => [...pairs].flat().forEach((socket) => socket.destroy());
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut() {
      state.broken = true;
      drop();
    },
    heal: () => Object.assign(state, { broken: false, deaf: false }),
    /** From now on the server's words are swallowed: requests arrive, answers do not. */
    swallow() { state.deaf = true; },
    end() {
      server.close();
      drop();
    },
  };
}

/** Publishes over plain HTTP and returns the answer. */
export async function post(url, channel, data, headers = {}) {
  const response = await fetch(`${url}/channels/${encodeURIComponent(channel)}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(data),
  });
  if (!response.ok) throw new Error(`POST ${channel}: ${response.status} ${await response.text()}`);
  return response.json();
}

export async function snapshot(url, channel) {
  const response = await fetch(`${url}/channels/${encodeURIComponent(channel)}`);
  if (!response.ok) throw new Error(`GET ${channel}: ${response.status}`);
  return response.json();
}

export function equal(found, wanted, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: found ${a}, wanted ${b}`);
}

/** Collects checks: each is a sentence and a function that throws when it is not so. */
export function checks() {
  const count = { passed: 0, failed: 0 };
  return {
    async check(sentence, body) {
      try {
        const why = await within(Promise.resolve().then(body), sentence, 240_000);
        if (why === 'skip') return console.log(`skip - ${sentence}`);
        count.passed++;
        return console.log(`ok ${count.passed + count.failed} - ${sentence}`);
      } catch (error) {
        count.failed++;
        return console.log(`not ok ${count.passed + count.failed} - ${sentence}\n  # ${String(error.stack ?? error).replaceAll('\n', '\n  # ')}`);
      }
    },
    finish() {
      console.log(`${count.passed} passed, ${count.failed} failed`);
      process.exitCode = count.failed ? 1 : 0;
    },
  };
}
