//! What is read first on a page: what was measured, what can be trusted, the key figures.

use super::escape::escape;
use crate::numbers::{bytes, count, duration, rate, share, whole};
use crate::outcome::{Level, Outcome};
use crate::report::moment::moment;
use crate::report::named;
use std::fmt::Write;

/// What a reader looks for.
struct Figure {
    name: String,
    /// The claim that shows how far it can be trusted.
    claim: &'static str,
    /// Where it was measured.
    value: Option<f64>,
    show: fn(f64) -> String,
}

/// What was measured, where, when and for how long.
pub(super) fn subtitle(outcome: &Outcome) -> String {
    let interrupted = if outcome.interrupted { ", interrupted" } else { "" };
    format!(
        "<p class=\"subtitle\">{} at <code>{}</code>, spoken to as {}; {} from <time>{}</time>{interrupted}</p>\n",
        escape(&outcome.scenario),
        escape(&outcome.target),
        escape(&outcome.adapter),
        duration(outcome.measured_seconds),
        moment(outcome.started_unix_ms)
    )
}

/// What can be trusted, first of all.
pub(super) fn verdicts(outcomes: &[&Outcome]) -> String {
    let mut text = "<section class=\"verdicts\" aria-label=\"Verdicts\">\n".to_owned();
    for outcome in outcomes {
        let primary = outcome.verdicts.first().map_or(String::new(), |verdict| verdict.level.to_string());
        // Writing to a string does not fail.
        let _ = write!(text, "<div class=\"verdict {primary}\">");
        if outcomes.len() > 1 {
            let _ = write!(text, "<h2>{}</h2>{}", escape(&outcome.label), subtitle(outcome));
        }
        text.push_str("<ul>");
        for verdict in &outcome.verdicts {
            let _ = write!(text, "<li>{} {}", badge(verdict.level), escape(&verdict.claim));
            let notes = verdict.notes.iter().map(|note| format!("Note: {}", escape(note)));
            for reason in verdict.reasons.iter().map(|reason| escape(reason)).chain(notes) {
                let _ = write!(text, "<span class=\"reason\">{reason}</span>");
            }
            text.push_str("</li>");
        }
        text.push_str("</ul></div>\n");
    }
    text.push_str("</section>\n");
    text
}

fn badge(level: Level) -> String {
    format!("<span class=\"level {level}\">{level}</span>")
}

/// What a figure's reader should know: nothing when it can be trusted.
fn warning(outcome: &Outcome, figure: &Figure) -> String {
    let verdict = outcome.verdicts.iter().find(|verdict| verdict.claim == figure.claim);
    verdict.filter(|verdict| verdict.level != Level::Valid).map_or_else(String::new, |verdict| badge(verdict.level))
}

fn figures(outcome: &Outcome) -> Vec<Figure> {
    let scalar = |name: &str| outcome.scalars.get(name).copied();
    let primary = outcome.latencies.get(&outcome.primary);
    let at = |share: f64| primary.and_then(|latency| latency.percentile(share));
    let figure = |name: &str, claim, value, show| Figure { name: name.to_owned(), claim, value, show };
    let subject = named::subject(outcome);
    let percentile =
        |share: f64| figure(&format!("{share}th percentile of the {subject}"), "latency", at(share), duration);
    vec![
        figure(named::arrivals(outcome), "throughput", scalar("throughput").filter(|rate| *rate > 0.0), rate),
        figure("of the rate asked for", "throughput", scalar("rate"), share),
        figure(&format!("median {subject}"), "latency", at(50.0), duration),
        percentile(99.0),
        percentile(99.9),
        figure("delivered", "delivery", scalar("reach"), share),
        figure("lost", "delivery", scalar("reach").and(scalar("lost")), |value| whole(value as u64)),
        figure("of the server's CPU per message", "CPU per message", scalar("cpu_us_per_msg"), |value| {
            duration(1e-6 * value)
        }),
        figure(
            "of the server's memory per connection",
            "memory",
            scalar("bytes_per_connection").filter(|_| named::are_many(outcome)),
            bytes,
        ),
        figure("until 99 % were back", "connections", scalar("recovered_in"), duration),
        figure("connections", "connections", scalar("connections"), |value| whole(value as u64)),
        figure("errors", "", scalar("errors").filter(|errors| *errors > 0.0), count),
    ]
}

/// Cards for one result; a table with ratios to the first for several.
pub(super) fn key_figures(outcomes: &[&Outcome]) -> String {
    match outcomes {
        [] => String::new(),
        [one] => cards(one),
        several => side_by_side(several),
    }
}

fn cards(outcome: &Outcome) -> String {
    let mut text = "<section class=\"cards\" aria-label=\"Key figures\">\n".to_owned();
    let mut figures = figures(outcome);
    if outcome.scenario == "idle" {
        // It is about what a connection costs.
        figures.sort_by_key(|figure| !matches!(figure.claim, "memory" | "connections"));
    }
    for figure in figures {
        if let Some(value) = figure.value {
            let (value, warning) = (escape(&(figure.show)(value)), warning(outcome, &figure));
            let _ = writeln!(text, "<div class=\"card\"><b>{value}</b><span>{}</span>{warning}</div>", figure.name);
        }
    }
    text + "</section>\n"
}

