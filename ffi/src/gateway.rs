//! The gateway as C sees it.
#![expect(unsafe_code, reason = "C hands over pointers; each use states what the caller has promised")]

use std::ffi::c_char;
use std::path::Path;
use std::ptr;
use std::time::Duration;

use gate_daemon::{Gateway, Options, StartProblem};
use sluice_link::count::Totals;

use crate::guard::{explain, give, guarded, sg_status, text};

/// A running gateway. Opaque.
#[expect(non_camel_case_types, reason = "its name in C")]
#[derive(Debug)]
pub struct sg_gateway {
    gateway: Gateway,
}

/// The library's version, as "major.minor.patch", with static lifetime.
#[unsafe(no_mangle)]
pub extern "C" fn sg_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Starts a gateway from `config_len` bytes of `ns.conf` text at `config`. Files that it names are looked for below the folder
/// `base` (`base_len` bytes).
///
/// On success `*out` is the gateway. On failure a message is written to `message`, cut to `message_room` bytes with its
/// terminating NUL; `message` may be NULL.
///
/// # Safety
/// The pointers must be NULL or point to memory of the size given beside them; `out` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sg_gateway_start(
    config: *const c_char,
    config_len: usize,
    base: *const c_char,
    base_len: usize,
    out: *mut *mut sg_gateway,
    message: *mut c_char,
    message_room: usize,
) -> sg_status {
    guarded(|| {
        if out.is_null() {
            return Err(sg_status::NullPointer);
        }
        // SAFETY: the caller promises that both strings have the lengths given.
        let config = unsafe { text(config, config_len) }?;
        // SAFETY: as above.
        let base = unsafe { text(base, base_len) }?;
        match Gateway::start("configuration", config, &Options::below(Path::new(base))) {
            Ok(gateway) => {
                let handle = Box::into_raw(Box::new(sg_gateway { gateway }));
                // SAFETY: not NULL, and the caller promises that it is writable.
                unsafe { ptr::write(out, handle) };
                Ok(())
            }
            Err(problem) => {
                let (status, said) = match &problem {
                    StartProblem::Configuration(said) => (sg_status::Configuration, said.clone()),
                    StartProblem::Machine { .. } => (sg_status::Machine, gate_daemon::chain(&problem)),
                };
                // SAFETY: the caller promises `message_room` writable bytes at `message`, or NULL.
                unsafe { explain(&said, message, message_room) };
                Err(status)
            }
        }
    })
}

/// Copies the address of the virtual server named `name`, as "address:port", to `out`: the actual port if 0 was configured.
///
/// # Safety
/// `gateway` must come from `sg_gateway_start` and not have been stopped; the other pointers as everywhere.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sg_gateway_address(
    gateway: *const sg_gateway,
    name: *const c_char,
    name_len: usize,
    out: *mut c_char,
    room: usize,
) -> sg_status {
    guarded(|| {
        // SAFETY: the caller promises that the pointer is NULL or a live handle.
        let handle = unsafe { gateway.as_ref() }.ok_or(sg_status::NullPointer)?;
        // SAFETY: the caller promises that the string has the length given.
        let name = unsafe { text(name, name_len) }?;
        let addresses = handle.gateway.addresses();
        let found = addresses.listeners.iter().chain(&addresses.farm).find(|at| at.name == name).ok_or(sg_status::NotFound)?;
        // SAFETY: the caller promises `room` writable bytes at `out`, or NULL.
        unsafe { give(&found.address.to_string(), out, room) }
    })
}

/// Reads the counter named `name`, summed over all workers.
///
/// # Safety
/// As for `sg_gateway_address`; `out` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sg_gateway_counter(
    gateway: *const sg_gateway,
    name: *const c_char,
    name_len: usize,
    out: *mut u64,
) -> sg_status {
    guarded(|| {
        // SAFETY: the caller promises that the pointer is NULL or a live handle.
        let handle = unsafe { gateway.as_ref() }.ok_or(sg_status::NullPointer)?;
        // SAFETY: the caller promises that the string has the length given.
        let name = unsafe { text(name, name_len) }?;
        if out.is_null() {
            return Err(sg_status::NullPointer);
        }
        let value = handle.gateway.totals().list().into_iter().find(|one| one.0 == name).ok_or(sg_status::NotFound)?.3;
        // SAFETY: not NULL, and the caller promises that it is writable.
        unsafe { ptr::write(out, value) };
        Ok(())
    })
}

/// Copies the name of counter number `index` (from 0) to `out`; `SG_STATUS_NOT_FOUND` past the last.
///
/// # Safety
/// `out` must be NULL or point to `room` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sg_counter_name(index: usize, out: *mut c_char, room: usize) -> sg_status {
    guarded(|| {
        let list = Totals::default().list();
        let name = list.get(index).ok_or(sg_status::NotFound)?.0;
        // SAFETY: the caller promises `room` writable bytes at `out`, or NULL.
        unsafe { give(name, out, room) }
    })
}

/// Takes no new connections; sessions run until they end or `within_ms` milliseconds have passed. Returns at once: watch the
/// counter `sessions`.
///
/// # Safety
/// As for `sg_gateway_address`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sg_gateway_drain(gateway: *const sg_gateway, within_ms: u64) -> sg_status {
    guarded(|| {
        // SAFETY: the caller promises that the pointer is NULL or a live handle.
        let handle = unsafe { gateway.as_ref() }.ok_or(sg_status::NullPointer)?;
        handle.gateway.drain(Duration::from_millis(within_ms));
        Ok(())
    })
}

/// Ends all sessions, joins all threads and frees the handle. NULL is allowed and does nothing.
///
/// # Safety
/// `gateway` must be NULL or come from `sg_gateway_start`, must not be in use by another thread, and must not be used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sg_gateway_stop(gateway: *mut sg_gateway) -> sg_status {
    guarded(|| {
        if gateway.is_null() {
            return Ok(());
        }
        // SAFETY: it came from Box::into_raw in sg_gateway_start, and the caller gives it back once.
        let handle = unsafe { Box::from_raw(gateway) };
        handle.gateway.stop();
        Ok(())
    })
}
