//! A relay of TCP connections between nodes and a Redis, that can be told to delay, to stop reading, to cut at a byte, and to
//! refuse.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a thread of the relay looks at what it was told without anything to pass on.
const LOOK: Duration = Duration::from_millis(5);
/// What stands for "never" where a number of bytes is told.
const NEVER: u64 = u64::MAX;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From a node to Redis.
    ToRedis,
    /// From Redis to a node.
    ToNode,
}

/// Which connections are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Those on which a node has subscribed to something.
    Feed,
    /// The others.
    Orders,
}

/// What connections of one kind do with bytes that go one way.
#[derive(Debug)]
struct Rules {
    /// Nothing is read.
    is_held: AtomicBool,
    /// Each piece waits for this long, in milliseconds.
    delay: AtomicU64,
    /// How many further bytes are passed on before the connection is cut, all such connections taken together.
    left: AtomicU64,
}

/// What is told.
#[derive(Debug, Default)]
struct Told {
    is_over: AtomicBool,
    /// New connections are closed at once.
    refuses: AtomicBool,
    /// Goes up when all connections of a kind are to be closed: feed, orders.
    cuts: [AtomicU64; 2],
    rules: [[Rules; 2]; 2],
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { is_held: AtomicBool::new(false), delay: AtomicU64::new(0), left: AtomicU64::new(NEVER) }
    }
}

