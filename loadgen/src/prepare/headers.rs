//! `--header`: names and values that HTTP allows.

/// What a name consists of besides letters and digits (RFC 9110 section 5.6.2).
const SIGNS: &[u8] = b"!#$%&'*+-.^_`|~";
/// What this program says itself, since it says how a body ends.
const OWN: [&str; 2] = ["content-length", "transfer-encoding"];

/// Reads `Name: value`. An empty value takes the field of that name away.
///
/// # Errors
/// A text for people: what is wrong with it.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| format!("--header: `{text}` is not `Name: value`"))?;
    let (name, value) = (name.trim_start(), value.trim());
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || SIGNS.contains(&byte);
    if name.is_empty() || !name.bytes().all(is_of_name) {
        let shown = name.escape_debug();
        return Err(format!(
            "--header: `{shown}` is no name of a field: it consists of letters, digits and - _ . ! # $ % & ' * + ^ ` | ~"
        ));
    }
    if let Some(control) = value.chars().find(|c| c.is_control() && *c != '\t') {
        return Err(format!("--header: the value of {name} has a control character in it: {control:?}"));
    }
    if OWN.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("--header: {name} says how a body ends, and bodies are written here: leave it out"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::header;

    #[test]
    fn names_and_values_are_checked() {
        assert_eq!(header("Origin: http://a:1"), Ok(("Origin".to_owned(), "http://a:1".to_owned())));
        assert_eq!(header("X-A:"), Ok(("X-A".to_owned(), String::new())));
        assert_eq!(header("X-A:\tä\tb "), Ok(("X-A".to_owned(), "ä\tb".to_owned())));
        for (text, expected) in [
            ("Origin", "is not `Name: value`"),
            (": x", "is no name"),
            ("My Name: x", "`My Name` is no name"),
            ("Name : x", "is no name"),
            ("Näme: x", "is no name"),
            ("A\r\nB: x", "`A\\r\\nB` is no name"),
            ("A: x\r\nB: y", "the value of A has a control character in it: '\\r'"),
            ("A: x\0", "control character"),
            ("content-length: 3", "leave it out"),
            ("Transfer-Encoding: chunked", "leave it out"),
        ] {
            let error = header(text).expect_err(text);
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
