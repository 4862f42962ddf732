//! One item of a work, and what it has asked of an engine.

use crate::hub::Asked;
use crate::model::request::{Item, Request, Verb};
use std::mem;

/// What a GET asked is kept here and not in the work: almost no work asks anything, and there each of them paid a call of 17
/// instructions for giving back nothing.
#[derive(Debug)]
pub(super) enum Slot {
    /// It has asked nothing.
    Item(Item),
    /// A GET that an engine is asked for. Boxed, so that no slot is larger for it.
    Asking(Box<Asking>),
}

/// See there.
#[derive(Debug)]
pub(super) struct Asking {
    item: Item,
    /// `None` when it asked for its channel, and while what was given is read.
    asked: Option<Box<Asked>>,
}

const _: () = assert!(size_of::<Slot>() == size_of::<Item>(), "works are moved often");

impl Slot {
    /// The item.
    #[inline]
    pub(super) fn item(&self) -> &Item {
        match self {
            Slot::Item(item) => item,
            Slot::Asking(asking) => &asking.item,
        }
    }

    /// The item, and the place of what it has asked if that has one.
    #[inline]
    pub(super) fn parts(&mut self) -> (&mut Item, Option<&mut Option<Box<Asked>>>) {
        match self {
            Slot::Item(item) => (item, None),
            Slot::Asking(asking) => (&mut asking.item, Some(&mut asking.asked)),
        }
    }

    /// What the item has asked.
    pub(super) fn asked(&self) -> Option<&Asked> {
        match self {
            Slot::Item(_) => None,
            Slot::Asking(asking) => asking.asked.as_deref(),
        }
    }

    /// Notes what the item asks.
    #[cold]
    pub(super) fn ask(&mut self, asked: Option<Box<Asked>>) {
        match self {
            Slot::Item(_) if asked.is_none() => {}
            Slot::Item(item) => {
                // Something has to be there while the item moves into its box.
                let item = mem::replace(item, Ok(Request { id: None, verb: Verb::Livez }));
                *self = Slot::Asking(Box::new(Asking { item, asked }));
            }
            Slot::Asking(asking) => asking.asked = asked,
        }
    }
}
