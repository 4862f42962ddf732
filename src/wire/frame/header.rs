//! A frame's header (RFC 6455 section 5.2), refused as soon as one of its bytes breaks a rule.

use super::{FrameError, FrameLimits, Role};
use crate::model::code::Code;
use crate::wire::deflate::wire_limit;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

pub(super) const RESERVED_BITS: FrameError = FrameError::protocol("a reserved bit without an extension");
pub(super) const MISPLACED_RSV1: FrameError =
    FrameError::protocol("the bit of a compressed message on another frame than its first");
pub(super) const RESERVED_OPCODE: FrameError = FrameError::protocol("a reserved opcode");
pub(super) const FRAGMENTED_CONTROL: FrameError = FrameError::protocol("a fragmented control frame");
pub(super) const LONG_CONTROL: FrameError = FrameError::protocol("a control frame of more than 125 bytes");
pub(super) const NOTHING_TO_CONTINUE: FrameError = FrameError::protocol("a continuation of nothing");
pub(super) const UNFINISHED_MESSAGE: FrameError = FrameError::protocol("a new message inside a fragmented one");
pub(super) const NOT_MASKED: FrameError = FrameError::protocol("a frame from a client without a mask");
pub(super) const MASKED: FrameError = FrameError::protocol("a frame from a server with a mask");
pub(super) const LONG_WINDED: FrameError = FrameError::protocol("a length encoded in more bytes than it needs");
pub(super) const TOP_BIT: FrameError = FrameError::protocol("a length with its top bit set");
pub(super) const TOO_BIG: FrameError = FrameError {
    reason: Code::MessageTooBig,
    detail: "a message larger than the limit, which GET /limits shows (websocket.message_bytes)",
};
pub(super) const TOO_MANY_FRAGMENTS: FrameError = FrameError {
    reason: Code::TooManyFragments,
    detail: "a message in more fragments than the limit (websocket.fragments)",
};

/// What a header is checked against.
pub(super) struct Context<'a> {
    /// Who decodes.
    pub(super) role: Role,
    /// How much is allowed.
    pub(super) limits: &'a FrameLimits,
    /// Whether permessage-deflate was agreed to.
    pub(super) deflate: bool,
    /// The fragmented message in progress.
    pub(super) message: Option<Begun>,
}

/// How much of a fragmented message has arrived.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    /// Its bytes so far.
    pub(super) bytes: usize,
    /// Its frames so far.
    pub(super) frames: u32,
    /// It is compressed.
    pub(super) deflated: bool,
}

/// A header that broke no rule.
pub(super) struct Header {
    pub(super) is_final: bool,
    pub(super) opcode: OpCode,
    /// It begins a compressed message (RFC 7692 section 6).
    pub(super) deflated: bool,
    pub(super) mask: Option<[u8; 4]>,
    /// The bytes of the header itself.
    pub(super) size: usize,
    /// The bytes of payload it announces: within the limit, or at most 125 for a control frame.
    pub(super) length: usize,
}

/// Reads the header at the start of `input`; `None` while it is not complete.
pub(super) fn read(input: &[u8], context: &Context<'_>) -> Result<Option<Header>, FrameError> {
    let Some(&first) = input.first() else { return Ok(None) };
    check_first(first, context)?;
    // Each byte is judged before the next is waited for: a peer that sends nothing after a wrong one is still refused.
    let Some(&second) = input.get(1) else { return Ok(None) };
    check_second(first, second, context.role)?;
    let Some((length, mask, size)) = read_rest(input, second) else { return Ok(None) };
    // Before the size: what is malformed is a protocol error (1002), even where it is also too large (1009).
    check_encoding(second, length)?;
    let (opcode, deflated) = (OpCode::from(first & 0x0F), first & 0x40 != 0);
    let length = check_size(opcode, deflated, length, context)?;
    Ok(Some(Header { is_final: first & 0x80 != 0, opcode, deflated, mask, size, length }))
}

