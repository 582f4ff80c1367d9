//! Buffers that move by value.
//!
//! ```text
//!   Pool::take ─► Buf ─► intent (recv into it, send from it) ─► engine keeps it while the kernel may touch it
//!        ▲                                                            │
//!        └───────────── Pool::give ◄── session ◄── event ◄────────────┘
//! ```
//!
//! A [`Buf`] is owned by exactly one holder: the pool, a session, or the engine for the time of one operation. So the classic
//! hole of completion interfaces, a buffer reused while the kernel still writes into it, cannot be written down in safe code.
//!
//! Around the filled part there is always room: [`HEADROOM`] before the place where received bytes begin and [`TAILROOM`]
//! behind the payload, so that one record's worth of plaintext can be sealed where it lies.

/// Free bytes before the payload: a TLS 1.2 record header with explicit nonce needs 13.
pub const HEADROOM: usize = 64;
/// Free bytes behind the payload: content type and tag of a TLS 1.3 record need 17.
pub const TAILROOM: usize = 64;

/// Sizes in which buffers come. Idle sessions hold none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Interactive traffic: 2 KiB of payload.
    Small,
    /// One TLS record of the largest size: 17 KiB of payload (such a record has 16,645 bytes).
    Large,
    /// Bulk traffic, lent only while a direction is bulk: 512 KiB of payload and the overhead of 32 sealed records.
    /// Bytes per system call decide the cost of bulk transfer: 16 KiB a call costs more than twice what 512 KiB does, 256 KiB a tenth more.
    /// 1 MiB is no cheaper.
    Bulk,
}

impl Class {
    /// All classes, smallest first.
    pub const ALL: [Self; 3] = [Self::Small, Self::Large, Self::Bulk];

    /// Bytes that a fresh buffer of this class has room for, head and tail room not counted.
    #[must_use]
    pub const fn payload(self) -> usize {
        match self {
            Self::Small => 2 * 1024,
            Self::Large => 17 * 1024,
            Self::Bulk => 514 * 1024,
        }
    }

    /// Bytes that are received into a fresh buffer of this class: of a bulk buffer, as many as another one can hold when they
    /// have been sealed, so that one read becomes one send.
    #[must_use]
    pub const fn reads(self) -> usize {
        match self {
            Self::Small | Self::Large => self.payload(),
            Self::Bulk => 512 * 1024,
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Small => 0,
            Self::Large => 1,
            Self::Bulk => 2,
        }
    }
}

/// A buffer with a filled part.
///
/// Its memory does not move while it moves, since it is on the heap; an engine may thus hand its address to the kernel for as
/// long as it keeps the `Buf` itself. What is known of it lies on the heap, too, so that a session that holds none keeps room for one
/// pointer only, and events and intents are small to move.
#[derive(Debug)]
pub struct Buf(Box<Body>);

// Four in each session's halves, and in every event: idle memory hangs on this.
const _: () = assert!(size_of::<Option<Buf>>() == size_of::<usize>() && size_of::<Option<Chain>>() == size_of::<usize>());

/// A buffer and what is in it, `mem[start..end]`. Made with the buffer and kept with it, so a chain costs no allocation.
#[derive(Debug)]
struct Body {
    mem: Box<[u8]>,
    start: usize,
    end: usize,
    class: Class,
    /// Of a chain: how many slices, how many bytes in them, and what follows them.
    len: u8,
    then: Then,
    /// Of a chain: the type of the record that it becomes if the kernel seals. Zero: data.
    typ: u8,
    bytes: usize,
    parts: [(u32, u32); PARTS_MAX],
}

impl Buf {
    fn new(class: Class) -> Self {
        let mem = vec![0; HEADROOM + class.payload() + TAILROOM].into_boxed_slice();
        let (start, end) = (HEADROOM, HEADROOM);
        Self(Box::new(Body { mem, start, end, class, len: 0, then: Then::Open, typ: 0, bytes: 0, parts: [(0, 0); PARTS_MAX] }))
    }

