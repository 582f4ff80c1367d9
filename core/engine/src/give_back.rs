//! Buffers of intents and events that nobody will see any more go back to the pool.

use std::collections::VecDeque;

use sluice_flow::buf::Pool;
use sluice_flow::event::Event;
use sluice_flow::intent::{Intent, Into};
use sluice_flow::port::{Happening, SlotKey};

/// Of an intent that comes too late.
pub(crate) fn give_back(pool: &mut Pool, intent: Intent) {
    match intent {
        Intent::Receive { into: Into::Behind(buf), .. } => pool.give(buf),
        Intent::Send { chain, .. } => pool.give(chain.into_buf()),
        Intent::Receive { into: Into::Any(_), .. }
        | Intent::Connect(_)
        | Intent::Finish(_)
        | Intent::Abort(_)
        | Intent::HandOver { .. }
        | Intent::Ask(_)
        | Intent::Deadline(_) => {}
    }
}

/// Of an event whose session has been released before it was reported.
pub(crate) fn give_back_event(pool: &mut Pool, event: Event) {
    match event {
        Event::Received { buf, .. } | Event::Eof { kept: Some(buf), .. } => pool.give(buf),
        Event::Eof { kept: None, .. }
        | Event::Sent { .. }
        | Event::Connected
        | Event::Control { .. }
        | Event::HandedOver { .. }
        | Event::Failed { .. }
        | Event::Told(_)
        | Event::Due
        | Event::End(_) => {}
    }
}

/// Of all events in `pending` that are for `key`, which are taken out of it.
pub(crate) fn forget(pending: &mut VecDeque<Happening>, pool: &mut Pool, key: SlotKey) {
    for _ in 0..pending.len() {
        match pending.pop_front() {
            Some(Happening::Session { key: whose, event }) if whose == key => give_back_event(pool, event),
            Some(other) => pending.push_back(other),
            None => {}
        }
    }
}
