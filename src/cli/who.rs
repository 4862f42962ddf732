//! `tidings who`: who is connected, as a table for people or as JSON.

use super::Outcome;
use super::operate::{Operator, WhomArgs, shown};
use clap::Args;
use serde_json::value::RawValue;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use tidings::client::{Endpoint, Members, query};

/// Rows asked for at once: as many as the server gives.
const PAGE: usize = 1000;
/// The titles of the table.
const TITLES: [&str; 9] = ["CONNECTION", "WHO", "ADDRESS", "TRANSPORT", "SINCE", "IN", "OUT", "LAG", "SUBSCRIPTIONS"];

/// Arguments of `tidings who`.
#[derive(Debug, Args)]
pub(crate) struct WhoArgs {
    /// Those with a token of this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    whom: WhomArgs,
    /// Those that are subscribed to this channel
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Those that speak this: websocket, event_stream or http
    #[arg(long, value_name = "TRANSPORT")]
    transport: Option<String>,
    /// At most so many [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print one JSON object per line, as the server gives it
    #[arg(long)]
    json: bool,
}

/// Prints page by page.
pub(crate) fn run(args: &WhoArgs, server: Endpoint) -> Outcome {
    let operator = Operator::new(server);
    let mut out = io::stdout().lock();
    let mut left = args.limit.map_or(usize::MAX, |limit| limit as usize);
    let (mut after, mut is_first) = (None, true);
    while left > 0 {
        let page = operator.ask("GET", &path(args, left.min(PAGE), after.as_deref()), None)?;
        let rows: Vec<Box<RawValue>> = serde_json::from_str(page.raw("connections").unwrap_or("[]"))?;
        left -= rows.len().min(left);
        if args.json {
            rows.iter().try_for_each(|row| writeln!(out, "{}", row.get()))?;
        } else {
            print(&rows, is_first, &mut out)?;
        }
        is_first = false;
        after = page.text("next");
        if after.is_none() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn path(args: &WhoArgs, limit: usize, after: Option<&str>) -> String {
    let more = [("channel", args.channel.as_deref()), ("transport", args.transport.as_deref()), ("after", after)];
    let given = args.whom.given(args.user.as_deref());
    let pairs = given.chain(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
    format!("/admin/connections?limit={limit}{}", pairs.map(|(name, value)| query(name, value)).collect::<String>())
}

/// A table, whose columns are as wide as what is in them.
fn print(rows: &[Box<RawValue>], with_titles: bool, out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut lines: Vec<[String; 9]> = Vec::new();
    if with_titles {
        lines.push(TITLES.map(str::to_owned));
    }
    for row in rows {
        lines.push(columns(&row.get().parse()?, now));
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 9] = std::array::from_fn(width);
    for line in &lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        let text = cells.collect::<Vec<_>>().join("  ");
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

fn columns(row: &Members, now: u64) -> [String; 9] {
    let text = |name: &str| row.text(name).map_or_else(|| "-".to_owned(), |text| shown(&text));
    let bytes = |name: &str| row.number(name).map_or_else(|| "-".to_owned(), size);
    let who = match row.text("who") {
        Some(who) => match row.text(&who) {
            Some(name) => format!("{who} {}", shown(&name)),
            None => who,
        },
        None => "-".to_owned(),
    };
    let age = row.number("since").map_or_else(String::new, |since| age(now.saturating_sub(since / 1000)));
    let subscriptions = row.number("subscriptions").unwrap_or_default().to_string();
    [
        text("connection"),
        who,
        text("address"),
        text("transport"),
        age,
        bytes("bytes_in"),
        bytes("bytes_out"),
        bytes("lag"),
        subscriptions,
    ]
}

/// A number of bytes in three digits.
fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1000.0 && unit < units.len() - 1 {
        value /= 1024.0;
        unit += 1;
    }
    if unit > 0 && value < 10.0 { format!("{value:.1} {}", units[unit]) } else { format!("{value:.0} {}", units[unit]) }
}

/// How long ago, in the two largest units.
fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::{age, print, size};
    use serde_json::value::RawValue;

    #[test]
    fn a_table_is_aligned_and_shows_no_control_characters() {
        let rows = [
            r#"{"connection":"A","who":"user","user":"a\u001bda","address":"192.0.2.7","listener":"l","transport":"websocket","since":0,"bytes_in":1,"bytes_out":2048,"lag":0,"subscriptions":12}"#,
            r#"{"connection":"BCDE","address":"unix","listener":"l","transport":"http","since":0,"lag":7,"subscriptions":0}"#,
        ];
        let rows = rows.map(|row| RawValue::from_string(row.to_owned()).expect("JSON"));
        let mut out = Vec::new();
        print(&rows, true, &mut out).expect("written");
        let text = String::from_utf8(out).expect("UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("CONNECTION  WHO"), "{text}");
        assert!(lines[1].starts_with("A           user a\\u{1b}da  192.0.2.7  websocket  "), "{text}");
        assert!(lines[1].ends_with("1 B  2.0 KiB  0 B  12") && lines[2].starts_with("BCDE        -"), "{text}");
    }

    #[test]
    fn sizes_and_ages_have_two_or_three_digits() {
        assert_eq!([0, 999, 1000, 20_480, 5 << 30].map(size), ["0 B", "999 B", "1.0 KiB", "20 KiB", "5.0 GiB"]);
        assert_eq!([0, 59, 61, 3 * 3600 + 120, 90_000].map(age), ["0s", "59s", "1m 1s", "3h 2m", "1d 1h"]);
    }
}
