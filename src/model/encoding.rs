//! How a publication is written for some of its readers: a number that the rooms below the protocols pass on unread.

use std::fmt;

/// One way to write a publication: a row of the table of encoders, and whether the row's frame is compressed. All
/// connections with the same encoding receive the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding(u8);

impl Encoding {
    /// What a row of the table makes. There are at most 128 rows.
    #[must_use]
    pub const fn of_row(row: u8) -> Encoding {
        assert!(row < 128, "the low bit is not the row's");
        Encoding(row << 1)
    }

    /// The same, compressed.
    #[must_use]
    pub const fn deflated(self) -> Encoding {
        Encoding(self.0 | 1)
    }

    /// The same, not compressed.
    #[must_use]
    pub const fn plain(self) -> Encoding {
        Encoding(self.0 & !1)
    }

    /// Whether it is compressed.
    #[must_use]
    pub const fn is_deflated(self) -> bool {
        self.0 & 1 == 1
    }

    /// Its row of the table.
    #[must_use]
    pub const fn row(self) -> usize {
        self.0 as usize >> 1
    }

    /// Its place among all encodings: less than twice the number of rows.
    #[must_use]
    pub const fn place(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoding({}{})", self.row(), if self.is_deflated() { ", deflated" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::Encoding;

    #[test]
    fn an_encoding_is_a_row_and_a_bit() {
        assert_eq!(size_of::<Encoding>(), 1);
        for row in [0, 1, 127] {
            let plain = Encoding::of_row(row);
            assert_eq!((plain.row(), plain.is_deflated(), plain.plain()), (usize::from(row), false, plain));
            let deflated = plain.deflated();
            assert_eq!((deflated.row(), deflated.is_deflated()), (usize::from(row), true));
            assert_eq!((deflated.plain(), deflated.deflated()), (plain, deflated));
            assert_eq!((plain.place(), deflated.place()), (2 * usize::from(row), 2 * usize::from(row) + 1));
        }
    }
}
