//! Why connections end: an end has its code in the same table as a refusal, so that both have one name (law 9).

pub use crate::model::code::Code as Reason;
