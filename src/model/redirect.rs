//! Where a listener sends everybody that only redirects to https://.

use super::authority::Authority;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// To the host that was asked for, at https' own port.
    SameHost,
    /// To this `https://host[:port]`.
    Origin(String),
}

impl Redirect {
    /// Reads `https`, or an origin.
    #[must_use]
    pub fn parse(text: &str) -> Option<Redirect> {
        if text == "https" {
            return Some(Redirect::SameHost);
        }
        Authority::parse(text.strip_prefix("https://")?).map(|_| Redirect::Origin(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::Redirect;

    #[test]
    fn a_target_is_https_or_an_origin() {
        assert_eq!(Redirect::parse("https"), Some(Redirect::SameHost));
        for origin in ["https://push.example.com", "https://push.example.com:8443", "https://[::1]:8443"] {
            assert_eq!(Redirect::parse(origin), Some(Redirect::Origin(origin.to_owned())));
        }
        for bad in ["", "http", "http://a", "https://", "https://a/", "https://a b", "https://a\r\nX: y", "HTTPS"] {
            assert_eq!(Redirect::parse(bad), None, "{bad}");
        }
    }
}
