//! Configurations on pages: each is one that `tidings config check` accepts.

use super::{Folder, pages};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tidings::config::knobs;

/// Folders of files that configurations name.
const FOLDERS: &[&str] = &["/run/secrets/", "/etc/tidings/"];

/// What stands in a file of this name: a certificate, its key, the key of tickets, the secret of a backend's key, or one that is shared with an app.
fn contents(name: &str, certificate: &rcgen::CertifiedKey<rcgen::KeyPair>) -> String {
    match name {
        "fullchain.pem" => return certificate.cert.pem(),
        "privkey.pem" => return certificate.signing_key.serialize_pem(),
        "tickets" => return "0f".repeat(32),
        _ => {}
    }
    let prefix = if name.contains("backend") { "td_" } else { "" };
    format!("{prefix}{}\n", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFA")
}

/// The same text with its files in this folder, where they are written.
fn with_files(text: &str, folder: &Path) -> String {
    let certificate = rcgen::generate_simple_self_signed(["push.example.com".to_owned()]).expect("a certificate");
    let mut text = text.to_owned();
    for place in FOLDERS {
        for part in text.clone().split(place).skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            fs::write(folder.join(name), contents(name, &certificate)).expect("a writable folder");
        }
        text = text.replace(place, &format!("{}/", folder.display()));
    }
    text
}

/// `tidings config check` with variables of the environment, and no others of ours.
fn check(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDINGS_")) {
        command.env_remove(name);
    }
    command.args(["config", "check"]).args(arguments).envs(variables.iter().copied());
    command.output().expect("the binary runs")
}

/// The flags and variables that a text shows with a value, each of one setting.
fn shown(code: &str) -> Option<(&str, &str)> {
    let pair = if code.starts_with("TIDINGS_") { code.split_once('=') } else { code.split_once(' ') };
    let is_placeholder = |value: &str| value.chars().all(|c| c.is_ascii_uppercase() || c == '…');
    pair.filter(|(name, value)| !is_placeholder(value) && !name.contains('…'))
}

/// A size that was too large for another setting stood in the help: a server that was started so did not start.
#[test]
fn every_setting_that_is_shown_as_a_flag_or_a_variable_is_accepted() {
    let settings = knobs();
    let (mut texts, mut flags, mut variables) = (Vec::new(), 0, 0);
    texts.extend(
        pages().into_iter().flat_map(|page| page.code().into_iter().map(move |code| (page.path.clone(), code))),
    );
    let help = Command::new(env!("CARGO_BIN_EXE_tidings")).arg("--help").output().expect("the binary runs");
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    // Where the help names a flag or a variable in a sentence, a full stop or a semicolon ends it.
    let words: Vec<&str> = help.split_whitespace().map(|word| word.trim_end_matches([';', '.', ','])).collect();
    texts.extend(
        words.windows(2).filter(|pair| pair[0].starts_with("--")).map(|pair| ("--help".to_owned(), pair.join(" "))),
    );
    texts.extend(words.iter().map(|word| ("--help".to_owned(), (*word).to_owned())));
    for (place, code) in &texts {
        let code = code.strip_prefix("tidings ").unwrap_or(code);
        let Some((name, value)) = shown(code) else { continue };
        let output = if let Some(path) = name.strip_prefix("--")
            && settings.iter().any(|knob| knob.path == path)
        {
            flags += 1;
            check(&[name, value], &[])
        } else if settings.iter().any(|knob| knob.variable == name && !knob.is_secret) {
            variables += 1;
            check(&[], &[(name, value)])
        } else {
            continue;
        };
        assert!(output.status.success(), "{place}: {code}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(flags > 3 && variables > 3, "{flags} flags, {variables} variables");
}

#[test]
fn every_configuration_on_a_page_is_accepted() {
    let folder = Folder::new("configurations");
    let mut checked = 0;
    for page in pages() {
        for block in page.blocks().into_iter().filter(|block| block.language == "toml") {
            let file = folder.0.join("tidings.toml");
            fs::write(&file, with_files(&block.text, &folder.0)).expect("a writable folder");
            let output = check(&["--config", file.to_str().expect("UTF-8")], &[]);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {errors}\n{}", page.path, block.text);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} configurations");
}
