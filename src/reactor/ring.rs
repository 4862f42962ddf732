//! Many sends in one system call: an io_uring that is used like a function, so that nothing is in progress when it returns.
//!
//! This is the only module with unsafe code. What it has to keep is that the kernel reads no byte after its owner let go of
//! it, and uses no descriptor that was closed. Both are borrowed by [`Send`] for as long as [`Ring::send_all`] runs, and that
//! does not return (nor unwind) while a send it submitted has not completed: a kernel that left one without an answer would
//! end the process. Sends carry `MSG_DONTWAIT`, so each of them completes while it is submitted: with the bytes that the
//! socket took, or with `EAGAIN`.
#![allow(unsafe_code)]

use io_uring::{IoUring, Probe, opcode, squeue, types::Fd};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sends submitted at once; more take several calls. Fan-out to 1,000 costs 0.92 of `send(2)` with 512 to 4,096 at once, 1.02
/// with 64. (A single issuer, deferred or cooperative task work changed nothing measurable: these sends complete in line.)
const ENTRIES: u32 = 1024;

/// One send.
pub(super) struct Send<'a> {
    /// A socket.
    pub(super) socket: BorrowedFd<'a>,
    /// What it is to take, as far as it can at once.
    pub(super) bytes: &'a [u8],
}

/// See the module.
pub(super) struct Ring {
    ring: IoUring,
    /// Place and result of the sends in progress that were answered: kept for its memory.
    answers: Vec<(usize, i32)>,
}

impl Ring {
    /// Opens a ring for the calling thread.
    ///
    /// # Errors
    /// The kernel has no io_uring, has one without sends, or may not give it (a seccomp filter, `io_uring_disabled`).
    pub(super) fn open() -> Result<Ring> {
        // Submit all: else the kernel stops at the first send that fails, and the others need another call. Don't fork:
        // a child would share the queues.
        let ring: IoUring = IoUring::builder().setup_submit_all().dontfork().build(ENTRIES)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::Send::CODE) {
            return Err(Error::new(ErrorKind::Unsupported, "this io_uring cannot send"));
        }
        Ok(Ring { ring, answers: Vec::with_capacity(ENTRIES as usize) })
    }

    /// Sends everything and calls `done` once for each send in order of completion, with its place in `sends` and what
    /// came of it: how many bytes the socket took, or why none.
    ///
    /// # Errors
    /// The ring no longer works. Sends for which `done` was not called were not begun; the ring must not be used again.
    pub(super) fn send_all(&mut self, sends: &[Send<'_>], mut done: impl FnMut(usize, Result<usize>)) -> Result<()> {
        for (number, chunk) in sends.chunks(ENTRIES as usize).enumerate() {
            let outcome = self.send_chunk(chunk);
            for (place, result) in self.answers.drain(..) {
                let taken = usize::try_from(result).map_err(|_| Error::from_raw_os_error(-result));
                done(number * ENTRIES as usize + place, taken);
            }
            outcome?;
        }
        Ok(())
    }

    /// At most [`ENTRIES`] sends. Neither calls anything of others nor returns before the kernel has answered all that it
    /// took.
    fn send_chunk(&mut self, chunk: &[Send<'_>]) -> Result<()> {
        let mut pushed = 0;
        for (place, send) in chunk.iter().enumerate() {
            // SAFETY: descriptor and bytes are borrowed until this function returns. It returns when every entry has
            // completed, or when the kernel has not taken it and, since the ring is given up then, never will.
            if unsafe { self.ring.submission().push(&entry(place, send)) }.is_err() {
                // There is room for as many as this; what was pushed before is sent all the same.
                log::error!(event = "io_uring"; "a submission queue of {ENTRIES} was full");
                break;
            }
            pushed += 1;
        }
        loop {
            let waiting = self.ring.submission().len();
            let taken = pushed - waiting.min(pushed);
            let outcome = match (waiting, taken - self.answers.len().min(taken)) {
                (0, 0) => return Ok(()),
                (_, owed) => self.ring.submit_and_wait(waiting + owed),
            };
            self.answers.extend(self.ring.completion().map(|answer| (answer.user_data() as usize, answer.result())));
            match outcome {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    let taken = pushed - self.ring.submission().len().min(pushed);
                    if self.answers.len() < taken {
                        log::error!(event = "io_uring"; "io_uring left sends without an answer: {error}");
                        // The kernel may still read what is borrowed here.
                        std::process::abort();
                    }
                    return Err(error);
                }
            }
        }
    }
}

