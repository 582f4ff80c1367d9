//! What stands between C and Rust: statuses, strings, and a net for panics.
#![expect(unsafe_code, reason = "C hands over pointers; each use states what the caller has promised")]

use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum sg_status {
    /// It did what it says.
    Ok = 0,
    /// A pointer that must not be NULL was.
    NullPointer = 1,
    /// A string was not UTF-8.
    NotUtf8 = 2,
    /// The configuration has errors; the message lists them with line and column.
    Configuration = 3,
    /// The machine refused something: an address, a file, a thread. The message says what.
    Machine = 4,
    /// There is no such virtual server or counter.
    NotFound = 5,
    /// The caller's memory is too small; nothing was written.
    TooSmall = 6,
    /// A fault of the library's own. The gateway should be stopped.
    Internal = 7,
}

/// Runs `body`; a panic becomes [`sg_status::Internal`].
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), sg_status>) -> sg_status {
    // Whatever `body` touched is either freed with it or, behind the handle, guarded by its own locks.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => sg_status::Ok,
        Ok(Err(status)) => status,
        Err(_) => sg_status::Internal,
    }
}

/// The string at `text` with `len` bytes.
///
/// # Safety
/// `text` is NULL, or points to `len` readable bytes that stay as they are during the call.
pub(crate) unsafe fn text<'a>(text: *const c_char, len: usize) -> Result<&'a str, sg_status> {
    if text.is_null() {
        return Err(sg_status::NullPointer);
    }
    // SAFETY: not NULL, and the caller promises `len` readable bytes.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
    str::from_utf8(bytes).map_err(|_| sg_status::NotUtf8)
}

/// Copies `text` and a NUL to `out`, which has room for `room` bytes.
///
/// # Safety
/// `out` is NULL, or points to `room` writable bytes that nobody else uses during the call.
pub(crate) unsafe fn give(text: &str, out: *mut c_char, room: usize) -> Result<(), sg_status> {
    if out.is_null() {
        return Err(sg_status::NullPointer);
    }
    if text.len() >= room {
        return Err(sg_status::TooSmall);
    }
    // SAFETY: not NULL, and the caller promises `room` writable bytes, of which text.len() + 1 are used.
    let out = unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), text.len() + 1) };
    out[..text.len()].copy_from_slice(text.as_bytes());
    out[text.len()] = 0;
    Ok(())
}

/// Copies as much of `text` as fits, for messages: unlike values they may be cut. NULL or no room: nothing is written.
///
/// # Safety
/// As for [`give`].
pub(crate) unsafe fn explain(text: &str, out: *mut c_char, room: usize) {
    let mut end = text.len().min(room.saturating_sub(1));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // SAFETY: the same promise as this function's own. A NULL pointer or no room is refused there, which is all right here.
    let _ = unsafe { give(&text[..end], out, room) };
}
