//! Provided buffers: from which the kernel takes one when bytes are there, so that an idle session holds none.
//!
//! ```text
//!   pool ──shelve──► put ──► entry in the shared ring ──► kernel takes one for a receive ──► completion names it ──► take ──► event
//! ```
//!
//! One group per class. A buffer in it lies in `bufs`, under its number, from [`Group::put`] until [`Group::take`]; in between its
//! memory belongs to the kernel. The shared ring is written by us at its tail and read by the kernel at its head; it cannot run
//! over, since there are no more numbers than places.

use std::io;
use std::os::raw::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;
use sluice_flow::buf::{Buf, Class};

/// Most buffers of each class that lie ready at a time. Fewer do, if fewer receives are armed. What is ready is touched round
/// robin, so large buffers are few: they shall stay in the cache.
pub(crate) const fn entries(class: Class) -> u16 {
    match class {
        Class::Small => 512,
        Class::Large => 128,
        Class::Bulk => 16,
    }
}

/// The number by which the kernel knows the group of a class.
pub(crate) const fn number(class: Class) -> u16 {
    match class {
        Class::Small => 0,
        Class::Large => 1,
        Class::Bulk => 2,
    }
}

const _: () = assert!(size_of::<BufRingEntry>() == 16, "struct io_uring_buf");

#[derive(Debug)]
pub(crate) struct Group {
    shared: Shared,
    mask: u16,
    /// Counts up with each buffer put in; the kernel has seen it as far as `published`.
    tail: u16,
    published: u16,
    bufs: Box<[Option<Buf>]>,
    /// Numbers not in use.
    free: Vec<u16>,
}

impl Group {
    /// A group without buffers.
    pub(crate) fn new(class: Class) -> io::Result<Self> {
        let entries = entries(class);
        debug_assert!(entries.is_power_of_two(), "the kernel masks the index");
        Ok(Self {
            shared: Shared::new(entries)?,
            mask: entries - 1,
            tail: 0,
            published: 0,
            bufs: (0..entries).map(|_| None).collect(),
            free: (0..entries).rev().collect(),
        })
    }

    /// Where the shared ring is, for the kernel.
    pub(crate) fn address(&self) -> u64 {
        self.shared.memory.as_ptr().expose_provenance() as u64
    }

    /// How many buffers lie in it, as far as we know: those that the kernel has taken meanwhile are among them.
    pub(crate) fn len(&self) -> usize {
        self.bufs.len() - self.free.len()
    }

    /// Puts `buf` in. The kernel sees it after [`Group::publish`].
    ///
    /// # Panics
    /// If as many are in as there may be.
    pub(crate) fn put(&mut self, buf: Buf) {
        let number = self.free.pop();
        let Some(number) = number else { panic!("more than {} buffers in a group", self.bufs.len()) };
        let buf = self.bufs[usize::from(number)].insert(buf);
        let room = buf.spare_mut();
        self.shared.write(self.tail & self.mask, number, room);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what was put in: one store, however many.
    pub(crate) fn publish(&mut self) {
        if self.published != self.tail {
            self.shared.tail().store(self.tail, Ordering::Release);
            self.published = self.tail;
        }
    }

    /// The buffer that a completion names.
    ///
    /// # Panics
    /// If it is not there: two completions have named it, and two sessions would meet in it.
    pub(crate) fn take(&mut self, number: u16) -> Buf {
        let buf = self.bufs.get_mut(usize::from(number)).and_then(Option::take);
        let Some(buf) = buf else { panic!("the kernel named buffer {number}, which it does not have") };
        self.free.push(number);
        buf
    }

    /// Gives up the memory of the shared ring and of all buffers without freeing it: the kernel may still write there.
    pub(crate) fn leak(self) {
        std::mem::forget(self);
    }
}

/// Pages that the kernel reads entries from.
#[derive(Debug)]
struct Shared {
    memory: NonNull<BufRingEntry>,
    bytes: usize,
    entries: u16,
}

impl Shared {
    fn new(entries: u16) -> io::Result<Self> {
        let bytes = usize::from(entries) * size_of::<BufRingEntry>();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: mmap without an address and without a file takes fresh pages and touches no memory that exists.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, kind, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(at.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        Ok(Self { memory, bytes, entries })
    }

    fn write(&mut self, index: u16, number: u16, room: &mut [u8]) {
        assert!(index < self.entries, "{index} of {} entries", self.entries);
        // SAFETY: `add` demands that the result lies in the same mapping; there are `entries` of this size and the index is below.
        let at = unsafe { self.memory.add(usize::from(index)) };
        // SAFETY: a reference demands aligned, initialised memory that nobody else accesses meanwhile. Pages are aligned and
        // zeroed, and the kernel reads only entries before the tail that it has been shown, which this one is not. The tail itself
        // lies in the reserved field of the first entry; the setters below do not touch that field.
        let entry = unsafe { &mut *at.as_ptr() };
        entry.set_addr(room.as_mut_ptr().expose_provenance() as u64);
        entry.set_len(u32::try_from(room.len()).unwrap_or(u32::MAX));
        entry.set_bid(number);
    }

    fn tail(&self) -> &AtomicU16 {
        // SAFETY: `tail` demands the address of the first entry of a ring, initialised, which this is.
        let tail = unsafe { BufRingEntry::tail(self.memory.as_ptr()) };
        // SAFETY: from_ptr demands aligned memory that stays valid for the life of the reference, which borrows `self`, and that is
        // accessed only atomically meanwhile: `write` does not touch this field, and the kernel loads it with acquire.
        unsafe { AtomicU16::from_ptr(tail.cast_mut()) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let at: *mut c_void = self.memory.as_ptr().cast();
        // SAFETY: munmap demands that nobody uses these pages any more. They came from mmap with this size; whoever drops a group
        // has closed the ring before, see the drop of `Queue`, and the kernel holds pages of its own to what it still reads.
        unsafe { libc::munmap(at, self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use sluice_flow::buf::{Pool, PoolSizes};

    use super::*;

    #[test]
    fn numbers_are_given_again_only_when_taken_back() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut group = Group::new(Class::Bulk).unwrap();
        for _ in 0..3 {
            group.put(pool.take(Class::Bulk).unwrap());
        }
        group.publish();
        assert_eq!((group.len(), group.shared.tail().load(Ordering::Relaxed)), (3, 3));
        pool.give(group.take(1));
        group.put(pool.take(Class::Bulk).unwrap());
        assert_eq!(group.shared.tail().load(Ordering::Relaxed), 3, "not shown yet");
        group.publish();
        assert_eq!((group.len(), group.shared.tail().load(Ordering::Relaxed)), (3, 4));
        for number in 0..3 {
            pool.give(group.take(number));
        }
        assert_eq!((group.len(), pool.lent(Class::Bulk)), (0, 0));
    }

    #[test]
    #[should_panic(expected = "which it does not have")]
    fn a_buffer_named_twice_stops_everything() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut group = Group::new(Class::Bulk).unwrap();
        group.put(pool.take(Class::Bulk).unwrap());
        drop((group.take(0), group.take(0)));
    }

    #[test]
    fn it_goes_round() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut group = Group::new(Class::Small).unwrap();
        for round in 0..100_000u32 {
            group.put(pool.take(Class::Small).unwrap());
            group.publish();
            let buf = group.take(0);
            pool.give(buf);
            assert_eq!(group.len(), 0, "{round}");
        }
    }
}