/// A send that takes what it can at once and raises no signal when the peer is gone.
fn entry(place: usize, send: &Send<'_>) -> squeue::Entry {
    // More than a socket takes at once; the rest is written by the next call.
    let length = u32::try_from(send.bytes.len()).unwrap_or(u32::MAX);
    opcode::Send::new(Fd(send.socket.as_raw_fd()), send.bytes.as_ptr(), length)
        .flags(MSG_DONTWAIT | MSG_NOSIGNAL)
        .build()
        .user_data(place as u64)
}

/// Flags of `send(2)`, which are the same on all of Linux.
const MSG_DONTWAIT: i32 = 0x40;
const MSG_NOSIGNAL: i32 = 0x4000;

/// `EAGAIN` and `EBUSY`: memory or room for answers was short, and the answers have been taken meanwhile.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ResourceBusy)
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES, Ring, Send};
    use std::io::{ErrorKind, Read};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    /// A ring, unless this kernel has none, which is said.
    fn ring() -> Option<Ring> {
        Ring::open().map_err(|error| println!("not tested here, since this kernel gives no io_uring: {error}")).ok()
    }

    #[test]
    fn more_sends_than_entries_all_arrive_once() {
        let Some(mut ring) = ring() else { return };
        let pairs: Vec<(UnixStream, UnixStream)> = (0..50).map(|_| UnixStream::pair().expect("sockets")).collect();
        let texts: Vec<String> = (0..ENTRIES as usize * 2 + 7).map(|index| format!("{index},")).collect();
        let sends: Vec<Send<'_>> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| Send { socket: pairs[index % 50].0.as_fd(), bytes: text.as_bytes() })
            .collect();
        let mut seen = vec![0; sends.len()];
        ring.send_all(&sends, |place, taken| {
            seen[place] += 1;
            assert_eq!(taken.expect("room"), texts[place].len());
        })
        .expect("the ring works");
        assert!(seen.iter().all(|times| *times == 1));
        for (own, (sender, mut receiver)) in pairs.into_iter().enumerate() {
            drop(sender);
            let mut got = String::new();
            receiver.read_to_string(&mut got).expect("everything and the end");
            assert_eq!(got, texts.iter().skip(own).step_by(50).map(String::as_str).collect::<String>());
        }
    }

    #[test]
    fn full_closed_and_wrong_sockets_answer_at_once() {
        let Some(mut ring) = ring() else { return };
        let (full, mut reader) = UnixStream::pair().expect("sockets");
        let (lonely, gone) = UnixStream::pair().expect("sockets");
        drop(gone);
        let file = std::fs::File::open("/dev/null").expect("a file");
        let large = vec![b'x'; 8 << 20];
        let (mut short, mut errors) = (0, Vec::new());
        let sends = [
            Send { socket: full.as_fd(), bytes: &large },
            Send { socket: full.as_fd(), bytes: &large },
            Send { socket: lonely.as_fd(), bytes: b"hello" },
            Send { socket: file.as_fd(), bytes: b"hello" },
        ];
        ring.send_all(&sends, |place, taken| match taken {
            Ok(taken) => short += taken,
            Err(error) => errors.push((place, error.kind())),
        })
        .expect("the ring works");
        assert!(short > 0 && short < large.len(), "{short}");
        let kinds: Vec<ErrorKind> = errors.iter().map(|(_, kind)| *kind).collect();
        assert_eq!(kinds[..2], [ErrorKind::WouldBlock, ErrorKind::BrokenPipe]);
        assert_eq!(errors.len(), 3, "a file is no socket: {errors:?}");
        let mut got = vec![0; short];
        reader.read_exact(&mut got).expect("what was taken");
        ring.send_all(&[], |_, _| panic!("nothing was sent")).expect("nothing to do");
    }

    /// The way out: what the kernel has not taken was not begun, and is the caller's again.
    #[test]
    fn an_enter_that_fails_is_an_error_and_begins_nothing() {
        if ring().is_none() {
            return;
        }
        // A ring that was never enabled: each io_uring_enter(2) fails with EBADFD.
        let disabled = io_uring::IoUring::builder().setup_r_disabled().build(ENTRIES).expect("this kernel gives rings");
        let mut ring = Ring { ring: disabled, answers: Vec::new() };
        let (sender, mut receiver) = UnixStream::pair().expect("sockets");
        let sends = [b"one".as_slice(), b"two"].map(|bytes| Send { socket: sender.as_fd(), bytes });
        let failed = ring.send_all(&sends, |place, taken| panic!("{place} was begun: {taken:?}"));
        assert!(failed.is_err());
        // Not when the ring goes either.
        drop((ring, sends));
        drop(sender);
        let mut got = String::new();
        receiver.read_to_string(&mut got).expect("the end");
        assert_eq!(got, "");
    }
}
