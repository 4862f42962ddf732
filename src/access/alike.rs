//! Finding a secret among several so that the time says nothing: neither which one was right, nor whether there was one.

use subtle::{Choice, ConditionallySelectable as _};

/// The one of `all` that `is_this` says yes to; of several the last. All of them are asked.
pub(super) fn find<T>(all: &[T], is_this: impl Fn(&T) -> Choice) -> Option<&T> {
    let (mut is_known, mut place) = (Choice::from(0), 0_u64);
    for (index, one) in (0..).zip(all) {
        let is_this = is_this(one);
        is_known |= is_this;
        place.conditional_assign(&index, is_this);
    }
    let found = usize::try_from(place).ok().and_then(|place| all.get(place));
    found.filter(|_| is_known.into())
}

#[cfg(test)]
mod tests {
    use super::find;
    use std::cell::Cell;
    use subtle::ConstantTimeEq as _;

    #[test]
    fn the_right_one_is_found_and_all_are_asked() {
        let all = [1_u8, 2, 3];
        for (wanted, expected) in [(1, Some(&1)), (2, Some(&2)), (3, Some(&3)), (0, None), (4, None)] {
            let asked = Cell::new(0);
            let found = find(&all, |one| {
                asked.set(asked.get() + 1);
                one.ct_eq(&wanted)
            });
            assert_eq!((found, asked.get()), (expected, 3), "{wanted}");
        }
        assert_eq!(find(&[] as &[u8], |one| one.ct_eq(&0)), None);
    }
}
