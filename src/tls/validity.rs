//! From when to when a certificate is valid: the little of its DER that says so (RFC 5280 section 4.1.2.5), which rustls reads and
//! does not tell.

/// Tags of DER (X.690).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Both ends, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: i64,
    /// The last one.
    pub until: i64,
}

impl Validity {
    /// That of a certificate in DER, if it can be read.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Option<Validity> {
        let (certificate, _) = inside(certificate, SEQUENCE)?;
        let (signed, _) = inside(certificate, SEQUENCE)?;
        // The version, if there is one; then serial number, algorithm and issuer.
        let mut rest = inside(signed, VERSION).map_or(signed, |(_, rest)| rest);
        for _ in 0..3 {
            rest = next(rest)?.2;
        }
        let (validity, _) = inside(rest, SEQUENCE)?;
        let (tag, from, rest) = next(validity)?;
        let from = second(tag, from)?;
        let (tag, until, _) = next(rest)?;
        Some(Validity { from, until: second(tag, until)? })
    }
}

/// What is in the value that comes first, which has this tag, and what follows it.
fn inside(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    next(bytes).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// The tag and the content of the value that comes first, and what follows it.
fn next(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Certificates have less than 16 MiB.
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        // Of no length that is known, or of too many bytes.
        0x80 | 0x84.. => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The second since 1970 of a time as certificates have them: `YYMMDDHHMMSSZ` until 2049, `YYYYMMDDHHMMSSZ` after that.
fn second(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let pairs: Vec<i64> = rest.chunks(2).map(number).collect::<Option<_>>()?;
    let [month @ 1..=12, day @ 1..=31, hour @ 0..=23, minute @ 0..=59, second @ 0..=60] = pairs[..] else {
        return None;
    };
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. Years begin in March here, so that a leap day is the last of one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::{GENERALIZED_TIME, UTC_TIME, Validity, days, second};
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn both_ends_of_a_certificate_are_read() {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (date_time_ymd(2026, 2, 28), date_time_ymd(2051, 3, 1));
        let certificate = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
        let der = certificate.der();
        assert_eq!(Validity::of(der), Some(Validity { from: 1_772_236_800, until: 2_561_241_600 }));
        // Whatever is cut off or spoiled is nothing, and never a panic.
        for cut in 0..der.len() {
            assert_eq!(Validity::of(&der[..cut]), None, "{cut}");
        }
        for spoiled in 0..200 {
            let mut der = der.to_vec();
            der[spoiled] ^= 0xff;
            let _ = Validity::of(&der);
        }
    }

    #[test]
    fn times_are_read_in_both_forms() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "691231235959Z", Some(-1)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000)),
            (GENERALIZED_TIME, "20000229120000Z", Some(951_825_600)),
            (UTC_TIME, "20500101000000Z", None),
            (UTC_TIME, "7001010000Z", None),
            (UTC_TIME, "701301000000Z", None),
            (UTC_TIME, "700101000000", None),
            (UTC_TIME, "70010100000+Z", None),
            (0x04, "700101000000Z", None),
        ] {
            assert_eq!(second(tag, text.as_bytes()), expected, "{text}");
        }
        assert_eq!([days(1970, 1, 1), days(2000, 3, 1) - days(2000, 2, 28)], [0, 2]);
    }
}
