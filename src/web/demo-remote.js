// A remote control: the page that holds it drives the robot and its lamp on every page. Each publication is the whole state.

import { el, svg } from './kit.js';

const GRID = 6; // the robot moves on squares 0..GRID-1
const START = { x: 2, y: 2, facing: 90, lamp: false, hue: 42 };

export function mount(root, tidings) {
  const state = { ...START };
  const robot = buildRobot();
  const lamp = el('button', { class: 'lamp', 'aria-pressed': 'false', onclick: () => change({ lamp: !state.lamp }) }, 'Lamp');
  const hue = el('input', { type: 'range', min: 0, max: 359, value: state.hue, 'aria-label': 'Colour of the lamp', oninput: () => change({ hue: Number(hue.value), lamp: true }) });
  const telling = el('p', { class: 'hint', role: 'status' });

  const show = () => {
    robot.draw(state);
    lamp.setAttribute('aria-pressed', String(state.lamp));
    lamp.textContent = state.lamp ? 'Lamp is on' : 'Lamp is off';
    if (document.activeElement !== hue) hue.value = state.hue;
    telling.textContent = `Square ${state.x + 1}, ${state.y + 1}; lamp ${state.lamp ? 'on' : 'off'}`;
  };
  const change = (what) => {
    Object.assign(state, what);
    show();
    tidings.post('remote', state, { event: 'state', excludeSelf: true }).catch((error) => { telling.textContent = `Not sent: ${error.message}`; });
  };
  const go = (dx, dy, facing) => change({ x: limit(state.x + dx), y: limit(state.y + dy), facing });
  const moves = {
    ArrowUp: () => go(0, -1, 0), ArrowRight: () => go(1, 0, 90), ArrowDown: () => go(0, 1, 180), ArrowLeft: () => go(-1, 0, 270),
  };
  const key = (name, label, sign) => el('button', { class: `key ${name}`, 'aria-label': label, onclick: moves[name] }, sign);
  const pad = el('div', { class: 'pad', role: 'group', 'aria-label': 'Direction' },
    key('ArrowUp', 'Up', '▲'), key('ArrowLeft', 'Left', '◀'), key('ArrowRight', 'Right', '▶'), key('ArrowDown', 'Down', '▼'));
  const phone = el('section', { class: 'phone', 'aria-label': 'Remote control' }, pad, lamp, hue, telling);
  phone.addEventListener('keydown', (event) => {
    if (!moves[event.key] || event.target === hue) return;
    event.preventDefault();
    moves[event.key]();
  });

  tidings.get('remote', (data) => {
    if (!data || typeof data !== 'object') return;
    for (const name of ['x', 'y']) state[name] = limit(data[name]);
    state.facing = Number(data.facing) || 0;
    state.hue = Math.min(359, Math.max(0, Number(data.hue) || 0));
    state.lamp = data.lamp === true;
    show();
  }, { last: 1 });

  root.append(el('div', { class: 'columns wide-left' },
    el('section', { class: 'card' }, el('h2', {}, 'The robot'), robot.element,
      el('p', { class: 'hint' }, 'It stands on every page that is open here. Hold the remote on your phone and watch it on your desk.')),
    phone));
  show();
}

function limit(value) {
  return Math.min(GRID - 1, Math.max(0, Math.round(Number(value) || 0)));
}

function buildRobot() {
  const glow = svg('circle', { class: 'glow', r: 62 });
  const bulb = svg('circle', { class: 'bulb', cx: 0, cy: -33, r: 9 });
  const body = svg('g', { class: 'robot' },
    svg('line', { class: 'mast', x1: 0, y1: -26, x2: 0, y2: -18 }),
    svg('rect', { class: 'head', x: -22, y: -20, width: 44, height: 30, rx: 11 }),
    svg('circle', { class: 'eye', cx: -9, cy: -5, r: 4.5 }), svg('circle', { class: 'eye', cx: 9, cy: -5, r: 4.5 }),
    svg('rect', { class: 'torso', x: -17, y: 12, width: 34, height: 16, rx: 7 }),
    svg('circle', { class: 'wheel', cx: -10, cy: 31, r: 5 }), svg('circle', { class: 'wheel', cx: 10, cy: 31, r: 5 }), bulb);
  const group = svg('g', { class: 'mover' }, glow, body);
  const squares = Array.from({ length: GRID * GRID }, (_, index) => svg('rect', {
    class: 'square', x: (index % GRID) * 100 + 4, y: Math.floor(index / GRID) * 84 + 4, width: 92, height: 76, rx: 12 }));
  const element = svg('svg', { class: 'floor', viewBox: `0 0 ${GRID * 100} ${GRID * 84}`, role: 'img', 'aria-label': 'A robot on a floor of squares' }, ...squares, group);
  return {
    element,
    draw({ x, y, facing, lamp, hue }) {
      group.style.transform = `translate(${x * 100 + 50}px, ${y * 84 + 44}px)`;
      const look = { 90: 4, 270: -4 }[facing] ?? 0;
      const tilt = { 0: -3, 180: 3 }[facing] ?? 0;
      for (const eye of body.querySelectorAll('.eye')) eye.style.transform = `translate(${look}px, ${tilt}px)`;
      element.style.setProperty('--hue', hue);
      element.dataset.lamp = lamp ? 'on' : 'off';
      element.dataset.at = `${x},${y}`;
    },
  };
}
