//! fastwebsockets, as its examples use it.

use bytes::Bytes;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};
use std::io;
use tidings_peers::{Hub, MESSAGE_BYTES, serve};
use tokio::net::TcpStream;

fn main() -> io::Result<()> {
    serve(connection)
}

async fn connection(stream: TcpStream, path: String, hub: Hub) {
    let mut socket = WebSocket::after_handshake(stream, Role::Server);
    socket.set_max_message_size(MESSAGE_BYTES);
    if path == "/fan" {
        return read_publications(socket, &hub).await;
    }
    let mut socket = FragmentCollector::new(socket);
    while let Ok(frame) = socket.read_frame().await {
        match frame.opcode {
            OpCode::Close => return,
            OpCode::Text if path == "/pub" => hub.publish(&Bytes::copy_from_slice(&frame.payload)),
            OpCode::Text | OpCode::Binary => {
                if socket.write_frame(frame).await.is_err() {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// A subscriber sends nothing but its goodbye, which ends the connection here as the end of the stream does: writing fails.
async fn read_publications(mut socket: WebSocket<TcpStream>, hub: &Hub) {
    let mut publications = hub.subscribe();
    while let Some(publication) = publications.recv().await {
        if socket.write_frame(Frame::text(Payload::Borrowed(&publication))).await.is_err() {
            return;
        }
    }
}
