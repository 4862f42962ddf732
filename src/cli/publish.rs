//! `tidings publish`: one publication, sent byte for byte, and its position.

use super::args::PublishArgs;
use super::{Outcome, WAIT, explained};
use serde::de::IgnoredAny;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;
use tidings::client::{Client, Members, Request};

/// Publishes and prints where.
pub(crate) fn run(args: &PublishArgs) -> Outcome {
    let json = if args.json == "-" { standard_input()? } else { args.json.clone() };
    let json = json.trim();
    check(json, &args.channel)?;
    let mut request = Request::post(&args.channel, json);
    for (name, value) in [("event", &args.event), ("key", &args.key)] {
        if let Some(value) = value {
            request = request.with_text(name, value);
        }
    }
    let answer = publish(args, &request).map_err(|error| explained(&error))?;
    let epoch = answer.text("epoch").unwrap_or_default();
    let offset = answer.number("offset").unwrap_or_default();
    writeln!(io::stdout(), "published to {} at {epoch}:{offset}", args.channel)?;
    Ok(ExitCode::SUCCESS)
}

fn publish(args: &PublishArgs, request: &Request) -> Result<Members, tidings::client::ClientError> {
    let mut client = Client::connect(&args.server.url, WAIT)?;
    let answer = client.ask(request, WAIT)?;
    client.close();
    Ok(answer)
}

fn standard_input() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// Whether the text is JSON. The usual mistake is a text without quotes of its own.
fn check(json: &str, channel: &str) -> Result<(), String> {
    serde_json::from_str::<IgnoredAny>(json).map(drop).map_err(|error| {
        let quoted = serde_json::Value::from(json).to_string();
        let hint = if json.len() > 60 || json.contains(['\n', '\'', '{', '[', '"']) {
            "In a shell, put the whole of it between single quotes: '{\"text\":\"hello\"}'.".to_owned()
        } else {
            format!("To publish it as a text, give it quotes of its own: tidings publish {channel} '{quoted}'")
        };
        format!("this is not JSON: {error}\n{hint}")
    })
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
        assert!(check("", "news").is_err());
    }
}
