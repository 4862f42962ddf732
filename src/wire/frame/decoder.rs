//! The decoder of one connection: finds messages and control frames in what was read, without copying where it can.

use super::assembly::{Assembly, Lender, Progress};
use super::header::{self, Context, Header};
use super::{Decoded, Event, FrameError, FrameLimits, Kind, Payload, Role, close, mask, utf8};
use std::ops::Range;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The error for input after a Close or an error.
pub(super) const ENDED: FrameError = FrameError::protocol("input after the end of the connection");

/// Decodes the frames of one connection (RFC 6455 section 5).
///
/// A message that is one frame, all in the input, is unmasked and checked in place and returned without a copy. Any other
/// is assembled in memory of its own, which lasts from its first header to the event that returns it.
#[derive(Debug)]
pub struct Decoder {
    /// The message in progress. Boxed: most connections have none most of the time.
    assembly: Option<Box<Assembly>>,
    role: Role,
    deflate: bool,
    ended: bool,
}

/// Something complete, as a range of the input: the borrow checker lets the input be borrowed only after the search.
enum Found {
    Nothing,
    Frame { kind: Kind, deflated: bool, place: Range<usize> },
    Message { kind: Kind, deflated: bool, message: Vec<u8> },
    Control(Control, Range<usize>),
}

/// What most frames of clients are: a whole message in one masked frame of less than 64 KiB that has arrived completely.
struct Plain {
    kind: Kind,
    mask: [u8; 4],
    place: Range<usize>,
}

impl Plain {
    /// The frame at the start of `input`; `None` for any other, whose rules [`header::read`] knows.
    #[inline]
    fn at(input: &[u8], limits: &FrameLimits) -> Option<Plain> {
        let kind = match input.first()? {
            0x81 => Kind::Text,
            0x82 => Kind::Binary,
            _ => return None,
        };
        let (length, start) = match input.get(1)? {
            length @ 0x80..=0xFD => (usize::from(length & 0x7F), 6),
            0xFE => {
                let length = usize::from(u16::from_be_bytes(*input.get(2..)?.first_chunk()?));
                // A length in more bytes than it needs is an error (section 5.2), which `header::read` names.
                (if length < 126 { return None } else { length }, 8)
            }
            _ => return None,
        };
        // `start` is within the input once the mask is, so the subtraction below cannot wrap.
        let mask = *input.get(start - 4..)?.first_chunk()?;
        // What does not fit is left to `decode_any`: too large is refused there, incomplete is assembled.
        let fits = length <= limits.message_bytes && input.len() - start >= length;
        fits.then_some(Plain { kind, mask, place: start..start + length })
    }

    #[inline]
    fn take(self, input: &mut [u8]) -> Result<Event<'_>, FrameError> {
        let payload = &mut input[self.place];
        mask::unmask(payload, self.mask, 0);
        match self.kind {
            Kind::Text => utf8::check(payload).map(|()| Event::Text(Payload::Borrowed(payload))),
            Kind::Binary => Ok(Event::Binary(Payload::Borrowed(payload))),
        }
    }
}

