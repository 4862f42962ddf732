//! tokio-tungstenite, with a read buffer of 4 KiB; with `--default-buffers`, with its own of 128 KiB.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use std::io;
use tidings_peers::{Hub, MESSAGE_BYTES, serve};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, Utf8Bytes};

fn main() -> io::Result<()> {
    let large = std::env::args().any(|argument| argument == "--default-buffers");
    serve(move |stream, path, hub| connection(stream, path, hub, large))
}

async fn connection(stream: TcpStream, path: String, hub: Hub, large: bool) {
    let mut config =
        WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES)).max_frame_size(Some(MESSAGE_BYTES));
    if !large {
        config = config.read_buffer_size(4096);
    }
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    if path == "/fan" {
        return read_publications(socket, &hub).await;
    }
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) if path == "/pub" => hub.publish(&Bytes::from(text)),
            Message::Text(_) | Message::Binary(_) => {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// Everything that is there is written before it is flushed.
async fn read_publications(mut socket: WebSocketStream<TcpStream>, hub: &Hub) {
    let mut publications = hub.subscribe();
    loop {
        tokio::select! {
            publication = publications.recv() => {
                let mut next = publication;
                while let Some(bytes) = next {
                    let Ok(text) = Utf8Bytes::try_from(bytes) else { return };
                    if socket.feed(Message::Text(text)).await.is_err() {
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
