//! Chance that can be repeated: the same seed, the same run.

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and good enough to choose faults.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own, so that what one thing draws does not shift what others draw.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to `below` − 1.
    pub(crate) fn below(&mut self, below: usize) -> usize {
        usize::try_from(self.next() % below.max(1) as u64).unwrap()
    }

    /// In so many of a hundred cases.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// An amount of which small ones are as likely as large ones.
    pub(crate) fn size(&mut self, max: usize) -> usize {
        let bits = self.below(usize::try_from(max.max(1).ilog2()).unwrap() + 2);
        self.below(1 << bits).min(max)
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The bytes that one side of one session sends: any of them can be named without the others.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    seed: u64,
    first: Vec<u8>,
    pub(crate) len: usize,
}

impl Stream {
    /// `first`, then noise, `len` bytes in all.
    pub(crate) fn new(seed: u64, first: Vec<u8>, noise: usize) -> Self {
        let len = first.len() + noise;
        Self { seed, first, len }
    }

    pub(crate) fn byte(&self, at: usize) -> u8 {
        match self.first.get(at) {
            Some(byte) => *byte,
            None => mix(self.seed ^ (at as u64 >> 3)).to_le_bytes()[at & 7],
        }
    }

    pub(crate) fn slice(&self, from: usize, to: usize) -> Vec<u8> {
        (from..to).map(|at| self.byte(at)).collect()
    }
}

/// What has arrived of a stream: must be its beginning, at any time.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) stream: Stream,
    pub(crate) n: usize,
}

impl Arrived {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, n: 0 }
    }

    pub(crate) fn add(&mut self, who: &str, bytes: &[u8]) {
        for byte in bytes {
            assert!(self.n < self.stream.len, "{who}: more bytes arrived than were sent");
            assert_eq!(*byte, self.stream.byte(self.n), "{who}: byte {} is not the one that was sent", self.n);
            self.n += 1;
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.n == self.stream.len
    }
}
