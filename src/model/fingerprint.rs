//! The fingerprint of what is published under an idempotency key, where an engine keeps it: the same on every node and after
//! every start.

use super::publication::Data;
use aws_lc_rs::digest::{Context, SHA256};

/// The first 128 bits of SHA-256 over media type, event and body. Without the time, since a client that tries again does so
/// later.
#[must_use]
pub fn fingerprint(data: &Data, event: Option<&str>) -> u128 {
    let (content_type, body) = match data {
        Data::Json(json) => (None, json),
        Data::Binary { bytes, content_type } => (Some(&**content_type), bytes),
    };
    let mut context = Context::new(&SHA256);
    for text in [content_type, event] {
        // Each with its length, and whether it is there: no two publications run together to the same bytes.
        context.update(&[u8::from(text.is_some())]);
        let text = text.unwrap_or_default().as_bytes();
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text);
    }
    context.update(body);
    let digest = context.finish();
    let first = digest.as_ref().first_chunk().expect("SHA-256 has 32 bytes");
    u128::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::fingerprint;
    use crate::model::publication::Data;

    fn binary(bytes: &'static str, content_type: &str) -> Data {
        Data::Binary { bytes: bytes.into(), content_type: content_type.into() }
    }

    #[test]
    fn what_differs_in_anything_has_another_fingerprint() {
        let json = |text: &'static str| Data::Json(text.into());
        let all = [
            fingerprint(&json("1"), None),
            fingerprint(&json("2"), None),
            fingerprint(&json("1"), Some("")),
            fingerprint(&json("1"), Some("a")),
            fingerprint(&json("a1"), None),
            fingerprint(&binary("1", ""), None),
            fingerprint(&binary("1", "a"), None),
            fingerprint(&binary("a1", ""), None),
            fingerprint(&binary("1", "a"), Some("a")),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all[place + 1..].iter().all(|other| other != one), "{place}");
        }
    }

    /// What an engine keeps must be read by later versions.
    #[test]
    fn it_never_changes() {
        let known = 0xad53_77d6_ab8b_550c_f810_225d_2bf6_ab89;
        assert_eq!(fingerprint(&Data::Json("{\"a\":1}".into()), Some("tick")), known);
    }
}
