//! Numbers that operators do not tune, each with its unit, and how they hang together.
//!
//! Those that they do tune are in [`sluice_link::snapshot::Limits`]; those of a grammar are with its codec in `sluice_proto`.

use std::time::Duration;

use sluice_proto::cgp::OPENING_BYTES_MAX;
use sluice_proto::hello::HELLO_BYTES_MAX;
use sluice_proto::proxy::WHOLE_BYTES_MAX;
use sluice_proto::socks5::{GREETING_BYTES_MAX, GREETING_PAUSE, REQUEST_BYTES_MAX};

use crate::buf::{Class, PARTS_MAX};
use crate::tls::RECORD_MAX;

/// How long a CGP opening may take to show its ticket.
pub const CGP_TIME_MAX: Duration = Duration::from_secs(5);

/// Most plaintext bytes that are kept for the host until it is connected. Nothing more is received from the client then, so
/// that TCP slows it down.
pub const PIPELINED_BYTES_MAX: usize = 16 * 1024;

/// Bytes in an unfinished send up to which the next receive of that direction is asked for. So a direction holds at most one
/// buffer of the largest class and one of at most this size, and short messages flow without waiting for each other.
pub const LOW_MARK_BYTES: usize = 32 * 1024;

/// Reads that filled their buffer, one after the other, after which a direction asks for the next larger class.
pub const FULL_READS_TO_GROW: u8 = 2;

/// Reads that would have fitted the next smaller class, one after the other, after which a direction asks for that.
pub const SMALL_READS_TO_SHRINK: u8 = 8;

/// Silence after which a direction begins small again: somebody who types should not wait for a large record.
pub const QUIET: Duration = Duration::from_secs(1);

/// How long part of a record may be held before the rest of it has come.
pub const RECORD_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a refused client has to take its refusal and to close.
pub const FAREWELL: Duration = Duration::from_secs(1);

/// Bytes that are read and thrown away from a client that has been told goodbye, so that a reset does not overtake what it
/// was told.
pub const DISCARD_BYTES_MAX: usize = 64 * 1024;

/// Bytes up to which a read counts as interactive: two segments of the usual size.
pub const INTERACTIVE_BYTES_MAX: usize = 2_800;

/// Time that a turn gives to handshakes before it begins another step of one. A first step, with its signature, takes longer than this with any
/// key, so that whoever types waits for one of those, and not for two. Of second steps, which have none, two fit.
pub const HANDSHAKE_TIME_PER_TURN: Duration = Duration::from_micros(60);

/// Hellos that may wait before further clients wait in the kernel's backlog: some milliseconds of work, so that there is always one to answer,
/// and nobody is let in who will not be answered soon.
pub const HELLOS_MAX: usize = 64;

/// Time that a turn gives to ends before it begins another one: some five sessions.
pub const ENDING_TIME_PER_TURN: Duration = Duration::from_micros(50);

/// What opening a record costs beside its bytes, in bytes that could be opened and passed on in that time.
pub const RECORD_COST_BYTES: usize = 512;

/// Bytes that the records of a long read have at least, on the wire and on average. 22 of them are no payload. A direction whose
/// records are shorter than this gets small buffers only from then on: a bulk buffer of them would take longer than a turn may.
pub const BULK_RECORD_BYTES_MIN: usize = 64;

const _: () = assert!(HELLO_BYTES_MAX <= Class::Large.payload());
const _: () = assert!(WHOLE_BYTES_MAX <= Class::Large.payload());
const _: () = assert!(GREETING_BYTES_MAX + REQUEST_BYTES_MAX <= Class::Small.payload());
const _: () = assert!(OPENING_BYTES_MAX < PIPELINED_BYTES_MAX);
const _: () = assert!(PIPELINED_BYTES_MAX < Class::Large.payload());
const _: () = assert!(GREETING_PAUSE.as_millis() < CGP_TIME_MAX.as_millis());
const _: () = assert!(LOW_MARK_BYTES > Class::Large.payload());
const _: () = assert!(LOW_MARK_BYTES < Class::Bulk.reads());
const _: () = assert!(INTERACTIVE_BYTES_MAX > Class::Small.payload());
const _: () = assert!(BULK_RECORD_BYTES_MIN < RECORD_COST_BYTES);
const _: () = assert!(PARTS_MAX > Class::Bulk.payload() / RECORD_MAX);
