//! Names of settings and of their variables, and suggestions for misspelt ones.

use super::knobs::Config;
use toml::de::DeTable;

/// The prefix of all variables.
pub(super) const PREFIX: &str = "TIDINGS_";

/// The variable that client commands sign in with: no setting of a server.
pub(super) const CLIENT_TOKEN: &str = "TIDINGS_TOKEN";

/// Variables with a name of their own, and what they set.
const ALIASES: [(&str, (&str, &str)); 2] = [
    ("TIDINGS_OPERATOR_KEY", ("server", "operator_key")),
    // The file is a setting itself, so `*_FILE` beside the secret means the same.
    ("TIDINGS_OPERATOR_KEY_FILE", ("server", "operator_key_file")),
];

/// Section and key of every setting.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    Config::KEYS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key)))
}

/// The variable of a setting: `TIDINGS_HTTP_HEAD_BYTES` for `http.head_bytes`.
pub(super) fn variable(section: &str, key: &str) -> String {
    format!("{PREFIX}{section}_{key}").to_ascii_uppercase()
}

/// The setting of a variable.
pub(super) fn of_variable(name: &str) -> Option<(&'static str, &'static str)> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, setting)| *setting);
    alias.or_else(|| all().find(|(section, key)| variable(section, key) == name))
}

/// The section as whose variable a name begins, and the rest of it as a key.
pub(super) fn section_of_variable(name: &str) -> Option<(&'static str, String)> {
    let rest = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
    // With the `_`, which distinguishes a variable of `web` from one of `websocket`.
    let key_in = |section: &str| rest.strip_prefix(section)?.strip_prefix('_').map(str::to_owned);
    Config::KEYS.iter().find_map(|(section, _)| Some((*section, key_in(section)?)))
}

/// Whether Kubernetes sets such a variable in every pod, for a service that is called `tidings` or `tidings-web`.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let numbered = name.split("_PORT_").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let named = name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_");
    named || numbered || (name.ends_with("_PORT") && value.contains("://"))
}

/// A sentence about a variable that sets nothing.
pub(super) fn unknown_variable(name: &str) -> String {
    // Without the prefix that they share, which would make every name near to every other.
    let rest = |full: &str| full.strip_prefix(PREFIX).unwrap_or(full).to_ascii_uppercase();
    let of_path = |path: String| path.split_once('.').map(|(section, key)| variable(section, key));
    let near = match section_of_variable(name) {
        Some((section, key)) => nearest_path(&format!("{section}.{key}")).and_then(of_path),
        None => {
            let key = rest(name).to_ascii_lowercase();
            let same_name = section_of(&key).map(|section| variable(&section, &key));
            let known = all().map(|(section, key)| variable(section, key));
            let known = known.chain(ALIASES.iter().map(|(alias, _)| (*alias).to_owned()));
            let near = || nearest(&rest(name), known.map(|name| rest(&name))).map(|near| format!("{PREFIX}{near}"));
            same_name.or_else(near)
        }
    };
    match near {
        Some(near) => format!("{name}: no setting has this variable: did you mean {near}?"),
        None => format!("{name}: no setting has this variable; Config::describe lists them all"),
    }
}

/// A sentence about an unknown table.
pub(super) fn unknown_section(section: &str, table: &DeTable<'_>) -> String {
    // The keys below a wrong heading show which one was meant better than the letters of the heading do.
    let meant = table.iter().find_map(|(key, _)| section_of(key.get_ref()));
    let nearest = meant.or_else(|| nearest(section, Config::KEYS.iter().map(|(name, _)| (*name).to_owned())));
    let sections: Vec<&str> = Config::KEYS.iter().map(|(name, _)| *name).collect();
    match nearest {
        Some(name) => format!("unknown table \"{section}\": did you mean \"{name}\"?"),
        None => format!("unknown table \"{section}\": there are {}", sections.join(", ")),
    }
}

/// A sentence about an unknown key.
pub(super) fn unknown_key(path: &str) -> String {
    match nearest_path(path) {
        Some(found) => format!("unknown key \"{path}\": did you mean \"{found}\"?"),
        None => format!("unknown key \"{path}\": Config::describe lists them all"),
    }
}

/// The setting that an unknown path was probably meant to be.
fn nearest_path(path: &str) -> Option<String> {
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    // A key that only one section has is what was meant, under whatever heading it stands.
    let same_name = section_of(key).map(|section| format!("{section}.{key}"));
    let of_section = Config::KEYS.iter().find(|(name, _)| *name == section);
    let in_section = of_section.and_then(|(_, keys)| nearest(key, keys.iter().map(|key| (*key).to_owned())));
    same_name
        .or_else(|| in_section.map(|key| format!("{section}.{key}")))
        .or_else(|| nearest(path, all_paths()))
        .or_else(|| nearest_name(key))
}

/// The section of this key, if only one has it.
fn section_of(key: &str) -> Option<String> {
    let mut sections = Config::KEYS.iter().filter(|(_, keys)| keys.contains(&key)).map(|(name, _)| *name);
    let found = sections.next()?;
    sections.next().is_none().then(|| found.to_owned())
}

fn all_paths() -> impl Iterator<Item = String> {
    all().map(|(section, key)| format!("{section}.{key}"))
}

/// The path of the key whose name alone is nearest.
fn nearest_name(key: &str) -> Option<String> {
    let name = nearest(key, all_paths().filter_map(|path| path.split_once('.').map(|(_, name)| name.to_owned())))?;
    all_paths().find(|path| path.ends_with(&format!(".{name}")))
}

/// The candidate that needs the fewest edits, unless that is more than every second letter.
pub(super) fn nearest(wrong: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let distance = |candidate: &String| strsim::damerau_levenshtein(wrong, candidate);
    let best = candidates.min_by_key(distance)?;
    (distance(&best) * 2 <= wrong.chars().count().max(best.len())).then_some(best)
}
