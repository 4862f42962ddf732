//! What else differs between two results than what is compared: what was requested, where, and how far it can be trusted.

use crate::outcome::{Environment, Level, Outcome};

/// Each difference in words.
pub(super) fn differences(before: &Outcome, after: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    if before.scenario != after.scenario {
        notes.push(format!("the scenarios differ: {} in A, {} in B", before.scenario, after.scenario));
    }
    if before.adapter != after.adapter {
        notes.push(format!("the adapters differ: {} in A, {} in B", before.adapter, after.adapter));
    }
    notes.extend(plans(before, after));
    notes.extend(machines(&before.environment, &after.environment));
    for (name, outcome) in [("A", before), ("B", after)] {
        let doubtful = outcome.verdicts.iter().filter(|verdict| verdict.level != Level::Valid);
        notes.extend(doubtful.map(|verdict| {
            format!("{name} is {} in {}: {}", verdict.level, verdict.claim, verdict.reasons.join("; "))
        }));
    }
    notes
}

/// What was requested, row by row.
fn plans(before: &Outcome, after: &Outcome) -> Vec<String> {
    let value = |outcome: &Outcome, name: &str| {
        outcome.plan.iter().find(|(known, _)| known == name).map_or("nothing", |(_, value)| value.as_str()).to_owned()
    };
    let mut names: Vec<&str> = before.plan.iter().map(|(name, _)| name.as_str()).collect();
    for (name, _) in &after.plan {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let rows = names.into_iter().map(|name| (name, value(before, name), value(after, name)));
    rows.filter(|(_, a, b)| a != b)
        .map(|(name, a, b)| format!("the plans differ in {name}: {a} in A, {b} in B"))
        .collect()
}

/// What a figure depends on besides the plan.
fn machines(before: &Environment, after: &Environment) -> Vec<String> {
    let rows = |machine: &Environment| {
        [
            ("host", machine.host.clone()),
            ("kernel", machine.kernel.clone()),
            ("CPU", format!("{} x {}", machine.cpus, machine.cpu)),
            ("governor", machine.governor.clone().unwrap_or_default()),
            ("CPUs of the generator", format!("{:?}", machine.pinned_self)),
            ("CPUs of the server", format!("{:?}", machine.pinned_server)),
            ("polling", machine.busy_poll.to_string()),
        ]
    };
    let both = rows(before).into_iter().zip(rows(after));
    both.filter(|(a, b)| a != b)
        .map(|((name, a), (_, b))| format!("the machines differ in {name}: {a} in A, {b} in B"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::differences;
    use crate::outcome::Level;
    use crate::report::example;

    #[test]
    fn the_same_plan_on_the_same_machine_is_no_difference() {
        let (mut a, mut b) = (example("a", 1), example("b", 2));
        for outcome in [&mut a, &mut b] {
            outcome.verdicts.iter_mut().for_each(|verdict| verdict.level = Level::Valid);
        }
        assert_eq!(differences(&a, &b), Vec::<String>::new());
    }

    #[test]
    fn whatever_differs_is_told() {
        let (a, mut b) = (example("a", 1), example("b", 1));
        b.plan[0].1 = "4 connections".to_owned();
        b.plan.push(("sizes".to_owned(), "16 KiB".to_owned()));
        b.environment.pinned_server = vec![1];
        b.scenario = "echo".to_owned();
        b.verdicts[0].level = Level::Invalid;
        let notes = differences(&a, &b).join("\n");
        for expected in [
            "the scenarios differ: fanout in A, echo in B",
            "the plans differ in fanout: 100 connections in A, 4 connections in B",
            "the plans differ in sizes: nothing in A, 16 KiB in B",
            "the machines differ in CPUs of the server: [] in A, [1] in B",
            "B is INVALID in latency: ",
        ] {
            assert!(notes.contains(expected), "{expected}: {notes}");
        }
        assert!(!notes.contains("differ in seed"), "{notes}");
    }
}
