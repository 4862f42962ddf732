//! Which offer of permessage-deflate is agreed to, and with which parameters (RFC 7692 sections 5 and 7.1).

use super::extensions::{Extension, Param};
use super::{NAME, WINDOW_BITS_MAX};

/// What this server would agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether either side may keep its window from one message to the next.
    pub takeover: bool,
    /// The smallest window it compresses with when a client asks for a small one, in bits (9 to 15).
    pub least_window_bits: u8,
}

/// What both sides agreed to, from the 101 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// This server compresses with the window of its last message.
    pub server_takeover: bool,
    /// The client compresses with the window of its last message.
    pub client_takeover: bool,
    /// This server's window, in bits; `None` when the client named none, which means 15.
    pub server_window_bits: Option<u8>,
}

impl Agreement {
    /// The window that this server compresses with, in bits.
    #[must_use]
    pub fn window_bits(&self) -> u8 {
        self.server_window_bits.unwrap_or(WINDOW_BITS_MAX)
    }

    /// The value of Sec-WebSocket-Extensions in the answer.
    ///
    /// A window that the client may limit (`client_max_window_bits`) is not limited: inflating takes the same memory
    /// whatever the window, and without the parameter every window up to 15 is allowed.
    #[must_use]
    pub fn field(&self) -> String {
        let mut field = NAME.to_owned();
        if !self.server_takeover {
            field.push_str("; server_no_context_takeover");
        }
        if !self.client_takeover {
            field.push_str("; client_no_context_takeover");
        }
        if let Some(bits) = self.server_window_bits {
            field.push_str(&format!("; server_max_window_bits={bits}"));
        }
        field
    }
}

