// What is sent and what it may be: everything is turned into a frame, and checked, before it is queued. What cannot be
// sent fails then and there, and nothing that is sent again after a reconnect can throw.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * What a request failed with: `status` uses HTTP's numbers (0 when the server never answered), `code` names the cause, and
 * `retryAfter` says in how many milliseconds the same would be allowed, where the server knows it. `position` is where the
 * channel is, of a publication that was to follow another position.
 */
class TidingsError extends Error {
  constructor(status, code, message, retryAfter, position) {
    super(message);
    Object.assign(this, { name: 'TidingsError', status, code, retryAfter, position });
  }
}

const errorOf = ({ status, error }) => new TidingsError(
  status, error?.code ?? 'unknown', error?.message ?? `the server answered ${status}`, error?.retry_after_ms >= 0 ? error.retry_after_ms : undefined,
  error?.epoch === undefined ? undefined : `${error.epoch}:${error.offset}`,
);

function pathOf(channel) {
  try {
    return `/channels/${encodeURIComponent(String(channel))}`;
  } catch {
    throw new TidingsError(400, 'bad_channel', 'a channel’s name is well-formed Unicode; this one holds half of a surrogate pair');
  }
}

/** The JSON of a value, or an error that says why it has none (a circle, a BigInt, a function, undefined). */
function jsonOf(value, what) {
  let text;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new TidingsError(400, 'bad_json', `${what} cannot be written as JSON: ${error.message}`);
  }
  if (text === undefined) throw new TidingsError(400, 'bad_json', `${what} cannot be written as JSON: ${typeof value} has none; null has`);
  return text;
}

/** The frame of a request: text with `data` as it was written, or, with a body, binary. */
function frameOf(request, data, body) {
  const head = jsonOf(request, 'a request');
  if (body) return join(encoder.encode(`${head}\n`), body);
  return data === undefined ? head : `${head.slice(0, -1)},"data":${data}}`;
}

/** Throws if the server would end the connection over this frame. */
function checkFrame(frame, limits) {
  const binary = typeof frame !== 'string';
  if (binary && !limits.binary) {
    throw new TidingsError(400, 'unsupported_data', 'this server accepts no binary frames (websocket.binary = false): publish JSON');
  }
  const most = limits.message_bytes;
  if (!binary && frame.length * 3 <= most) return; // no character needs more than three bytes for each of its units
  const size = sizeOf(frame);
  if (size <= most) return;
  const source = limits === LIMITS ? 'the limit until the server has sent its own' : 'its limit (websocket.message_bytes)';
  throw new TidingsError(413, 'message_too_big', `the request has ${size} bytes and the server accepts ${most}, ${source}`);
}

const sizeOf = (frame) => (typeof frame === 'string' ? encoder.encode(frame).length : frame.byteLength);

function join(head, body) {
  const whole = new Uint8Array(head.length + body.length);
  whole.set(head);
  whole.set(body, head.length);
  return whole;
}

/** The bytes of an ArrayBuffer or a view of one, of this page or of another frame's; null for anything else. */
function bytesOf(data) {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(data)) ? new Uint8Array(data) : null;
}

const isBlob = (data) => Boolean(globalThis.Blob) && data instanceof Blob;

/** The bytes of a Blob, unless they are too many to be read into memory. */
async function bytesOfBlob(blob, limits) {
  checkFrame({ byteLength: blob.size }, limits);
  return new Uint8Array(await blob.arrayBuffer());
}

function unpack(publication) {
  if (typeof publication.data_base64 !== 'string') return;
  publication.data = Uint8Array.from(atob(publication.data_base64), (character) => character.charCodeAt(0));
  publication.binary = true;
  delete publication.data_base64;
}

/** The messages of a frame: one, those of an array, or none if it cannot be read. */
function messagesOf(data) {
  try {
    if (typeof data === 'string') return [JSON.parse(data)].flat(1).filter((each) => each && typeof each === 'object');
    const end = data.indexOf(10);
    if (end < 0) return [];
    return [{ ...JSON.parse(decoder.decode(data.subarray(0, end))), data: data.slice(end + 1), binary: true }];
  } catch {
    return [];
  }
}

/** Closes that something which was sent has caused, with the code and status of an answer that would say the same. */
const FAULTS = { 1002: ['protocol_error', 400], 1003: ['unsupported_data', 400], 1007: ['invalid_utf8', 400], 1009: ['message_too_big', 413] };
const FAULTY_LABELS = ['too_many_fragments', 'bad_request'];

/** Closes with which a server refuses a connection, 4000 + status; these labels came with 1008 before there were such. */
const REFUSING_LABELS = { unauthorized: 401, forbidden: 403, origin_not_allowed: 403, not_found: 404, misdirected_request: 421, too_many_requests: 429 };

/** Statuses that another attempt may well change; all others from 400 to 499 stay what they are. */
const PASSING = new Set([408, 425, 429]);
const isFinal = (status) => (status >= 400 && status < 500 && !PASSING.has(status)) || status === 501;

/**
 * The meaning of a Close. Its reason is `label`, `label: sentence` or a sentence. `fault` is what the oldest unanswered request
 * is rejected with, since the server has answered all that it read before; `refusal` is why the server refuses this
 * connection; neither, and `silent`, is an end without an explanation.
 */
function closeOf(code, reason) {
  const label = /^[a-z][a-z0-9_]*(?=:|$)/.exec(reason)?.[0] ?? '';
  const message = reason.slice(label && label.length + 1).trim() || `the connection was closed with ${code}${label && ` ${label}`}`;
  const answer = (status, name) => ({ status, close: code, error: { code: label || name, message } });
  const close = { code, reason, label, message, fault: null, refusal: null, silent: false };
  if (code >= 4400 && code < 4500) close.refusal = answer(code - 4000, 'refused');
  else if (FAULTS[code]) close.fault = answer(FAULTS[code][1], FAULTS[code][0]);
  else if (code === 1008 && FAULTY_LABELS.includes(label)) close.fault = answer(400);
  else if (code === 1008 && REFUSING_LABELS[label]) close.refusal = answer(REFUSING_LABELS[label]);
  else close.silent = [0, 1005, 1006, 1011].includes(code);
  return close;
}
