//! The compact form of a token (RFC 7515 section 7.1): three parts of base64url with dots between them, one way to write each.

use data_encoding::BASE64URL_NOPAD;

/// Bytes of a token at most: it has to fit into the head of a request, and what is larger is a mistake or an attack.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Why a text does not have the form of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormFault {
    /// It has this many bytes.
    TooLong(usize),
    /// It does not consist of three parts, or one of them is empty.
    Parts,
    /// A part is not base64url as RFC 7515 section 2 asks for it: without padding, line ends and any other character, and
    /// with zeros in what is left of the last one.
    Encoding,
}

/// A token, decoded but not verified.
pub(super) struct Decoded<'t> {
    /// What is signed: the first two parts as they were sent.
    pub(super) signed: &'t [u8],
    bytes: Vec<u8>,
    header: usize,
    payload: usize,
}

impl<'t> Decoded<'t> {
    /// Splits and decodes a token.
    pub(super) fn of(token: &'t str) -> Result<Decoded<'t>, FormFault> {
        // Before everything else, so that no token costs more than one of this size.
        if token.len() > TOKEN_BYTES_MAX {
            return Err(FormFault::TooLong(token.len()));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(FormFault::Parts);
        };
        if [header, payload, signature].iter().any(|part| part.is_empty()) {
            return Err(FormFault::Parts);
        }
        let mut bytes = vec![0; token.len() / 4 * 3 + 3];
        let mut used = 0;
        let mut ends = [0; 3];
        for (part, end) in [header, payload, signature].into_iter().zip(&mut ends) {
            let length = BASE64URL_NOPAD.decode_len(part.len()).map_err(|_| FormFault::Encoding)?;
            let place = &mut bytes[used..used + length];
            BASE64URL_NOPAD.decode_mut(part.as_bytes(), place).map_err(|_| FormFault::Encoding)?;
            used += length;
            *end = used;
        }
        bytes.truncate(used);
        let signed = &token.as_bytes()[..header.len() + 1 + payload.len()];
        Ok(Decoded { signed, bytes, header: ends[0], payload: ends[1] })
    }

    /// The header's bytes.
    pub(super) fn header(&self) -> &[u8] {
        &self.bytes[..self.header]
    }

    /// The payload's bytes.
    pub(super) fn payload(&self) -> &[u8] {
        &self.bytes[self.header..self.payload]
    }

    /// The signature.
    pub(super) fn signature(&self) -> &[u8] {
        &self.bytes[self.payload..]
    }
}

#[cfg(test)]
mod tests {
    use super::{Decoded, FormFault, TOKEN_BYTES_MAX};

    fn fault(token: &str) -> Option<FormFault> {
        Decoded::of(token).err()
    }

    #[test]
    fn three_parts_are_decoded_and_the_first_two_are_what_is_signed() {
        let token = Decoded::of("YQ.YmM.ZGVm").expect("a token");
        assert_eq!((token.header(), token.payload(), token.signature()), (&b"a"[..], &b"bc"[..], &b"def"[..]));
        assert_eq!(token.signed, b"YQ.YmM");
        assert_eq!(Decoded::of("-_-_.-_-_.-_-_").expect("a token").header(), [0xfb, 0xff, 0xbf]);
    }

    #[test]
    fn there_is_one_way_to_write_a_token() {
        for wrong in
            ["", ".", "..", "YQ", "YQ.YQ", "YQ.YQ.", ".YQ.YQ", "YQ..YQ", "YQ.YQ.YQ.", "YQ.YQ.YQ.YQ", "YQ.YQ.YQ.YQ.YQ"]
        {
            assert_eq!(fault(wrong), Some(FormFault::Parts), "{wrong}");
        }
        // Padding, the other alphabet, white space, a length that none has, bits of the last character that count for
        // nothing, and characters of more than one byte.
        for wrong in ["YQ==", "YQ=", "+/+/", "YW I", "YWI\n", "\nYWI", "YWI ", "YWJjZ", "YR", "YWJ", "YWÄ", "YW\0"] {
            for token in [format!("{wrong}.YQ.YQ"), format!("YQ.{wrong}.YQ"), format!("YQ.YQ.{wrong}")] {
                assert_eq!(fault(&token), Some(FormFault::Encoding), "{token:?}");
            }
        }
    }

    #[test]
    fn a_token_has_a_largest_size() {
        let token = |bytes: usize| format!("YQ.YQ.{}", "A".repeat(bytes - 6));
        // A length that base64 can have: 2 characters more than a multiple of 4.
        assert_eq!(fault(&token(TOKEN_BYTES_MAX)), None);
        assert_eq!(fault(&token(TOKEN_BYTES_MAX + 1)), Some(FormFault::TooLong(TOKEN_BYTES_MAX + 1)));
    }
}
