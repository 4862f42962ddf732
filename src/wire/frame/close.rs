//! What a Close frame says: its code and reason (RFC 6455 sections 5.5.1 and 7.4).

use super::FrameError;
use tungstenite::protocol::frame::coding::CloseCode;

/// A code has two bytes: a payload of one byte is neither a code nor empty.
pub(super) const HALF_A_CODE: FrameError = FrameError::protocol("a close of one byte");
/// A code that must not be on the wire.
pub(super) const FORBIDDEN_CODE: FrameError = FrameError::protocol("a close code that must not be sent");
/// The reason is text.
pub(super) const BAD_REASON: FrameError = FrameError::utf8("a close reason that is not UTF-8");

/// Reads the payload of a Close frame.
pub(super) fn read(payload: &[u8]) -> Result<Option<(u16, &str)>, FrameError> {
    match payload {
        [] => Ok(None),
        [_] => Err(HALF_A_CODE),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !may_be_sent(code) {
                return Err(FORBIDDEN_CODE);
            }
            let reason = std::str::from_utf8(reason).map_err(|_| BAD_REASON)?;
            Ok(Some((code, reason)))
        }
    }
}

/// Whether a peer may send this code: 1000–1003 and 1007–1011 (RFC 6455 section 7.4.1), 1012–1014 (IANA) and
/// 3000–4999 (section 7.4.2). The codec's table does not know 1014, "bad gateway".
fn may_be_sent(code: u16) -> bool {
    code == 1014 || CloseCode::from(code).is_allowed()
}

#[cfg(test)]
mod tests {
    use super::{BAD_REASON, FORBIDDEN_CODE, HALF_A_CODE, read};

    #[test]
    fn exactly_the_registered_and_private_codes_may_be_sent() {
        for code in 0..=u16::MAX {
            let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            let expected = if allowed { Ok(Some((code, ""))) } else { Err(FORBIDDEN_CODE) };
            assert_eq!(read(&code.to_be_bytes()), expected);
        }
    }

    #[test]
    fn nothing_a_half_and_a_reason() {
        assert_eq!(read(b""), Ok(None));
        assert_eq!(read(b"\x03"), Err(HALF_A_CODE));
        assert_eq!(read(b"\x03\xe8bye \xe2\x9c\x8b"), Ok(Some((1000, "bye ✋"))));
        assert_eq!(read(b"\x03\xe8\xe2\x9c"), Err(BAD_REASON));
    }
}
