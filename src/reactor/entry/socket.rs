//! What a reactor needs of its sockets, and the kernel's TCP sockets, which have it.

use super::traffic;
use std::io::{Read, Result, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

/// What a reactor needs of a socket that does not block.
pub(crate) trait Socket: Read + Write {
    /// Ends our stream: the peer reads its end after the last byte.
    fn end_output(&mut self) -> Result<()>;

    /// Address and port of its peer, if it has them: the kernel is asked when a line of the log is written, so that no port is
    /// kept.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    /// Bytes that came from its peer, and bytes that its peer has received, if it is a kernel's TCP socket.
    fn transferred(&self) -> Option<(u64, u64)> {
        None
    }

    /// Its descriptor; `None` for a socket that is not the kernel's.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Socket for mio::net::TcpStream {
    fn end_output(&mut self) -> Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }

    fn peer(&self) -> Option<SocketAddr> {
        // A socket for both families shows an IPv4 peer as ::ffff:a.b.c.d, which no log is searched for.
        let peer = self.peer_addr().ok()?;
        Some(SocketAddr::new(peer.ip().to_canonical(), peer.port()))
    }

    fn transferred(&self) -> Option<(u64, u64)> {
        traffic::of(self)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }
}
