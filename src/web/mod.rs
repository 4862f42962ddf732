//! The pages that the binary carries.

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    /// Its path.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub body: &'static [u8],
}

/// What the pages may load: nothing from anywhere else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; base-uri 'none'; frame-ancestors 'none'";

/// The file at a path.
#[must_use]
pub fn find(_path: &str) -> Option<&'static Asset> {
    None
}
