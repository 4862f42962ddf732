// Typed uses of the package, which `tsc --strict` takes, and mistakes that it finds.

import Tidings, { TidingsError } from 'tidings';
import type { Messages, Publication, Published, Standing, State, Subscription } from 'tidings';
import { Tidings as Named } from 'tidings';

interface Price {
  symbol: string;
  price: number;
}

const tidings: Tidings = new Named('ws://127.0.0.1:8080/ws', { token: async () => null, cap: 5_000 });
new Tidings();
new Tidings(new URL('wss://push.example.com/ws'), { token: 'td_', WebSocket: globalThis.WebSocket });

const stop: () => void = tidings.on('state', ({ state }) => { const told: State = state; return told; });
tidings.on('gap', ({ channel, position }) => `${channel} ${position}`.length);
tidings.on('error', ({ channel, error, final }) => [channel?.length, error.retryAfter?.toFixed(), final]);
tidings.on('frame', ({ data }) => (typeof data === 'string' ? data.length : data.byteLength));
stop();

const prices: Subscription<Price> = tidings.subscribe<Price>('prices', ({ price }, { offset, event }) => [price.toFixed(2), offset + 1, event?.length], { last: 10, signal: new AbortController().signal, onError: (error) => error.code });
tidings.get('anything', (data) => data.whatever, { since: 'epoch001:7', binary: true });
const price: Price = { symbol: 'x', price: 1 };
const published: Promise<Published> = tidings.publish('prices', price, { event: 'tick', key: false, excludeSelf: true });
const posted = [tidings.post('bytes', new Uint8Array(2)), tidings.post('bytes', new Blob([])), tidings.post('nothing', null)];

export async function uses(): Promise<number> {
  const standing: Standing<Price> = await prices.ready;
  const messages: Messages<Price> = tidings.messages<Price>('prices', { since: prices.position ?? '', buffer: 10 });
  for await (const { data, offset } of messages) if (data.price > offset) break;
  const page = await tidings.history<Price>('prices', { last: 3, limit: 2 });
  const each: Publication<Price>[] = page.publications;
  try {
    await Promise.all([published, ...posted, tidings.signIn(), tidings.delete('prices')]);
  } catch (error) {
    if (error instanceof TidingsError && error.status === 429) return error.retryAfter ?? 0;
  }
  tidings.retry();
  tidings.close();
  return each.length + standing.offset + tidings.limits.message_bytes;
}

// @ts-expect-error: a function is needed
tidings.subscribe('prices');
// @ts-expect-error: nothing is published by undefined
void tidings.publish('prices', undefined);
// @ts-expect-error: there is no such event
tidings.on('opened', () => {});
// @ts-expect-error: there is no such option
new Tidings('/ws', { tokens: 'x' });
// @ts-expect-error: a token is a text
new Tidings('/ws', { token: 5 });
// @ts-expect-error: the state is read
tidings.state = 'open';
