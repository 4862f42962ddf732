//! The grammar of channel names, written a second time and as plainly as possible.

/// A name decoded from its place in a path; `None` when it is none.
pub(crate) fn name(encoded: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    let name = String::from_utf8(bytes).ok()?;
    is_name(&name).then_some(name)
}

/// Whether a decoded text is a name.
pub(crate) fn is_name(name: &str) -> bool {
    // Unicode category Cc: C0, DEL and C1.
    let control = |c: char| matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}');
    (1..=255).contains(&name.len())
        && !name.chars().any(|c| control(c) || matches!(c, '\\' | '*' | '?'))
        && !["//", "/./", "/../"].iter().any(|inside| format!("/{name}/").contains(inside))
}

/// What a path on the socket names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Channel(String),
    Subscription(String),
    Livez,
    Limits,
}

/// A path on the socket, or the code of its refusal.
pub(crate) fn path(path: &str) -> Result<Place, &'static str> {
    if path.contains('?') {
        Err("bad_request")
    } else if let Some(encoded) = path.strip_prefix("/channels/") {
        name(encoded).map(Place::Channel).ok_or("bad_channel")
    } else if let Some(encoded) = path.strip_prefix("/subscriptions/") {
        name(encoded).map(Place::Subscription).ok_or("bad_channel")
    } else if path == "/livez" {
        Ok(Place::Livez)
    } else if path == "/limits" {
        Ok(Place::Limits)
    } else {
        Err("not_found")
    }
}
