//! A crowd: thousands of connections in one thread, each of which sends an opening at once and then a byte now and then.

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Connections made between two looks at those that are there.
const CONNECTS_AT_ONCE: usize = 200;
/// The last bytes of what came that are kept.
const TAIL_BYTES: usize = 512;

/// What some members of a crowd do.
pub(super) struct Recipe {
    pub(super) name: &'static str,
    /// Sent at once.
    pub(super) opening: Vec<u8>,
    /// Then one byte of this at a time.
    pub(super) drops: Vec<u8>,
}

/// One connection of a crowd.
pub(super) struct Member {
    stream: TcpStream,
    /// Its place in the list of recipes.
    pub(super) recipe: usize,
    drops_sent: usize,
    /// The last bytes that came.
    pub(super) tail: Vec<u8>,
    opened: Instant,
    /// How long after it connected the server ended its stream.
    pub(super) ended: Option<Duration>,
}

/// See the module.
pub(super) struct Crowd {
    poll: Poll,
    events: Events,
    pub(super) members: Vec<Member>,
    /// Who sends the next drop when, in the order of time.
    due: VecDeque<(Instant, usize)>,
    interval: Duration,
    open: usize,
}

impl Crowd {
    /// Connects `count` members for each recipe, in turn, and begins to drip.
    pub(super) fn gather(address: SocketAddr, recipes: &[Recipe], count: usize, interval: Duration) -> Crowd {
        let mut crowd = Crowd {
            poll: Poll::new().expect("a descriptor"),
            events: Events::with_capacity(4096),
            members: Vec::with_capacity(recipes.len() * count),
            due: VecDeque::new(),
            interval,
            open: 0,
        };
        for index in 0..recipes.len() * count {
            let recipe = index % recipes.len();
            crowd.admit(super::connect(address, index), recipe, &recipes[recipe].opening);
            if index % CONNECTS_AT_ONCE == 0 {
                crowd.turn(recipes, Duration::ZERO);
            }
        }
        crowd
    }

    fn admit(&mut self, stream: std::net::TcpStream, recipe: usize, opening: &[u8]) {
        let opened = Instant::now();
        stream.set_nonblocking(true).expect("a live socket");
        let mut stream = TcpStream::from_std(stream);
        let token = Token(self.members.len());
        self.poll.registry().register(&mut stream, token, Interest::READABLE).expect("a live socket");
        stream.write_all(opening).expect("an opening fits the kernel's buffer");
        self.due.push_back((opened + self.interval, self.members.len()));
        self.members.push(Member { stream, recipe, drops_sent: 0, tail: Vec::new(), opened, ended: None });
        self.open += 1;
    }

    /// Drips and listens until the server has ended everybody, or until `limit` is over. True when all have ended.
    pub(super) fn run(&mut self, recipes: &[Recipe], limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while self.open > 0 && Instant::now() < until {
            self.turn(recipes, Duration::from_millis(10));
        }
        self.open == 0
    }

    fn turn(&mut self, recipes: &[Recipe], wait: Duration) {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => panic!("{error}"),
            _ => {}
        }
        for event in &self.events {
            let member = &mut self.members[event.token().0];
            if member.ended.is_none() && member.listen() {
                self.open -= 1;
            }
        }
        let now = Instant::now();
        while let Some((at, index)) = self.due.front().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_front();
            let member = &mut self.members[index];
            let drops = &recipes[member.recipe].drops;
            let drop = drops.get(member.drops_sent..=member.drops_sent);
            // Those who were told to go and do not still drip, for as long as they are heard.
            if drop.is_some_and(|drop| member.stream.write_all(drop).is_ok()) {
                member.drops_sent += 1;
                self.due.push_back((at + self.interval, index));
            }
        }
    }
}

impl Member {
    /// Reads what has come; whether that was the end.
    fn listen(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(read) if read > 0 => {
                    self.tail.extend_from_slice(&buffer[..read]);
                    let excess = self.tail.len().saturating_sub(TAIL_BYTES);
                    self.tail.drain(..excess);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    self.ended = Some(self.opened.elapsed());
                    return true;
                }
            }
        }
    }
}
