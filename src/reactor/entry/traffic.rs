//! How much a TCP connection has carried: the kernel counts it anyway, so that no connection has to.

use nix::libc;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::GetStruct;
use std::os::fd::AsFd;

/// The first words of `struct tcp_info` (linux/tcp.h) up to those that are read here. The kernel fills as many as it is given
/// room for, and has had these since Linux 4.1; later ones would be missing from older kernels.
type FirstWords = [u64; 17];
/// Bytes that the peer has acknowledged (`tcpi_bytes_acked`).
const ACKNOWLEDGED: usize = 15;
/// Bytes that came from it (`tcpi_bytes_received`).
const RECEIVED: usize = 16;

/// `TCP_INFO`.
#[derive(Clone, Copy)]
struct TcpInfo;

nix::getsockopt_impl!(TcpInfo, libc::IPPROTO_TCP, libc::TCP_INFO, FirstWords, GetStruct<FirstWords>);

/// Bytes that came from the peer of a socket, and bytes that the peer has received; `None` for a unix socket.
pub(super) fn of(socket: &impl AsFd) -> Option<(u64, u64)> {
    let words = getsockopt(socket, TcpInfo).ok()?;
    Some((words[RECEIVED], words[ACKNOWLEDGED]))
}

#[cfg(test)]
mod tests {
    use super::of;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_kernel_counts_what_a_connection_carries() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut client = TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
        let (mut server, _) = listener.accept().expect("a connection");
        client.write_all(b"hello").expect("sent");
        server.read_exact(&mut [0; 5]).expect("received");
        server.write_all(b"hello, too").expect("sent");
        client.read_exact(&mut [0; 10]).expect("received");
        // What the peer reads is acknowledged before it is read.
        assert_eq!(of(&server), Some((5, 10)));
        let (one, _other) = UnixStream::pair().expect("a pair");
        assert_eq!(of(&one), None);
    }
}
