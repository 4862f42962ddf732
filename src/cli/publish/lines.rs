//! `tidings publish CHANNEL -`: a publication for each line of standard input, or one that spans several lines.

use super::super::args::PublishArgs;
use super::super::{Outcome, note};
use super::{Failure, Publisher, check};
use serde::de::IgnoredAny;
use std::io::{BufRead, Read as _, Write};
use std::process::ExitCode;

/// The longest line, so that an input without line ends cannot fill the memory.
const LINE_BYTES: usize = 16 << 20;

/// Publishes each line that is JSON, in order, and prints the position of each. A line that is not JSON, or that the server
/// does not accept, is named and left out, since the lines after it are publications of their own; the exit code shows it.
/// An error of the server or the connection ends it.
pub(super) fn run(args: &PublishArgs, input: impl BufRead, out: &mut impl Write) -> Outcome {
    let mut lines = Lines { input, number: 0 };
    let Some(first) = lines.next()? else { return Err("there is nothing on standard input".into()) };
    if goes_on(&first) {
        return whole(args, lines, first, out);
    }
    let mut publisher = Publisher::connect(args)?;
    let (mut published, mut left_out) = (0_u64, 0_u64);
    let mut next = Some(first);
    while let Some(line) = next {
        match publish(&mut publisher, &line, lines.number, out) {
            Ok(()) => published += 1,
            Err(Failure::Publication(text)) => {
                note(&format!("line {}: {text}", lines.number));
                left_out += 1;
            }
            Err(Failure::Server(text)) => {
                return Err(format!("line {}: {text}\n{}", lines.number, so_far(published, left_out)).into());
            }
            Err(Failure::Output(error)) => return Err(error.into()),
        }
        next = lines.next()?;
    }
    publisher.client.close();
    if left_out == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    note(&format!("tidings: {}", so_far(published, left_out)));
    Ok(ExitCode::FAILURE)
}

fn so_far(published: u64, left_out: u64) -> String {
    let lines = if published == 1 { "line was" } else { "lines were" };
    format!("{published} {lines} published, {left_out} left out")
}

fn publish(publisher: &mut Publisher<'_>, line: &str, number: u64, out: &mut impl Write) -> Result<(), Failure> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(line) {
        // The parser counts lines, too, but sees only this one.
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or_default();
        return Err(Failure::Publication(format!("this is not JSON: {what} at column {}", error.column())));
    }
    // A key of its own for each line: run again after an interruption, lines that were published are not published twice.
    let key = publisher.args.key.as_ref().map(|key| format!("{key}:{number}"));
    publisher.publish(line.trim(), key.as_deref(), out)
}

/// Whether a line is an incomplete JSON text.
fn goes_on(line: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(line).is_err_and(|error| error.is_eof())
}

/// Publishes all of the input as one publication.
fn whole(args: &PublishArgs, lines: Lines<impl BufRead>, first: String, out: &mut impl Write) -> Outcome {
    let mut text = first;
    let room = LINE_BYTES.saturating_sub(text.len());
    lines.input.take(room as u64 + 1).read_to_string(&mut text)?;
    if text.len() > LINE_BYTES {
        return Err(too_long(1).into());
    }
    let text = text.trim();
    check(text, &args.channel).map_err(|error| {
        format!("line 1 is not complete, so all of standard input was read as one publication: {error}")
    })?;
    let mut publisher = Publisher::connect(args)?;
    publisher.publish(text, args.key.as_deref(), out)?;
    publisher.client.close();
    Ok(ExitCode::SUCCESS)
}

fn too_long(number: u64) -> String {
    format!("line {number} has more than {LINE_BYTES} bytes")
}

/// Lines that are not empty, and the number of the last one.
struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<String>, Box<dyn std::error::Error>> {
        loop {
            let mut line = Vec::new();
            // One byte more than a line may have, which shows that it is longer.
            self.input.by_ref().take(LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(None);
            }
            self.number += 1;
            if line.len() > LINE_BYTES {
                return Err(too_long(self.number).into());
            }
            let text = String::from_utf8(line).map_err(|_| format!("line {} is not UTF-8", self.number))?;
            // Some editors begin a file with a byte order mark, which is not part of its text.
            let text = if self.number == 1 { text.trim_start_matches('\u{feff}') } else { &text };
            if !text.trim().is_empty() {
                return Ok(Some(text.to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
