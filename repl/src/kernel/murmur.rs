//! MurmurHash2 by Austin Appleby (public domain), for 32 bits: by this hash of its text, clients and the kernel name
//! the file that the debugger knows a cell by.

/// The hash of `data`.
pub fn murmur2(data: &[u8], seed: u32) -> u32 {
    const M: u32 = 0x5bd1_e995;
    // The length counts modulo 2^32.
    let mut hash = seed ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut key = u32::from_le_bytes(*word).wrapping_mul(M);
        key ^= key >> 24;
        hash = hash.wrapping_mul(M) ^ key.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let key = rest.iter().rev().fold(0, |key, byte| (key << 8) | u32::from(*byte));
        hash = (hash ^ key).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::murmur2;

    #[test]
    fn texts_have_the_hashes_that_clients_work_out() {
        // What ipykernel's function gives.
        for (text, hash) in CASES {
            assert_eq!(murmur2(text.as_bytes(), 0xC70F_6907), *hash, "{text:?}");
        }
    }

    const CASES: &[(&str, u32)] = &[
        ("", 3990065800),
        ("x", 32546335),
        ("ab", 2805137849),
        ("abc", 3350977461),
        ("abcd", 804720481),
        ("let x = 1;\nx + 1", 1337468207),
        ("für 火", 4268682908),
    ];
}
