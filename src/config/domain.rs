//! Names in DNS that certificates are ordered for.

/// Bytes of a name, and of one of its labels (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Whether it may have been meant as a name: a star and an address are, and are refused later with a reason.
pub(super) fn is_like_one(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok() || is_name(text.strip_prefix("*.").unwrap_or(text))
}

/// Whether it is a name of letters, digits and hyphens.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= NAME_BYTES_MAX && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::is_like_one;

    #[test]
    fn a_name_is_made_of_labels() {
        let longest = format!("{}.example", "a".repeat(63));
        for good in
            ["localhost", "push.example.com", "1.example", "xn--bcher-kva.example", &longest, "*.example.com", "::1"]
        {
            assert!(is_like_one(good), "{good}");
        }
        let label = format!("{}.example", "a".repeat(64));
        let name = ["a".repeat(63).as_str(); 4].join(".");
        for bad in
            ["", ".", "a..b", "-a.example", "a-.example", "a_b.example", "bücher.example", "a b", "a/b", &label, &name]
        {
            assert!(!is_like_one(bad), "{bad}");
        }
    }
}
