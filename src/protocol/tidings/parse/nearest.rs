//! Finds the known name that an unknown one was probably meant to be, and words the hint.

/// How similar two names must be (Jaro-Winkler, 1 is equal) for one to be suggested instead of the other.
const ALIKE: f64 = 0.7;

/// How many characters of a client's text are compared and shown.
const SHOWN: usize = 40;

/// The name among `known` that is most similar to `wrong`, if any is similar enough.
pub(super) fn nearest<'k>(wrong: &str, known: &[&'k str]) -> Option<&'k str> {
    // Cut first: comparing takes time by the product of both lengths, and this one is the client's.
    let wrong: String = wrong.chars().take(SHOWN).flat_map(char::to_lowercase).collect();
    let likeness = |name: &str| strsim::jaro_winkler(&wrong, &name.to_lowercase());
    known
        .iter()
        .map(|name| (likeness(name), *name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// `did you mean "x"?` when one of `known` is similar to `wrong`, otherwise all of them.
#[must_use]
pub fn hint(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// A client's text, short enough for a message.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::{hint, nearest, shown};

    #[test]
    fn the_nearest_name_is_found() {
        let members = ["id", "method", "path", "data", "event", "key", "exclude_self"];
        for (wrong, right) in [
            ("dat", "data"),
            ("Data", "data"),
            ("evnt", "event"),
            ("pth", "path"),
            ("excludeSelf", "exclude_self"),
            ("ID", "id"),
            ("metod", "method"),
        ] {
            assert_eq!(nearest(wrong, &members), Some(right), "{wrong}");
        }
        assert_eq!(nearest("PUT", &["GET", "POST", "DELETE"]), Some("POST"));
        assert_eq!(nearest("get", &["GET", "POST", "DELETE"]), Some("GET"));
        assert_eq!(nearest("zzz", &members), None);
        assert_eq!(hint("zzz", &["a", "b"]), "known here: a, b");
    }

    #[test]
    fn long_foreign_names_stay_short_and_cheap() {
        let long = "é".repeat(60_000);
        assert_eq!(nearest(&long, &["data"]), None);
        assert_eq!(shown(&long).chars().count(), 41);
        assert_eq!(shown("short"), "short");
    }
}
