//! The Mersenne Twister as Python's `random` module uses it: the same seed gives the same numbers.
//!
//! Source: Matsumoto and Nishimura 1998, "Mersenne Twister: a 623-dimensionally equidistributed
//! uniform pseudo-random number generator".

const N: usize = 624;
const M: usize = 397;

/// The generator's state.
#[derive(Clone)]
pub(crate) struct Mt19937 {
    state: [u32; N],
    next: usize,
    /// The second number of the last pair of normal ones.
    pub gauss_next: Option<f64>,
}

impl Mt19937 {
    /// Starts from an integer, whose sign does not count, as in Python.
    pub fn new(seed: i64) -> Mt19937 {
        let seed = seed.unsigned_abs();
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        if high == 0 { Mt19937::from_key(&[low]) } else { Mt19937::from_key(&[low, high]) }
    }

    fn from_key(key: &[u32]) -> Mt19937 {
        let mut state = [0u32; N];
        state[0] = 19_650_218;
        for i in 1..N {
            let previous = state[i - 1] ^ (state[i - 1] >> 30);
            state[i] = previous.wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..N.max(key.len()) {
            let previous = state[i - 1] ^ (state[i - 1] >> 30);
            state[i] = (state[i] ^ previous.wrapping_mul(1_664_525))
                .wrapping_add(key[j])
                .wrapping_add(j as u32);
            i += 1;
            j = (j + 1) % key.len();
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        for _ in 0..N - 1 {
            let previous = state[i - 1] ^ (state[i - 1] >> 30);
            state[i] = (state[i] ^ previous.wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i += 1;
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Mt19937 { state, next: N, gauss_next: None }
    }

    /// The state in numbers: the words and where the next one is; the normal number that is left over is apart.
    pub fn words(&self) -> Vec<i64> {
        let words = self.state.iter().map(|&word| i64::from(word));
        words.chain([self.next as i64]).collect()
    }

    /// What [`Mt19937::words`] gave; `None` for anything else.
    pub fn from_words(words: &[i64], gauss_next: Option<f64>) -> Option<Mt19937> {
        let (&next, words) = words.split_last()?;
        let mut state = [0u32; N];
        if words.len() != N {
            return None;
        }
        for (place, &word) in state.iter_mut().zip(words) {
            *place = u32::try_from(word).ok()?;
        }
        let next = usize::try_from(next).ok().filter(|&next| next <= N)?;
        Some(Mt19937 { state, next, gauss_next })
    }

    fn refill(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// 32 random bits.
    pub fn bits32(&mut self) -> u32 {
        if self.next >= N {
            self.refill();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `k` random bits, 1 to 64.
    pub fn bits(&mut self, k: u32) -> u64 {
        if k <= 32 {
            return u64::from(self.bits32() >> (32 - k));
        }
        let low = u64::from(self.bits32());
        low | (u64::from(self.bits32() >> (64 - k)) << 32)
    }

    /// A float in [0, 1) with 53 random bits.
    pub fn float(&mut self) -> f64 {
        let (a, b) = (self.bits32() >> 5, self.bits32() >> 6);
        (f64::from(a) * 67_108_864.0 + f64::from(b)) / 9_007_199_254_740_992.0
    }

    /// An integer in [0, n), `n` at least 1.
    pub fn below(&mut self, n: u64) -> u64 {
        let bits = u64::BITS - n.leading_zeros();
        loop {
            let value = self.bits(bits);
            if value < n {
                return value;
            }
        }
    }

    /// A number from the normal distribution with mean 0 and standard deviation 1.
    pub fn normal(&mut self) -> f64 {
        if let Some(value) = self.gauss_next.take() {
            return value;
        }
        let angle = self.float() * std::f64::consts::TAU;
        let radius = (-2.0 * (1.0 - self.float()).ln()).sqrt();
        self.gauss_next = Some(angle.sin() * radius);
        angle.cos() * radius
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `python -c "import random; random.seed(S); …"`
    #[test]
    fn the_numbers_are_pythons() {
        let mut random = Mt19937::new(0);
        assert_eq!(random.float(), 0.8444218515250481);
        assert_eq!(random.float(), 0.7579544029403025);
        let mut random = Mt19937::new(42);
        assert_eq!(random.below(100), 81);
        assert_eq!(random.bits(64), BITS_64);
        assert_eq!(random.normal(), NORMALS[0]);
        assert_eq!(random.normal(), NORMALS[1]);
        assert_eq!(Mt19937::new(-42).float(), Mt19937::new(42).float());
        assert_eq!(Mt19937::new(1 << 40).float(), BIG_SEED);
    }

    const BITS_64: u64 = 461366972257415551;
    const NORMALS: [f64; 2] = [-0.039773455257050304, -0.7484695533206984];
    const BIG_SEED: f64 = 0.1036394562812375;
}
