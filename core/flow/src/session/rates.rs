//! How fast bytes flow: rates of one session and of all together, with time told by hand.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::time::Duration;

use proptest::prelude::*;
use sluice_link::reason::Reason;
use sluice_link::snapshot::{Rates, Speeds};
use sluice_link::time::Moment;

use super::Stage;
use super::rig::Rig;
use crate::buf::Class;
use crate::event::Leg;
use crate::pace::AHEAD;
use crate::wheel::TICK;

fn speeds(up: u64, down: u64) -> Speeds {
    Speeds { up: NonZeroU64::new(up), down: NonZeroU64::new(down) }
}

fn session(up: u64, down: u64) -> Rates {
    Rates { session: speeds(up, down), together: Speeds::default() }
}

fn together(up: u64, down: u64) -> Rates {
    Rates { session: Speeds::default(), together: speeds(up, down) }
}

/// What may flow in `window` at most: the rate, the burst, what a late deadline adds, and a buffer in hand.
fn most(rate: u64, window: Duration) -> u128 {
    u128::from(rate) * (window + AHEAD + TICK).as_nanos() / 1_000_000_000 + Class::Large.payload() as u128
}

/// No window of `flowed` has more than its rate lets through.
fn within(rate: u64, flowed: &[(Moment, usize)]) -> Result<(), TestCaseError> {
    for (first, (begin, _)) in flowed.iter().enumerate() {
        let mut sum = 0_u128;
        for (end, n) in &flowed[first..] {
            sum += *n as u128;
            prop_assert!(sum <= most(rate, end.since(*begin)), "{} bytes in {:?} at {}/s", sum, end.since(*begin), rate);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever comes, in whatever pieces, with whatever pauses: it arrives whole, in order, not faster than the rate and, while
    /// there is something to send, not much slower.
    #[test]
    fn a_session_keeps_its_rate_both_ways_and_loses_nothing(
        rate in 20_000_u64..4_000_000,
        pieces in prop::collection::vec((1_usize..60_000, 0_u64..300, any::<bool>()), 1..24),
    ) {
        let mut rig = Rig::paced(session(rate, rate));
        let (mut sent_up, mut sent_down) = (Vec::new(), Vec::new());
        let (mut flowed_up, mut flowed_down) = (Vec::new(), Vec::new());
        let mut from_host: VecDeque<u8> = VecDeque::new();
        let start = rig.now;
        let mut look = |rig: &mut Rig, got_up: &mut usize, got_down: &mut usize| {
            for (flowed, now, got) in [(&mut flowed_up, rig.at_host.len(), got_up), (&mut flowed_down, rig.at_client.len(), got_down)] {
                if now > *got {
                    flowed.push((rig.now, now - *got));
                    *got = now;
                }
            }
        };
        let (mut got_up, mut got_down) = (0, 0);
        let mut pieces = pieces.into_iter().enumerate();
        loop {
            let next = pieces.next();
            let mut pause = 10;
            if let Some((n, (len, wait, up))) = next {
                let piece: Vec<u8> = (0..=250).cycle().skip(n).take(len).collect();
                pause = wait;
                if up {
                    sent_up.extend_from_slice(&piece);
                    rig.client_writes(&piece);
                } else {
                    sent_down.extend_from_slice(&piece);
                    from_host.extend(piece);
                }
            }
            let until = rig.now + Duration::from_millis(pause);
            loop {
                while rig.receives(Leg::Host) && !from_host.is_empty() {
                    from_host.make_contiguous();
                    let bytes = from_host.as_slices().0.to_vec();
                    let taken = rig.host_offers(&bytes);
                    from_host.drain(..taken);
                    look(&mut rig, &mut got_up, &mut got_down);
                }
                rig.deliver();
                look(&mut rig, &mut got_up, &mut got_down);
                if rig.now >= until {
                    break;
                }
                rig.pass(until.since(rig.now).min(TICK));
            }
            prop_assert_eq!(rig.stage(), Some(Stage::Splice));
            if next.is_none() && got_up == sent_up.len() && got_down == sent_down.len() {
                break;
            }
            let longest = u128::from((sent_up.len() + sent_down.len()) as u64) * 1_000_000_000 / u128::from(rate);
            let waited = rig.now.since(start).as_nanos();
            prop_assert!(waited < longest + 24 * 300_000_000 + 2_000_000_000, "bytes wait for ever");
        }
        prop_assert_eq!(&rig.at_host, &sent_up);
        prop_assert_eq!(&rig.at_client, &sent_down);
        within(rate, &flowed_up)?;
        within(rate, &flowed_down)?;
        prop_assert!(rig.holds_nothing());
    }
}

#[test]
fn a_session_without_a_rate_is_not_slowed_down_by_those_that_have_one() {
    let mut rig = Rig::paced(session(0, 10_000));
    let sent: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 241) as u8).collect();
    for piece in sent.chunks(50_000) {
        rig.client_writes(piece);
    }
    assert_eq!(rig.at_host, sent, "up has no rate");
    rig.host_writes(&[1; 2_000]);
    rig.host_writes(&[2; 2_000]);
    assert_eq!(rig.take_at_client().len(), 2_000, "500 bytes are the burst, and one buffer in hand");
    assert!(!rig.receives(Leg::Host), "what waits is not joined by more");
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.take_at_client().len(), 2_000);
}

