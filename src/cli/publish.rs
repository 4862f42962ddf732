//! `tidings publish`: publications, sent byte for byte, and the position of each.

mod lines;

use super::args::PublishArgs;
use super::{Outcome, WAIT, explained};
use serde::de::IgnoredAny;
use std::io::{self, Write};
use std::process::ExitCode;
use tidings::client::{Client, ClientError, Members, Request};

/// Every server accepts a request of this size; before a larger one the server is asked for its limit.
const SMALL_BYTES: usize = 1 << 10;

/// Publishes and prints where.
pub(crate) fn run(args: &PublishArgs) -> Outcome {
    if args.json == "-" {
        return lines::run(args, io::stdin().lock(), &mut io::stdout());
    }
    let json = args.json.trim_start_matches('\u{feff}').trim();
    check(json, &args.channel)?;
    let mut publisher = Publisher::connect(args)?;
    publisher.publish(json, args.key.as_deref(), &mut io::stdout())?;
    publisher.client.close();
    Ok(ExitCode::SUCCESS)
}

/// Why something was not published.
#[derive(Debug)]
enum Failure {
    /// This publication cannot be accepted; others may be.
    Publication(String),
    /// The server or the connection failed: every other publication would, too.
    Server(String),
    /// Standard output is closed.
    Output(io::Error),
}

impl From<Failure> for Box<dyn std::error::Error> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Publication(text) | Failure::Server(text) => text.into(),
            Failure::Output(error) => error.into(),
        }
    }
}

/// A connection that publishes to one channel.
struct Publisher<'a> {
    args: &'a PublishArgs,
    client: Client,
    /// The server's limits for a message and for a body over HTTP, once it was asked; nothing when it does not state them.
    limits: Option<Option<(u64, u64)>>,
}

impl<'a> Publisher<'a> {
    fn connect(args: &'a PublishArgs) -> Result<Publisher<'a>, String> {
        let client = Client::connect(&args.server.endpoint()?, WAIT).map_err(|error| explained(&error))?;
        Ok(Publisher { args, client, limits: None })
    }

    /// Publishes one JSON text and prints its position.
    fn publish(&mut self, json: &str, key: Option<&str>, out: &mut impl Write) -> Result<(), Failure> {
        let mut request = Request::post(&self.args.channel, json);
        for (name, value) in [("event", self.args.event.as_deref()), ("key", key)] {
            if let Some(value) = value {
                request = request.with_text(name, value);
            }
        }
        self.fits(&request)?;
        let answer = self.client.ask(&request, WAIT).map_err(|error| failure(&error))?;
        writeln!(out, "{}", self.published(&answer)).and_then(|()| out.flush()).map_err(Failure::Output)
    }

    fn published(&self, answer: &Members) -> String {
        let epoch = answer.text("epoch").unwrap_or_default();
        let offset = answer.number("offset").unwrap_or_default();
        let kept = if answer.flag("kept") == Some(false) { " (delivered, not kept: its history is full)" } else { "" };
        format!("published to {} at {epoch}:{offset}{kept}", self.args.channel)
    }

    /// Checks that the server accepts a message of this size: one that is too large would end the connection.
    fn fits(&mut self, request: &Request) -> Result<(), Failure> {
        if self.client.message_bytes(request) <= SMALL_BYTES {
            return Ok(());
        }
        let limits = match self.limits {
            Some(limits) => limits,
            None => *self.limits.insert(limits(&mut self.client)?),
        };
        // Measured again: the question took a number, so that of this request may be a digit longer.
        let bytes = self.client.message_bytes(request) as u64;
        match limits {
            Some((message, body)) if bytes > message => {
                Err(Failure::Publication(too_large(bytes, message, body, self.args)))
            }
            _ => Ok(()),
        }
    }
}

/// The server's limits, if it states them.
fn limits(client: &mut Client) -> Result<Option<(u64, u64)>, Failure> {
    match client.ask(&Request::limits(), WAIT) {
        Ok(answer) => Ok(answer.number("message_bytes").zip(answer.number("body_bytes"))),
        // A server that does not know the question takes publications all the same.
        Err(ClientError::Refused { .. }) => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}

fn too_large(bytes: u64, message: u64, body: u64, args: &PublishArgs) -> String {
    let mut text = format!(
        "this publication is a message of {bytes} bytes, and the server accepts {message} (its setting websocket.message_bytes)"
    );
    if bytes <= body {
        let address = args.server.url.channel_address(&args.channel);
        text.push_str(&format!(
            "\nOver HTTP it accepts {body}: curl -H 'Content-Type: application/json' --data-binary @FILE {address}"
        ));
    }
    text
}

fn failure(error: &ClientError) -> Failure {
    match error {
        // These are about this publication alone: a value in it, its key, its size.
        ClientError::Refused { status: 400 | 409 | 413, .. } => Failure::Publication(error.to_string()),
        ClientError::Closed { code: 1009, .. } => {
            Failure::Server(format!("{error}\nThe publication is larger than this server accepts as one message."))
        }
        _ => Failure::Server(explained(error)),
    }
}

/// Checks that the text is JSON. The usual mistake is a text without quotes of its own.
fn check(json: &str, channel: &str) -> Result<(), String> {
    let Err(error) = serde_json::from_str::<IgnoredAny>(json) else { return Ok(()) };
    if json.is_empty() {
        return Err("there is nothing to publish: an empty text is not JSON".to_owned());
    }
    let texts: Vec<&str> = json.lines().filter(|line| !line.trim().is_empty()).collect();
    if texts.len() > 1 && texts.iter().all(|text| serde_json::from_str::<IgnoredAny>(text).is_ok()) {
        return Err(format!(
            "these are {} lines of JSON, and an argument is one publication\n\
             To publish each line, send them through standard input: … | tidings publish {channel} -",
            texts.len()
        ));
    }
    let quoted = serde_json::Value::from(json).to_string();
    let hint = if json.len() > 60 || json.contains(['\n', '\'', '{', '[', '"']) {
        "In a shell, put the whole of it between single quotes: '{\"text\":\"hello\"}'.".to_owned()
    } else {
        format!("To publish it as a text, give it quotes of its own: tidings publish {channel} '{quoted}'")
    };
    Err(format!("this is not JSON: {error}\n{hint}"))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_is_not_json_gets_a_hint() {
        for json in ["1.10", "\"x\"", "{\"a\":[1e999]}", "null"] {
            check(json, "news").expect(json);
        }
        let error = check("hello", "news").expect_err("a bare word");
        assert!(error.contains("tidings publish news '\"hello\"'"), "{error}");
        let error = check("{text:1}", "news").expect_err("a bare key");
        assert!(error.contains("single quotes"), "{error}");
        assert!(check("", "news").expect_err("nothing").contains("nothing to publish"));
    }

    #[test]
    fn two_lines_in_one_argument_are_sent_to_standard_input() {
        let error = check("{\"a\":1}\n\n{\"a\":2}", "news").expect_err("two publications");
        assert!(error.contains("2 lines") && error.contains("| tidings publish news -"), "{error}");
        check("{\"a\":\n1}", "news").expect("one publication over two lines");
    }
}
