//! The forms that texts among the knobs can have.

use super::domain;
use super::redis_url::is_user;
use super::text::Text;
use crate::model::authority::Authority;
use crate::model::{name, origin, token};

/// The origin of a page.
pub(super) const ORIGIN: Text = Text {
    of: "an origin (scheme://host, https://*.example.com, null, file:// or *)",
    example: "https://app.example.com",
    valid: origin::is_setting,
};
/// A host.
pub(super) const HOST: Text = Text {
    of: "a host name with or without port",
    example: "push.example.com",
    valid: |text| Authority::parse(text).is_some(),
};
/// A path of a file or a folder.
pub(super) const PATH: Text = Text { of: "a path", example: "/run/tidings/key", valid: |text| text.len() <= 4096 };
/// A subprotocol.
pub(super) const TOKEN: Text = Text { of: "a subprotocol name", example: "chat", valid: token::is_token };
/// A channel.
pub(super) const CHANNEL: Text =
    Text { of: "a channel name", example: "inbox", valid: |text| name::check(text).is_ok() };
/// What plain clients are answered.
pub(super) const ANSWER: Text =
    Text { of: "a text of at most 1024 bytes", example: "ok", valid: |text| text.len() <= 1024 };
/// What a certificate is for.
pub(super) const DOMAIN: Text = Text { of: "a name in DNS", example: "push.example.com", valid: domain::is_like_one };
/// Where somebody is reached.
pub(super) const EMAIL: Text = Text {
    of: "an address of mail",
    example: "admin@example.com",
    valid: |text| text.is_empty() || (text.contains('@') && text.bytes().all(|byte| byte.is_ascii_graphic())),
};
/// Where an authority is.
pub(super) const DIRECTORY: Text = Text {
    of: "a URL that begins with https://",
    example: "https://acme-v02.api.letsencrypt.org/directory",
    valid: |text| {
        text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
    },
};
/// Which key an authority knows.
pub(super) const EXTERNAL: Text = Text {
    of: "the id of a key",
    example: "kid-1",
    valid: |text| text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic()),
};
/// What begins the names of keys.
pub(super) const PREFIX: Text = Text {
    of: "1 to 64 letters, digits, : _ . and -",
    example: "td",
    valid: |text| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":_.-".contains(&byte);
        (1..=64).contains(&text.len()) && text.bytes().all(fits)
    },
};
/// Who signs in to a Redis.
pub(super) const USER: Text =
    Text { of: "a name of at most 256 bytes without white space", example: "tidings", valid: is_user };
/// What Sentinels call a primary.
pub(super) const LABEL: Text = Text {
    of: "a name of 1 to 256 bytes without white space",
    example: "mymaster",
    valid: |text| !text.is_empty() && is_user(text),
};
