//! Masking (RFC 6455 section 5.3): XOR with a repeated four-byte key, sixteen bytes at a time.

/// Masks or unmasks `payload` in place (RFC 6455 section 5.3; the two are the same).
///
/// `phase` is how many bytes of the frame's payload lie before `payload`, so a frame can be unmasked piece by piece.
#[inline]
pub fn unmask(payload: &mut [u8], mask: [u8; 4], phase: usize) {
    let mut key = mask;
    key.rotate_left(phase % 4);
    // Native order here and below: bytes keep their places on every machine.
    let key = u32::from_ne_bytes(key);
    // Four keys side by side: 16 is a multiple of 4, so each block and each word begins with the key's first byte.
    let wide = u128::from(key) * 0x0000_0001_0000_0001_0000_0001_0000_0001;
    let (blocks, rest) = payload.as_chunks_mut::<16>();
    for block in blocks {
        *block = (u128::from_ne_bytes(*block) ^ wide).to_ne_bytes();
    }
    let (words, rest) = rest.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.to_ne_bytes()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::unmask;

    fn one_by_one(payload: &mut [u8], mask: [u8; 4], phase: usize) {
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte ^= mask[(index + phase) % 4];
        }
    }

    #[test]
    fn equals_the_definition_for_every_length_alignment_and_phase() {
        let source: Vec<u8> = (0..=255).collect();
        for length in 0..80 {
            for start in 0..9 {
                for phase in 0..9 {
                    let (mut fast, mut slow) = (source.clone(), source.clone());
                    unmask(&mut fast[start..start + length], [0x12, 0xF4, 0x56, 0x9A], phase);
                    one_by_one(&mut slow[start..start + length], [0x12, 0xF4, 0x56, 0x9A], phase);
                    assert_eq!(fast, slow, "length {length} start {start} phase {phase}");
                }
            }
        }
    }

    #[test]
    fn the_example_of_the_rfc() {
        let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        unmask(&mut payload, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(&payload, b"Hello");
    }

    #[test]
    fn the_largest_phase_does_not_overflow() {
        let mut payload = [0, 0];
        unmask(&mut payload, [1, 2, 3, 4], usize::MAX);
        assert_eq!(payload, [4, 1]);
    }
}
