//! Results that runs have written, read again.

use crate::outcome::{OLDEST, Outcome, SCHEMA};
use std::path::Path;

/// Reads a result that a run has written.
pub(super) fn read(path: &Path) -> Result<Outcome, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let outcome: Outcome =
        serde_json::from_str(&text).map_err(|error| format!("{}: no result of a run: {error}", path.display()))?;
    match outcome.schema {
        OLDEST..=SCHEMA => Ok(outcome),
        other => Err(format!("{}: schema {other}, and this program reads {OLDEST} to {SCHEMA}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::outcome::SCHEMA;
    use crate::report::example;

    #[test]
    fn results_of_older_schemas_are_read_and_those_of_newer_ones_are_not() {
        let mut now = example("now", 1);
        now.schema = SCHEMA;
        now.attacks.insert("a request without an end: closed".to_owned(), 3);
        let text = serde_json::to_string(&now).expect("JSON");
        let path = std::env::temp_dir().join(format!("tidings-loadgen-{}-older.json", std::process::id()));
        let written = |schema: u32, attacks: &str| {
            let schema = format!("\"schema\":{schema}");
            let text = text.replace(&format!("\"schema\":{SCHEMA}"), &schema).replace("\"attacks\"", attacks);
            std::fs::write(&path, text).expect("a file");
            read(&path)
        };
        let older = written(2, "\"mischief\"").expect("it is read");
        assert_eq!((older.schema, &older.attacks), (2, &now.attacks));
        assert_eq!(written(SCHEMA, "\"attacks\"").expect("it is read").attacks, now.attacks);
        assert!(written(SCHEMA + 1, "\"attacks\"").expect_err("it is newer").contains("this program reads 1 to 3"));
        std::fs::remove_file(&path).expect("it was there");
    }
}
