//! Checks that a text is JSON and not too deep: by simd-json first, and by serde_json where that says no.

pub mod scanner;
pub mod text;

use crate::model::code::Code;
use crate::model::refusal::Refusal;
use serde::de::IgnoredAny;
use simd_json::{Buffers, INPUT_PADDING, Tape};

/// The maximum nesting of arrays and objects in a text.
///
/// Readers in many languages recurse; 64 levels are more than any message needs and fit every stack.
pub const DEPTH_MAX: usize = 64;

/// Buffers that grew beyond this many bytes of text are freed instead of kept: a tape takes up to 12 bytes per byte of text.
const KEEP_BYTES: usize = 256 * 1024;

/// The memory that validation works in: one per thread, no allocation once it has grown.
pub struct JsonScratch {
    /// The copy that simd-json unescapes in place, with its padding.
    padded: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl JsonScratch {
    /// Empty buffers; they grow with what is validated.
    #[must_use]
    pub fn new() -> Self {
        JsonScratch {
            padded: Vec::new(),
            // simd-json has a depth limit of its own, set to the protocol's, so the depth of what it accepts needs no check.
            buffers: Buffers::with_max_depth(0, DEPTH_MAX),
            tape: Tape(Vec::new()),
        }
    }

    /// Whether simd-json takes `text`. Its "no" is not final: it refuses numbers beyond 64 bits, and lone surrogates.
    fn quick_yes(&mut self, text: &[u8]) -> bool {
        self.padded.clear();
        self.padded.extend_from_slice(text);
        self.padded.resize(text.len() + INPUT_PADDING, 0);
        // A tape borrows the text that fills it; an empty one has no lifetime of its own and keeps its memory.
        let mut tape: Tape<'_> = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let yes = simd_json::fill_tape_padded(&mut self.padded, text.len(), &mut self.buffers, &mut tape).is_ok();
        self.tape = tape.reset();
        // By the text and not by the buffers: simd-json does not say how large its own have become.
        if text.len() > KEEP_BYTES {
            *self = JsonScratch::new();
        }
        yes
    }
}

impl Default for JsonScratch {
    fn default() -> Self {
        JsonScratch::new()
    }
}

impl std::fmt::Debug for JsonScratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonScratch").field("bytes", &self.padded.capacity()).finish_non_exhaustive()
    }
}

/// Checks that `text` is one JSON value of at most [`DEPTH_MAX`] levels, with white space around it or not.
///
/// Accepts exactly what `serde_json` accepts, apart from the depth: numbers of any length and exponent pass.
///
/// # Errors
/// 400 `bad_json` with line and column, 400 `too_deep` for valid JSON that is nested too deeply.
pub fn validate(text: &[u8], scratch: &mut JsonScratch) -> Result<(), Refusal> {
    if scratch.quick_yes(text) {
        return Ok(());
    }
    let text = std::str::from_utf8(text)
        .map_err(|error| bad_json(format!("this is not UTF-8 (from byte {} on), so not JSON", error.valid_up_to())))?;
    // `IgnoredAny` is walked without recursion, so that text of any depth is safe here and its depth can be asked for
    // last.
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return Err(bad_json(format!("this is not JSON: {error}")));
    }
    if scanner::depth(text.as_bytes()) > DEPTH_MAX {
        return Err(Refusal::new(
            Code::TooDeep,
            format!("arrays and objects are nested deeper than {DEPTH_MAX} levels"),
        ));
    }
    Ok(())
}

/// `text` without the byte order mark that editors and some clients put before it. It is not part of JSON, and RFC 8259
/// section 8.1 lets a reader skip it.
#[must_use]
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
}

fn bad_json(message: String) -> Refusal {
    Refusal::new(Code::BadJson, message)
}

#[cfg(test)]
mod tests;