    /// Its size class.
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// The bytes in it.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.0.mem[self.0.start..self.0.end]
    }

    /// The bytes in it, to change in place.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        let body = &mut *self.0;
        &mut body.mem[body.start..body.end]
    }

    /// How many bytes are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.end - self.0.start
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.start == self.0.end
    }

    /// Room behind the filled part in which an engine may put received bytes; neither the tail room is part of it nor, in a
    /// bulk buffer, what sealing needs.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        let body = &mut *self.0;
        let limit = HEADROOM + body.class.reads();
        let end = body.end.min(limit);
        &mut body.mem[end..limit]
    }

    /// How much [`Buf::spare_mut`] has.
    #[must_use]
    pub fn spare(&self) -> usize {
        (HEADROOM + self.0.class.reads()).saturating_sub(self.0.end)
    }

    /// Room behind the filled part for whatever is written here by ourselves; the tail room is not part of it.
    pub fn room_mut(&mut self) -> &mut [u8] {
        let body = &mut *self.0;
        let limit = body.mem.len() - TAILROOM;
        let end = body.end.min(limit);
        &mut body.mem[end..limit]
    }

    /// How much [`Buf::room_mut`] has.
    #[must_use]
    pub fn room(&self) -> usize {
        (self.0.mem.len() - TAILROOM).saturating_sub(self.0.end)
    }

    /// Declares the first `n` bytes of the room filled.
    ///
    /// # Panics
    /// If there is less room than that: an engine that claims so has received into memory that is not its own.
    pub fn commit(&mut self, n: usize) {
        assert!(n <= self.room(), "{n} bytes filled into {} spare", self.room());
        self.0.end += n;
    }

    /// Drops the first `n` filled bytes.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.len(), "{n} bytes dropped of {}", self.len());
        self.0.start += n;
    }

    /// Keeps the first `n` filled bytes only. Does nothing if there are fewer.
    pub fn truncate(&mut self, n: usize) {
        self.0.end = self.0.end.min(self.0.start + n);
    }

    /// Copies as much of `bytes` behind the filled part as there is room for, and says how much that was.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.room());
        let body = &mut *self.0;
        body.mem[body.end..body.end + n].copy_from_slice(&bytes[..n]);
        body.end += n;
        n
    }

    /// Bytes before the filled part, by which [`Buf::widen`] can widen it.
    #[must_use]
    pub fn head_room(&self) -> usize {
        self.0.start
    }

    /// Bytes behind the filled part, by which [`Buf::widen`] can widen it.
    #[must_use]
    pub fn tail_room(&self) -> usize {
        self.0.mem.len() - self.0.end
    }

    /// Widens the filled part by `before` bytes at its front and `after` at its back, into head room and tail room: how a
    /// record is sealed in place. The new bytes hold whatever was there.
    ///
    /// # Panics
    /// If the room is not there.
    pub fn widen(&mut self, before: usize, after: usize) -> &mut [u8] {
        let body = &mut *self.0;
        assert!(before <= body.start && body.end + after <= body.mem.len(), "no room to widen by {before} and {after}");
        body.start -= before;
        body.end += after;
        &mut body.mem[body.start..body.end]
    }

    /// Empties it and puts the filled part back behind the head room.
    pub fn clear(&mut self) {
        self.0.start = HEADROOM;
        self.0.end = HEADROOM;
    }
}

/// How many slices one chain may have. A bulk buffer full of records of the largest size makes 33.
pub const PARTS_MAX: usize = 36;

/// What follows the bytes of a chain, as far as whoever sends them knows: the kernel can then save a packet, and the other side a wake-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// Nobody knows: they are to go at once.
    #[default]
    Open,
    /// More, soon: they may wait for it, for a fifth of a second at most.
    More,
    /// Nothing for ever: FIN goes with them. [`crate::intent::Intent::Finish`] must not be asked for any more.
    Fin,
}

