//! `find`: the highest rate, or the largest number of connections, that meets an objective.

use super::ending::{Failure, INTERRUPTED, interrupt};
use super::output::{Files, Voice};
use super::search::{Answer, Found, Limit, Range, search};
use crate::cli::{FindArgs, RunArgs};
use crate::grammar::{self, Threshold};
use crate::numbers::whole;
use crate::outcome::{Level, Outcome};
use crate::prepare::{option, prepare};
use crate::report::measured;
use crate::scenario::Kind;
use crate::session::{self, judge_threshold};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knob {
    Rate,
    Connections,
}

/// Searches, and says what was found and what was the limit.
pub(super) fn find(args: &FindArgs, voice: &mut Voice) -> Result<u8, Failure> {
    let kind = match args.scenario_name.as_str() {
        "echo" => Kind::Echo,
        "fanout" => Kind::Fanout,
        "storm" => Kind::Storm,
        _ => Kind::Idle,
    };
    let slo = option("--slo", grammar::thresholds(&args.slo)).map_err(Failure::Usage)?;
    let (knob, min, max) = range(&args.max).map_err(Failure::Usage)?;
    check(kind, knob, &args.run).map_err(Failure::Usage)?;
    let files = Files::open(&args.run.output).map_err(Failure::Run)?;
    let mut trial = Trial { kind, run: &args.run, knob, slo, interrupt: interrupt(), held: Vec::new(), voice };
    let found = search(Range { min, max, precision: args.precision }, |value| trial.at(value))?;
    let Trial { mut held, voice, .. } = trial;
    let Some((value, _)) = found.best else { return Err(Failure::Run(nothing(&found, knob, args, min))) };
    let at = held.iter().rposition(|(known, _)| *known == value);
    let written = at.map_or(Ok(()), |at| files.write(&held.swap_remove(at).1));
    voice.say(&format!("found: {} {} meet {}{}\n", shown(value), knob.unit(), args.slo, limit(&found, knob, max)));
    written.map_err(Failure::Run)?;
    Ok(if found.limit == Limit::Stopped { INTERRUPTED } else { 0 })
}

/// What is raised must change something.
fn check(kind: Kind, knob: Knob, run: &RunArgs) -> Result<(), String> {
    match knob {
        Knob::Rate if run.closed => Err("find raises a rate or connections; --closed has no rate".to_owned()),
        Knob::Rate if matches!(kind, Kind::Storm | Kind::Idle) => {
            let name = kind.name();
            Err(format!("--max: {name} has no rate of messages to raise: use --max connections:100..10k"))
        }
        Knob::Connections if run.ramp.is_some() => {
            Err("--max: --ramp says how many connections there are: use --connect-rate instead".to_owned())
        }
        _ => Ok(()),
    }
}

fn shown(value: f64) -> String {
    if value.fract() == 0.0 { whole(value as u64) } else { value.to_string() }
}

fn nothing(found: &Found, knob: Knob, args: &FindArgs, min: f64) -> String {
    let even = format!("even {} {} do not meet {}", shown(min), knob.unit(), args.slo);
    match &found.limit {
        Limit::Missed(_, why) => format!("{even}: {why}"),
        _ => "it was stopped before a value was found".to_owned(),
    }
}

/// What the limit was, and whether the value held often enough.
fn limit(found: &Found, knob: Knob, max: f64) -> String {
    let times = found.best.map_or(0, |(_, times)| times);
    let unsure = if found.is_confirmed() { String::new() } else { format!(" ({times} times, which is not confirmed)") };
    let limit = match &found.limit {
        Limit::Missed(value, why) => format!("the limit: {} {} {why}", shown(*value), knob.unit()),
        Limit::Range => format!("the limit is that of --max, {}: the server may be capable of more", shown(max)),
        Limit::Runs => "the maximum number of runs was used: the server may be capable of more".to_owned(),
        Limit::Stopped => "it was stopped: the server may be capable of more".to_owned(),
    };
    format!("{unsure}; {limit}")
}

impl Knob {
    fn unit(self) -> &'static str {
        match self {
            Knob::Rate => "messages/s",
            Knob::Connections => "connections",
        }
    }
}

