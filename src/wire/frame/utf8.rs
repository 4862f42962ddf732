//! UTF-8 checks for text that arrives whole and for text that arrives in pieces (RFC 6455 section 8.1, RFC 3629).

use super::FrameError;

/// Text that no further byte could make valid.
pub(super) const INVALID: FrameError = FrameError::utf8("text is not UTF-8");
/// Text whose last character is not complete.
pub(super) const UNFINISHED: FrameError = FrameError::utf8("text ends inside a character");

/// Below this many bytes simdutf8 uses no vectors.
const SHORT_BYTES: usize = 64;

/// Checks a whole text.
///
/// # Errors
/// It is not UTF-8, or ends inside a character.
#[inline]
pub fn check(text: &[u8]) -> Result<(), FrameError> {
    // Texts shorter than its blocks simdutf8 leaves to the standard library, which checks byte by byte.
    if text.len() < SHORT_BYTES && text.is_ascii() {
        return Ok(());
    }
    // `basic` is the faster of the two but names no place; what is wrong is looked up for the few texts that are.
    simdutf8::basic::from_utf8(text).map(drop).map_err(|_| name_fault(text))
}

/// The slow half of [`check`]: which of the two errors the text has.
#[cold]
fn name_fault(text: &[u8]) -> FrameError {
    if check_beginning(text).is_ok() { UNFINISHED } else { INVALID }
}

/// Checks the beginning of a text whose rest has yet to come: how many of its bytes are complete characters.
///
/// Refuses at the first byte that nothing after it could make valid, so the count is at most three bytes short.
pub(super) fn check_beginning(text: &[u8]) -> Result<usize, FrameError> {
    match simdutf8::compat::from_utf8(text) {
        Ok(_) => Ok(text.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(INVALID),
    }
}

#[cfg(test)]
mod tests {
    use super::{INVALID, UNFINISHED, check, check_beginning};

    #[test]
    fn whole_texts() {
        assert!(check("héllo 服务器 🦀".as_bytes()).is_ok());
        assert!(check(b"").is_ok());
        for bad in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe6\x9cx"] {
            assert_eq!(check(bad), Err(INVALID), "{bad:?}");
        }
        assert_eq!(check(b"abc\xe6\x9c"), Err(UNFINISHED));
    }

    #[test]
    fn an_unfinished_character_is_left_for_later() {
        for (text, complete) in [(&b"ab\xe6"[..], 2), (b"ab\xe6\x9c", 2), (b"ab\xe6\x9c\x8d", 5), (b"\xf0\x9f\xa6", 0)]
        {
            assert_eq!(check_beginning(text), Ok(complete), "{text:?}");
        }
    }

    #[test]
    fn a_beginning_that_cannot_go_on_is_refused_at_once() {
        for bad in
            [&b"\x80"[..], b"\xc0", b"\xc1", b"\xf5", b"\xff", b"\xe0\x80", b"\xed\xa0", b"\xf0\x80", b"\xf4\x90"]
        {
            assert!(check_beginning(bad).is_err(), "{bad:?}");
        }
        assert!(check_beginning(b"\xe6\x9cx and more").is_err());
    }

    #[test]
    fn every_character_passes_in_every_beginning_of_it() {
        let mut bytes = [0; 4];
        for character in '\0'..=char::MAX {
            let text = character.encode_utf8(&mut bytes).as_bytes();
            for end in 1..text.len() {
                assert_eq!(check_beginning(&text[..end]), Ok(0), "{character:?}");
            }
            assert_eq!(check_beginning(text), Ok(text.len()), "{character:?}");
        }
    }
}
