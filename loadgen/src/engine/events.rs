//! An event stream: an answer without an end, cut into blocks of lines (HTML standard, "server-sent events").

use super::http::Body;

/// What has come of a stream's body and is not a whole block yet.
#[derive(Debug)]
pub(super) struct EventStream {
    body: Body,
    text: Vec<u8>,
}

impl EventStream {
    /// A stream whose head said that its body is like this.
    pub(super) fn new(body: Body) -> EventStream {
        EventStream { body, text: Vec::new() }
    }

    /// Takes what was read, and gives each block to `sink`, without the empty line after it. How many bytes are done
    /// with.
    pub(super) fn read(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<usize, String> {
        let text = &mut self.text;
        let used = self.body.read(input, &mut |bytes| text.extend_from_slice(bytes))?;
        let mut begin = 0;
        while let Some((end, next)) = block_end(&text[begin..]) {
            if end > 0 {
                sink(&text[begin..begin + end]);
            }
            begin += next;
        }
        if begin == text.len() {
            // Given back: a stream with nothing in progress holds no memory.
            *text = Vec::new();
        } else {
            text.drain(..begin);
        }
        Ok(used)
    }

    /// Whether the server has ended the stream.
    pub(super) fn is_over(&self) -> bool {
        self.body.is_over()
    }
}

/// Where the block ends that `text` begins with, and where the next one begins: an empty line is between them.
fn block_end(text: &[u8]) -> Option<(usize, usize)> {
    let feeds = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let mut line = 0;
    for (at, _) in feeds {
        if text[line..at].trim_ascii_end().is_empty() {
            return Some((line.saturating_sub(1), at + 1));
        }
        line = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Body, EventStream};

    #[test]
    fn blocks_are_found_however_the_stream_is_cut() {
        let text = b"retry: 5\nid: 1\ndata: a\n\n: comment\n\ndata: b\r\n\r\n\ndata: c\n\nhalf";
        for cut in 1..text.len() {
            let (mut stream, mut blocks) = (EventStream::new(Body::Rest), Vec::new());
            for piece in text.chunks(cut) {
                stream
                    .read(piece, &mut |block| blocks.push(String::from_utf8_lossy(block).trim_end().to_owned()))
                    .expect("a stream");
            }
            assert_eq!(blocks, ["retry: 5\nid: 1\ndata: a", ": comment", "data: b", "data: c"], "cut at {cut}");
        }
    }
}
