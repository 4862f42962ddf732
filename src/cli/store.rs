//! `tidings store`: looks at a store on disk, whose server may be running or not.

use super::Outcome;
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use tidings::store::{FileReport, Folder, Report, boot_id, check};

/// What `tidings store` does.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read every record of a store, and report damage with file and place; nothing is changed. Exits with 1 if there is some
    Check(CheckArgs),
}

/// Arguments of `tidings store check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The folder of the store
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(command: &StoreCommand) -> Outcome {
    let StoreCommand::Check(args) = command;
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", args.folder.display());
    let folder = Folder::existing(&args.folder).map_err(|error| named(&error))?;
    let report = check(&folder, boot_id().as_deref()).map_err(|error| named(&error))?;
    let text = if args.json { format!("{}\n", as_json(&report)) } else { as_text(&report) };
    io::stdout().write_all(text.as_bytes())?;
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(report: &Report) -> serde_json::Value {
    let file = |file: &FileReport| {
        let damage = |damage: &tidings::store::Damage| json!({ "at": damage.at, "what": damage.what });
        json!({
            "name": file.name,
            "bytes": file.bytes,
            "records": file.records,
            "publications": file.publications,
            "torn_bytes": file.torn_bytes,
            "damage": file.damage.iter().map(damage).collect::<Vec<_>>(),
        })
    };
    json!({
        "whole": report.is_whole(),
        "generation": report.meta.map(|(generation, _)| generation),
        "clean": report.meta.map(|(_, clean)| clean),
        "files": report.files.iter().map(file).collect::<Vec<_>>(),
    })
}

fn as_text(report: &Report) -> String {
    let mut text = String::new();
    if let Some((generation, clean)) = report.meta {
        let end = if clean { "closed in order" } else { "in use, or not closed in order" };
        text.push_str(&format!("generation {generation}, {end}\n"));
    }
    for file in &report.files {
        let FileReport { name, bytes, records, publications, damage, torn_bytes } = file;
        text.push_str(&format!("{name}: {bytes} bytes, {records} records, {publications} publications\n"));
        if *torn_bytes > 0 {
            text.push_str(&format!(
                "{name}: the last {torn_bytes} bytes are of a write that was interrupted, or is in progress; the next start cuts them off\n"
            ));
        }
        damage.iter().for_each(|damage| text.push_str(&format!("damage: {damage}\n")));
    }
    let count = report.files.iter().map(|file| file.damage.len()).sum::<usize>();
    let verdict = match count {
        0 => "the store is whole".to_owned(),
        1 => "damaged in 1 place".to_owned(),
        count => format!("damaged in {count} places"),
    };
    text + &verdict + "\n"
}

#[cfg(test)]
mod tests {
    use super::{CheckArgs, StoreCommand, as_json, as_text, run};
    use std::fs;
    use std::process::ExitCode;
    use std::sync::Arc;
    use tidings::store::{Folder, Options, Record, Store, check};

    #[test]
    fn a_store_is_whole_until_a_byte_of_it_is_changed() {
        let folder = std::env::temp_dir().join(format!("tidings-store-check-{}", std::process::id()));
        let files = Arc::new(Folder::create(&folder).expect("a folder"));
        let (mut store, _) = Store::open(files.clone(), Options::default(), 0, &mut |_, _| {}).expect("a store");
        let channel = store.add_channel("news", "epoch", 0).expect("a channel");
        let record = |offset| Record::Publication { channel, offset, at: 0, body: b"hello", key: None };
        store.append(&[record(1), record(2)], 0).expect("appended");
        store.close(0).expect("closed");
        let outcome =
            || run(&StoreCommand::Check(CheckArgs { folder: folder.clone(), json: false })).expect("a report");
        assert_eq!(outcome(), ExitCode::SUCCESS);
        let report = check(files.as_ref(), None).expect("a report");
        assert!(as_text(&report).ends_with("the store is whole\n"), "{}", as_text(&report));
        assert_eq!(as_json(&report)["files"][0]["publications"], 2);
        let log = folder.join("log-000000000001");
        let mut bytes = fs::read(&log).expect("the log");
        bytes[200] ^= 1;
        fs::write(&log, bytes).expect("changed");
        assert_eq!(outcome(), ExitCode::FAILURE);
        let report = check(files.as_ref(), None).expect("a report");
        assert!(as_text(&report).contains("damage: log-000000000001, byte "), "{}", as_text(&report));
        assert_eq!(as_json(&report)["whole"], false);
        fs::remove_dir_all(&folder).expect("removed");
        let nothing = run(&StoreCommand::Check(CheckArgs { folder, json: false }));
        assert!(nothing.is_err());
    }
}