/// The length, the mask and the size of a header, once all of it has arrived. Not by tungstenite's parser: it logs every
/// header at trace, which costs each frame something even when trace is off. The only cure, a maximum level at compile time,
/// would also bind programs that use this crate as a library.
fn read_rest(input: &[u8], second: u8) -> Option<(u64, Option<[u8; 4]>, usize)> {
    let (length, end) = match second & 0x7F {
        126 => (u64::from(u16::from_be_bytes(*input.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*input.get(2..)?.first_chunk()?), 10),
        short => (u64::from(short), 2),
    };
    if second & 0x80 == 0 {
        return Some((length, None, end));
    }
    Some((length, Some(*input.get(end..)?.first_chunk()?), end + 4))
}

/// FIN, the reserved bits and the opcode (sections 5.2, 5.4 and 5.5).
fn check_first(first: u8, context: &Context<'_>) -> Result<(), FrameError> {
    if first & 0x70 != 0 {
        check_reserved_bits(first, context)?;
    }
    match (OpCode::from(first & 0x0F), context.message) {
        (OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)), _) => Err(RESERVED_OPCODE),
        (OpCode::Control(_), _) if first & 0x80 == 0 => Err(FRAGMENTED_CONTROL),
        // Control frames may come inside a message (section 5.4), and are none of its fragments.
        (OpCode::Control(_), _) => Ok(()),
        (OpCode::Data(Data::Continue), None) => Err(NOTHING_TO_CONTINUE),
        (OpCode::Data(Data::Continue), Some(begun)) if begun.frames >= context.limits.fragments => {
            Err(TOO_MANY_FRAGMENTS)
        }
        (OpCode::Data(Data::Text | Data::Binary), Some(_)) => Err(UNFINISHED_MESSAGE),
        (OpCode::Data(_), _) => Ok(()),
    }
}

/// With permessage-deflate, RSV1 on the first frame of a message says that it is compressed; it is an error on any
/// other frame, as are the other two bits on all (RFC 7692 section 6).
fn check_reserved_bits(first: u8, context: &Context<'_>) -> Result<(), FrameError> {
    if first & 0x30 != 0 || !context.deflate {
        return Err(RESERVED_BITS);
    }
    match OpCode::from(first & 0x0F) {
        OpCode::Data(Data::Text | Data::Binary) => Ok(()),
        _ => Err(MISPLACED_RSV1),
    }
}

/// The mask bit (section 5.1) and the length of control frames (section 5.5).
fn check_second(first: u8, second: u8, role: Role) -> Result<(), FrameError> {
    match (role, second & 0x80 != 0) {
        (Role::Server, false) => return Err(NOT_MASKED),
        (Role::Client, true) => return Err(MASKED),
        _ => {}
    }
    // The opcode's high bit makes a control frame (section 5.5). 126 and 127 are too long whatever length follows.
    if first & 0x08 != 0 && second & 0x7F > 125 { Err(LONG_CONTROL) } else { Ok(()) }
}

/// The length must take the fewest bytes that hold it, and its top bit is zero (section 5.2).
fn check_encoding(second: u8, length: u64) -> Result<(), FrameError> {
    match second & 0x7F {
        _ if length >> 63 != 0 => Err(TOP_BIT),
        126 if length < 126 => Err(LONG_WINDED),
        127 if length <= u64::from(u16::MAX) => Err(LONG_WINDED),
        _ => Ok(()),
    }
}

/// Checks the whole message, this frame included, against the limit (section 10.4). Control frames are not part of one. A
/// compressed message is measured again when it is inflated.
fn check_size(opcode: OpCode, begins_deflated: bool, length: u64, context: &Context<'_>) -> Result<usize, FrameError> {
    let length = usize::try_from(length).map_err(|_| TOO_BIG)?;
    let so_far = context.message.map_or(0, |begun| begun.bytes);
    // RSV1 is on the first frame alone (RFC 7692 section 6): its continuations inherit it.
    let deflated = context.message.map_or(begins_deflated, |begun| begun.deflated);
    let limit = context.limits.message_bytes;
    let limit = if deflated { wire_limit(limit) } else { limit };
    let fits = so_far.checked_add(length).is_some_and(|total| total <= limit);
    if fits || matches!(opcode, OpCode::Control(_)) { Ok(length) } else { Err(TOO_BIG) }
}