impl Decoder {
    /// A decoder for a new connection.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Decoder { assembly: None, role, deflate: false, ended: false }
    }

    /// The same for a connection that agreed to permessage-deflate: compressed messages are [`Event::Deflated`], and
    /// their limit on the wire is [`wire_limit`](crate::wire::deflate::wire_limit).
    #[must_use]
    pub fn with_deflate(role: Role) -> Self {
        Decoder { deflate: true, ..Decoder::new(role) }
    }

    /// Whether `input` begins with a whole message in one frame that is not compressed and has less than 64 KiB.
    #[must_use]
    pub fn has_plain(&self, input: &[u8], limits: &FrameLimits) -> bool {
        self.assembly.is_none() && !self.ended && Plain::at(input, limits).is_some()
    }

    /// Finds the next event in `input`, and returns how many bytes of it were consumed.
    ///
    /// After [`Decoded::NeedMore`] the caller keeps what was not consumed and passes it again with more after it: part
    /// of a header (at most 13 bytes) or of a control frame (at most 130). After an event there may be more events in the
    /// rest. Consumed bytes may have been changed; the others are unchanged.
    ///
    /// # Errors
    /// When the peer broke a rule or a limit; also for any input after that or after a Close. The memory of a message
    /// in progress is freed.
    #[inline]
    pub fn decode<'b>(
        &mut self,
        input: &'b mut [u8],
        limits: &FrameLimits,
    ) -> (usize, Result<Decoded<'b>, FrameError>) {
        self.decode_lent(input, limits, |_| None)
    }

    /// The same, with memory for large messages: `lender` is asked for a buffer of at least n bytes, whose content does not matter.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn decode_lent<'b>(
        &mut self,
        input: &'b mut [u8],
        limits: &FrameLimits,
        mut lender: impl FnMut(usize) -> Option<Vec<u8>>,
    ) -> (usize, Result<Decoded<'b>, FrameError>) {
        match self.plain_at(input, limits) {
            Some(plain) => {
                let (end, event) = self.take(plain, input);
                (end, event.map(Decoded::Event))
            }
            None => self.decode_any(input, limits, &mut lender),
        }
    }

    /// Where the next bytes of the message in progress may be read to instead of into an input, and how many at most; `None`
    /// when they should come by an input. [`Decoder::filled`] takes note of them.
    pub fn room(&mut self) -> Option<&mut [u8]> {
        self.assembly.as_mut()?.room()
    }

    /// `count` bytes were read into [`Decoder::room`]. What follows them comes by an input.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn filled(&mut self, count: usize) -> Result<Decoded<'static>, FrameError> {
        let Some(mut assembly) = self.assembly.take() else { return Ok(Decoded::NeedMore) };
        let filled = assembly.fill(count);
        // On an error the assembly, taken out above, is dropped: a connection that is about to close holds no message.
        self.ended = filled.is_err();
        filled?;
        // No input is needed: what was filled is a message in memory of its own, never a range.
        present(self.go_on(assembly).unwrap_or(Found::Nothing), &mut [])
    }

    /// The message at the start of `input`, and how many bytes its frame has, if it is one plain frame that has arrived completely
    /// and no message is in progress; otherwise nothing is changed. A short [`Decoder::decode`], for callers that take many.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn take_plain<'b>(
        &mut self,
        input: &'b mut [u8],
        limits: &FrameLimits,
    ) -> Option<(usize, Result<Event<'b>, FrameError>)> {
        let plain = self.plain_at(input, limits)?;
        Some(self.take(plain, input))
    }

    #[inline]
    fn plain_at(&self, input: &[u8], limits: &FrameLimits) -> Option<Plain> {
        // In a message in progress another text or binary frame is an error; frames from a server have no mask.
        let may_be = self.assembly.is_none() && !self.ended && self.role == Role::Server;
        if may_be { Plain::at(input, limits) } else { None }
    }

    // Inlined: as a call it returned its event through memory, 15 instructions more for each echo.
    #[inline(always)]
    fn take<'b>(&mut self, plain: Plain, input: &'b mut [u8]) -> (usize, Result<Event<'b>, FrameError>) {
        let end = plain.place.end;
        let event = plain.take(input);
        self.ended = event.is_err();
        (end, event)
    }

    /// [`Decoder::decode`] for any input.
    fn decode_any<'b>(
        &mut self,
        input: &'b mut [u8],
        limits: &FrameLimits,
        lender: Lender<'_>,
    ) -> (usize, Result<Decoded<'b>, FrameError>) {
        if self.ended {
            return (0, Err(ENDED));
        }
        let mut consumed = 0;
        let decoded = self.search(input, &mut consumed, limits, lender).and_then(|found| present(found, input));
        if matches!(decoded, Err(_) | Ok(Decoded::Event(Event::Close(_)))) {
            self.ended = true;
            // Nothing is read after an error or a Close (section 5.5.1): a message that it interrupts never completes.
            self.assembly = None;
        }
        (consumed, decoded)
    }

    /// The bytes of memory held for a message in progress; zero when there is none.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.assembly.as_ref().map_or(0, |assembly| size_of::<Assembly>() + assembly.capacity())
    }

    /// Whether a message has begun and not ended: the peer owes the rest of it.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        self.assembly.is_some()
    }

    /// The payload bytes of the message in progress that have arrived.
    #[must_use]
    pub fn received_bytes(&self) -> usize {
        self.assembly.as_ref().map_or(0, |assembly| assembly.so_far().bytes)
    }

    /// Goes through the frames until one completes something or the input is used up.
    fn search(
        &mut self,
        input: &mut [u8],
        at: &mut usize,
        limits: &FrameLimits,
        lender: Lender<'_>,
    ) -> Result<Found, FrameError> {
        loop {
            if !self.is_mid_frame() {
                let Some(header) = header::read(&input[*at..], &self.context(limits))? else {
                    return Ok(Found::Nothing);
                };
                if !self.must_stream(&header, input.len() - *at) {
                    // The header is not consumed before its frame: a control frame whose rest is missing is read again
                    // from its start.
                    return whole_frame(&header, input, at);
                }
                *at += header.size;
                self.begin_frame(&header);
            }
            if let Some(found) = self.absorb(input, at, lender)? {
                return Ok(found);
            }
        }
    }

    /// Whether the bytes that come next are payload.
    fn is_mid_frame(&self) -> bool {
        self.assembly.as_ref().is_some_and(|assembly| assembly.progress() == Progress::InFrame)
    }

    fn context<'a>(&self, limits: &'a FrameLimits) -> Context<'a> {
        let message = self.assembly.as_ref().map(|assembly| assembly.so_far());
        Context { role: self.role, limits, deflate: self.deflate, message }
    }

    /// Whether the frame is part of a message that has to be assembled: one of several, or not all there.
    fn must_stream(&self, header: &Header, available: usize) -> bool {
        match header.opcode {
            // It may come between fragments (section 5.4) and must leave their message alone.
            OpCode::Control(_) => false,
            // Even when all of it is there: the fragments before it are in memory of their own.
            OpCode::Data(Data::Continue) => true,
            OpCode::Data(_) => !header.is_final || available - header.size < header.length,
        }
    }

    fn begin_frame(&mut self, header: &Header) {
        // Counts only for a first frame: a continuation's opcode names no kind, and finds its message here.
        let kind = kind(header.opcode);
        self.assembly.get_or_insert_with(|| Box::new(Assembly::new(kind, header.deflated))).begin_frame(header);
    }

    /// Moves payload into the message in progress; `None` when a frame ended and the next one may follow.
    fn absorb(&mut self, input: &mut [u8], at: &mut usize, lender: Lender<'_>) -> Result<Option<Found>, FrameError> {
        // Taken out, so that an error frees it.
        let Some(mut assembly) = self.assembly.take() else { return Ok(None) };
        *at += assembly.absorb(&mut input[*at..], lender)?;
        Ok(self.go_on(assembly))
    }

    /// Hands the message over when it is complete, and keeps it otherwise; `None` when a frame ended and it did not.
    fn go_on(&mut self, assembly: Box<Assembly>) -> Option<Found> {
        match assembly.progress() {
            Progress::Complete => {
                let (kind, deflated, message) = assembly.into_message();
                Some(Found::Message { kind, deflated, message })
            }
            progress => {
                self.assembly = Some(assembly);
                (progress == Progress::InFrame).then_some(Found::Nothing)
            }
        }
    }
}

