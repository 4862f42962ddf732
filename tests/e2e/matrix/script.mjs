// The part of the matrix that every client with the browser's WebSocket interface goes through, in Node and in a page.
// It is sent to the page as text, so it imports nothing.

export async function exercise({ WebSocket, base, matrix, options, channel }) {
  const results = [];
  const within = (promise, what) => {
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), 20_000); });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  };
  const equal = (found, wanted, what) => {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
  };
  const open = async (path, protocols = []) => {
    const socket = options ? new WebSocket(base + path, protocols, options) : new WebSocket(base + path, protocols);
    socket.binaryType = 'arraybuffer';
    const queue = [];
    let wake = () => {};
    const put = (item) => { queue.push(item); wake(); };
    socket.onmessage = ({ data }) => put(data);
    const closed = new Promise((resolve) => { socket.onclose = ({ code, reason }) => { resolve({ code, reason }); put(`closed with ${code} ${reason}`); }; });
    await within(new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error('the handshake failed'));
    }), 'the handshake');
    socket.onerror = () => {};
    const next = () => within((async () => {
      while (queue.length === 0) await new Promise((resolve) => { wake = resolve; });
      return queue.shift();
    })(), 'a message');
    return { socket, next, closed: () => within(closed, 'the close') };
  };
  const check = async (sentence, body) => {
    try {
      await body();
      results.push({ sentence, error: null });
    } catch (error) {
      results.push({ sentence, error: String(error) });
    }
  };
  // Three bytes a character, and not all the same; as long as asked for in bytes.
  const text = (bytes) => {
    let made = '';
    for (let n = 0; made.length < Math.floor(bytes / 3); n += 1) made += String.fromCharCode(0x4e00 + (n * 7919) % 20_000);
    return made + 'x'.repeat(bytes % 3);
  };

  await check('echoes text of every size', async () => {
    const { socket, next } = await open('/echo');
    for (const size of matrix.sizes) {
      socket.send(text(size));
      const back = await next(); equal(back === text(size) || back.slice(0, 60), true, `${size} bytes of text`);
    }
    socket.close();
  });
  await check('echoes binary of every size', async () => {
    const { socket, next } = await open('/echo');
    for (const size of matrix.sizes) {
      const bytes = new Uint8Array(size).map((_, n) => (n * n) >> 3);
      socket.send(bytes);
      const back = new Uint8Array(await next());
      equal([back.length, back.findIndex((byte, n) => byte !== bytes[n])], [size, -1], `${size} bytes`);
    }
    socket.close();
  });
  await check('agrees to compression when it offers it, and only then', async () => {
    const { socket, next } = await open('/echo');
    // Browsers show what was agreed with its parameters, npm ws the name alone.
    const shown = options ? (options.perMessageDeflate ? 'permessage-deflate' : '') : matrix.agreed;
    equal(socket.extensions, shown, 'extensions');
    const prices = '{"symbol":"ACME","price":110.25},'.repeat(1000);
    socket.send(prices);
    equal((await next()) === prices, true, 'what compresses well');
    socket.close();
  });
  await check('answers the pings of the server', async () => {
    const { socket, next, closed } = await open('/echo');
    // Silence for several times ping_idle: the server asks, and would close without an answer.
    await Promise.race([closed().then(({ code }) => { throw new Error(`closed with ${code}`); }),
      new Promise((resolve) => { setTimeout(resolve, 250 * (matrix.pings + 1)); })]);
    socket.send('still here');
    equal(await next(), 'still here', 'after the silence');
    socket.close();
  });
  await check('closes with each code, and reads it back', async () => {
    for (const code of matrix.browser_codes) {
      const { socket, closed } = await open('/echo');
      socket.close(code, 'auf Wiedersehen');
      equal((await closed()).code, code, 'code');
    }
  });
  await check('is told why the server closes: 1009 too big, 1003 not taken', async () => {
    const big = await open('/ws');
    big.socket.send('x'.repeat(65_537));
    equal((await big.closed()).code, 1009, 'too big');
    const binary = await open('/ws');
    binary.socket.send(new Uint8Array(10));
    equal((await binary.closed()).code, 1003, 'binary');
  });
  await check('subscribes, is pushed to, resumes', async () => {
    const path = `/channels/${channel}`;
    const first = await open('/ws', ['tidings.v1']);
    const ask = async ({ socket, next }, request) => { socket.send(JSON.stringify(request)); return JSON.parse(await next()); };
    const { epoch } = await ask(first, { id: 1, method: 'GET', path });
    equal((await ask(first, { id: 2, method: 'POST', path, data: 'one' })).data, 'one', 'push');
    equal(JSON.parse(await first.next()).status, 200, 'answer');
    first.socket.close();
    await first.closed();
    const second = await open('/ws', ['tidings.v1']);
    equal((await ask(second, { id: 1, method: 'POST', path, data: 'two' })).status, 200, 'publish');
    const resumed = await ask(second, { id: 2, method: 'GET', path, since: `${epoch}:1` });
    equal([resumed.recovered, resumed.publications.map(({ data }) => data)], [true, ['two']], 'resume');
    second.socket.close();
  });
  return results;
}

/** Waits for the goodbye of a server that drains. */
export async function drained({ WebSocket, base, ready }) {
  const socket = new WebSocket(`${base}/echo`);
  const closed = new Promise((resolve) => { socket.onclose = ({ code, reason }) => resolve({ code, reason }); });
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject(new Error('the handshake failed')); });
  socket.onerror = () => {};
  await ready();
  return closed;
}
