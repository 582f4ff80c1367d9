//! Connections that cost memory and little else: idle ones, and those that read more slowly than their host pours.

use std::time::Duration;

use mio::Events;

use crate::client::{Message, Stage};
use crate::clock::now;
use crate::drive::hand::{Hand, Share};
use crate::drive::patience;
use crate::fault::Fault;

/// How often a slow reader reads, in a second.
const READS_PER_SECOND: u32 = 10;

/// Connections that say nothing. With `then_use` each is used once when the window is over: it must still be there.
pub(super) fn idle(mut hand: Hand<'_>, then_use: bool) -> Result<Share, Fault> {
    hand.open_all()?;
    let share = hand.window(Hand::wait)?;
    if then_use {
        use_each(&mut hand)?;
    }
    Ok(share)
}

/// A byte there and back on every connection.
fn use_each(hand: &mut Hand<'_>) -> Result<(), Fault> {
    let deadline = now() + patience(hand.connections);
    let mut events = Events::with_capacity(1024);
    for client in &mut hand.clients {
        client.say(b"x", Message::new(now(), 0, 1))?;
    }
    let mut waiting = hand.clients.len();
    while waiting > 0 {
        hand.wait(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let client = &mut hand.clients[event.token().0];
            let mut got = 0;
            client.turn(&mut hand.block, |bytes| got += bytes.len())?;
            if client.stage == Stage::Over {
                return Err(Fault::Nothing("an idle connection was ended"));
            }
            client.came(got, |_| waiting -= 1);
        }
        if now() > deadline {
            return Err(Fault::Nothing("not every idle connection could still be used"));
        }
    }
    Ok(())
}

/// Connections whose hosts pour, and that take `rate` bytes a second each.
pub(super) fn run(mut hand: Hand<'_>, rate: u32) -> Result<Share, Fault> {
    let portion = usize::try_from(rate / READS_PER_SECOND).unwrap_or(usize::MAX).max(1);
    let every = Duration::from_secs(1) / READS_PER_SECOND;
    // Connections that wait for the others read slowly already.
    hand.open_all()?;
    let mut next = now();
    hand.window(|hand, events, wait| {
        let until_next = next.saturating_duration_since(now());
        hand.wait(events, Some(wait.map_or(until_next, |wait| wait.min(until_next))))?;
        if now() < next {
            return Ok(());
        }
        next += every;
        for client in &mut hand.clients {
            let mut got = 0;
            client.turn_within(portion, &mut hand.block, |bytes| got += bytes.len())?;
            if client.stage == Stage::Over {
                return Err(Fault::Nothing("a slow connection was ended"));
            }
            hand.units += got as u64;
        }
        Ok(())
    })
}
