//! Answers and events on their way out: the protocol writes them, this hands them to the transport.

use super::env::Env;
use super::outbox::Outbox;
use super::socket::Socket;
use super::validity::Validity;
use super::{Connection, Hold, Payload, State};
use crate::access::{ChannelRules, Identity, Presented, Unproven, Verification, Way, Who};
use crate::hub::publication::Publication;
use crate::model::code::Code;
use crate::model::ids::ChannelId;
use crate::model::name::ChannelName;
use crate::model::peer_address::PeerAddress;
use crate::model::publication::Position;
use crate::model::refusal::Refusal;
use crate::model::ticket::Ticket;
use crate::model::transport::Transport;
use crate::node::answer::{Answer, Reply};
use crate::protocol::response::Responded;
use crate::protocol::task::RawWork;
use crate::protocol::{Event, Next, Outlet, blocks, respond};
use crate::wire::frame::{Opcode, SharedFrame, header};
use std::sync::Arc;

/// An answer that cannot be given before its client's token is verified.
#[derive(Debug)]
pub struct PutOff {
    /// What is to be verified.
    pub verification: Box<Verification>,
    /// The answer, for [`Connection::sign_in`] once more.
    pub reply: Reply,
}

impl Connection {
    /// Takes an answer that signs the client in: what becomes of it is answered. It comes back where the token has to be verified
    /// elsewhere: then the connection waits for [`Connection::returned`].
    #[must_use]
    pub fn sign_in(&mut self, mut reply: Reply, env: &mut Env) -> Option<Box<PutOff>> {
        if let (State::Socket(socket), Answer::SignIn { token }) = (&mut self.state, &reply.answer) {
            match sign_in(socket, token, self.peer, env) {
                Ok(()) => {}
                Err(Unproven::Refused(refusal)) => reply.answer = Answer::Refused(refusal),
                Err(Unproven::Later(verification)) => {
                    // It is still on its way, and nothing is read before it has come.
                    self.hold = Hold::Elsewhere;
                    return Some(Box::new(PutOff { verification, reply }));
                }
            }
        }
        self.reply(reply, env);
        None
    }

    /// Takes an answer that the hub posted, and that signs nobody in. The reactor has done to its table what the answer says.
    pub fn reply(&mut self, answer: Reply, env: &mut Env) {
        // First: `end_if_answered` must find the last answer counted.
        self.answered();
        if let Answer::Refused(refusal) = &answer.answer {
            count_refusal(refusal, env);
        }
        match self.transport() {
            Some(Transport::Http) => self.reply_http(answer, env),
            Some(Transport::WebSocket) => {
                self.reply_socket(&answer, env);
                self.end_if_answered(env);
            }
            Some(Transport::EventStream | Transport::TurnedAway) | None => {}
        }
    }

    /// Tells a subscriber that the channel's continuity was lost, and where it goes on.
    pub fn push_reset(&mut self, channel: ChannelId, name: &str, position: Position, env: &mut Env) {
        self.push_event(channel, &Event::Reset { channel: name, position }, env);
    }

    /// Tells a subscriber where a publication is that it does not get, so that the hole in its offsets is none.
    pub fn push_excluded(&mut self, publication: &Publication, env: &mut Env) {
        self.push_event(publication.channel_id(), &Event::Excluded(publication), env);
    }

    pub(super) fn push_event(&mut self, channel: ChannelId, event: &Event<'_>, env: &mut Env) {
        match &mut self.state {
            State::Socket(socket) => {
                if let Some(frame) = socket.session.event(event) {
                    socket.push_frame(channel.0, frame, &mut self.outbox, env);
                }
            }
            State::Stream(stream) => stream.append(&mut self.outbox, env, |out| blocks::event_block(out, event)),
            State::Announced | State::Http(_) | State::Ending(..) => {}
        }
    }