/// Runs at one value after another.
struct Trial<'a> {
    kind: Kind,
    run: &'a RunArgs,
    knob: Knob,
    slo: Vec<Threshold>,
    interrupt: Arc<AtomicBool>,
    /// The results of the values that held.
    held: Vec<(f64, Outcome)>,
    voice: &'a mut Voice,
}

impl Trial<'_> {
    fn at(&mut self, value: f64) -> Result<Answer, Failure> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Ok(Answer::Stopped);
        }
        let mut args: RunArgs = self.run.clone();
        match self.knob {
            Knob::Rate => args.rate = Some(value.to_string()),
            Knob::Connections => args.connections = format!("{value:.0}"),
        }
        let prepared = prepare(self.kind, &args).map_err(Failure::Usage)?;
        let outcome = session::run(&prepared, &args, &self.interrupt).map_err(Failure::Run)?;
        if self.interrupt.load(Ordering::Relaxed) {
            return Ok(Answer::Stopped);
        }
        if !outcome.unopened.is_empty() {
            return Err(Failure::Run(unopened(&outcome)));
        }
        let why = self.missed(&outcome);
        let told = why.as_deref().unwrap_or("holds");
        self.voice.say(&format!("{:>10} {}: {told}\n", shown(value), self.knob.unit()));
        if why.is_none() {
            self.held.push((value, outcome));
        }
        Ok(why.map_or(Answer::Holds, Answer::Misses))
    }

    /// Why a result does not meet the objective, if it does not.
    fn missed(&self, outcome: &Outcome) -> Option<String> {
        let first = outcome.verdicts.first();
        if let Some(verdict) = first.filter(|verdict| verdict.level == Level::Invalid && !self.run.force) {
            return Some(format!("INVALID: {}", verdict.reasons.join("; ")));
        }
        let results = self.slo.iter().map(|threshold| judge_threshold(threshold, outcome));
        let missed: Vec<String> = results
            .filter(|result| !result.passed)
            .map(|result| format!("{} ({})", result.text, measured(&result)))
            .collect();
        (!missed.is_empty()).then(|| format!("misses {}", missed.join(", ")))
    }
}

fn unopened(outcome: &Outcome) -> String {
    let reasons = outcome.verdicts.first().map(|verdict| verdict.reasons.join("; ")).unwrap_or_default();
    let errors: Vec<&str> = outcome.errors.keys().map(String::as_str).collect();
    format!("{reasons}: {}", errors.join("; "))
}

fn range(text: &str) -> Result<(Knob, f64, f64), String> {
    let wrong = || format!("--max: `{text}` is not a knob and a range, such as rate:1k..100k or connections:100..19k");
    let (name, range) = text.split_once(':').ok_or_else(wrong)?;
    let knob = match name.trim() {
        "rate" => Knob::Rate,
        "connections" => Knob::Connections,
        _ => return Err(wrong()),
    };
    let (min, max) = range.split_once("..").ok_or_else(wrong)?;
    let min = option("--max", grammar::count(min))? as f64;
    let max = option("--max", grammar::count(max))? as f64;
    if min >= 1.0 && min <= max { Ok((knob, min, max)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::{Found, Knob, Limit, limit, range};

    #[test]
    fn ranges_are_read() {
        assert_eq!(range("rate:1k..100k"), Ok((Knob::Rate, 1000.0, 100_000.0)));
        assert_eq!(range("connections:5..5"), Ok((Knob::Connections, 5.0, 5.0)));
        for wrong in ["rate", "speed:1..2", "rate:5", "rate:9..1", "rate:0..1", "rate:x..2"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_limit_is_told_in_words() {
        let told = |times, kind| limit(&Found { best: Some((1900.0, times)), limit: kind }, Knob::Rate, 1e5);
        let missed = Limit::Missed(1950.0, "misses p99<50ms (61.2 ms)".to_owned());
        assert_eq!(told(3, missed), "; the limit: 1,950 messages/s misses p99<50ms (61.2 ms)");
        assert_eq!(told(3, Limit::Range), "; the limit is that of --max, 100,000: the server may be capable of more");
        assert_eq!(
            told(1, Limit::Stopped),
            " (1 times, which is not confirmed); it was stopped: the server may be capable of more"
        );
    }
}
