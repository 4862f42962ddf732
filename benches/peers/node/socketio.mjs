// socket.io over WebSocket alone: "echo" comes back, "join" enters a room and is acknowledged, "publish" sends to a room.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, maxHttpBufferSize: 64 << 20 });

io.on("connection", (socket) => {
  socket.on("echo", (payload) => socket.emit("echo", payload));
  socket.on("join", (room, joined) => {
    socket.join(room);
    joined("ok");
  });
  socket.on("publish", (room, payload) => io.to(room).emit("message", payload));
});
http.listen(0, "127.0.0.1", () => console.log(`listening on 127.0.0.1:${http.address().port}`));
