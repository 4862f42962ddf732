// uWebSockets over epoll, with TLS if it is built so (then it is given a certificate and its key): /echo, /fan and /pub on one port. Subscribers that offer permessage-deflate get it with
// its shared compressor, for messages from as many bytes on as Tidings compresses; it has no threshold of its own.
#include "App.h"
#include <cstdio>
#include <string_view>

struct Nothing {};

static const size_t COMPRESSED_FROM = 256;

#ifdef LIBUS_NO_SSL
using App = uWS::App;
#else
using App = uWS::SSLApp;
#endif

static App::WebSocketBehavior<Nothing> behavior() {
  App::WebSocketBehavior<Nothing> b;
  b.compression = uWS::DISABLED;
  b.maxPayloadLength = 64u << 20;
  b.maxBackpressure = 0;
  b.idleTimeout = 0;
  b.sendPingsAutomatically = false;
  return b;
}

int main(int count, char **arguments) {
#ifdef LIBUS_NO_SSL
  (void)count, (void)arguments;
  App app;
#else
  if (count != 3) {
    std::fprintf(stderr, "usage: %s CERTIFICATE KEY\n", arguments[0]);
    return 2;
  }
  App app({.key_file_name = arguments[2], .cert_file_name = arguments[1]});
#endif
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
