//! What one frame or body asks of the hub, and how far it has come.

use super::post::Form;
use crate::model::ids::ConnId;
use crate::model::publication::Data;
use crate::model::refusal::Refusal;
use crate::model::request::{Item, Parsed, RefusedItem, Request, RequestId, Verb};
use smallvec::{SmallVec, smallvec};
use std::time::Instant;

/// The requests of one frame or body, executed in order; each leads to exactly one reply.
#[derive(Debug)]
pub struct Work {
    /// Who asks.
    pub to: ConnId,
    /// In which form it wants to be answered; the items of a batch get a form of their own.
    pub form: Form,
    /// Whether it may publish; false unless said.
    pub may_publish: bool,
    /// Whether it may delete; false unless said.
    pub may_administer: bool,
    /// Since when its next item waits for room in a mailbox.
    pub blocked_since: Option<Instant>,
    /// Whether the items are a batch: one answer, so one replay budget.
    batch: bool,
    tasks: SmallVec<[Option<Task>; 1]>,
    next: usize,
    /// Bytes of replay that the answer may still hold; `None` before the first item.
    pub(super) replay_left: Option<usize>,
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Task {
    /// A request, or why it is none.
    Item(Item),
    /// The plain `GET`.
    PlainGet,
    /// A publication to the plain channel.
    PlainPost(Data),
}

impl Task {
    /// The request's id.
    pub(super) fn id(&self) -> Option<&RequestId> {
        match self {
            Task::Item(Ok(request)) => request.id.as_ref(),
            Task::Item(Err(refused)) => refused.id.as_ref(),
            Task::PlainGet | Task::PlainPost(_) => None,
        }
    }
}

impl Work {
    /// One request.
    #[must_use]
    pub fn one(to: ConnId, form: Form, item: Item) -> Work {
        Work::new(to, form, false, smallvec![Some(Task::Item(item))])
    }

    /// A batch; its answer is one array.
    #[must_use]
    pub fn batch(to: ConnId, form: Form, items: Vec<Item>) -> Work {
        Work::new(to, form, true, items.into_iter().map(|item| Some(Task::Item(item))).collect())
    }

    /// A JSON value that is no request. The form is [`Form::Plain`] or [`Form::HttpPlain`].
    #[must_use]
    pub fn plain_post(to: ConnId, form: Form, data: Data) -> Work {
        Work::new(to, form, false, smallvec![Some(Task::PlainPost(data))])
    }

    /// The plain `GET`.
    #[must_use]
    pub fn plain_get(to: ConnId, form: Form) -> Work {
        Work::new(to, form, false, smallvec![Some(Task::PlainGet)])
    }

    /// Whatever a frame (`form` is [`Form::Text`] or [`Form::Binary`]) or a body on `/ws` ([`Form::Http`]) says.
    #[must_use]
    pub fn parsed(to: ConnId, form: Form, parsed: Parsed) -> Work {
        let plain = if form == Form::Http { Form::HttpPlain } else { Form::Plain };
        match parsed {
            Parsed::PlainGet => Work::plain_get(to, plain),
            Parsed::PlainPost(data) => Work::plain_post(to, plain, data),
            Parsed::One(item) => Work::one(to, form, item),
            Parsed::Batch(items) => Work::batch(to, form, items),
            Parsed::Refused(refusal) => Work::one(to, form, Err(RefusedItem { id: None, refusal })),
        }
    }

    /// The same, for somebody who may publish or administer.
    #[must_use]
    pub fn allowing(self, may_publish: bool, may_administer: bool) -> Work {
        Work { may_publish, may_administer, ..self }
    }

    /// Refuses what `judge` has a refusal for: it is asked about each request, or about the data for the plain channel.
    pub fn refuse_where(&mut self, mut judge: impl FnMut(Result<&Verb, &Data>) -> Result<(), Refusal>) {
        for task in self.tasks.iter_mut().flatten() {
            let (id, judged) = match task {
                Task::Item(Ok(request)) => (request.id.clone(), judge(Ok(&request.verb))),
                Task::PlainPost(data) => (None, judge(Err(data))),
                Task::Item(Err(_)) | Task::PlainGet => continue,
            };
            if let Err(refusal) = judged {
                *task = Task::Item(Err(RefusedItem { id, refusal }));
            }
        }
    }

    /// Whether a connection should wait for the answer before it asks for more: it can be as long as the replay limits
    /// allow, or says what the connection may do.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        self.batch
            || self.tasks.iter().flatten().any(|task| match task {
                // Nothing that follows it is looked at before it is known who asks.
                Task::Item(Ok(Request { verb: Verb::Auth { .. }, .. })) => true,
                Task::Item(Ok(Request { verb: Verb::Get { options, .. }, .. })) => {
                    options.once || options.since.is_some() || options.last.is_some()
                }
                _ => false,
            })
    }

    /// Replies that are still to come.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.tasks.len() - self.next
    }

    fn new(to: ConnId, form: Form, batch: bool, tasks: SmallVec<[Option<Task>; 1]>) -> Work {
        let (may_publish, may_administer, blocked_since, replay_left) = (false, false, None, None);
        Work { to, form, may_publish, may_administer, blocked_since, batch, tasks, next: 0, replay_left }
    }

    /// Takes the next thing to do; it counts as done unless it is put back.
    pub(super) fn take(&mut self) -> Option<Task> {
        self.tasks.get_mut(self.next)?.take()
    }

    /// Puts back what could not be done.
    pub(super) fn put_back(&mut self, task: Task) {
        self.tasks[self.next] = Some(task);
    }

    /// The item that was taken is done.
    pub(super) fn advance(&mut self) {
        self.next += 1;
        self.blocked_since = None;
    }

    /// The form of the reply to the current item.
    pub(super) fn reply_form(&self) -> Form {
        let small = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
        match self.batch {
            true => Form::Batch { index: small(self.next), of: small(self.tasks.len()) },
            false => self.form,
        }
    }
}
