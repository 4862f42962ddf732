//! Whom a publication is not delivered to.

use crate::hub::Hub;
use crate::hub::names::NoName;
use crate::model::ids::ConnId;
use crate::model::request::PostOptions;

/// The connection that a POST excludes; an error when what it gives cannot be a connection's name.
#[inline(always)]
pub(super) fn excluded(hub: &Hub, publisher: ConnId, post: &PostOptions) -> Result<Option<ConnId>, NoName> {
    match post.exclude() {
        // A name that no connection has is no error: that connection is gone, and all others receive it.
        Some(name) => hub.names().find(name),
        None => Ok(post.exclude_self.then_some(publisher)),
    }
}
