//! In which form an answer goes back: noted in a ticket when the request is read, found in it when the answer comes.

use crate::model::encoding::Encoding;
use crate::model::ticket::Ticket;
use crate::protocol::encoders::{BINARY, TEXT};

/// The number of this protocol in tickets.
pub const PROTOCOL: u8 = 0;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A text frame.
    Text,
    /// A text frame; the request came in a binary frame, so pushes of binary publications come as binary frames.
    Binary,
    /// One item of the array that answers a batch, with the number of its requests.
    Batch(u8),
    /// The fixed text that answers a plain frame.
    Plain,
    /// An HTTP response.
    Http,
    /// The HTTP response to a plain POST on `/ws`: the fixed text as `text/plain`.
    HttpPlain,
    /// The HTTP response to requests that were sent to `/ws`: what a socket would get.
    HttpAsSocket,
    /// A `text/event-stream`.
    EventStream,
    /// The subscription that an upgrade at `/channels/{name}` asks for; its answer is the first text frame.
    Upgrade,
}

/// The forms without a number, by their kinds in tickets; a batch has the kind after them.
const PLAIN_KINDS: [Form; 8] = [
    Form::Text,
    Form::Binary,
    Form::Plain,
    Form::Http,
    Form::HttpPlain,
    Form::EventStream,
    Form::Upgrade,
    Form::HttpAsSocket,
];
const BATCH_KIND: u8 = PLAIN_KINDS.len() as u8;

impl Form {
    /// The ticket that says so.
    #[must_use]
    pub const fn ticket(self) -> Ticket {
        let (kind, number) = match self {
            Form::Text => (0, 0),
            Form::Binary => (1, 0),
            Form::Plain => (2, 0),
            Form::Http => (3, 0),
            Form::HttpPlain => (4, 0),
            Form::EventStream => (5, 0),
            Form::Upgrade => (6, 0),
            Form::HttpAsSocket => (7, 0),
            Form::Batch(of) => (BATCH_KIND, of),
        };
        Ticket::new(PROTOCOL, kind, number)
    }

    /// What a ticket of this protocol says.
    #[must_use]
    pub fn of(ticket: Ticket) -> Form {
        // A kind after those of the table can only be a batch, the one form with a number.
        PLAIN_KINDS.get(usize::from(ticket.kind())).copied().unwrap_or(Form::Batch(ticket.number()))
    }

    /// The form for a plain frame or body, where the form for requests is this one.
    #[must_use]
    pub fn of_plain(self) -> Form {
        if self == Form::HttpAsSocket { Form::HttpPlain } else { Form::Plain }
    }
}

/// How publications are written for a socket that a request with this ticket has subscribed.
pub(in crate::protocol) fn encoding(ticket: Ticket) -> Encoding {
    // A batch, too, reads text: there is none in a binary frame.
    if Form::of(ticket) == Form::Binary { BINARY } else { TEXT }
}

#[cfg(test)]
mod tests {
    use super::{BATCH_KIND, Form, PLAIN_KINDS};

    #[test]
    fn a_ticket_gives_back_the_form_it_was_made_of() {
        for form in PLAIN_KINDS.into_iter().chain([Form::Batch(1), Form::Batch(100), Form::Batch(255)]) {
            assert_eq!(Form::of(form.ticket()), form);
        }
        assert_eq!(Form::Batch(1).ticket().kind(), BATCH_KIND);
    }
}
