// A plain HTML form, sent by fetch as urlencoded; submissions appear on every page.

import { clock, el, field } from './kit.js';
import { ask } from './operator.js';
import { refused } from './sign-in.js';

export function mount(root, tidings) {
  const submissions = el('ol', { class: 'submissions', 'aria-live': 'polite', 'aria-label': 'Submissions' });
  const empty = el('p', { class: 'empty' }, 'No submissions yet.');
  const verdict = el('p', { class: 'hint', role: 'status' });
  const button = el('button', { class: 'primary' }, 'Submit');

  const form = el('form', { class: 'stack', action: '/channels/form', method: 'post', onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      verdict.textContent = await submit(form);
      verdict.classList.remove('bad');
      form.elements.message.value = '';
    } catch (error) {
      refused({ channel: 'form', error });
      verdict.textContent = error.message;
      verdict.classList.add('bad');
    }
    button.disabled = false;
  } },
  field('Name', el('input', { name: 'name', required: true, maxLength: 80, autocomplete: 'name', placeholder: '张三' })),
  field('Age', el('input', { name: 'age', type: 'number', min: 0, max: 150, placeholder: '25' })),
  field('How is it?', el('select', { name: 'rating' }, ...['delightful', 'fine', 'slow'].map((each) => el('option', {}, each)))),
  field('Message', el('textarea', { name: 'message', required: true, rows: 3, maxLength: 1000 })),
  el('div', { class: 'row end' }, verdict, button));

  root.append(el('div', { class: 'columns' },
    el('section', { class: 'card' }, el('h2', {}, 'Guest book'), form,
      el('p', { class: 'hint' }, 'No WebSocket is needed to publish: this is an ordinary POST of ', el('code', {}, 'application/x-www-form-urlencoded'), ' to ', el('code', {}, '/channels/form'), '.')),
    el('section', { class: 'card' }, el('h2', {}, 'Live submissions'), empty, submissions)));

  tidings.get('form', (data, publication) => {
    empty.hidden = true;
    submissions.prepend(card(data, publication));
    while (submissions.children.length > 50) submissions.lastChild.remove();
  }, { last: 20 });
}

async function submit(form) {
  const response = await ask(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
  return `Thank you! It is number ${(await response.json()).offset}.`;
}

function card(data, publication) {
  const pairs = data && typeof data === 'object' ? Object.entries(data) : [['data', JSON.stringify(data)]];
  return el('li', {},
    el('header', {}, el('b', {}, `#${publication.offset}`), publication.time ? el('time', {}, clock(publication.time)) : null),
    el('dl', {}, ...pairs.filter(([, value]) => value !== '').slice(0, 12).flatMap(([name, value]) => [
      el('dt', {}, name), el('dd', {}, typeof value === 'string' ? value : JSON.stringify(value))])));
}
