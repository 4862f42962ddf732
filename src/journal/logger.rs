//! The logger of `tidings serve`: lines go through a bounded queue to a thread that alone waits for standard error.

use super::TARGET;
use super::line::{Format, line};
use crossbeam_channel::{Receiver, Sender, TrySendError};
use log::{LevelFilter, Log, Metadata, Record};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

/// Lines that wait to be written. Lines beyond this number are lost, and counted.
const QUEUE_LINES: usize = 1024;

/// Where lines end.
pub trait Sink: Send {
    /// Writes a part; may block.
    ///
    /// # Errors
    /// It cannot be written. `WouldBlock` is tried again after [`Sink::wait`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Waits until something can be written.
    fn wait(&mut self) {}
}

/// Standard error, blocking or not: another process that shares it may have set it to either.
struct StandardError;

impl Sink for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write(bytes)
    }

    fn wait(&mut self) {
        let stderr = io::stderr();
        let mut waited_for = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
        // An error shows at the next write.
        let _ = poll(&mut waited_for, PollTimeout::from(1000_u16));
    }
}

enum Item {
    Text(String),
    /// Reports that everything before it was written.
    Written(Sender<()>),
}

/// See the module. Clones send to the same thread.
#[derive(Clone)]
pub struct Logger {
    queue: Sender<Item>,
    lost: Arc<AtomicU64>,
    format: Format,
    /// As a number, since it may change while lines are written.
    level: Arc<AtomicUsize>,
}

/// Makes a logger that writes to standard error the one of the `log` facade. Once in a process.
///
/// # Errors
/// There is one already, or no thread can be started.
pub fn install(format: Format, level: LevelFilter) -> io::Result<Logger> {
    let logger = Logger::start(format, level, Box::new(StandardError))?;
    // It lives as long as the process.
    log::set_logger(Box::leak(Box::new(logger.clone()))).map_err(|error| io::Error::other(error.to_string()))?;
    log::set_max_level(level);
    Ok(logger)
}

impl Logger {
    /// A logger that writes to `sink` on a thread of its own.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(format: Format, level: LevelFilter, sink: Box<dyn Sink>) -> io::Result<Logger> {
        let (queue, lines) = crossbeam_channel::bounded(QUEUE_LINES);
        let lost = Arc::default();
        let writer = Writer { lines, lost: Arc::clone(&lost), sink, format };
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run())?;
        Ok(Logger { queue, lost, format, level: Arc::new(AtomicUsize::new(level as usize)) })
    }

    /// Logs this level and the more important ones from now on: this logger, its clones, and the `log` facade.
    pub fn set_level(&self, level: LevelFilter) {
        self.level.store(level as usize, Relaxed);
        log::set_max_level(level);
    }

    fn level(&self) -> LevelFilter {
        let number = self.level.load(Relaxed);
        LevelFilter::iter().find(|level| *level as usize == number).unwrap_or(LevelFilter::Info)
    }

    /// Writes text for people unchanged, through the same queue: it never blocks either.
    pub fn say(&self, text: String) {
        match self.queue.try_send(Item::Text(text)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Relaxed);
            }
        }
    }

    /// Waits until everything was written: whether it was. At most `patience` for room in the queue, and as long for
    /// the writing. For the end of a process.
    #[must_use]
    pub fn finish(&self, patience: Duration) -> bool {
        let (written, all) = crossbeam_channel::bounded(1);
        self.queue.send_timeout(Item::Written(written), patience).is_ok() && all.recv_timeout(patience).is_ok()
    }
}

impl Log for Logger {
    /// Below warnings, libraries log what interests only their authors.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with(TARGET);
        metadata.level() <= if ours { self.level() } else { self.level().min(LevelFilter::Warn) }
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.say(line(self.format, record, SystemTime::now()));
        }
    }

    /// Never waits: a reactor may call it.
    fn flush(&self) {}
}

/// The thread's end.
struct Writer {
    lines: Receiver<Item>,
    lost: Arc<AtomicU64>,
    sink: Box<dyn Sink>,
    format: Format,
}

impl Writer {
    /// Writes until the last logger is gone.
    fn run(mut self) {
        while let Ok(item) = self.lines.recv() {
            match item {
                Item::Text(text) => {
                    if self.write_whole(text.as_bytes()).is_err() {
                        self.lost.fetch_add(1, Relaxed);
                    } else {
                        // After a line that could be written, since standard error takes lines again.
                        self.say_what_was_lost();
                    }
                }
                // The waiting thread may have given up in the meantime.
                Item::Written(done) => drop(done.send(())),
            }
        }
    }

