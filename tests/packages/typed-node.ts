// In Node before 22 the package takes the WebSocket of npm ws, whose types are apart: those of Node contradict themselves.

import { Tidings } from 'tidings';
import WebSocket from 'ws';

export const tidings = new Tidings('ws://127.0.0.1:8080/ws', { WebSocket });
