//! `find`: the highest rate, or the most connections, that keeps to an objective.

use super::output::{Files, Voice};
use super::{Failure, interrupt};
use crate::cli::{FindArgs, RunArgs, prepare, read};
use crate::grammar::{self, Threshold};
use crate::outcome::{Level, Outcome};
use crate::report::numbers::count;
use crate::scenario::Kind;
use crate::session::{self, judge_threshold};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most runs of one search.
const RUNS: u32 = 40;
/// So many further runs at the value that was found must hold, too.
const CONFIRMATIONS: u32 = 2;

/// What is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knob {
    Rate,
    Connections,
}

/// Doubles until the objective is missed, halves the distance until it is small, and confirms.
pub(super) fn find(args: &FindArgs, voice: &mut Voice) -> Result<u8, Failure> {
    let kind = match args.scenario_name.as_str() {
        "echo" => Kind::Echo,
        "fanout" => Kind::Fanout,
        "storm" => Kind::Storm,
        _ => Kind::Idle,
    };
    let slo = read::option("--slo", grammar::thresholds(&args.slo)).map_err(Failure::Usage)?;
    let (knob, least, most) = range(&args.max).map_err(Failure::Usage)?;
    if args.run.closed {
        return Err(Failure::Usage("find raises a rate or connections; --closed has no rate".to_owned()));
    }
    let files = Files::open(&args.run.output).map_err(Failure::Run)?;
    let mut search = Search { kind, args, knob, slo, interrupt: interrupt(), best: None, runs: 0, voice };
    let found = search.search(least, most)?;
    match (found, search.best) {
        (Some(value), Some(outcome)) => {
            let written = files.write(&outcome);
            voice.say(&format!("found: {} {} keep to {}\n", count(value), knob.unit(), args.slo));
            written.map_err(Failure::Run)?;
            Ok(0)
        }
        _ => Err(Failure::Run(format!("even {} {} do not keep to {}", count(least), knob.unit(), args.slo))),
    }
}

impl Knob {
    fn unit(self) -> &'static str {
        match self {
            Knob::Rate => "messages/s",
            Knob::Connections => "connections",
        }
    }
}

struct Search<'a> {
    kind: Kind,
    args: &'a FindArgs,
    knob: Knob,
    slo: Vec<Threshold>,
    interrupt: Arc<AtomicBool>,
    best: Option<Outcome>,
    runs: u32,
    voice: &'a mut Voice,
}

impl Search<'_> {
    fn search(&mut self, least: f64, most: f64) -> Result<Option<f64>, Failure> {
        let (mut good, mut bad) = (None, None);
        let mut value = least;
        while bad.is_none() && good != Some(most) && self.may_go_on() {
            if self.holds(value)? {
                good = Some(value);
                value = (value * 2.0).min(most);
            } else {
                bad = Some(value);
            }
        }
        while let (Some(low), Some(high)) = (good, bad)
            && high / low > 1.0 + self.args.precision / 100.0
            && self.may_go_on()
        {
            let middle = (low * high).sqrt().round().max(low + 1.0);
            if middle >= high {
                break;
            }
            if self.holds(middle)? { good = Some(middle) } else { bad = Some(middle) }
        }
        self.confirm(good, least)
    }

    /// What was found must hold again; what does not is lowered until it does.
    fn confirm(&mut self, found: Option<f64>, least: f64) -> Result<Option<f64>, Failure> {
        let Some(mut value) = found else { return Ok(None) };
        let mut left = CONFIRMATIONS;
        while left > 0 && self.may_go_on() {
            if self.holds(value)? {
                left -= 1;
            } else {
                left = CONFIRMATIONS;
                value = (value * (1.0 - self.args.precision / 100.0)).floor();
                if value < least {
                    return Ok(None);
                }
            }
        }
        Ok((left == 0).then_some(value))
    }

    fn may_go_on(&self) -> bool {
        self.runs < RUNS && !self.interrupt.load(Ordering::Relaxed)
    }

    fn holds(&mut self, value: f64) -> Result<bool, Failure> {
        self.runs += 1;
        let mut args: RunArgs = self.args.run.clone();
        match self.knob {
            Knob::Rate => args.rate = Some(value.to_string()),
            Knob::Connections => args.connections = format!("{value:.0}"),
        }
        let prepared = prepare(self.kind, &args).map_err(Failure::Usage)?;
        let outcome = session::run(&prepared, &args, &self.interrupt).map_err(Failure::Run)?;
        if !outcome.unopened.is_empty() {
            let reasons = outcome.verdicts.first().map(|verdict| verdict.reasons.join("; ")).unwrap_or_default();
            let errors: Vec<&str> = outcome.errors.keys().map(String::as_str).collect();
            return Err(Failure::Run(format!("{reasons}: {}", errors.join("; "))));
        }
        let missed: Vec<String> = self
            .slo
            .iter()
            .map(|threshold| judge_threshold(threshold, &outcome))
            .filter(|result| !result.passed)
            .map(|result| {
                format!(
                    "{} ({})",
                    result.text,
                    result.value.map_or("not measured".to_owned(), |value| format!("{value:.6}"))
                )
            })
            .collect();
        let level = outcome.verdicts.first().map_or(Level::Valid, |verdict| verdict.level);
        let holds = missed.is_empty() && (level != Level::Invalid || args.force);
        let why = match (holds, level) {
            (true, _) => "holds".to_owned(),
            (_, Level::Invalid) => format!("INVALID: {}", outcome.verdicts[0].reasons.join("; ")),
            _ => format!("misses {}", missed.join(", ")),
        };
        self.voice.say(&format!("{:>10} {}: {why}\n", count(value), self.knob.unit()));
        if holds {
            self.best = Some(outcome);
        }
        Ok(holds)
    }
}

fn range(text: &str) -> Result<(Knob, f64, f64), String> {
    let wrong = || format!("--max: `{text}` is not a knob and a range, such as rate:1k..100k or connections:100..19k");
    let (name, range) = text.split_once(':').ok_or_else(wrong)?;
    let knob = match name.trim() {
        "rate" => Knob::Rate,
        "connections" => Knob::Connections,
        _ => return Err(wrong()),
    };
    let (least, most) = range.split_once("..").ok_or_else(wrong)?;
    let least = read::option("--max", grammar::count(least))? as f64;
    let most = read::option("--max", grammar::count(most))? as f64;
    if least >= 1.0 && least <= most { Ok((knob, least, most)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::{Knob, range};

    #[test]
    fn ranges_are_read() {
        assert_eq!(range("rate:1k..100k"), Ok((Knob::Rate, 1000.0, 100_000.0)));
        assert_eq!(range("connections:5..5"), Ok((Knob::Connections, 5.0, 5.0)));
        for wrong in ["rate", "speed:1..2", "rate:5", "rate:9..1", "rate:0..1", "rate:x..2"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