    fn say_what_was_lost(&mut self) {
        // Relaxed: a number for people, which guards no other memory.
        let lost = self.lost.swap(0, Relaxed);
        if lost == 0 {
            return;
        }
        let fields = [("event", log::kv::Value::from("log_lines_lost")), ("lost", log::kv::Value::from(lost))];
        let text = line(
            self.format,
            &Record::builder()
                .level(log::Level::Warn)
                .target(TARGET)
                .key_values(&fields)
                .args(format_args!("lines of this log were lost, because standard error did not accept them"))
                .build(),
            SystemTime::now(),
        );
        if self.write_whole(text.as_bytes()).is_err() {
            // Added, not stored: further lines may have been lost meanwhile.
            self.lost.fetch_add(lost, Relaxed);
        }
    }

    fn write_whole(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.sink.write(bytes) {
                // Tried again it would be 0 again, and the thread would never leave this line.
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.sink.wait(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, Logger, QUEUE_LINES, Sink};
    use crossbeam_channel::{Receiver, Sender, unbounded};
    use log::{Level, LevelFilter, Log as _, Record};
    use std::io::{self, ErrorKind};
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Takes 5 bytes at a time, after it was let to, and sends them on.
    struct Gate {
        open: Receiver<()>,
        out: Sender<Vec<u8>>,
        /// What each write comes to before it is let through.
        fails: Vec<ErrorKind>,
    }

    impl Sink for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(kind) = self.fails.pop() {
                return Err(kind.into());
            }
            // Once nobody holds it shut any more it stays open.
            let _ = self.open.recv();
            let taken = bytes.len().min(5);
            self.out.send(bytes[..taken].to_vec()).map(|()| taken).map_err(io::Error::other)
        }
    }

    fn gated(fails: Vec<ErrorKind>) -> (Logger, Sender<()>, Receiver<Vec<u8>>) {
        let (let_through, open) = unbounded();
        let (out, written) = unbounded();
        let gate = Box::new(Gate { open, out, fails });
        (Logger::start(Format::Text, LevelFilter::Info, gate).expect("a thread"), let_through, written)
    }

    fn text(written: &Receiver<Vec<u8>>) -> String {
        String::from_utf8(written.try_iter().flatten().collect()).expect("UTF-8")
    }

    #[test]
    fn lines_that_nobody_takes_block_nobody_and_are_counted() {
        let (logger, gate, written) = gated(Vec::new());
        // One is in the writer's hands, so many wait, and the rest is lost.
        for number in 0..QUEUE_LINES + 11 {
            logger.say(format!("{number}\n"));
        }
        assert!(!logger.finish(Duration::from_millis(10)), "it is not written");
        drop(gate);
        assert!(logger.finish(PATIENCE));
        let text = text(&written);
        assert!(text.starts_with("0\n"), "{text}");
        let lost = text.lines().find(|line| line.contains("log_lines_lost")).expect("it says so");
        assert!(lost.ends_with("lost=10") || lost.ends_with("lost=11"), "{lost}");
    }

    #[test]
    fn a_sink_that_is_full_or_interrupted_is_tried_again_and_one_that_fails_costs_one_line() {
        let (logger, gate, written) = gated(vec![ErrorKind::BrokenPipe, ErrorKind::Interrupted, ErrorKind::WouldBlock]);
        drop(gate);
        logger.say("first\n".to_owned());
        logger.say("second\n".to_owned());
        assert!(logger.finish(PATIENCE));
        let text = text(&written);
        assert!(text.starts_with("second\n") && text.trim_end().ends_with("lost=1"), "{text}");
    }

    #[test]
    fn the_level_holds_and_libraries_are_heard_from_warnings_on() {
        let (logger, gate, written) = gated(Vec::new());
        drop(gate);
        for (target, level) in
            [("tidings", Level::Info), ("tidings::reactor", Level::Debug), ("mio", Level::Info), ("mio", Level::Warn)]
        {
            logger.log(&Record::builder().target(target).level(level).args(format_args!("{target} {level}")).build());
        }
        assert!(logger.finish(PATIENCE));
        let text = text(&written);
        let said: Vec<&str> = text.lines().filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(said, ["tidings INFO", "mio WARN"]);
    }
}