#[test]
fn who_types_waits_for_bulk_of_the_other_direction_not_at_all() {
    let mut rig = Rig::paced(session(50_000, 50_000));
    let mut offered = 0;
    while rig.receives(Leg::Host) {
        offered += rig.host_offers(&[7; 10_000]);
        assert!(offered < 1_000_000, "nothing holds the host back");
    }
    assert!(offered > rig.at_client.len(), "down is at its rate");
    for n in 0..20_u8 {
        rig.client_writes(&[n; 30]);
        assert_eq!(rig.at_host.len(), 30 * (usize::from(n) + 1));
    }
}

#[test]
fn all_share_one_rate_in_turn_and_nobody_is_passed_over() {
    const RATE: u64 = 400_000;
    let first = Rig::paced(together(0, RATE));
    let mut rigs: Vec<Rig> = (0..5).map(|_| first.beside()).collect();
    rigs.push(first);
    // Five take whatever they get, the last says a few bytes now and then.
    let mut flowed: Vec<(Moment, usize)> = Vec::new();
    let mut longest = Duration::ZERO;
    let mut asked: Option<Moment> = None;
    for step in 0..2_000_u32 {
        for (at, rig) in rigs.iter_mut().enumerate() {
            let before = rig.at_client.len();
            if at < 5 {
                let mut offers = 0;
                while rig.receives(Leg::Host) {
                    rig.host_offers(&[9; 20_000]);
                    offers += 1;
                    assert!(offers < 100, "nothing holds the host back");
                }
            } else if step % 20 == 0 && rig.receives(Leg::Host) {
                rig.host_offers(&[1; 40]);
                asked = Some(rig.now);
            }
            rig.pass(TICK / 2);
            let got = rig.at_client.len() - before;
            if got > 0 {
                flowed.push((rig.now, got));
                if at == 5
                    && let Some(asked) = asked.take()
                {
                    longest = longest.max(rig.now.since(asked));
                }
            }
        }
    }
    let total: usize = flowed.iter().map(|(_, n)| n).sum();
    let time = Duration::from_secs(10);
    assert!(total as u128 <= most(RATE, time), "{total} bytes in {time:?}");
    assert!(total as u64 >= RATE * 10 * 9 / 10, "only {total} bytes in {time:?}");
    within(RATE, &flowed).unwrap();
    let shares: Vec<usize> = rigs[..5].iter().map(|rig| rig.at_client.len()).collect();
    let (least, most) = (*shares.iter().min().unwrap(), *shares.iter().max().unwrap());
    assert!(least * 10 >= most * 8, "unfair: {shares:?}");
    // In front of it is at most a buffer of each of the others.
    let bound = Duration::from_millis(5 * Class::Small.payload() as u64 * 1000 / RATE) + AHEAD + 3 * TICK;
    assert!(longest <= bound, "somebody who types waited for {longest:?}");
    assert!(rigs[5].at_client.len() >= 40 * 90);
}

#[test]
fn nobody_is_blamed_for_bytes_that_wait_for_their_rate() {
    // Forty seconds to wait at 100 bytes a second: longer than any deadline of a session whose client has ended.
    let mut rig = Rig::paced(session(100, 100));
    rig.client_writes(&[1; 4_000]);
    let sent: Vec<u8> = (0..16_000_u32).map(|n| (n % 241) as u8).collect();
    let last = [rig.sealed_by_client(&sent), rig.sealed_goodbye()].concat();
    rig.client_sends_raw(&last);
    assert_eq!(rig.waiting(), 0, "record and end have come together");
    rig.pass(Duration::from_secs(39));
    assert_eq!((rig.stage(), rig.at_host.len()), (Some(Stage::Splice), 4_000));
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.at_host[4_000..], sent);
    assert!(rig.finished(Leg::Host), "the end is passed on behind the last byte");
    rig.eof(Leg::Host);
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(Reason::ClientClosed));
}

#[test]
fn an_end_from_outside_does_not_wait_for_a_rate() {
    let mut rig = Rig::paced(session(100, 100));
    rig.host_writes(&[1; 2_000]);
    rig.host_writes(&[2; 2_000]);
    assert!(rig.deadline() > rig.now + Duration::from_secs(10));
    rig.event(crate::event::Event::End(Reason::Killed));
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(Reason::Killed));
}