/// See the module.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    told: Arc<Told>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Begins to relay to an address.
    pub(crate) fn to(redis: SocketAddr) -> Relay {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("an option");
        let told = Arc::new(Told::default());
        let shared = Arc::clone(&told);
        let thread = std::thread::spawn(move || accept(&listener, redis, &shared));
        Relay { address, told, thread: Some(thread) }
    }

    /// What a node's `--engine` says.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Has such connections read nothing, or go on.
    pub(crate) fn hold(&self, link: Link, way: Way, is_held: bool) {
        self.rules(link, way).is_held.store(is_held, Ordering::Relaxed);
    }

    /// Has each piece of bytes wait.
    pub(crate) fn delay(&self, link: Link, way: Way, by: Duration) {
        let millis = u64::try_from(by.as_millis()).expect("a short time");
        self.rules(link, way).delay.store(millis, Ordering::Relaxed);
    }

    /// Cuts the connection that would pass on more than this many further bytes, once: what is before is passed on.
    pub(crate) fn cut_after(&self, link: Link, way: Way, bytes: u64) {
        self.rules(link, way).left.store(bytes, Ordering::Relaxed);
    }

    /// Whether what [`Relay::cut_after`] asked for has happened.
    pub(crate) fn has_cut(&self, link: Link, way: Way) -> bool {
        self.rules(link, way).left.load(Ordering::Relaxed) == NEVER
    }

    /// Cuts all such connections now.
    pub(crate) fn cut(&self, link: Link) {
        self.told.cuts[link as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Closes new connections at once, or takes them again.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.told.refuses.store(refuses, Ordering::Relaxed);
    }

    fn rules(&self, link: Link, way: Way) -> &Rules {
        &self.told.rules[link as usize][way as usize]
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.told.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic would hide the test's own.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, redis: SocketAddr, told: &Arc<Told>) {
    let mut threads = Vec::new();
    while !told.is_over.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((node, _)) if !told.refuses.load(Ordering::Relaxed) => {
                // While Redis is gone, a node sees its connection end.
                if let Ok(redis) = TcpStream::connect(redis) {
                    threads.extend(relay(node, redis, told));
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(LOOK),
            Err(error) => panic!("{error}"),
        }
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

/// One connection: a thread for each way.
fn relay(node: TcpStream, redis: TcpStream, told: &Arc<Told>) -> [JoinHandle<()>; 2] {
    let is_feed = Arc::new(AtomicBool::new(false));
    let begun = [0, 1].map(|link: usize| told.cuts[link].load(Ordering::Relaxed));
    for stream in [&node, &redis] {
        stream.set_nonblocking(false).expect("an option");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(LOOK)).expect("an option");
        // An end that reads nothing must not keep the relay from ending.
        stream.set_write_timeout(Some(super::PATIENCE)).expect("an option");
    }
    let [other_node, other_redis] = [&node, &redis].map(|stream| stream.try_clone().expect("a descriptor"));
    let pipe = |way, from, to| {
        let pipe = Pipe { way, from, to, is_feed: Arc::clone(&is_feed), told: Arc::clone(told), begun };
        std::thread::spawn(move || pipe.run())
    };
    [pipe(Way::ToRedis, node, redis), pipe(Way::ToNode, other_redis, other_node)]
}

/// One way of one connection.
struct Pipe {
    way: Way,
    from: TcpStream,
    to: TcpStream,
    is_feed: Arc<AtomicBool>,
    told: Arc<Told>,
    /// How often each kind had been cut when it began.
    begun: [u64; 2],
}

impl Pipe {
    fn run(mut self) {
        self.pass_on();
        // Both ways end together, and both ends see it.
        for stream in [&self.from, &self.to] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn link(&self) -> usize {
        if self.is_feed.load(Ordering::Relaxed) { Link::Feed as usize } else { Link::Orders as usize }
    }

    fn is_over(&self) -> bool {
        let link = self.link();
        self.told.is_over.load(Ordering::Relaxed) || self.told.cuts[link].load(Ordering::Relaxed) != self.begun[link]
    }

    fn pass_on(&mut self) {
        let mut buffer = vec![0; 64 * 1024];
        while !self.is_over() {
            if self.told.rules[self.link()][self.way as usize].is_held.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
                continue;
            }
            let read = match self.from.read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => return,
            };
            if self.way == Way::ToRedis && buffer[..read].windows(9).any(|word| word.eq_ignore_ascii_case(b"SUBSCRIBE"))
            {
                self.is_feed.store(true, Ordering::Relaxed);
            }
            if !self.pass(&buffer[..read]) {
                return;
            }
        }
    }

    /// Passes a piece on; false when the connection ends with it.
    fn pass(&mut self, piece: &[u8]) -> bool {
        let rules = &self.told.rules[self.link()][self.way as usize];
        // It may have been read as this was told.
        while rules.is_held.load(Ordering::Relaxed) && !self.is_over() {
            std::thread::sleep(LOOK);
        }
        let delay = rules.delay.load(Ordering::Relaxed);
        if delay > 0 {
            std::thread::sleep(Duration::from_millis(delay));
        }
        let length = piece.len() as u64;
        let take = |left: u64| match left {
            NEVER => None,
            left if left < length => Some(NEVER),
            left => Some(left - length),
        };
        let before = rules.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        let (piece, goes_on) = match before {
            Ok(left) if left < length => (&piece[..usize::try_from(left).expect("less than a piece")], false),
            _ => (piece, true),
        };
        self.to.write_all(piece).is_ok() && goes_on
    }
}

#[test]
fn a_relay_passes_on_holds_and_cuts_at_a_byte() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let relay = Relay::to(listener.local_addr().expect("it is bound"));
    let connect = || {
        let node = TcpStream::connect(relay.address).expect("it listens");
        let (redis, _) = listener.accept().expect("it connects");
        for end in [&node, &redis] {
            end.set_read_timeout(Some(super::PATIENCE)).expect("an option");
        }
        (node, redis)
    };
    let (mut node, mut redis) = connect();
    let mut got = [0; 9];
    node.write_all(b"subscribe").expect("it reads");
    redis.read_exact(&mut got).expect("it comes");
    assert_eq!(&got, b"subscribe");
    relay.cut_after(Link::Orders, Way::ToNode, 0);
    relay.cut_after(Link::Feed, Way::ToNode, 3);
    redis.write_all(b"12345").expect("it reads");
    let mut rest = Vec::new();
    node.read_to_end(&mut rest).expect("it ends");
    assert_eq!(rest, b"123");
    assert!(relay.has_cut(Link::Feed, Way::ToNode) && !relay.has_cut(Link::Orders, Way::ToNode));
    let (mut node, mut redis) = connect();
    relay.hold(Link::Orders, Way::ToRedis, true);
    node.write_all(b"held").expect("it is buffered");
    redis.set_read_timeout(Some(Duration::from_millis(50))).expect("an option");
    assert!(redis.read(&mut got).is_err());
    relay.hold(Link::Orders, Way::ToRedis, false);
    redis.set_read_timeout(Some(super::PATIENCE)).expect("an option");
    redis.read_exact(&mut got[..4]).expect("it comes");
    relay.cut(Link::Orders);
    assert_eq!(redis.read(&mut got).unwrap_or(0), 0);
}
