// What the client offers, for TypeScript and for editors. The code says more in its comments: tidings.js.

/** What can be published: whatever JSON can say (not undefined, functions and bigints), or bytes. */
export type Publishable = {} | null;

/** Where in a channel: `epoch:offset`. */
export type Position = string;

/** `refused`: the server wants none of this client, and `retry()` asks it again. */
export type State = 'connecting' | 'open' | 'waiting' | 'refused' | 'closed';

/** One publication, as every subscriber of its channel receives it. */
export interface Publication<T = unknown> {
  channel: string;
  /** 1, 2, 3 … within the channel's epoch. */
  offset: number;
  /** What was published; bytes as a Uint8Array. */
  data: T;
  /** Whether `data` is bytes. */
  binary?: true;
  content_type?: string;
  event?: string;
  /** Milliseconds since 1970, where the server is set to tell it. */
  time?: number;
}

/** The answer to a publication. */
export interface Published {
  status: number;
  channel: string;
  epoch: string;
  offset: number;
  /** False if it was delivered and is not in the history. */
  kept?: false;
}

/** The answer to a subscription, or a page of a channel's history. */
export interface Standing<T = unknown> {
  status: number;
  channel: string;
  epoch: string;
  offset: number;
  /** Only if `since` was given: whether everything after it is there. */
  recovered?: boolean;
  publications: Publication<T>[];
  connection?: string;
}

/** What one message may be. */
export interface Limits {
  readonly message_bytes: number;
  readonly body_bytes: number;
  readonly binary: boolean;
  readonly batch: number;
}

/** What a request failed with. */
export declare class TidingsError extends Error {
  constructor(status: number, code: string, message?: string, retryAfter?: number, position?: Position);
  readonly name: 'TidingsError';
  /** HTTP's numbers; 0 when the server never answered. */
  readonly status: number;
  /** The cause, for programs: `forbidden`, `too_many_requests`, `connection_lost` … */
  readonly code: string;
  /** In how many milliseconds the same would be allowed, where the server knows it. */
  readonly retryAfter: number | undefined;
  /** Where the channel is, of a publication that was to follow another position (`ifMatch`). */
  readonly position: Position | undefined;
}

/** The part of a WebSocket that the client uses; that of browsers has it, and that of the npm package `ws`. */
export interface SocketLike {
  binaryType: string;
  readonly readyState: number;
  onopen: ((event: any) => any) | null;
  onmessage: ((event: any) => any) | null;
  onclose: ((event: any) => any) | null;
  onerror: ((event: any) => any) | null;
  send(data: any): void;
  close(code?: number, reason?: string): void;
}

type Token = string | null | undefined;

/** Times are milliseconds. */
export interface Options {
  /** The first wait before a reconnect is random between 0 and this (500); it doubles with each failure. */
  base?: number;
  /** And never exceeds this (20,000). */
  cap?: number;
  /** Nor does the wait after a refusal of the whole connection (300,000). */
  slow?: number;
  /** A connection that lived this long (5,000) sets the waits back to `base`. */
  stable?: number;
  /** A handshake that takes longer (10,000) is given up. */
  connectTimeout?: number;
  /** After so long without a frame (25,000) the server is asked whether it lives. */
  silence?: number;
  /** And if it says nothing for this long (10,000), the connection is replaced. */
  answer?: number;
  /** Requests kept while disconnected (100). */
  queue?: number;
  /** A request that was the oldest unanswered one when this many connections broke (8) is rejected. */
  resends?: number;
  /** Who the client is: a token or a key, or a function that gets one, for each connection and before one expires. */
  token?: Token | (() => Token | Promise<Token>);
  /** Another implementation than the global one. */
  WebSocket?: new (url: string, protocols?: string[]) => SocketLike;
}

/** Where a subscription begins, and what ends it. Without `since` and `last` it begins with what comes next. */
export interface SubscribeOptions {
  since?: Position;
  /** How many of the newest publications come first. */
  last?: number;
  /** Asks for binary frames instead of base64. */
  binary?: boolean;
  signal?: AbortSignal;
  /** Hears each refusal of this subscription, and its end. */
  onError?: (error: TidingsError) => void;
}

