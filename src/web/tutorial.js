// The tutorial page: a bare WebSocket, two buttons, and the server's two answers.

const output = document.getElementById('output');
const status = document.getElementById('status');
const buttons = { get: document.getElementById('get'), post: document.getElementById('post') };

const ws = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`);

function note(text, kind) {
  const item = document.createElement('li');
  item.className = kind;
  item.textContent = text;
  output.append(item);
}

function showState(state, text) {
  status.dataset.state = state;
  status.lastElementChild.textContent = text;
  for (const button of Object.values(buttons)) button.disabled = state !== 'open';
}

function send(text) {
  note(`→ ${text}`, 'sent');
  ws.send(text);
}

ws.onopen = () => showState('open', '已连接');
ws.onmessage = (event) => note(event.data, 'received');
ws.onclose = () => showState('closed', '连接已关闭，请刷新页面');
buttons.get.onclick = () => send('GET');
buttons.post.onclick = () => send(JSON.stringify({ name: '张三', age: 25 }));
