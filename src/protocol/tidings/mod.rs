//! The protocol of this server: requests and answers in JSON, pushes as frames or as blocks of an event stream.

pub(super) mod encode;