export interface PublishOptions {
  event?: string;
  /** The idempotency key, made up unless given; `false` sends none, and then what a lost connection cut off is rejected. */
  key?: string | false;
  /** Keeps the publication from coming back to this client. */
  excludeSelf?: boolean;
  /** Publishes only as the next after this position; else it is rejected with 412 `moved` and the channel's `position`. */
  ifMatch?: Position;
  signal?: AbortSignal;
}

export interface Subscription<T = unknown> {
  readonly channel: string;
  /** What a later subscription goes on after, as its `since`. */
  readonly position: Position | undefined;
  /** The server's answer; rejected by a refusal, and then it stands for the next attempt if there is one. */
  readonly ready: Promise<Standing<T>>;
  close(): void;
}

/** A channel's publications for `for await`. */
export interface Messages<T = unknown> extends AsyncIterableIterator<Publication<T>> {
  readonly position: Position | undefined;
  readonly ready: Promise<Standing<T>>;
  return(value?: any): Promise<IteratorResult<Publication<T>, any>>;
}

/** The events of a client, and what their listeners are given. */
export interface Events {
  open: Record<string, never>;
  /** `label` names the reason for programs, `message` is for people. */
  close: { code: number; reason: string; label: string; message: string };
  state: { state: State };
  /** When the next attempt is, as `performance.now()` counts, and in how many milliseconds. */
  waiting: { at: number; wait: number };
  /** Publications before `position` were lost. */
  gap: { channel: string; position: Position };
  /** A subscription was refused or, without a channel, the whole connection; final: it is not asked for again. */
  error: { channel?: string; error: TidingsError; final: boolean };
  /** Each frame, for showing; tokens are left out. */
  frame: { dir: 'in' | 'out'; data: string | Uint8Array; size: number; time: number };
}

/** A connection that mends itself. */
export declare class Tidings extends EventTarget {
  /** In a page `url` may be relative to it, and is `/ws` unless given. */
  constructor(url?: string | URL, options?: Options);
  readonly url: string;
  /** The server's public name for this connection, once it has sent it. */
  readonly connection: string | undefined;
  readonly state: State;
  readonly limits: Limits;
  /** Calls `fn(detail)` at each such event; returns a function that ends it. */
  on<K extends keyof Events>(name: K, fn: (detail: Events[K]) => void): () => void;
  subscribe<T = any>(channel: string, fn: (data: T, publication: Publication<T>) => void, options?: SubscribeOptions): Subscription<T>;
  /** The same as `subscribe`. */
  get<T = any>(channel: string, fn: (data: T, publication: Publication<T>) => void, options?: SubscribeOptions): Subscription<T>;
  /** Throws if the subscription is refused for good, and where more than `buffer` publications (1,000) wait for the loop. */
  messages<T = any>(channel: string, options?: Omit<SubscribeOptions, 'onError'> & { buffer?: number }): Messages<T>;
  publish(channel: string, data: Publishable, options?: PublishOptions): Promise<Published>;
  /** The same as `publish`. */
  post(channel: string, data: Publishable, options?: PublishOptions): Promise<Published>;
  history<T = any>(channel: string, options?: { since?: Position; last?: number; limit?: number; signal?: AbortSignal }): Promise<Standing<T>>;
  /** Empties the channel's history, for operators. */
  delete(channel: string, options?: { signal?: AbortSignal }): Promise<{ status: number; channel: string; epoch: string; offset: number }>;
  /** Asks for the token again and presents it: after the user signed in or out. Resolves when the server has accepted it. */
  signIn(options?: { signal?: AbortSignal }): Promise<void>;
  /** Makes the next attempt now. */
  retry(): void;
  /** Ends it for good; whatever is unanswered is rejected. */
  close(): void;
}

export default Tidings;
