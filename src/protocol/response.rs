//! What is answered over HTTP.

use super::tidings::reply::body_refused;

/// The JSON body of a refusal, `{"error":{"code":"…","message":"…"}}` and a line end.
#[must_use]
pub fn refusal_body(code: &str, message: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body_refused(&mut body, code, message);
    body.push(b'\n');
    body
}

#[cfg(test)]
mod tests {
    use super::refusal_body;

    #[test]
    fn a_refusal_is_json_whatever_it_says() {
        assert_eq!(refusal_body("a", "b"), b"{\"error\":{\"code\":\"a\",\"message\":\"b\"}}\n");
        let body = refusal_body("x", "\"quoted\"\n\\ \u{1} é");
        let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(value["error"]["message"], "\"quoted\"\n\\ \u{1} é");
    }
}
