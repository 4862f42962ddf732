//! What the peers on tokio share: one port, a handshake, three paths, and a list of subscribers.
//!
//! `/echo` sends back what it is sent, `/fan` subscribes, and each message to `/pub` is sent to all subscribers.

use bytes::Bytes;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use tungstenite::handshake::derive_accept_key;

/// The largest message that a peer takes, in bytes.
pub const MESSAGE_BYTES: usize = 64 << 20;
/// The longest request head, in bytes.
const HEAD_BYTES: usize = 16 * 1024;

/// The subscribers of a peer; it has one thread.
#[derive(Debug, Clone, Default)]
pub struct Hub(Rc<RefCell<Vec<UnboundedSender<Bytes>>>>);

impl Hub {
    /// A new subscriber's publications.
    #[must_use]
    pub fn subscribe(&self) -> UnboundedReceiver<Bytes> {
        let (sender, receiver) = unbounded_channel();
        self.0.borrow_mut().push(sender);
        receiver
    }

    /// Gives a publication to all subscribers; those who have gone are forgotten.
    pub fn publish(&self, message: &Bytes) {
        self.0.borrow_mut().retain(|subscriber| subscriber.send(message.clone()).is_ok());
    }
}

/// Serves on a free port of loopback for ever, in one thread, and says where on standard output.
pub fn serve<F>(connection: impl Fn(TcpStream, String, Hub) -> F + 'static) -> io::Result<()>
where
    F: Future<Output = ()> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let connection = Rc::new(connection);
    LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on {}", listener.local_addr()?);
        let hub = Hub::default();
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { continue };
            let (connection, hub) = (Rc::clone(&connection), hub.clone());
            tokio::task::spawn_local(async move {
                if stream.set_nodelay(true).is_ok()
                    && let Ok(path) = shake_hands(&mut stream).await
                {
                    connection(stream, path, hub).await;
                }
            });
        }
    })
}

/// Reads the request, agrees to it, and says which path it asks for.
async fn shake_hands(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::with_capacity(1024);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 || head.len() > HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let text = String::from_utf8_lossy(&head);
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    };
    let key = text.lines().find_map(field).ok_or(io::ErrorKind::InvalidData)?;
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok(path)
}
