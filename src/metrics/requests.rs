//! Answered requests by method and class of status.

use super::Counter;

/// The methods that are counted separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodLabel {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// DELETE.
    Delete,
    /// OPTIONS.
    Options,
    /// Any other, and what could not be read as a request.
    Other,
}

impl MethodLabel {
    const ALL: [(MethodLabel, &'static str); 6] = [
        (MethodLabel::Get, "GET"),
        (MethodLabel::Head, "HEAD"),
        (MethodLabel::Post, "POST"),
        (MethodLabel::Delete, "DELETE"),
        (MethodLabel::Options, "OPTIONS"),
        (MethodLabel::Other, "other"),
    ];
}

/// The classes of statuses, by their first digit less one.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The counters of one thread.
#[derive(Debug, Default)]
pub struct Requests([[Counter; CLASSES.len()]; MethodLabel::ALL.len()]);

impl Requests {
    /// Counts an answer. Only the thread that owns it may call it.
    pub fn count(&self, method: MethodLabel, status: u16) {
        // Kept in range whatever the status is: a count must not be what panics.
        let class = usize::from(status / 100).saturating_sub(1).min(CLASSES.len() - 1);
        self.0[method as usize][class].add(1);
    }

    /// Every method and class with its number in several threads, without those that have not occurred.
    pub fn sum(threads: &[&Requests]) -> Vec<(&'static str, &'static str, u64)> {
        let mut all = Vec::new();
        for (method, name) in MethodLabel::ALL {
            for (class, status) in CLASSES.into_iter().enumerate() {
                let sum = threads.iter().map(|own| own.0[method as usize][class].get()).sum::<u64>();
                if sum > 0 {
                    all.push((name, status, sum));
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{MethodLabel, Requests};

    #[test]
    fn answers_are_counted_by_method_and_first_digit_of_the_status() {
        for (index, (method, _)) in MethodLabel::ALL.into_iter().enumerate() {
            assert_eq!(method as usize, index);
        }
        let (one, other) = (Requests::default(), Requests::default());
        one.count(MethodLabel::Get, 101);
        one.count(MethodLabel::Other, 599);
        other.count(MethodLabel::Get, 101);
        other.count(MethodLabel::Post, 200);
        let sum = Requests::sum(&[&one, &other]);
        assert_eq!(sum, [("GET", "1xx", 2), ("POST", "2xx", 1), ("other", "5xx", 1)]);
    }
}