/// Bytes to send: slices of one buffer, in order. What lies between them (headers and tags of opened records) is skipped.
#[derive(Debug)]
pub struct Chain(Box<Body>);

impl Chain {
    /// Everything that is filled in `buf`, as one slice.
    #[must_use]
    pub fn whole(buf: Buf) -> Self {
        let (start, n) = (buf.0.start, buf.len());
        let mut chain = Self::empty(buf);
        chain.put(start, n);
        chain
    }

    /// The slices `parts` of the filled part of `buf`, given as offset (from its start) and length.
    ///
    /// # Panics
    /// If there are more than [`PARTS_MAX`], or one lies outside the filled part.
    #[must_use]
    pub fn of(buf: Buf, parts: &[(usize, usize)]) -> Self {
        assert!(parts.len() <= PARTS_MAX, "{} slices in a chain", parts.len());
        let (start, filled) = (buf.0.start, buf.len());
        let mut chain = Self::empty(buf);
        for &(offset, n) in parts {
            assert!(offset + n <= filled, "slice {offset}+{n} outside {filled} filled bytes");
            chain.put(start + offset, n);
        }
        chain
    }

    fn empty(Buf(mut body): Buf) -> Self {
        body.len = 0;
        body.then = Then::Open;
        body.typ = 0;
        body.bytes = 0;
        Self(body)
    }

    fn put(&mut self, at: usize, n: usize) {
        if n == 0 {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "no buffer is larger than Class::Bulk, far below 4 GiB")]
        let part = (at as u32, n as u32);
        let body = &mut *self.0;
        body.parts[usize::from(body.len)] = part;
        body.len += 1;
        body.bytes += n;
    }

    /// The same, with `then` behind it.
    #[must_use]
    pub fn then(mut self, then: Then) -> Self {
        self.0.then = then;
        self
    }

    /// What follows it.
    #[must_use]
    pub fn follows(&self) -> Then {
        self.0.then
    }

    /// The same, to become a record of type `typ` where the kernel seals.
    #[must_use]
    pub fn as_type(mut self, typ: u8) -> Self {
        self.0.typ = typ;
        self
    }

    /// The type of the record that it becomes where the kernel seals, if it is not data.
    #[must_use]
    pub fn typed(&self) -> Option<u8> {
        (self.0.typ != 0).then_some(self.0.typ)
    }

    /// Size class of its buffer.
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// Bytes still to be sent.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// The slices still to be sent, none of them empty.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let body = &*self.0;
        body.parts[..usize::from(body.len)].iter().map(|&(at, n)| &body.mem[at as usize..(at + n) as usize])
    }

    /// Notes that the first `n` bytes have been taken by the kernel.
    ///
    /// # Panics
    /// If there were fewer.
    pub fn taken(&mut self, n: usize) {
        let body = &mut *self.0;
        assert!(n <= body.bytes, "the kernel took {n} of {} bytes", body.bytes);
        body.bytes -= n;
        let mut left = n;
        let mut done = 0;
        for part in &mut body.parts[..usize::from(body.len)] {
            let here = left.min(part.1 as usize);
            #[expect(clippy::cast_possible_truncation, reason = "`here` is at most the u32 in part.1")]
            let step = here as u32;
            part.0 += step;
            part.1 -= step;
            left -= here;
            if part.1 > 0 {
                break;
            }
            done += 1;
        }
        body.parts.copy_within(done..usize::from(body.len), 0);
        body.len -= u8::try_from(done).unwrap_or(body.len);
    }

    /// The buffer, filled with just the bytes to be sent, if they are one slice of at most `longest` bytes.
    ///
    /// # Errors
    /// The chain as it was.
    pub fn into_one(mut self, longest: usize) -> Result<Buf, Self> {
        let (1, (at, n)) = (self.0.len, self.0.parts[0]) else { return Err(self) };
        if n as usize > longest {
            return Err(self);
        }
        self.0.start = at as usize;
        self.0.end = (at + n) as usize;
        Ok(self.into_buf())
    }

    /// Gives the buffer back.
    #[must_use]
    pub fn into_buf(self) -> Buf {
        Buf(self.0)
    }
}

