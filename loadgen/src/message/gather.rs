//! Sums over threads: a struct of counters is declared once, and how two of them are added follows from its members.

use std::collections::BTreeMap;

/// What several threads report, put together.
pub trait Gather {
    /// Takes another thread's part in.
    fn gather(&mut self, other: &Self);
}

impl Gather for u64 {
    fn gather(&mut self, other: &u64) {
        *self += other;
    }
}

impl Gather for BTreeMap<String, u64> {
    fn gather(&mut self, other: &Self) {
        for (text, count) in other {
            *self.entry(text.clone()).or_default() += count;
        }
    }
}

/// Texts, each once.
impl Gather for Vec<String> {
    fn gather(&mut self, other: &Self) {
        for text in other {
            if !self.contains(text) {
                self.push(text.clone());
            }
        }
    }
}

/// Declares a struct all of whose members are gathered: one that is added later cannot be forgotten in the sum.
macro_rules! gathered {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $member:ident: $type:ty,)* }) => {
        $(#[$meta])*
        pub struct $name { $($(#[$doc])* pub $member: $type,)* }

        impl $crate::message::Gather for $name {
            fn gather(&mut self, other: &$name) {
                $($crate::message::Gather::gather(&mut self.$member, &other.$member);)*
            }
        }
    };
}

pub(super) use gathered;

#[cfg(test)]
mod tests {
    use super::Gather;
    use crate::message::Ledger;
    use std::collections::BTreeMap;

    #[test]
    fn counters_and_errors_are_added_and_limits_named_once() {
        let errors = |count| BTreeMap::from([("refused".to_owned(), count)]);
        let limits = vec!["no ports are left".to_owned()];
        let part = Ledger { lost: 2, errors: errors(3), limits: limits.clone(), ..Ledger::default() };
        let mut sum = Ledger { lost: 1, came: 5, errors: errors(1), ..Ledger::default() };
        sum.gather(&part);
        sum.gather(&part);
        assert_eq!(sum, Ledger { lost: 5, came: 5, errors: errors(7), limits, ..Ledger::default() });
    }
}