fn side_by_side(outcomes: &[&Outcome]) -> String {
    let mut text = "<section class=\"scroll panel\"><table><caption>Side by side; ratios are to the first</caption><thead><tr><td></td>"
        .to_owned();
    outcomes.iter().for_each(|outcome| {
        let _ = write!(text, "<th class=\"n\" scope=\"col\">{}</th>", escape(&outcome.label));
    });
    text.push_str("</tr></thead><tbody>\n");
    let columns: Vec<Vec<Figure>> = outcomes.iter().map(|outcome| figures(outcome)).collect();
    for (row, first) in columns[0].iter().enumerate() {
        let cells = || columns.iter().map(|column| &column[row]);
        if cells().all(|figure| figure.value.is_none()) {
            continue;
        }
        // Of several scenarios, the names of all.
        let mut names: Vec<&str> = cells().map(|figure| figure.name.as_str()).collect();
        names.dedup();
        let _ = write!(text, "<tr><th scope=\"row\">{}</th>", escape(&names.join(" / ")));
        for (place, (figure, outcome)) in cells().zip(outcomes).enumerate() {
            let base = first.value.filter(|base| place > 0 && *base != 0.0 && figure.name == first.name);
            text.push_str(&cell(outcome, figure, base));
        }
        text.push_str("</tr>\n");
    }
    text + "</tbody></table></section>\n"
}

/// A value, its ratio to that of the first result, and a warning.
fn cell(outcome: &Outcome, figure: &Figure, base: Option<f64>) -> String {
    let Some(value) = figure.value else { return "<td class=\"n\">–</td>".to_owned() };
    let ratio = base.map_or_else(String::new, |base| format!(" <small>{:.2} ×</small>", value / base));
    let warning = warning(outcome, figure);
    format!("<td class=\"n\">{}{ratio}{warning}</td>", escape(&(figure.show)(value)))
}

#[cfg(test)]
mod tests {
    use super::{key_figures, subtitle, verdicts};
    use crate::outcome::Level;
    use crate::report::example::example;

    #[test]
    fn figures_carry_the_verdict_of_their_claim() {
        let mut outcome = example("a", 11);
        let cards = key_figures(&[&outcome]);
        let card = |name: &str| {
            cards.lines().find(|line| line.contains(&format!("<span>{name}</span>"))).expect("a card").to_owned()
        };
        assert!(
            card("99th percentile of the delivery").contains("SUSPECT") && !card("deliveries").contains("SUSPECT"),
            "{cards}"
        );
        assert!(
            card("deliveries").contains("<b>10.0 k/s</b>") && card("delivered").contains("<b>100 %</b>"),
            "{cards}"
        );
        outcome.verdicts[0].level = Level::Invalid;
        assert!(verdicts(&[&outcome]).contains("<div class=\"verdict INVALID\">"));
    }

    #[test]
    fn ratios_are_to_the_first_result() {
        let (first, mut second) = (example("a", 12), example("b", 12));
        second.scalars.insert("throughput".to_owned(), first.scalars["throughput"] * 1.5);
        second.scalars.remove("cpu_us_per_msg");
        let table = key_figures(&[&first, &second]);
        let row = |name: &str| table.lines().find(|line| line.contains(name)).expect("a row").to_owned();
        assert!(row(">deliveries<").contains("<small>1.50 ×</small>"), "{table}");
        assert!(row("CPU per message").contains("<td class=\"n\">–</td>"), "{table}");
        assert!(!row(">lost<").contains("×"), "nothing is a multiple of nothing");
    }

    #[test]
    fn figures_are_named_for_what_the_verb_is_about() {
        for (scenario, primary, names) in [
            ("echo", "response", ["echoes", "median response"]),
            ("fanout", "delivery", ["deliveries", "median delivery"]),
            ("storm", "open", ["connections opened", "99th percentile of the time to open"]),
            ("reconnect", "recovery", ["deliveries", "median recovery"]),
        ] {
            let mut outcome = example("a", 14);
            let latency = outcome.latencies["delivery"].clone();
            outcome.latencies.insert(primary.to_owned(), latency);
            (outcome.scenario, outcome.primary) = (scenario.to_owned(), primary.to_owned());
            let cards = key_figures(&[&outcome]);
            for name in names {
                assert!(cards.contains(&format!("<span>{name}</span>")), "{scenario}: {cards}");
            }
        }
    }

    #[test]
    fn what_a_connection_costs_is_told_of_a_hundred_where_the_run_is_about_that() {
        for (scenario, connections, is_told) in
            [("idle", 99.0, false), ("idle", 100.0, true), ("echo", 999.0, false), ("echo", 1000.0, true)]
        {
            let mut outcome = example("a", 15);
            outcome.scenario = scenario.to_owned();
            outcome.scalars.insert("connections".to_owned(), connections);
            let cards = key_figures(&[&outcome]);
            assert_eq!(cards.contains("memory per connection"), is_told, "{scenario} {connections}: {cards}");
            let text = crate::report::summary(&outcome, false);
            assert_eq!(
                text.contains("of memory, 2.40 KiB per connection"),
                is_told,
                "{scenario} {connections}: {text}"
            );
        }
    }

    #[test]
    fn the_subtitle_says_when_and_whether_it_was_interrupted() {
        let mut outcome = example("a", 13);
        outcome.interrupted = true;
        assert!(
            subtitle(&outcome).ends_with("8.00 s from <time>2026-11-23 13:31 UTC</time>, interrupted</p>\n"),
            "{}",
            subtitle(&outcome)
        );
    }
}
