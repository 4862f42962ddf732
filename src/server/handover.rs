//! Handing the listening sockets over to the server that takes this one's place, over a unix socket (unix(7), `SCM_RIGHTS`).
//!
//! The next server asks, receives each socket with the place that it is for, begins to accept, and says so; then this one
//! drains. The sockets are never closed, so no connection is refused. If the next one ends before it accepts, nothing happened.

use super::bound::HeldSocket;
use super::given::GivenSocket;
use crate::reactor::Listening;
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use rustix::net::{accept_with, bind, connect, listen, recvmsg, sendmsg, socket_with};
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

/// What is said, each as a message of its own.
const ASKS: &str = "tidings: hand over, version 1";
const END: &str = "that is all";
const ACCEPTING: &str = "accepting";
const DRAINING: &str = "draining";
/// Bytes of a message: the longest names a unix socket's path.
const MESSAGE_BYTES: usize = 512;
/// How long each side waits for what the other does at once.
const AT_ONCE: Duration = Duration::from_secs(10);
/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the next server may take to begin accepting.
const START: Duration = Duration::from_secs(300);

/// One end of a conversation.
pub(super) struct Line(OwnedFd);

impl Line {
    fn patience(&self, time: Duration) -> Result<()> {
        Ok(set_socket_timeout(&self.0, Timeout::Recv, Some(time))?)
    }

    fn say(&self, text: &str, socket: Option<BorrowedFd<'_>>) -> Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let rights = socket.map(|socket| [socket]);
        if let Some(rights) = &rights {
            control.push(SendAncillaryMessage::ScmRights(rights));
        }
        sendmsg(&self.0, &[IoSlice::new(text.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next message; an error where the other side has ended.
    fn hear(&self) -> Result<(String, Option<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; MESSAGE_BYTES];
        let got = recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let mut sockets = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights),
            _ => None,
        });
        let socket = sockets.next().and_then(|mut rights| rights.next());
        if got.bytes == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8(bytes[..got.bytes].to_vec()).map_err(Error::other)?;
        Ok((text, socket))
    }

    fn expect(&self, expected: &str) -> Result<()> {
        match self.hear()? {
            (text, None) if text == expected => Ok(()),
            (text, _) => Err(Error::other(format!("{expected:?} was expected, and {text:?} came"))),
        }
    }
}

/// Where the next server asks.
pub(super) struct Desk(OwnedFd);

impl Desk {
    /// Opens it for this user alone. The file is removed when it is dropped, unless another server has put its own there.
    ///
    /// # Errors
    /// Another server answers there, or the file cannot be made.
    pub(super) fn open(path: &Path) -> Result<(Desk, HeldSocket)> {
        let address = SocketAddrUnix::new(path)?;
        match connect(unconnected()?, &address) {
            Err(Errno::NOENT) => {}
            // The file of a server that was killed.
            Err(Errno::CONNREFUSED) => fs::remove_file(path)?,
            Ok(()) => return Err(Error::new(ErrorKind::AddrInUse, "another server answers there")),
            Err(error) => return Err(error.into()),
        }
        let socket = unconnected()?;
        bind(&socket, &address)?;
        let file = HeldSocket::of(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        listen(&socket, 4)?;
        Ok((Desk(socket), file))
    }

    /// Answers servers that ask until one of them accepts: the line to it.
    pub(super) fn serve(&self, sockets: impl Fn() -> Result<Vec<(String, Listening)>>) -> Line {
        loop {
            match self.serve_one(&sockets) {
                Ok(Some(line)) => return line,
                Ok(None) => log::info!(
                    event = "handover_given_up";
                    "a server took the listening sockets and ended before it accepted; this one goes on as before"
                ),
                Err(error) => {
                    log::warn!(event = "handover_failed"; "a server asked for the listening sockets in vain: {error}");
                    // Without descriptors it would fail again at once.
                    let _ = crossbeam_channel::never::<()>().recv_timeout(PAUSE);
                }
            }
        }
    }

    fn serve_one(&self, sockets: impl Fn() -> Result<Vec<(String, Listening)>>) -> Result<Option<Line>> {
        let line = Line(accept_with(&self.0, SocketFlags::CLOEXEC)?);
        line.check_peer()?;
        line.patience(AT_ONCE)?;
        line.expect(ASKS)?;
        for (place, socket) in sockets()? {
            line.say(&place, Some(socket.as_fd()))?;
        }
        line.say(END, None)?;
        line.patience(START)?;
        match line.expect(ACCEPTING) {
            Ok(()) => Ok(Some(line)),
            // With a configuration that it could not start with, for example.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Line {
    /// This server drains now.
    pub(super) fn say_draining(&self) {
        // One that has ended meanwhile does not hear it.
        drop(self.say(DRAINING, None));
    }

    /// Whoever reaches the file is this user or root: but the file may be one that another user has made.
    fn check_peer(&self) -> Result<()> {
        let own = fs::metadata("/proc/self")?.uid();
        match socket_peercred(&self.0)?.uid.as_raw() {
            peer if peer == own || peer == 0 => Ok(()),
            peer => Err(Error::other(format!("there is user {peer}, and this is user {own}"))),
        }
    }
}

/// A server whose place this one takes.
pub struct Takeover(Line);

impl Takeover {
    /// Asks the server at this path for its listening sockets; `None` when there is none.
    ///
    /// # Errors
    /// It does not answer as a server does, or is another user's.
    pub fn ask(path: &Path) -> Result<Option<(Takeover, Vec<GivenSocket>)>> {
        let line = Line(unconnected()?);
        match connect(&line.0, &SocketAddrUnix::new(path)?) {
            Err(Errno::NOENT | Errno::CONNREFUSED) => return Ok(None),
            other => other?,
        }
        line.check_peer()?;
        line.patience(AT_ONCE)?;
        line.say(ASKS, None)?;
        let mut given = Vec::new();
        loop {
            match line.hear()? {
                (text, None) if text == END => return Ok(Some((Takeover(line), given))),
                (place, Some(socket)) => given.push(GivenSocket::taken_over(&place, socket)?),
                (text, None) => return Err(Error::other(format!("a socket was expected, and {text:?} came"))),
            }
        }
    }

    /// This server accepts: the other one drains when this returns.
    ///
    /// # Errors
    /// It has ended meanwhile.
    pub fn accepting(self) -> Result<()> {
        self.0.say(ACCEPTING, None)?;
        self.0.patience(AT_ONCE)?;
        self.0.expect(DRAINING)
    }
}

fn unconnected() -> std::result::Result<OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}
