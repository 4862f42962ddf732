//! What a server says about its refusal, in one line for people.

/// What of it is shown, in characters.
const SHOWN: usize = 300;

/// A title, and after it what a body says, in one line: of an error in JSON its code and message.
#[must_use]
pub fn worded(title: &str, body: &[u8]) -> String {
    let text = of_json(body).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    let cut: String = line.chars().take(SHOWN).collect();
    let dots = if cut.len() < line.len() { " …" } else { "" };
    if cut.is_empty() { title.to_owned() } else { format!("{title}: {}{dots}", cut.trim_end()) }
}

/// `{"error":{"code","message"}}`, the same without the outer object, or `{"error":"message"}`.
fn of_json(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let error = value.get("error").unwrap_or(&value);
    let text = |name: &str| error.get(name)?.as_str();
    match (text("code"), text("message")) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (None, Some(message)) => Some(message.to_owned()),
        _ => error.as_str().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::worded;

    #[test]
    fn the_reason_is_shown_in_one_line_and_not_more_than_that() {
        let told = |body: &str| worded("the server answered 403", body.as_bytes());
        assert_eq!(told(""), "the server answered 403");
        assert_eq!(
            told(r#"{"error":{"code":"forbidden_origin","message":"use --allow-origin"}}"#),
            "the server answered 403: forbidden_origin: use --allow-origin"
        );
        assert_eq!(told("<h1>No</h1>\r\n\x1b[2J  way\n"), "the server answered 403: <h1>No</h1> [2J way");
        assert_eq!(told(r#"{"message":"no"}"#), "the server answered 403: no");
        assert_eq!(told(r#"{"error":"none"}"#), "the server answered 403: none");
        assert!(told(&"word ".repeat(200)).ends_with("word …") && told(&"ä".repeat(500)).chars().count() < 340);
    }
}
