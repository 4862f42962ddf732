//! Follows what a connection consumes as HTTP, to know which request it took: where each head begins and each body ends.

use tidings::wire::http::body::ChunkDecoder;
use tidings::wire::http::head::{BodyLength, HeadLimits, Method, parse_head};

/// What of a request is under way.
enum Part {
    Head(Vec<u8>),
    Body(u64),
    Chunks(ChunkDecoder),
}

/// See the module.
pub(crate) struct Heard(Part);

/// What a request is, as far as its answer depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) is_head: bool,
    pub(crate) is_echo: bool,
}

impl Heard {
    pub(crate) fn new() -> Heard {
        Heard(Part::Head(Vec::new()))
    }

    /// The connection consumed these bytes in one step. What it asked for, if a head ended among them.
    pub(crate) fn consumed(&mut self, bytes: &[u8], limits: &HeadLimits) -> Option<Asked> {
        match &mut self.0 {
            Part::Head(head) => {
                head.extend_from_slice(bytes);
                let head = std::mem::take(head);
                let Ok(Some((found, used))) = parse_head(&head, limits) else {
                    self.0 = Part::Head(head);
                    return None;
                };
                let asked = Asked { is_head: found.method == Method::Head, is_echo: found.path == "/echo" };
                self.0 = match found.body {
                    BodyLength::None => Part::Body(0),
                    BodyLength::Length(length) => Part::Body(length),
                    BodyLength::Chunked => Part::Chunks(ChunkDecoder::new()),
                };
                self.body(&head[used..]);
                Some(asked)
            }
            Part::Body(_) | Part::Chunks(_) => {
                self.body(bytes);
                None
            }
        }
    }

    /// Bytes of a body: one step never goes beyond its end.
    fn body(&mut self, bytes: &[u8]) {
        let over = match &mut self.0 {
            Part::Head(_) => return,
            Part::Body(left) => {
                // A body that is refused is swallowed with whatever came with it, and the connection ends.
                *left = left.saturating_sub(bytes.len() as u64);
                *left == 0
            }
            Part::Chunks(decoder) => decoder.decode(bytes, &mut Vec::new(), usize::MAX).is_ok_and(|(_, over)| over),
        };
        if over {
            self.0 = Part::Head(Vec::new());
        }
    }
}
