//! Bytes one way, as fast as they go.

use std::time::Duration;

use crate::client::Stage;
use crate::drive::Direction;
use crate::drive::hand::{BLOCK, Hand, Share};
use crate::fault::Fault;

/// Bytes that one connection may receive before the next has its turn.
const BYTES_PER_TURN: usize = 4 * BLOCK;
/// Blocks that one connection may send before the next has its turn.
const BLOCKS_PER_TURN: usize = 4;

pub(super) fn run(mut hand: Hand<'_>, direction: Direction) -> Result<Share, Fault> {
    hand.open_all()?;
    let payload = vec![0x3C; BLOCK];
    // Readiness is told once, when it comes: whoever has not met a full socket since must be tried again.
    let mut readable = vec![true; hand.clients.len()];
    let mut writable = vec![direction == Direction::Up; hand.clients.len()];
    hand.window(|hand, events, wait| {
        let busy = readable.contains(&true) || writable.contains(&true);
        hand.wait(events, if busy { Some(Duration::ZERO) } else { wait })?;
        for event in &*events {
            readable[event.token().0] = true;
            writable[event.token().0] = direction == Direction::Up;
        }
        for (client, readable) in hand.clients.iter_mut().zip(&mut readable).filter(|(_, readable)| **readable) {
            let mut bytes = 0;
            *readable = client.turn_within(BYTES_PER_TURN, &mut hand.block, |got| bytes += got.len())?;
            if client.stage == Stage::Over {
                return Err(Fault::Nothing("a connection ended during bulk"));
            }
            hand.units += bytes as u64;
        }
        for (client, writable) in hand.clients.iter_mut().zip(&mut writable).filter(|(_, writable)| **writable) {
            for _ in 0..BLOCKS_PER_TURN {
                let taken = client.write(&payload);
                hand.units += taken as u64;
                client.push()?;
                if taken == 0 {
                    *writable = false;
                    break;
                }
            }
        }
        Ok(())
    })
}
