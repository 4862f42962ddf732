//! Dialects against real servers of their kinds.
