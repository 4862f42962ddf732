// A shared board: every player moves a brush and paints; the player with the most squares leads.

import { IS_TOUCHED, el, hueOf, randomId, remembered } from './kit.js';

const WIDTH = 28;
const HEIGHT = 16;
const FRAME = 60; // milliseconds between two publications of one page: a stroke travels as one batch
const HUES = 24; // colours a player chooses from; the farthest from those of the others
const ALIKE = 24; // degrees between two hues that are hard to tell apart
const AWAY = 15_000; // a brush that rested for so long is no longer drawn

export function mount(root, tidings) {
  const me = { id: randomId(6), name: remembered('name', 'guest'), x: random(WIDTH), y: random(HEIGHT), hue: hueOf(randomId()), down: false };
  const board = new Map(); // "x,y" → owner
  const players = new Map(); // id → { x, y, name, hue, at }
  const canvas = el('canvas', { class: 'board', width: WIDTH * 32, height: HEIGHT * 32, tabIndex: 0, role: 'application',
    'aria-label': 'Shared board. Arrow keys move your brush, Space paints.' });
  const scores = el('ol', { class: 'scores', 'aria-label': 'Squares owned' });
  let queue = [];
  let timer = 0;
  let dirty = false;

  const redraw = () => {
    if (dirty) return;
    dirty = true;
    requestAnimationFrame(() => {
      dirty = false;
      draw(canvas, board, players, me);
      score(scores, board, players, me);
    });
  };
  const publish = () => {
    timer = 0;
    const cells = queue.splice(0, 200);
    tidings.post('game', { id: me.id, name: me.name, hue: me.hue, x: me.x, y: me.y, cells }, { event: 'move' }).catch(() => {});
  };
  const publishSoon = () => { timer ||= setTimeout(publish, FRAME); };
  const moveTo = (x, y) => {
    const [fromX, fromY] = [me.x, me.y];
    [me.x, me.y] = [clamp(x, WIDTH), clamp(y, HEIGHT)];
    if (me.down) queue.push(...between(fromX, fromY, me.x, me.y));
    publishSoon();
    redraw();
  };
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return [Math.floor(((event.clientX - box.left) / box.width) * WIDTH), Math.floor(((event.clientY - box.top) / box.height) * HEIGHT)];
  };

  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    [me.x, me.y] = point(event);
    me.down = true;
    moveTo(...point(event));
  });
  canvas.addEventListener('pointermove', (event) => {
    const [x, y] = point(event);
    if (x !== me.x || y !== me.y) moveTo(x, y);
  });
  for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, () => { me.down = false; });
  canvas.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], ' ': [0, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    if (event.key === ' ') me.down = true;
    moveTo(me.x + step[0], me.y + step[1]);
  });
  canvas.addEventListener('keyup', (event) => { if (event.key === ' ') me.down = false; });

  const game = tidings.get('game', (data) => {
    if (typeof data?.id !== 'string') return;
    const hue = Number.isFinite(data.hue) ? data.hue : hueOf(data.id);
    players.set(data.id, { x: clamp(data.x, WIDTH), y: clamp(data.y, HEIGHT), name: String(data.name ?? '').slice(0, 20), hue, at: performance.now() });
    if (players.size > 200) players.delete(players.keys().next().value);
    for (const [x, y] of Array.isArray(data.cells) ? data.cells : []) board.set(`${clamp(x, WIDTH)},${clamp(y, HEIGHT)}`, data.id);
    // Two that chose at the same moment: the later name chooses again.
    if (data.id < me.id && distance(hue, me.hue) < ALIKE) {
      me.hue = freeHue(players, me);
      publishSoon();
    }
    redraw();
  }, { last: 300 });
  game.ready.then(() => {
    me.hue = freeHue(players, me);
    publishSoon();
  }, () => {});
  setInterval(redraw, 1000);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);

  root.append(el('div', { class: 'columns wide-left' },
    el('section', { class: 'card' }, el('div', { class: 'row bar' }, el('h2', {}, 'Paint the board'), el('span', { class: 'hint' }, IS_TOUCHED ? 'Drag to paint.' : 'Drag to paint, or arrow keys and Space.')), canvas),
    el('section', { class: 'card' }, el('h2', {}, 'Squares'), scores, el('p', { class: 'hint' }, 'Open this page in a second window: you are another player there.'))));
  redraw();
}

function random(size) {
  return Math.floor(Math.random() * size);
}

function distance(a, b) {
  const apart = Math.abs(a - b) % 360;
  return Math.min(apart, 360 - apart);
}

/** The hue that is farthest from those of all other players. */
function freeHue(players, me) {
  const taken = [...players].filter(([id]) => id !== me.id).map(([, { hue }]) => hue);
  const start = random(360);
  const choices = Array.from({ length: HUES }, (_, index) => Math.round(start + (index * 360) / HUES) % 360);
  const room = (hue) => Math.min(360, ...taken.map((other) => distance(hue, other)));
  return choices.reduce((best, hue) => (room(hue) > room(best) ? hue : best));
}

function hueOfPlayer(id, players, me) {
  return id === me.id ? me.hue : players.get(id)?.hue ?? hueOf(id);
}

function clamp(value, size) {
  return Math.min(size - 1, Math.max(0, Math.round(Number(value) || 0)));
}

/** The squares on the straight way from one to another. */
function between(fromX, fromY, toX, toY) {
  const steps = Math.max(Math.abs(toX - fromX), Math.abs(toY - fromY), 1);
  return Array.from({ length: steps + 1 }, (_, step) => [Math.round(fromX + ((toX - fromX) * step) / steps), Math.round(fromY + ((toY - fromY) * step) / steps)]);
}

function draw(canvas, board, players, me) {
  const paint = canvas.getContext('2d');
  const size = canvas.width / WIDTH;
  const style = getComputedStyle(canvas);
  paint.clearRect(0, 0, canvas.width, canvas.height);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const owner = board.get(`${x},${y}`);
      paint.fillStyle = owner ? `hsl(${hueOfPlayer(owner, players, me)} 62% 54%)` : style.getPropertyValue('--square');
      paint.beginPath();
      paint.roundRect(x * size + 1.5, y * size + 1.5, size - 3, size - 3, 6);
      paint.fill();
    }
  }
  const brushes = [...players].filter(([id, player]) => id !== me.id && performance.now() - player.at < AWAY);
  for (const [id, player] of [...brushes, [me.id, me]]) {
    paint.beginPath();
    paint.arc((player.x + 0.5) * size, (player.y + 0.5) * size, size * 0.34, 0, 7);
    paint.fillStyle = `hsl(${hueOfPlayer(id, players, me)} 80% 40%)`;
    paint.fill();
    paint.lineWidth = id === me.id ? 5 : 3;
    paint.strokeStyle = id === me.id ? style.color : '#fff';
    paint.stroke();
  }
}

function score(list, board, players, me) {
  const counts = new Map([[me.id, 0]]);
  for (const owner of board.values()) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const best = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 8);
  list.replaceChildren(...best.map(([id, count]) => {
    const dot = el('i', {});
    dot.style.background = `hsl(${hueOfPlayer(id, players, me)} 62% 54%)`;
    const name = id === me.id ? `${me.name} (you)` : players.get(id)?.name || 'a player';
    return el('li', { 'data-player': id }, dot, el('span', {}, name), el('b', {}, String(count)));
  }));
}
