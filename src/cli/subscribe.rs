//! `tidings subscribe`: prints a channel to the terminal, reconnects by itself, and says when something was missed.

use super::args::SubscribeArgs;
use super::server::comes_back;
use super::{Outcome, WAIT, explained, note};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, Instant};
use tidings::client::{Backoff, Client, ClientError, Endpoint, Members, Request};

/// Silence after which the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(25);

/// Prints until Ctrl-C. Only a first connection that fails, or a refusal, ends it otherwise.
pub(crate) fn run(args: &SubscribeArgs) -> Outcome {
    let endpoint = args.server.endpoint()?;
    let mut follower = Follower::new(args);
    let mut backoff = Backoff::default();
    loop {
        let error = match follow(args, &endpoint, &mut follower, &mut backoff) {
            Ended::Output(error) => return Err(error.into()),
            Ended::Connection(error) => error,
        };
        // Not before the first answer: a mistake in the address would be tried again for ever.
        if !follower.has_begun() || !comes_back(&endpoint, &error) {
            return Err(explained(&error).into());
        }
        let wait = backoff.next_wait();
        note(&format!("{error}; connecting again in {:.1} s", wait.as_secs_f32()));
        std::thread::sleep(wait);
    }
}

/// Why following a connection ended.
enum Ended {
    /// Standard output is closed.
    Output(io::Error),
    /// The connection or the server failed.
    Connection(ClientError),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Ended {
        Ended::Output(error)
    }
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Ended {
        Ended::Connection(error)
    }
}

/// Follows one connection to its end.
fn follow(args: &SubscribeArgs, endpoint: &Endpoint, follower: &mut Follower, backoff: &mut Backoff) -> Ended {
    let mut connected = None;
    let mut attempt = || -> Result<std::convert::Infallible, Ended> {
        let mut out = io::stdout().lock();
        let mut client = Client::connect(endpoint, WAIT)?;
        let again = follower.has_begun();
        let answer = client.ask(&follower.request(args), WAIT)?;
        connected = Some(Instant::now());
        if again {
            note("connected again");
        }
        follower.answer(&answer, &mut out)?;
        loop {
            let next = client.next_push(SILENCE).and_then(|push| {
                // A connection that a proxy has dropped looks like a quiet channel until something is sent.
                if push.is_none() { client.ask(&Request::livez(), WAIT).map(|_| None) } else { Ok(push) }
            });
            match next {
                Ok(Some(push)) => follower.push(&push, &mut out)?,
                Ok(None) => {}
                Err(error) => {
                    backoff.advised(client.reconnects_at());
                    // A server that is left should not take it for a client that vanished.
                    client.close();
                    return Err(error.into());
                }
            }
        }
    };
    let Err(ended) = attempt();
    backoff.stood(connected.map_or(Duration::ZERO, |since| since.elapsed()));
    ended
}

/// How far the reader has got.
struct Follower {
    channel: String,
    json: bool,
    epoch: String,
    offset: u64,
}

impl Follower {
    fn new(args: &SubscribeArgs) -> Follower {
        Follower { channel: args.channel.clone(), json: args.json, epoch: String::new(), offset: 0 }
    }

    /// Whether a server has answered yet.
    fn has_begun(&self) -> bool {
        !self.epoch.is_empty()
    }

    /// The subscription: as requested at first, after the last position later on.
    fn request(&self, args: &SubscribeArgs) -> Request {
        let request = Request::get(&self.channel);
        match (&args.since, args.last) {
            _ if self.has_begun() => request.with_text("since", &format!("{}:{}", self.epoch, self.offset)),
            (Some(since), _) => request.with_text("since", since),
            (None, Some(last)) => request.with_number("last", u64::from(last)),
            (None, None) => request,
        }
    }

    /// The answer to the subscription, with its replay.
    fn answer(&mut self, answer: &Members, out: &mut impl Write) -> Result<(), Ended> {
        let missing = |name| ClientError::Unexpected(format!("an answer to GET without {name}"));
        let epoch = answer.text("epoch").ok_or_else(|| missing("epoch"))?;
        let offset = answer.number("offset").ok_or_else(|| missing("offset"))?;
        if answer.flag("recovered") == Some(false) {
            note(&format!("gap: publications up to {epoch}:{offset} may be missing"));
        }
        self.epoch = epoch;
        for publication in answer.publications()? {
            self.print(&publication, out)?;
        }
        self.offset = offset;
        Ok(())
    }

    /// One push: a publication, or a reset of the channel.
    fn push(&mut self, push: &Members, out: &mut impl Write) -> Result<(), Ended> {
        if push.flag("reset") == Some(true) {
            self.epoch = push.text("epoch").unwrap_or_default();
            self.offset = push.number("offset").unwrap_or_default();
            note(&format!("gap: the channel was reset; its epoch is now {}", self.epoch));
            return Ok(());
        }
        // Frames that a client does not know are ignored (PROTOCOL.md), so that later servers may add some.
        let Some(offset) = push.number("offset") else { return Ok(()) };
        if push.flag("excluded") == Some(true) {
            note(&format!("{offset} is not shown: its publisher excluded this connection"));
        } else if push.raw("data").or(push.raw("data_base64")).is_some() {
            self.print(push, out)?;
        }
        self.offset = offset;
        Ok(())
    }

    fn print(&self, publication: &Members, out: &mut impl Write) -> io::Result<()> {
        let line = if self.json { self.json_line(publication) } else { terminal_line(publication) };
        writeln!(out, "{line}")?;
        // A program at the other end of a pipe gets each line when it comes.
        out.flush()
    }

    /// The publication as one line of JSON that names its position, values as they came.
    fn json_line(&self, publication: &Members) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let mut line = format!("{{\"channel\":{},\"epoch\":{}", text(&self.channel), text(&self.epoch));
        for name in ["offset", "event", "time", "content_type", "data", "data_base64"] {
            if let Some(raw) = publication.raw(name) {
                // Writing to a String cannot fail. A raw line break in JSON is white space, never part of a value.
                let _ = write!(line, ",\"{name}\":{}", raw.replace(['\r', '\n'], " "));
            }
        }
        line.push('}');
        line
    }
}

/// The publication for people: offset, event, data; binary data is marked, since it looks like text. Control characters
/// are escaped, so that the terminal does not obey them.
fn terminal_line(publication: &Members) -> String {
    let mut line = publication.number("offset").unwrap_or_default().to_string();
    if let Some(event) = publication.text("event") {
        let _ = write!(line, " [{event}]");
    }
    match publication.text("data_base64") {
        Some(base64) => {
            let kind = publication.text("content_type").unwrap_or_default();
            let _ = write!(line, " ({kind}, {} bytes, here in base64) {base64}", decoded_bytes(&base64));
        }
        None => {
            let data = publication.raw("data").unwrap_or("null");
            let _ = write!(line, " {}", data.replace(['\r', '\n', '\t'], " "));
        }
    }
    let mut safe = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_control() { safe.extend(c.escape_unicode()) } else { safe.push(c) }
    }
    safe
}

/// How many bytes a text in padded base64 decodes to.
fn decoded_bytes(base64: &str) -> usize {
    let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
    (base64.len() / 4 * 3).saturating_sub(padding)
}

#[cfg(test)]
mod tests;
