//! The entry: a publication as it is kept outside this process. A log holds it as it is, and it means the same to every
//! version that can read its first byte.
//!
//! Version, flags, then the fields that the flags name, each text with its length before it, and the data as the rest:
//! ```text
//! '1' | flags | [type] | [event] | [time u64] | data
//! ```

/// The only version that there is.
const VERSION: u8 = b'1';
/// The data is bytes of a media type, which comes first; else it is JSON.
const BINARY: u8 = 1;
/// A name for the kind of publication.
const EVENT: u8 = 2;
/// When it was published.
const TIME: u8 = 4;
const KNOWN: u8 = BINARY | EVENT | TIME;
/// Bytes of a length at most: ten groups of seven bits are 64.
const VARINT_BYTES_MAX: usize = 10;

/// A publication without its place, which is kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'e> {
    /// What was published, byte for byte.
    pub data: &'e [u8],
    /// Its media type; `None` for JSON.
    pub content_type: Option<&'e str>,
    /// A name for the kind of publication.
    pub event: Option<&'e str>,
    /// Milliseconds since 1970, when publications are stamped.
    pub time: Option<u64>,
}

/// Why bytes are no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryFault {
    /// They are of another version, or have flags that this one does not know.
    Unknown,
    /// They end before what they announce.
    Short,
    /// A text is not UTF-8.
    Text,
}

impl Entry<'_> {
    /// Writes it after what is in `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
        let flags = flag(self.content_type.is_some(), BINARY)
            | flag(self.event.is_some(), EVENT)
            | flag(self.time.is_some(), TIME);
        out.extend_from_slice(&[VERSION, flags]);
        for text in [self.content_type, self.event].into_iter().flatten() {
            write_text(out, text);
        }
        if let Some(time) = self.time {
            out.extend_from_slice(&time.to_le_bytes());
        }
        out.extend_from_slice(self.data);
    }

    /// Reads one that has all of `bytes` to itself.
    ///
    /// # Errors
    /// They are none.
    pub fn read(bytes: &[u8]) -> Result<Entry<'_>, EntryFault> {
        let (head, rest) = bytes.split_first_chunk::<2>().ok_or(EntryFault::Short)?;
        let [version, flags] = *head;
        if version != VERSION || flags & !KNOWN != 0 {
            return Err(EntryFault::Unknown);
        }
        let mut rest = Rest(rest);
        let content_type = rest.if_flagged(flags & BINARY, Rest::text)?;
        let event = rest.if_flagged(flags & EVENT, Rest::text)?;
        let time = rest.if_flagged(flags & TIME, |rest| rest.fixed().map(u64::from_le_bytes))?;
        Ok(Entry { data: rest.0, content_type, event, time })
    }
}

/// A length as groups of seven bits, the lowest first; all but the last have the top bit set.
fn write_text(out: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(text.as_bytes());
}

/// What is not read yet.
struct Rest<'e>(&'e [u8]);

impl<'e> Rest<'e> {
    fn if_flagged<T>(
        &mut self,
        flag: u8,
        read: impl FnOnce(&mut Self) -> Result<T, EntryFault>,
    ) -> Result<Option<T>, EntryFault> {
        if flag == 0 { Ok(None) } else { read(self).map(Some) }
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], EntryFault> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(EntryFault::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn text(&mut self) -> Result<&'e str, EntryFault> {
        let length = self.length()?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(EntryFault::Short)?;
        self.0 = rest;
        std::str::from_utf8(taken).map_err(|_| EntryFault::Text)
    }

    /// A length that is too large for what follows is noticed there: here it only must not overflow.
    fn length(&mut self) -> Result<usize, EntryFault> {
        let mut length = 0_usize;
        for place in 0..VARINT_BYTES_MAX {
            let [byte] = self.fixed()?;
            let bits = usize::from(byte & 0x7f);
            let shifted = bits.checked_shl(7 * place as u32).filter(|shifted| shifted >> (7 * place) == bits);
            length |= shifted.ok_or(EntryFault::Short)?;
            if byte & 0x80 == 0 {
                return Ok(length);
            }
        }
        Err(EntryFault::Short)
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, EntryFault};
    use proptest::collection::vec;
    use proptest::option::of;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn written(entry: &Entry<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        entry.write(&mut out);
        out
    }

    #[test]
    fn an_entry_stays_what_it_was_written_as() {
        // Logs of older versions hold these bytes.
        let plain = Entry { data: b"{\"a\":1}", content_type: None, event: None, time: None };
        assert_eq!(written(&plain), b"1\0{\"a\":1}");
        let full = Entry { content_type: Some("a/b"), event: Some("tick"), time: Some(0x05), ..plain };
        assert_eq!(written(&full), b"1\x07\x03a/b\x04tick\x05\0\0\0\0\0\0\0{\"a\":1}");
    }

    #[test]
    fn what_is_none_is_refused_by_its_reason() {
        let fault = |bytes: &[u8]| Entry::read(bytes).expect_err("no entry");
        assert_eq!((fault(b""), fault(b"1")), (EntryFault::Short, EntryFault::Short));
        assert_eq!((fault(b"2\0"), fault(b"1\x08")), (EntryFault::Unknown, EntryFault::Unknown));
        assert_eq!((fault(b"1\x01\x04abc"), fault(b"1\x01\x01\xff")), (EntryFault::Short, EntryFault::Text));
        assert_eq!((fault(b"1\x04\0\0"), fault(b"1\x02")), (EntryFault::Short, EntryFault::Short));
        // Lengths of more bits than there are.
        assert_eq!(fault(&[&b"1\x01"[..], &[0xff; 9], &[0x7f]].concat()), EntryFault::Short);
        assert_eq!(fault(&[&b"1\x01"[..], &[0x80; 11], &[1]].concat()), EntryFault::Short);
    }

    proptest! {
        #[test]
        fn every_entry_is_read_as_it_was_written(
            data in vec(any::<u8>(), 0..300),
            content_type in of("\\PC{0,200}"),
            event in of("\\PC{0,200}"),
            time in of(any::<u64>()),
        ) {
            let entry = Entry {
                data: &data,
                content_type: content_type.as_deref(),
                event: event.as_deref(),
                time,
            };
            let bytes = written(&entry);
            prop_assert_eq!(Entry::read(&bytes), Ok(entry));
            // Cut anywhere before its data, it is none.
            let head = bytes.len() - data.len();
            prop_assert!((0..head).all(|end| Entry::read(&bytes[..end]).is_err()));
        }

        #[test]
        fn any_bytes_are_an_entry_or_refused(bytes in vec(any::<u8>(), 0..200)) {
            for first in [bytes.clone(), [&b"1"[..], &bytes].concat()] {
                if let Ok(entry) = Entry::read(&first) {
                    // Not the same bytes: a length may be written longer than it has to be.
                    let again = written(&entry);
                    prop_assert_eq!(Entry::read(&again), Ok(entry));
                }
            }
        }
    }
}