    fn reply_socket(&mut self, reply: &Reply, env: &mut Env) {
        let State::Socket(socket) = &mut self.state else { return };
        let session = socket.session;
        let mut memory = socket.take_memory();
        let scope = env.scope();
        let next = session.reply(reply, &mut memory, &scope, &mut Sender { socket, outbox: &mut self.outbox, env });
        socket.keep_memory(memory);
        if let Next::Close(refusal) = next {
            self.close_socket(refusal.code, &refusal.message, env);
        }
    }

    /// What its socket asks for since its client signed in, by an answer with this ticket and as somebody else than `before`.
    #[must_use]
    pub fn signed_in(
        &self,
        ticket: Ticket,
        before: &Identity,
        rules: &ChannelRules,
        has: impl Fn(&ChannelName) -> bool,
    ) -> Option<RawWork<Payload<'static>>> {
        let State::Socket(socket) = &self.state else { return None };
        // One that was refused is who it was, and one that was renewed has its subscriptions, or ended them itself.
        if before.is_same(&socket.identity) {
            return None;
        }
        let task = socket.session.signed_in(ticket, &socket.identity, rules, has)?;
        Some(RawWork { task, payload: Payload::Borrowed(&[]), identity: Arc::clone(&socket.identity) })
    }

    fn reply_http(&mut self, reply: Reply, env: &mut Env) {
        let State::Http(http) = &mut self.state else { return };
        let Some((asked, memory)) = http.asked_and_memory() else { return };
        let asked = asked.clone();
        match respond(reply, memory, &env.scope()) {
            Responded::Whole(response) => self.answer(&asked, &response, env),
            Responded::Stream(answer) => self.begin_stream(&asked, &answer, env),
            Responded::RefusedStream(refusal) => self.refuse_stream(&asked, &refusal, env),
            Responded::Partly => {}
        }
    }
}

/// Makes of a socket's client what its token or key proves. One that is somebody already may renew what it has, and not
/// become another: what it was allowed as the one must not reach the other.
fn sign_in(socket: &mut Socket, token: &str, peer: PeerAddress, env: &mut Env) -> Result<(), Unproven> {
    let presented = Presented { secret: token, way: Way::Auth };
    let identity = env.policy.identify(presented, peer, env.unix_s())?;
    let before = &socket.identity;
    if !matches!(before.who, Who::Anonymous | Who::Signed) && !identity.is_operator() && !before.is_same(&identity) {
        let message = "this connection is another user's or key's already; open another one to be somebody else";
        return Err(Refusal::new(Code::Forbidden, message).into());
    }
    // What is renewed has its place.
    if !before.is_same(&identity) {
        env.meter.enter_as(&identity)?;
    }
    socket.validity = Validity::of(&identity, env.unix_s());
    socket.identity = identity;
    Ok(())
}

/// How a session sends on its socket.
struct Sender<'a, 'e> {
    socket: &'a mut Socket,
    outbox: &'a mut Outbox,
    env: &'a mut Env<'e>,
}

impl Outlet for Sender<'_, '_> {
    fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.socket.may_pack() {
            // A text is compressed as a whole, so it cannot be written where it will lie.
            let mut text = Vec::new();
            write(&mut text);
            return self.socket.send(Opcode::Text, &text, self.outbox, self.env);
        }
        self.env.counters.frames_out.add(1);
        self.outbox.append(self.env.buffers, |out| {
            let start = out.len();
            write(out);
            let (bytes, size) = header(Opcode::Text, out.len() - start);
            // The header's length depends on the payload's, which is known when it is written.
            out.splice(start..start, bytes[..size].iter().copied());
        });
    }

    fn frame(&mut self, frame: SharedFrame) {
        self.socket.send_shared(frame, self.outbox, self.env);
    }
}

fn count_refusal(refusal: &Refusal, env: &Env) {
    let code = refusal.code;
    if code.is_policy() {
        return env.refuse(code, &refusal.message);
    }
    // The message may quote what was sent, which no log should hold.
    match code.allowed_by() {
        "" => env.refuse(code, format_args!("a request was refused: {}", code.label())),
        allowed_by => {
            env.refuse(code, format_args!("a request was refused: {}; allowed by: {allowed_by}", code.label()));
        }
    }
}
