//! Sockets that a service manager passes to the server (`LISTEN_FDS`, sd_listen_fds(3)), with their names.

use listenfd::ListenFd;
use tidings::server::GivenSocket;

/// Takes them. Before any thread is started, since it takes variables out of the environment.
///
/// # Errors
/// One of them is no stream socket that listens.
pub(crate) fn sockets() -> Result<Vec<GivenSocket>, String> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = ListenFd::from_env();
    (0..passed.len())
        .map(|place| {
            let name = names.next().unwrap_or_default();
            take(&mut passed, place, name).map_err(|error| {
                format!("the socket {} that was passed ({name:?}) cannot be listened on: {error}", place + 1)
            })
        })
        .collect()
}

fn take(passed: &mut ListenFd, place: usize, name: &str) -> std::io::Result<GivenSocket> {
    // Of a wrong family it is not taken, and asked for once more.
    if let Ok(Some(socket)) = passed.take_unix_listener(place) {
        return GivenSocket::unix(name, socket);
    }
    match passed.take_tcp_listener(place)? {
        Some(socket) => GivenSocket::tcp(name, socket),
        None => Err(std::io::Error::other("it was taken already")),
    }
}
