//! The plan of a run in words, so that two results can be recognised as of the same plan.

use super::draft::Draft;
use crate::numbers::{bytes, share};
use crate::plan::{Deflate, Ending, Flow, Group, Leg, Payloads, Plan, Ramp, Route, Sizes, Task};

impl Draft<'_> {
    pub(super) fn plan(&self) -> Vec<(String, String)> {
        let size = self.prepared.size;
        let mut rows = rows(self.plan_of());
        rows.push(("generator".to_owned(), format!("{} processes of {} threads", size.processes, size.threads)));
        rows.push(("seed".to_owned(), self.plan_of().seed.to_string()));
        rows
    }
}

/// What was requested, as name and value.
fn rows(plan: &Plan) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    for group in &plan.groups {
        row(&group.name, described(group));
    }
    if plan.publishers() > 0 {
        row("channels", format!("{} ({} per receiver)", plan.naming.channels, plan.naming.per_connection));
    }
    let count = plan.count.map_or_else(String::new, |count| format!(", at most {count} messages"));
    row("measured", format!("{:?} after {:?} of warm-up{count}", plan.duration, plan.warmup));
    if !plan.adapter_options.is_empty() {
        let options = plan.adapter_options.iter().map(|(name, value)| match name.as_str() {
            "secret" | "api_key" => format!("{name}=***"),
            _ => format!("{name}={value}"),
        });
        row("adapter", options.collect::<Vec<_>>().join(", "));
    }
    let ways = [
        (plan.deflate == Deflate::Everywhere, "permessage-deflate offered"),
        (plan.deflate == Deflate::Readers, "permessage-deflate offered by readers"),
        (plan.ending == Ending::Rst, "connections ended by a reset"),
        (plan.target.tls, "TLS"),
        (!plan.headers.is_empty(), "header fields of its own"),
        (!plan.tokens.is_empty(), "tokens"),
    ];
    let ways: Vec<&str> = ways.into_iter().filter(|(is, _)| *is).map(|(_, way)| way).collect();
    if !ways.is_empty() {
        row("with", ways.join(", "));
    }
    rows
}

fn described(group: &Group) -> String {
    let mut parts = vec![format!("{} connections", group.connections)];
    parts.extend(group.signs_in.then(|| "signing in".to_owned()));
    match &group.task {
        Task::Echo { flow, payloads } => parts.extend([flow_text(flow), payload_text(payloads)]),
        Task::Publish { flow, payloads, route } => {
            parts.extend([flow_text(flow), payload_text(payloads)]);
            if let Route::Http { pipeline } = route {
                parts.push(format!("over HTTP, {pipeline} requests in progress each"));
            }
        }
        Task::Attack { rate } => parts.push(format!("{rate} attempts/s")),
        Task::Subscribe | Task::Idle | Task::Handshake => {}
    }
    parts.extend(group.opening.as_ref().map(|ramp| format!("opened at {}", ramp_text(ramp))));
    parts.extend((!group.start.is_zero()).then(|| format!("from {:?} on", group.start)));
    parts.extend(group.lifetime.map(|lifetime| format!("each for {lifetime:?} in the mean")));
    parts.extend(group.slow.map(|slow| {
        format!("{} of them reading {} per second", share(slow.share), bytes(slow.bytes_per_second as f64))
    }));
    parts.extend(group.outage.map(|(when, spread)| format!("cut after {when:?} and back within {spread:?}")));
    parts.join(", ")
}

fn flow_text(flow: &Flow) -> String {
    match flow {
        Flow::Open(ramp) => format!("{} messages/s", ramp_text(ramp).trim_end_matches("/s")),
        Flow::Closed { depth } => format!("{depth} messages in progress"),
    }
}

/// A rate, or how it changes, as a user writes it.
fn ramp_text(ramp: &Ramp) -> String {
    let leg = |leg: &Leg| format!("{}:{}/{}s", leg.from, leg.to, leg.seconds);
    match ramp.legs() {
        [] => format!("{}/s", ramp.last()),
        legs => legs.iter().map(leg).collect::<Vec<_>>().join(","),
    }
}

fn payload_text(payloads: &Payloads) -> String {
    match payloads {
        Payloads::Templates(texts) if texts.len() == 1 => format!("of a template of {} bytes", texts[0].len()),
        Payloads::Templates(texts) => {
            format!("of {} templates of {} bytes together", texts.len(), texts.iter().map(String::len).sum::<usize>())
        }
        Payloads::Sizes(Sizes::Between(least, most)) if least == most => format!("{least} bytes each"),
        Payloads::Sizes(Sizes::Between(least, most)) => format!("{least} to {most} bytes each"),
        Payloads::Sizes(Sizes::OneOf(weighted)) => {
            let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
            let part = |(size, weight): &(usize, f64)| format!("{size} bytes ({})", share(weight / total));
            weighted.iter().map(part).collect::<Vec<_>>().join(" or ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::rows;
    use crate::cli::{Cli, Verb};
    use crate::prepare::prepare;
    use crate::scenario::Kind;
    use clap::Parser;

    fn plan(verb: &str, options: &[&str]) -> String {
        let arguments = [&["tidings-loadgen", verb, "ws://127.0.0.1:1"][..], options].concat();
        let (kind, args) = match Cli::parse_from(arguments).verb {
            Verb::Echo(args) => (Kind::Echo, args),
            Verb::Fanout(args) => (Kind::Fanout, args),
            Verb::Slow(args) => (Kind::Slow, args),
            Verb::Churn(args) => (Kind::Churn, args),
            Verb::Reconnect(args) => (Kind::Reconnect, args),
            other => panic!("{other:?}"),
        };
        let rows = rows(&prepare(kind, &args).expect("a plan").plan);
        rows.into_iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    #[test]
    fn whatever_changes_a_plan_changes_its_words() {
        for (verb, options) in [
            ("echo", &["-R", "5"][..]),
            ("echo", &["-R", "0:100/10s"]),
            ("echo", &["-s", "16KiB"]),
            ("echo", &["-s", "128:90%,1KiB:10%"]),
            ("echo", &["--template", "x{stamp}"]),
            ("echo", &["--closed", "--depth", "3"]),
            ("echo", &["-c", "7"]),
            ("echo", &["-n", "7"]),
            ("echo", &["-d", "7s"]),
            ("echo", &["--deflate"]),
            ("fanout", &["--deflate=readers"]),
            ("echo", &["--close", "rst"]),
            ("echo", &["--connect-rate", "10"]),
            ("echo", &["-H", "X: y"]),
            ("fanout", &["--publish", "http"]),
            ("fanout", &["--publish", "http", "--pipeline", "3"]),
            ("fanout", &["--channels", "3"]),
            ("fanout", &["--publishers", "3"]),
            ("fanout", &["--adapter-option", "acknowledge=true"]),
            ("slow", &["--slow", "50%"]),
            ("slow", &["--read-rate", "1KiB"]),
            ("churn", &["--lifetime", "1s"]),
            ("reconnect", &["--cut-after", "1s"]),
            ("reconnect", &["--jitter", "7s"]),
        ] {
            assert_ne!(plan(verb, options), plan(verb, &[]), "{verb} {options:?}");
        }
        let told = plan("fanout", &["-c", "1k", "-R", "20"]);
        assert!(
            told.contains("fanout: 1000 connections\npublishers: 1 connections, 20 messages/s, 128 bytes each\n"),
            "{told}"
        );
    }
}