/// The first offer that can be accepted, in the client's order of preference.
#[must_use]
pub fn negotiate(offers: &[Extension<'_>], policy: &Policy) -> Option<Agreement> {
    let offers = offers.iter().filter(|offer| offer.name == NAME);
    offers.filter_map(Offer::read).find_map(|offer| offer.accept(policy))
}

/// The parameters of one offer.
#[derive(Default)]
struct Offer {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: bool,
}

impl Offer {
    /// `None` when a parameter is unknown, appears twice, or has a value that it must not have: such an offer is declined
    /// (RFC 7692 section 7.1).
    fn read(extension: &Extension<'_>) -> Option<Offer> {
        let mut offer = Offer::default();
        for Param { name, value } in &extension.params {
            let value = value.as_deref();
            let seen = match *name {
                "server_no_context_takeover" if value.is_none() => {
                    std::mem::replace(&mut offer.server_no_context_takeover, true)
                }
                "client_no_context_takeover" if value.is_none() => {
                    std::mem::replace(&mut offer.client_no_context_takeover, true)
                }
                // It must have a value (RFC 7692 section 7.1.2.1), unlike the client's.
                "server_max_window_bits" => offer.server_max_window_bits.replace(window_bits(value?)?).is_some(),
                "client_max_window_bits" => {
                    // Only its validity matters: the client's window is not limited, see `Agreement::field`.
                    value.map_or(Some(WINDOW_BITS_MAX), window_bits)?;
                    std::mem::replace(&mut offer.client_max_window_bits, true)
                }
                _ => return None,
            };
            if seen {
                return None;
            }
        }
        Some(offer)
    }

    fn accept(self, policy: &Policy) -> Option<Agreement> {
        // The answer may name a smaller window than was asked for but no larger one (section 7.1.2.1), so the offer is
        // declined.
        if self.server_max_window_bits.is_some_and(|bits| bits < policy.least_window_bits) {
            return None;
        }
        Some(Agreement {
            server_takeover: policy.takeover && !self.server_no_context_takeover,
            // A hint only (section 7.1.1.2), but one that saves this server an inflater for the connection.
            client_takeover: policy.takeover && !self.client_no_context_takeover,
            server_window_bits: self.server_max_window_bits,
        })
    }
}

/// 8 to 15 in decimal without leading zeros (RFC 7692 section 7.1.2).
fn window_bits(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Policy, negotiate};
    use crate::wire::deflate::parse_extensions;

    const DEFAULT: Policy = Policy { takeover: false, least_window_bits: 15 };
    const ALL: Policy = Policy { takeover: true, least_window_bits: 9 };

    fn answer(offer: &str, policy: &Policy) -> Option<String> {
        let offers = parse_extensions(&[offer]).expect(offer);
        negotiate(&offers, policy).map(|agreement| agreement.field())
    }

    const NEITHER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn by_default_nobody_keeps_a_window_and_small_ones_are_declined() {
        for (offer, expected) in [
            ("permessage-deflate", Some(NEITHER)),
            ("permessage-deflate; client_max_window_bits", Some(NEITHER)),
            ("permessage-deflate; client_max_window_bits=9", Some(NEITHER)),
            ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", Some(NEITHER)),
            ("permessage-deflate; server_max_window_bits=14", None),
            ("permessage-deflate; server_max_window_bits=8, permessage-deflate", Some(NEITHER)),
            ("x-webkit-deflate-frame, permessage-deflate", Some(NEITHER)),
            ("x-webkit-deflate-frame", None),
            ("Permessage-Deflate", None),
        ] {
            assert_eq!(answer(offer, &DEFAULT).as_deref(), expected, "{offer}");
        }
        let fifteen = answer("permessage-deflate; server_max_window_bits=15", &DEFAULT);
        assert_eq!(fifteen, Some(format!("{NEITHER}; server_max_window_bits=15")));
    }

    #[test]
    fn where_it_is_allowed_windows_are_kept_and_small_ones_agreed_to() {
        for (offer, expected) in [
            ("permessage-deflate", Some("permessage-deflate")),
            ("permessage-deflate;client_max_window_bits=10", Some("permessage-deflate")),
            ("permessage-deflate;server_no_context_takeover", Some("permessage-deflate; server_no_context_takeover")),
            ("permessage-deflate;client_no_context_takeover", Some("permessage-deflate; client_no_context_takeover")),
            ("permessage-deflate;server_max_window_bits=9", Some("permessage-deflate; server_max_window_bits=9")),
            ("permessage-deflate;server_max_window_bits=\"10\"", Some("permessage-deflate; server_max_window_bits=10")),
            ("permessage-deflate;server_max_window_bits=8", None),
            (
                "permessage-deflate;server_max_window_bits=8,permessage-deflate;server_max_window_bits=12",
                Some("permessage-deflate; server_max_window_bits=12"),
            ),
        ] {
            assert_eq!(answer(offer, &ALL).as_deref(), expected, "{offer}");
        }
    }

    #[test]
    fn an_offer_with_a_wrong_parameter_is_declined_and_the_next_one_looked_at() {
        for params in [
            "unknown",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "server_no_context_takeover;server_no_context_takeover",
            "client_no_context_takeover;client_no_context_takeover",
            "server_max_window_bits",
            "server_max_window_bits=16",
            "server_max_window_bits=7",
            "server_max_window_bits=09",
            "server_max_window_bits=+9",
            "server_max_window_bits=0x9",
            "server_max_window_bits=10;server_max_window_bits=10",
            "client_max_window_bits=16",
            "client_max_window_bits=7",
            "client_max_window_bits=a",
            "client_max_window_bits;client_max_window_bits=10",
            "SERVER_NO_CONTEXT_TAKEOVER",
        ] {
            let offer = format!("permessage-deflate;{params}");
            assert_eq!(answer(&offer, &ALL), None, "{offer}");
            let with_fallback = format!("{offer}, permessage-deflate");
            assert_eq!(answer(&with_fallback, &ALL).as_deref(), Some("permessage-deflate"), "{with_fallback}");
        }
    }
}
