//! sockudo-ws, with the settings that it says match uWebSockets', larger messages, and no compression or timeouts.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::protocol::Message;
use sockudo_ws::{Compression, Config, WebSocketStream};
use std::io;
use tidings_peers::{Hub, MESSAGE_BYTES, serve};
use tokio::net::TcpStream;

fn main() -> io::Result<()> {
    serve(connection)
}

async fn connection(stream: TcpStream, path: String, hub: Hub) {
    let config = Config::builder()
        .compression(Compression::Disabled)
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
        .idle_timeout(0)
        .auto_ping(false)
        .build();
    let mut socket = WebSocketStream::server(stream, config);
    if path == "/fan" {
        return read_publications(socket, &hub).await;
    }
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) if path == "/pub" => hub.publish(&text),
            Message::Text(_) | Message::Binary(_) => {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            Message::Close(_) => return,
            _ => {}
        }
    }
}

/// Everything that is there is written before it is flushed.
async fn read_publications(mut socket: WebSocketStream<TcpStream>, hub: &Hub) {
    let mut publications: tokio::sync::mpsc::UnboundedReceiver<Bytes> = hub.subscribe();
    loop {
        tokio::select! {
            publication = publications.recv() => {
                let mut next = publication;
                while let Some(bytes) = next {
                    if socket.feed(Message::Text(bytes)).await.is_err() {
                        return;
                    }
                    next = publications.try_recv().ok();
                }
                if socket.flush().await.is_err() {
                    return;
                }
            }
            message = socket.next() => match message {
                Some(Ok(_)) => {}
                _ => return,
            }
        }
    }
}
