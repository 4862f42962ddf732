// A file is cut into binary publications on `upload.ID`, announced on `uploads`, put together and checked by every page.

import { IS_TOUCHED, bytes, el, randomId, toast } from './kit.js';

const CHUNK = 48 * 1024; // with its request line it stays below the server's message limit of 64 KiB
const WINDOW = 6; // chunks on their way at once
const LARGEST = 32 * 1024 * 1024; // a page keeps whole files in memory

export function mount(root, tidings) {
  const list = el('ol', { class: 'uploads', 'aria-live': 'polite', 'aria-label': 'Files' });
  const cards = new Map();
  const cardOf = (file) => {
    if (!cards.has(file.id)) cards.set(file.id, fileCard(list, file));
    return cards.get(file.id);
  };
  const picker = el('input', { type: 'file', id: 'file', multiple: true, class: 'visually-hidden', onchange: () => {
    for (const file of picker.files) send(tidings, file, cardOf);
    picker.value = '';
  } });
  const zone = el('label', { class: 'drop', for: 'file' }, IS_TOUCHED ? el('b', {}, 'Choose files') : el('b', {}, 'Drop files here'), el('span', {}, `${IS_TOUCHED ? '' : 'or choose them, '}up to ${bytes(LARGEST)} each`), picker);
  zone.addEventListener('dragover', (event) => {
    event.preventDefault();
    zone.classList.add('over');
  });
  zone.addEventListener('dragleave', () => zone.classList.remove('over'));
  zone.addEventListener('drop', (event) => {
    event.preventDefault();
    zone.classList.remove('over');
    for (const file of event.dataTransfer.files) send(tidings, file, cardOf);
  });
  root.append(el('section', { class: 'card stack' }, el('h2', {}, 'Upload'), zone,
    el('p', { class: 'hint' }, 'Every page that is open here receives the file, checks its SHA-256 and offers it for download.'), list));

  tidings.get('uploads', (file) => {
    if (typeof file?.id !== 'string' || !(file.chunks >= 0) || !(file.size <= LARGEST) || cards.get(file.id)?.sending) return;
    receive(tidings, file, cardOf(file));
  }, { last: 3 });
}

async function send(tidings, file, cardOf) {
  if (file.size > LARGEST) {
    toast(`${file.name} is larger than ${bytes(LARGEST)}.`);
    return;
  }
  const content = new Uint8Array(await file.arrayBuffer());
  const id = randomId(10);
  const chunks = Math.ceil(content.length / CHUNK);
  const about = { id, name: file.name, size: file.size, type: file.type, chunks, sha256: await sha256(content) };
  const card = cardOf(about);
  card.sending = true;
  try {
    await tidings.post('uploads', about);
    let next = 0;
    let done = 0;
    const worker = async () => {
      while (next < chunks) {
        const index = next++;
        await tidings.post(`upload.${id}`, content.subarray(index * CHUNK, (index + 1) * CHUNK), { event: String(index) });
        card.progress(++done / chunks, 'sending');
      }
    };
    await Promise.all(Array.from({ length: WINDOW }, worker));
    card.finish(about.sha256 ? 'sent' : 'sent, without a checksum', about.sha256, new Blob([content], { type: file.type }));
  } catch (error) {
    card.fail(`not sent: ${error.message}`);
  }
}

/** Collects the chunks of one file: those to come from the subscription, earlier ones from the history, page by page. */
async function receive(tidings, file, card) {
  const parts = new Map();
  let complete = () => {};
  const whole = new Promise((resolve) => { complete = resolve; });
  const take = (data, { event }) => {
    const index = Number(event);
    if (!(data instanceof Uint8Array) || !(index >= 0 && index < file.chunks)) return;
    parts.set(index, data);
    card.progress(parts.size / file.chunks, 'receiving');
    if (parts.size === file.chunks) complete();
  };
  if (file.chunks === 0) complete();
  const subscription = tidings.get(`upload.${file.id}`, take);
  try {
    const { epoch, offset } = await subscription.ready;
    for (let at = 0; at < offset && parts.size < file.chunks;) {
      const page = await tidings.history(`upload.${file.id}`, { since: `${epoch}:${at}`, limit: 4 });
      if (!page.publications?.length) break;
      for (const publication of page.publications) take(publication.data, publication);
      at = page.publications.at(-1).offset;
    }
    if (offset >= file.chunks && parts.size < file.chunks) throw new Error('the server no longer has all of it');
    await whole;
    const content = new Blob(Array.from({ length: file.chunks }, (_, index) => parts.get(index)), { type: 'application/octet-stream' });
    const sum = await sha256(new Uint8Array(await content.arrayBuffer()));
    if (sum && file.sha256 && sum !== file.sha256) throw new Error('the SHA-256 does not match');
    card.finish(sum ? 'received, SHA-256 matches' : 'received, without a checksum', sum, content);
  } catch (error) {
    card.fail(error.message);
  } finally {
    subscription.close();
  }
}

/** Hexadecimal SHA-256; empty where the browser offers none (a page that is neither https nor loopback). */
async function sha256(content) {
  if (!globalThis.crypto?.subtle) return '';
  const digest = await crypto.subtle.digest('SHA-256', content);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fileCard(list, file) {
  const bar = el('progress', { max: 1, value: 0, 'aria-label': `Progress of ${file.name}` });
  const verdict = el('span', { class: 'hint' }, 'waiting');
  const sum = el('code', { class: 'sum' });
  const item = el('li', { 'data-state': 'busy' }, el('header', {}, el('b', {}, String(file.name)), el('span', { class: 'hint' }, bytes(file.size))), bar, verdict, sum);
  list.prepend(item);
  return {
    sending: false,
    progress(value, word) {
      bar.value = value;
      verdict.textContent = `${word} ${Math.round(value * 100)} %`;
    },
    finish(word, checksum, content) {
      bar.value = 1;
      item.dataset.state = 'done';
      verdict.textContent = word;
      sum.textContent = checksum;
      item.append(el('a', { class: 'button', href: URL.createObjectURL(content), download: String(file.name) }, 'Download'));
    },
    fail(word) {
      item.dataset.state = 'failed';
      verdict.textContent = word;
    },
  };
}
