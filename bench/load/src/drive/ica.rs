//! What ICA sessions look like: many small packets both ways, bursts, printing, video.
//!
//! ```text
//!   each session plays a role:   a question of a few bytes ─► so many bytes of screen, print data or video back
//!   office   6/s     48 ►   848 ◄      43 kbit/s        rendered  15/s   48 ►  1402 ◄    174 kbit/s
//!   web     30 at once, every 4 s      85 kbit/s        video     25/s   48 ►  2272 ◄    464 kbit/s
//!   print    4/s     48 ► 17920 ◄     575 kbit/s        hd        30/s   48 ►  7502 ◄   1812 kbit/s
//! ```
//!
//! Figures per active user are those that Citrix plans with. Sessions begin their rhythm at different moments, the same in each run. All of
//! it is on schedule (open loop): a latency counts from the moment at which its question was due, up to the last byte of the answer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::client::{Message, Stage};
use crate::clock::now;
use crate::drive::hand::{Hand, Share, ready};
use crate::fault::Fault;
use crate::sink;

/// Bytes of a question: a key, a mouse movement, an acknowledgement.
const UP: usize = 48;
/// Part of a period by which each further session begins later: the golden section spreads any number of them evenly.
const PHASE: f64 = 0.618_033_988_749_895;

/// What a session does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Role {
    name: &'static str,
    /// Between two bursts.
    every: Duration,
    /// Questions in one.
    burst: usize,
    /// Bytes wanted back for each.
    down: usize,
}

const ROLES: [Role; 6] = [
    Role { name: "office", every: Duration::from_micros(166_667), burst: 1, down: 848 },
    Role { name: "web", every: Duration::from_secs(4), burst: 30, down: 1368 },
    Role { name: "print", every: Duration::from_millis(250), burst: 1, down: 17_920 },
    Role { name: "rendered", every: Duration::from_micros(66_667), burst: 1, down: 1402 },
    Role { name: "video", every: Duration::from_millis(40), burst: 1, down: 2272 },
    Role { name: "hd", every: Duration::from_micros(33_333), burst: 1, down: 7502 },
];

/// Who does what, in percent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mix([u8; ROLES.len()]);

impl Mix {
    /// How users are mixed where nothing else is said.
    pub(crate) const DEFAULT: &str = "office=60,web=20,print=4,rendered=6,video=8,hd=2";

    /// Reads `ROLE=PERCENT,…`; what is not named is 0.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut mix = Self([0; ROLES.len()]);
        for part in text.split(',') {
            let (name, percent) = part.split_once('=').ok_or_else(|| format!("{part}: ROLE=PERCENT is wanted"))?;
            let at = ROLES.iter().position(|role| role.name == name);
            let at = at.ok_or_else(|| format!("{name}: roles are office, web, print, rendered, video, hd"))?;
            mix.0[at] = percent.parse().map_err(|_| format!("{percent}: a number from 0 to 100 is wanted"))?;
        }
        match mix.0.iter().map(|percent| u32::from(*percent)).sum::<u32>() {
            100 => Ok(mix),
            sum => Err(format!("the parts are {sum} percent together, not 100")),
        }
    }

    /// Names of the roles, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        ROLES.iter().map(|role| role.name.to_owned()).collect()
    }

    /// The role of session `number`: any hundred that follow each other are mixed as told.
    fn role(&self, number: usize) -> usize {
        // 61 and 100 have no divisor in common, so that all hundred places are met, and roles alternate.
        let mut place = number * 61 % 100;
        for (at, percent) in self.0.iter().enumerate() {
            match place.checked_sub(usize::from(*percent)) {
                Some(rest) => place = rest,
                None => return at,
            }
        }
        0
    }
}

pub(super) fn run(mut hand: Hand<'_>, mix: &Mix) -> Result<Share, Fault> {
    hand.open_all()?;
    hand.be_punctual()?;
    let questions: Vec<Vec<u8>> = ROLES.iter().map(|role| sink::question(UP, role.down)).collect();
    let begun = now();
    let mut schedule: BinaryHeap<Reverse<(Instant, usize)>> = (0..hand.clients.len())
        .map(|number| {
            #[expect(clippy::cast_precision_loss, reason = "a number of sessions")]
            let phase = (number as f64 * PHASE).fract();
            Reverse((begun + ROLES[mix.role(number)].every.mul_f64(phase), number))
        })
        .collect();
    let mut done = Vec::new();
    hand.window(|hand, events, wait| {
        while let Some(Reverse((due, number))) = schedule.peek().copied() {
            if due > now() {
                break;
            }
            schedule.pop();
            let kind = mix.role(number);
            let role = &ROLES[kind];
            for _ in 0..role.burst {
                hand.clients[number].say(&questions[kind], Message::new(due, kind, role.down))?;
            }
            schedule.push(Reverse((due + role.every, number)));
        }
        let next = schedule.peek().map(|Reverse((due, _))| due.saturating_duration_since(now()));
        hand.wait(events, [wait, next].into_iter().flatten().min())?;
        for at in ready(events) {
            let client = &mut hand.clients[at];
            let mut got = 0;
            client.turn(&mut hand.block, |bytes| got += bytes.len())?;
            if client.stage == Stage::Over {
                return Err(Fault::Nothing("a session ended"));
            }
            client.came(got, |message| done.push(message));
            let arrived = now();
            for message in done.drain(..) {
                hand.units += 1;
                hand.record(message.kind, message.due, arrived);
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_need_what_is_planned_for_them() {
        let kbits = |role: &Role| {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let bits = (role.burst * (UP + role.down) * 8) as f64;
            (bits / role.every.as_secs_f64() / 1000.0).round()
        };
        assert_eq!(ROLES.each_ref().map(kbits), [43.0, 85.0, 575.0, 174.0, 464.0, 1812.0]);
    }

    #[test]
    fn any_hundred_sessions_are_mixed_as_told() {
        let mix = Mix::parse(Mix::DEFAULT).unwrap();
        for from in [0, 1, 99, 12_345] {
            let mut counts = [0_u8; ROLES.len()];
            (from..from + 100).for_each(|number| counts[mix.role(number)] += 1);
            assert_eq!(counts, mix.0);
        }
    }

    #[test]
    fn a_mix_that_is_none_is_refused_and_says_why() {
        for (text, why) in [
            ("office=99", "99 percent"),
            ("office", "ROLE=PERCENT"),
            ("gaming=100", "roles are"),
            ("office=256", "from 0 to 100"),
            ("office=60,web=60", "120 percent"),
        ] {
            assert!(Mix::parse(text).unwrap_err().contains(why), "{text}");
        }
        assert_eq!(Mix::parse("hd=100").unwrap().0, [0, 0, 0, 0, 0, 100]);
    }
}
