//! Messages there and back: each connection sends its next when the last is back (closed loop), or all on schedule (open loop).

use std::time::Duration;

use crate::client::{Message, Stage};
use crate::clock::now;
use crate::drive::hand::{Hand, Share, ready};
use crate::fault::Fault;

/// Most messages that are late in an open loop before the run is given up.
const BACKLOG_MAX: usize = 1_000_000;

pub(super) fn run(mut hand: Hand<'_>, size: usize, rate: Option<u32>) -> Result<Share, Fault> {
    hand.open_all()?;
    if rate.is_some() {
        hand.be_punctual()?;
    }
    let bytes = vec![0x77; size.max(1)];
    let left = bytes.len();
    if rate.is_none() {
        for client in &mut hand.clients {
            client.say(&bytes, Message::new(now(), 0, left))?;
        }
    }
    // A thread may have no part in a low rate.
    let every = rate.filter(|rate| *rate > 0).map(|rate| Duration::from_secs(1) / rate);
    let (mut next, mut turn_of) = (now(), 0);
    let mut done = Vec::new();
    hand.window(|hand, events, wait| {
        if let Some(every) = every {
            let mut behind = 0;
            while next <= now() {
                let at = turn_of % hand.clients.len();
                turn_of += 1;
                hand.clients[at].say(&bytes, Message::new(next, 0, left))?;
                next += every;
                behind += 1;
                if behind > BACKLOG_MAX {
                    return Err(Fault::Nothing("the rate cannot be kept"));
                }
            }
        }
        let until_next = every.map(|_| next.saturating_duration_since(now()));
        hand.wait(events, [wait, until_next].into_iter().flatten().min())?;
        for at in ready(events) {
            let client = &mut hand.clients[at];
            let mut got = 0;
            client.turn(&mut hand.block, |bytes| got += bytes.len())?;
            if client.stage == Stage::Over {
                return Err(Fault::Nothing("a connection ended between messages"));
            }
            client.came(got, |message| done.push(message));
            let arrived = now();
            for message in done.drain(..) {
                if rate.is_none() {
                    hand.clients[at].say(&bytes, Message::new(arrived, 0, left))?;
                }
                hand.units += 1;
                hand.record(0, message.due, arrived);
                if rate.is_some() {
                    hand.record(1, message.sent, arrived);
                }
            }
        }
        Ok(())
    })
}
