//! What a GET has asked of an engine: a place in every work, which most never fill.

use crate::hub::Asked;
use std::mem::ManuallyDrop;

/// See the module. It is given back apart: a work that asked nothing pays one comparison for it, where the way of the compiler
/// was a call (17 instructions for each request).
#[derive(Debug, Default)]
pub(super) struct Question(Option<ManuallyDrop<Box<Asked>>>);

impl Question {
    /// What was asked, if something was.
    pub(super) fn get(&self) -> Option<&Asked> {
        self.0.as_ref().map(|asked| &***asked)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self) -> Option<&mut Asked> {
        self.0.as_mut().map(|asked| &mut ***asked)
    }

    /// Takes it out.
    pub(super) fn take(&mut self) -> Option<Box<Asked>> {
        self.0.take().map(ManuallyDrop::into_inner)
    }
}

impl From<Option<Box<Asked>>> for Question {
    fn from(asked: Option<Box<Asked>>) -> Question {
        Question(asked.map(ManuallyDrop::new))
    }
}

impl Drop for Question {
    #[inline]
    fn drop(&mut self) {
        if let Some(asked) = self.0.take() {
            give_back(asked);
        }
    }
}

#[cold]
#[inline(never)]
fn give_back(asked: ManuallyDrop<Box<Asked>>) {
    drop(ManuallyDrop::into_inner(asked));
}
