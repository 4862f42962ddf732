//! What a client says about its cache and the codings it accepts: Accept-Encoding, If-Match and If-None-Match (RFC 9110, 12.5.3,
//! 13.1.1, 13.1.2).

use super::terms::split_unquoted;
use smallvec::SmallVec;

/// The fields as they were sent, each perhaps in several lines. They are read where they count, and nowhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheFields<'b> {
    /// Accept-Encoding.
    pub accept_encoding: SmallVec<[&'b [u8]; 1]>,
    /// If-Match.
    pub if_match: SmallVec<[&'b [u8]; 1]>,
    /// If-None-Match.
    pub if_none_match: SmallVec<[&'b [u8]; 1]>,
}

impl CacheFields<'_> {
    /// Whether a body is best sent with gzip: the client accepts it, and does not prefer the plain one.
    #[must_use]
    pub fn prefers_gzip(&self) -> bool {
        let (mut gzip, mut plain, mut others) = (None, None, None);
        for member in members(&self.accept_encoding) {
            let (name, weight) = weighted(member);
            let slot = if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                &mut gzip
            } else if name.eq_ignore_ascii_case("identity") {
                &mut plain
            } else if name == "*" {
                &mut others
            } else {
                continue;
            };
            *slot = Some(weight);
        }
        let gzip = gzip.or(others).unwrap_or(0);
        // A plain body that the field does not mention may be sent (RFC 9110 section 12.5.3), but is not preferred.
        gzip > 0 && gzip >= plain.unwrap_or(0)
    }

    /// Whether the client holds the file with this entity tag, compared weakly.
    #[must_use]
    pub fn holds(&self, tag: &str) -> bool {
        members(&self.if_none_match).any(|member| is_held(member, tag))
    }

    /// The entity tags of what the client holds, for [`holds`]: an answer comes after the request's head is gone.
    #[must_use]
    pub fn held(&self) -> Option<Box<str>> {
        let mut held = members(&self.if_none_match).peekable();
        held.peek()?;
        Some(held.collect::<Vec<_>>().join(",").into())
    }
}

/// Whether the answer with this entity tag is one of those that a client holds.
#[must_use]
pub fn holds(held: &str, tag: &str) -> bool {
    members(&[held.as_bytes()]).any(|member| is_held(member, tag))
}

fn is_held(member: &str, tag: &str) -> bool {
    // The W is case-sensitive (RFC 9110 section 8.8.3).
    member == "*" || member.strip_prefix("W/").unwrap_or(member) == tag
}

/// The members of a list that may come in several lines; lines that are not UTF-8 are ignored.
fn members<'a>(lines: &'a [&[u8]]) -> impl Iterator<Item = &'a str> {
    let texts = lines.iter().filter_map(|line| std::str::from_utf8(line).ok());
    texts.flat_map(|text| split_unquoted(text, b',')).map(|member| member.trim_matches([' ', '\t']))
}

/// A coding and its weight in thousandths; a weight that cannot be read counts as 0.
fn weighted(member: &str) -> (&str, u32) {
    let mut parts = member.split(';').map(|part| part.trim_matches([' ', '\t']));
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, weight.map_or(1000, |text| thousandths(text).unwrap_or(0)))
}

/// `0`, `1`, `0.5`, `1.000`: RFC 9110 section 12.4.2.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Zeros on the right: 0.5 is 500 thousandths. No digits at all are allowed by the grammar: `1.` is 1.
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::CacheFields;
    use smallvec::smallvec;

    fn accepting<'a>(lines: &[&'a str]) -> CacheFields<'a> {
        CacheFields { accept_encoding: lines.iter().map(|line| line.as_bytes()).collect(), ..CacheFields::default() }
    }

    #[test]
    fn gzip_is_chosen_where_it_is_read_and_liked() {
        for yes in [
            &["gzip"][..],
            &["gzip, deflate, br, zstd"],
            &["GZip;q=0.001"],
            &["x-gzip"],
            &["*"],
            &["br;q=1.0, gzip;q=0.8, *;q=0.1"],
            &["identity;q=0.5, gzip;q=0.5"],
            &["identity;q=0, *;q=1"],
            &["deflate", "gzip"],
            &["gzip ; q=1.000"],
            &["*;q=0, gzip"],
            &["br;q=0,*"],
        ] {
            assert!(accepting(yes).prefers_gzip(), "{yes:?}");
        }
        for no in [
            &[][..],
            &[""],
            &["identity"],
            &["br, zstd"],
            &["gzip;q=0"],
            &["gzip;q=0.000"],
            &["gzip; Q=0, *"],
            &["*;q=0"],
            &["gzip;q=0.5, identity"],
            &["gzip;q=2"],
            &["gzip;q=nonsense"],
            &["gzipped"],
            &["gzip;q=0.0001"],
        ] {
            assert!(!accepting(no).prefers_gzip(), "{no:?}");
        }
    }

    #[test]
    fn a_line_that_is_not_text_counts_for_nothing() {
        let unreadable: &[u8] = b"gzip\xff";
        let fields = CacheFields {
            accept_encoding: smallvec![unreadable],
            if_none_match: smallvec![unreadable, &b"\"a\""[..]],
            ..CacheFields::default()
        };
        assert!(!fields.prefers_gzip());
        assert!(fields.holds("\"a\""));
    }

    #[test]
    fn what_the_client_holds_is_known_by_its_tag_weak_or_strong_in_any_line() {
        let holding = |lines: &[&'static str]| CacheFields {
            if_none_match: lines.iter().map(|line| line.as_bytes()).collect(),
            ..CacheFields::default()
        };
        for yes in [&["\"abc\""][..], &["W/\"abc\""], &["\"x,y\", \"abc\""], &["\"x\"", "\"abc\""], &["*"]] {
            assert!(holding(yes).holds("\"abc\""), "{yes:?}");
        }
        for no in [&[][..], &["abc"], &["\"abcd\""], &["\"abc-gzip\""], &["\"*\""], &["w/\"abc\""]] {
            assert!(!holding(no).holds("\"abc\""), "{no:?}");
        }
    }
}