/// How many buffers of each class may be out at a time. What the pool holds is made on demand and kept: these are bounds, not
/// what is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSizes {
    /// Of [`Class::Small`].
    pub small: usize,
    /// Of [`Class::Large`].
    pub large: usize,
    /// Of [`Class::Bulk`].
    pub bulk: usize,
}

impl PoolSizes {
    /// How many of `class`.
    #[must_use]
    pub const fn of(self, class: Class) -> usize {
        match class {
            Class::Small => self.small,
            Class::Large => self.large,
            Class::Bulk => self.bulk,
        }
    }

    /// Of all classes together.
    #[must_use]
    pub fn all(self) -> u32 {
        let sum = Class::ALL.iter().fold(0, |sum: usize, class| sum.saturating_add(self.of(*class)));
        u32::try_from(sum).unwrap_or(u32::MAX)
    }
}

impl PoolSizes {
    /// As many as a table of `sessions` calls for. Every session may hold a record that has begun to come, which needs a large buffer
    /// and cannot wait for one without holding up its stream; as many again are for what is on its way. Small ones are for whoever
    /// types and for words of our own. Bulk ones are for the few that are bulk at a time: others make do with large ones.
    #[must_use]
    pub const fn for_sessions(sessions: u32) -> Self {
        let sessions = sessions as usize;
        Self { small: at_least(sessions, 1024), large: at_least(2 * sessions, 1024), bulk: at_least(sessions / 128, 64) }
    }
}

const fn at_least(n: usize, least: usize) -> usize {
    if n < least { least } else { n }
}

impl Default for PoolSizes {
    fn default() -> Self {
        Self::for_sessions(512)
    }
}

/// A worker's buffers.
#[derive(Debug)]
pub struct Pool {
    free: [Vec<Buf>; 3],
    out: [usize; 3],
    shelved: [usize; 3],
    cap: [usize; 3],
}

impl Pool {
    /// An empty pool. Buffers are made when first wanted and kept for ever after.
    #[must_use]
    pub fn new(sizes: PoolSizes) -> Self {
        Self { free: [const { Vec::new() }; 3], out: [0; 3], shelved: [0; 3], cap: [sizes.small, sizes.large, sizes.bulk] }
    }

    /// An empty buffer of `class`, or none if as many as allowed are out.
    pub fn take(&mut self, class: Class) -> Option<Buf> {
        if self.left(class) == 0 {
            return None;
        }
        let i = class.index();
        self.out[i] += 1;
        Some(self.free[i].pop().unwrap_or_else(|| Buf::new(class)))
    }

    /// Takes a buffer for an engine's shelf: provided to the kernel beforehand, so that a receive finds one when bytes come. It
    /// counts against what may be out, but not as lent, since no session has it.
    pub fn shelve(&mut self, class: Class) -> Option<Buf> {
        let buf = self.take(class)?;
        let i = class.index();
        self.out[i] -= 1;
        self.shelved[i] += 1;
        Some(buf)
    }

    /// Notes that the kernel has taken one buffer of `class` from the shelf: from now on it counts as lent.
    ///
    /// # Panics
    /// If there was none on the shelf.
    pub fn unshelve(&mut self, class: Class) {
        let i = class.index();
        assert!(self.shelved[i] > 0, "a buffer left the shelf that was never put there");
        self.shelved[i] -= 1;
        self.out[i] += 1;
    }