fn kind(opcode: OpCode) -> Kind {
    if opcode == OpCode::Data(Data::Text) { Kind::Text } else { Kind::Binary }
}

/// Takes a frame that is a message or a control frame by itself, unmasked in place.
fn whole_frame(header: &Header, input: &mut [u8], at: &mut usize) -> Result<Found, FrameError> {
    let start = *at + header.size;
    let Some(payload) = input.get_mut(start..start + header.length) else { return Ok(Found::Nothing) };
    if let Some(key) = header.mask {
        mask::unmask(payload, key, 0);
    }
    let place = start..start + header.length;
    *at = place.end;
    Ok(match header.opcode {
        OpCode::Control(control) => Found::Control(control, place),
        OpCode::Data(_) => Found::Frame { kind: kind(header.opcode), deflated: header.deflated, place },
    })
}

/// Turns what was found into an event that borrows from the input, and checks what only the whole payload shows.
fn present(found: Found, input: &mut [u8]) -> Result<Decoded<'_>, FrameError> {
    let event = match found {
        Found::Nothing => return Ok(Decoded::NeedMore),
        // Before the texts: compressed bytes are not UTF-8, their message is checked once it is inflated.
        Found::Frame { kind, deflated: true, place } => Event::Deflated(kind, Payload::Borrowed(&mut input[place])),
        Found::Message { kind, deflated: true, message } => Event::Deflated(kind, Payload::Owned(message)),
        Found::Frame { kind: Kind::Text, place, .. } => {
            let text = &mut input[place];
            utf8::check(text)?;
            Event::Text(Payload::Borrowed(text))
        }
        Found::Frame { kind: Kind::Binary, place, .. } => Event::Binary(Payload::Borrowed(&mut input[place])),
        // Its UTF-8 was checked piece by piece, so that a wrong byte is refused before the message is complete.
        Found::Message { kind: Kind::Text, message, .. } => Event::Text(Payload::Owned(message)),
        Found::Message { kind: Kind::Binary, message, .. } => Event::Binary(Payload::Owned(message)),
        Found::Control(Control::Close, place) => Event::Close(close::read(&input[place])?),
        Found::Control(Control::Ping, place) => Event::Ping(&input[place]),
        Found::Control(Control::Pong, place) => Event::Pong(&input[place]),
        // `header::read` has refused these; an error and not a panic, since the bytes are the peer's.
        Found::Control(Control::Reserved(_), _) => return Err(header::RESERVED_OPCODE),
    };
    Ok(Decoded::Event(event))
}
