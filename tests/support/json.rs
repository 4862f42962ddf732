//! JSON as text: the exact bytes of members and items, which a parser would not keep.

/// The members of an object, as unquoted names (without escapes) and the exact text of their values.
pub(crate) fn members(object: &str) -> Vec<(&str, &str)> {
    let inner = object.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let mut rest = inner.unwrap_or_else(|| panic!("no object: {object}")).trim_start();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (name, behind) = rest.split_at(value_end(rest));
        let behind = behind.trim_start().strip_prefix(':').expect("a colon").trim_start();
        let (value, behind) = behind.split_at(value_end(behind));
        found.push((name.trim_matches('"'), value));
        rest = behind.trim_start().trim_start_matches(',').trim_start();
    }
    found
}

/// The value of a member.
pub(crate) fn member<'t>(object: &'t str, name: &str) -> Option<&'t str> {
    members(object).into_iter().find(|(own, _)| *own == name).map(|(_, value)| value)
}

/// The exact text of each item of an array.
pub(crate) fn items(array: &str) -> Vec<&str> {
    let inner = array.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let mut rest = inner.unwrap_or_else(|| panic!("no array: {array}")).trim_start();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (item, behind) = rest.split_at(value_end(rest));
        found.push(item);
        rest = behind.trim_start().trim_start_matches(',').trim_start();
    }
    found
}

/// Where the value at the start of `text` ends.
fn value_end(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            (quoted, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            if !quoted && depth == 0 {
                return at + 1;
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn the_exact_text_of_values_is_found() {
    let text = r#"{"a":1.10,"b":{"x":["}",1]},"c":"q\"}","d":[1, {"e":2} ,"]"]}"#;
    assert_eq!(
        members(text),
        [("a", "1.10"), ("b", r#"{"x":["}",1]}"#), ("c", r#""q\"}""#), ("d", r#"[1, {"e":2} ,"]"]"#)]
    );
    assert_eq!(items(member(text, "d").expect("it is there")), ["1", r#"{"e":2}"#, r#""]""#]);
    assert!(items("[]").is_empty() && members("{}").is_empty());
}
