//! A histogram of times with one writer: buckets whose bounds are powers of two, so that finding one takes no search.

use super::Counter;

/// The first bound is 2 to this power, in microseconds: 64 µs.
const FIRST_POWER: usize = 6;
/// Bounds, the last of which is 8.4 s.
const BOUNDS: usize = 18;

/// How long something took, of one thread.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One for each bound, and one for values above all of them.
    buckets: [Counter; BOUNDS + 1],
    sum_us: Counter,
}

/// Histograms of several threads together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Sum {
    /// How many were at most as long as each bound, in microseconds.
    pub up_to: Vec<(u64, u64)>,
    /// How many there were.
    pub count: u64,
    /// How long they took together, in microseconds.
    pub sum_us: u64,
}

impl Histogram {
    /// Counts one. Only the thread that owns it may call it.
    pub fn observe(&self, us: u64) {
        // Less one, since a bound is the largest time in its bucket. Saturating, so that 0 is in the first.
        let power = (u64::BITS - us.saturating_sub(1).leading_zeros()) as usize;
        self.buckets[power.saturating_sub(FIRST_POWER).min(BOUNDS)].add(1);
        self.sum_us.add(us);
    }

    /// Adds up those of several threads.
    pub fn sum<'h>(histograms: impl Iterator<Item = &'h Histogram>) -> Sum {
        let mut buckets = [0_u64; BOUNDS + 1];
        let mut sum_us = 0_u64;
        for histogram in histograms {
            for (sum, bucket) in buckets.iter_mut().zip(&histogram.buckets) {
                *sum += bucket.get();
            }
            sum_us = sum_us.wrapping_add(histogram.sum_us.get());
        }
        // Counted from the buckets: a counter of its own could differ from their sum while threads go on counting.
        let mut count = 0;
        let mut up_to = Vec::with_capacity(BOUNDS);
        for (index, bucket) in buckets.iter().enumerate() {
            count += bucket;
            if index < BOUNDS {
                up_to.push((1 << (FIRST_POWER + index), count));
            }
        }
        Sum { up_to, count, sum_us }
    }
}

#[cfg(test)]
mod tests {
    use super::{BOUNDS, Histogram};

    #[test]
    fn each_time_is_counted_at_the_first_bound_that_is_not_below_it() {
        for (us, bound) in
            [(0, 64), (1, 64), (64, 64), (65, 128), (128, 128), (129, 256), (1_000, 1_024), (8_388_608, 8_388_608)]
        {
            let histogram = Histogram::default();
            histogram.observe(us);
            let sum = Histogram::sum([&histogram].into_iter());
            let first = sum.up_to.iter().find(|(_, count)| *count == 1).map(|(bound, _)| *bound);
            assert_eq!((first, sum.count, sum.sum_us), (Some(bound), 1, us));
        }
    }

    #[test]
    fn what_is_above_all_bounds_is_only_in_the_count_and_threads_are_added() {
        let (one, other) = (Histogram::default(), Histogram::default());
        one.observe(8_388_609);
        other.observe(u64::from(u32::MAX));
        other.observe(3);
        let sum = Histogram::sum([&one, &other].into_iter());
        assert_eq!((sum.up_to.len(), sum.up_to[0].1, sum.up_to[BOUNDS - 1].1, sum.count), (BOUNDS, 1, 1, 3));
    }
}