    /// Takes a buffer back. In debug builds what it held is overwritten, so that a read after this is seen.
    ///
    /// # Panics
    /// If more come back than went out: somebody made one up, and two sessions could meet in it.
    pub fn give(&mut self, mut buf: Buf) {
        let i = buf.class().index();
        assert!(self.out[i] > 0, "a buffer came back that was never lent");
        self.out[i] -= 1;
        if cfg!(debug_assertions) {
            buf.0.mem.fill(0xA5);
        }
        buf.clear();
        self.free[i].push(buf);
    }

    /// How many buffers of `class` are out with sessions and operations. Those on the shelf are not among them.
    #[must_use]
    pub fn lent(&self, class: Class) -> usize {
        self.out[class.index()]
    }

    /// How many buffers of `class` lie on the engine's shelf.
    #[must_use]
    pub fn shelved(&self, class: Class) -> usize {
        self.shelved[class.index()]
    }

    /// How many more buffers of `class` may be taken.
    #[must_use]
    pub fn left(&self, class: Class) -> usize {
        let i = class.index();
        self.cap[i] - self.out[i] - self.shelved[i]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_skips_what_lies_between_and_survives_short_sends() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut buf = pool.take(Class::Small).unwrap();
        buf.append(b"..one....two..three");
        buf.advance(2);
        let mut chain = Chain::of(buf, &[(0, 3), (7, 3), (10, 0), (12, 5)]);
        assert_eq!(chain.slices().collect::<Vec<_>>(), [&b"one"[..], b"two", b"three"]);
        chain.taken(1);
        assert_eq!(chain.slices().collect::<Vec<_>>(), [&b"ne"[..], b"two", b"three"]);
        chain.taken(5);
        assert_eq!(chain.slices().collect::<Vec<_>>(), [&b"three"[..]]);
        chain.taken(5);
        assert_eq!((chain.bytes(), chain.slices().count()), (0, 0));
        pool.give(chain.into_buf());
        assert_eq!(pool.lent(Class::Small), 0);
    }

    #[test]
    fn what_lies_on_the_shelf_is_bounded_but_not_lent() {
        let mut pool = Pool::new(PoolSizes { small: 2, large: 0, bulk: 0 });
        let shelved = pool.shelve(Class::Small).unwrap();
        assert_eq!((pool.lent(Class::Small), pool.shelved(Class::Small), pool.left(Class::Small)), (0, 1, 1));
        let taken = pool.take(Class::Small).unwrap();
        assert!(pool.take(Class::Small).is_none());
        assert!(pool.shelve(Class::Small).is_none());
        pool.unshelve(Class::Small);
        assert_eq!((pool.lent(Class::Small), pool.shelved(Class::Small)), (2, 0));
        pool.give(shelved);
        pool.give(taken);
        assert_eq!((pool.lent(Class::Small), pool.left(Class::Small)), (0, 2));
    }

    #[test]
    fn a_chain_of_one_short_slice_becomes_its_buffer() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut buf = pool.take(Class::Small).unwrap();
        buf.append(b"..one....two");
        let chain = Chain::of(buf, &[(2, 3), (9, 3)]).into_one(100).unwrap_err();
        let mut chain = chain.into_one(100).unwrap_err();
        chain.taken(4);
        let chain = chain.into_one(1).unwrap_err();
        let buf = chain.into_one(2).unwrap();
        assert_eq!(buf.filled(), b"wo");
        pool.give(buf);
    }

    #[test]
    fn the_pool_is_bounded_and_a_record_fits_around_the_payload() {
        let mut pool = Pool::new(PoolSizes { small: 1, large: 1, bulk: 0 });
        assert!(pool.take(Class::Bulk).is_none());
        let mut buf = pool.take(Class::Large).unwrap();
        assert!(pool.take(Class::Large).is_none());
        assert_eq!(buf.append(&vec![7; 20_000]), Class::Large.payload());
        assert_eq!(buf.spare(), 0);
        assert_eq!(buf.widen(13, 17).len(), Class::Large.payload() + 30);
    }
}
