// uWebSockets over epoll, without TLS: /echo, /fan and /pub on one port. Subscribers that offer permessage-deflate get it with
// its shared compressor, for messages from as many bytes on as Tidings compresses; it has no threshold of its own.
#include "App.h"
#include <cstdio>
#include <string_view>

struct Nothing {};

static const size_t COMPRESSED_FROM = 256;

static uWS::App::WebSocketBehavior<Nothing> behavior() {
  uWS::App::WebSocketBehavior<Nothing> b;
  b.compression = uWS::DISABLED;
  b.maxPayloadLength = 64u << 20;
  b.maxBackpressure = 0;
  b.idleTimeout = 0;
  b.sendPingsAutomatically = false;
  return b;
}

int main() {
  uWS::App app;
  auto echo = behavior();
  echo.message = [](auto *ws, std::string_view message, uWS::OpCode opcode) { ws->send(message, opcode); };
  auto fan = behavior();
  fan.compression = uWS::SHARED_COMPRESSOR;
  fan.open = [](auto *ws) { ws->subscribe("fan"); };
  auto pub = behavior();
  pub.message = [&app](auto *, std::string_view message, uWS::OpCode opcode) { app.publish("fan", message, opcode, message.length() >= COMPRESSED_FROM); };
  app.ws<Nothing>("/echo", std::move(echo));
  app.ws<Nothing>("/fan", std::move(fan));
  app.ws<Nothing>("/pub", std::move(pub));
  app.listen("127.0.0.1", 0, [](auto *socket) {
    if (socket) {
      std::printf("listening on 127.0.0.1:%d\n", us_socket_local_port(0, (struct us_socket_t *)socket));
      std::fflush(stdout);
    }
  });
  app.run();
  return 1;
}
