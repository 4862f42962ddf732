//! The admin API: what operators ask about clients and do to them, over HTTP and in JSON.

pub mod gathered;
pub mod question;
mod read;
pub mod reply;
mod routes;

pub(super) use routes::ROUTES;
