//! `table.md`, row by row.

use std::time::Duration;

use rustls::AlertDescription;
use sluice_link::reason::Reason;

use super::Stage;
use super::rig::Rig;
use crate::event::{Event, Leg};

const HALF_CLOSED: Duration = Duration::from_secs(30);
const LINGER: Duration = Duration::from_secs(2);

/// The client closes its socket and the session ends.
fn ends(mut rig: Rig, reason: Reason) {
    if rig.over.is_none() {
        assert_eq!(rig.stage(), Some(Stage::Drain));
        assert!(rig.finished(Leg::Client));
        rig.eof(Leg::Client);
    }
    assert_eq!(rig.reason(), Some(reason));
    assert_eq!(rig.totals().spliced, 0);
}

fn goodbye_arrived(rig: &mut Rig) -> bool {
    rig.told_goodbye && rig.finished(Leg::Client)
}

#[test]
fn row_1_the_client_ends_and_the_host_goes_on_until_it_ends_too() {
    let mut rig = Rig::spliced();
    rig.slow = true;
    rig.client_writes(b"last words up");
    rig.client_says_goodbye();
    assert!(!rig.finished(Leg::Host), "an end must not overtake bytes");
    rig.slow = false;
    rig.flush();
    assert_eq!(rig.at_host, b"last words up");
    assert!(rig.finished(Leg::Host));
    for _ in 0..5 {
        rig.pass(HALF_CLOSED - Duration::from_secs(1));
        rig.host_writes(b"down ");
    }
    assert_eq!(rig.take_at_client(), b"down down down down down ");
    assert!(!rig.told_goodbye);
    rig.eof(Leg::Host);
    assert!(goodbye_arrived(&mut rig));
    ends(rig, Reason::ClientClosed);
}

#[test]
fn row_1_also_when_the_client_ended_before_the_host_was_there() {
    let mut rig = Rig::open();
    rig.client_writes(&[&super::rig::request(super::rig::TICKET), &b"all I have to say"[..]].concat());
    rig.client_says_goodbye();
    rig.told(Ok(super::rig::target(None)));
    rig.connected();
    assert_eq!(rig.at_host, b"all I have to say");
    assert!(rig.finished(Leg::Host));
    rig.take_at_client();
    rig.host_writes(b"answer");
    rig.eof(Leg::Host);
    assert_eq!(rig.take_at_client(), b"answer");
    assert!(goodbye_arrived(&mut rig));
    ends(rig, Reason::ClientClosed);
}

#[test]
fn row_2_a_host_that_never_ends_is_not_waited_for_for_ever() {
    let mut rig = Rig::spliced();
    rig.client_says_goodbye();
    rig.pass(HALF_CLOSED - Duration::from_millis(1));
    assert_eq!(rig.stage(), Some(Stage::Splice));
    rig.pass(Duration::from_millis(1));
    assert!(goodbye_arrived(&mut rig));
    ends(rig, Reason::ClientClosed);
}

#[test]
fn row_3_the_host_ends_and_the_client_goes_on_until_it_ends_too() {
    let mut rig = Rig::spliced();
    rig.slow = true;
    rig.host_writes(b"last words down");
    rig.eof(Leg::Host);
    assert!(!rig.finished(Leg::Client), "an end must not overtake bytes");
    rig.slow = false;
    rig.flush();
    assert_eq!(rig.take_at_client(), b"last words down");
    assert!(goodbye_arrived(&mut rig));
    assert!(!rig.finished(Leg::Host));
    rig.client_writes(b"up goes on");
    assert_eq!(rig.at_host, b"up goes on");
    rig.client_says_goodbye();
    assert!(rig.finished(Leg::Host));
    ends(rig, Reason::HostClosed);
}

#[test]
fn row_4_a_client_that_never_ends_is_not_waited_for_for_ever() {
    let mut rig = Rig::spliced();
    rig.eof(Leg::Host);
    assert!(goodbye_arrived(&mut rig));
    rig.pass(HALF_CLOSED);
    assert!(rig.finished(Leg::Host));
    rig.pass(LINGER);
    assert_eq!(rig.reason(), Some(Reason::HostClosed));
}

#[test]
fn row_5_ends_that_cross() {
    let mut rig = Rig::spliced();
    rig.slow = true;
    rig.client_writes(b"up");
    rig.host_writes(b"down");
    rig.client_says_goodbye();
    rig.eof(Leg::Host);
    rig.slow = false;
    rig.flush();
    assert_eq!(rig.at_host, b"up");
    assert_eq!(rig.take_at_client(), b"down");
    assert!(rig.finished(Leg::Host));
    assert!(goodbye_arrived(&mut rig));
    ends(rig, Reason::Finished);
}

#[test]
fn row_6_a_fin_without_close_notify_ends_soon() {
    let mut rig = Rig::spliced();
    rig.client_writes(b"up");
    rig.eof(Leg::Client);
    assert_eq!(rig.at_host, b"up");
    assert!(rig.finished(Leg::Host));
    rig.host_writes(b"down");
    assert_eq!(rig.take_at_client(), b"down");
    rig.pass(LINGER);
    assert!(goodbye_arrived(&mut rig));
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(Reason::Truncated));
}

#[test]
fn row_7_a_client_that_does_not_take_what_is_left() {
    let mut rig = Rig::spliced();
    rig.slow = true;
    rig.host_writes(b"nobody takes this");
    rig.eof(Leg::Host);
    rig.pass(HALF_CLOSED);
    rig.pass(LINGER);
    assert_eq!(rig.reason(), Some(Reason::Stuck));
}

#[test]
fn row_8_a_client_that_is_lost_resets_the_host() {
    let mut rig = Rig::spliced();
    rig.reset_while_receiving(Leg::Client);
    assert!(rig.aborted(Leg::Host));
    ends(rig, Reason::ClientLost);
}

#[test]
fn row_9_a_reset_in_answer_to_goodbye_is_an_end() {
    let mut rig = Rig::spliced();
    rig.slow = true;
    rig.client_writes(b"up");
    rig.eof(Leg::Host);
    // The client takes the goodbye, the host does not take its bytes yet.
    let kept = rig.hold_back(Leg::Host);
    rig.flush();
    rig.reset_while_receiving(Leg::Client);
    assert!(!rig.aborted(Leg::Host));
    rig.bring_back(Leg::Host, kept);
    rig.slow = false;
    rig.flush();
    assert_eq!(rig.at_host, b"up");
    assert!(rig.finished(Leg::Host));
    ends(rig, Reason::HostClosed);
}

#[test]
fn row_10_a_client_that_takes_no_more_but_ended_in_order() {
    let mut rig = Rig::spliced();
    rig.slow = true;
    rig.host_writes(b"down");
    rig.reset_while_sending(Leg::Client);
    rig.slow = false;
    rig.client_writes(b"up");
    rig.client_says_goodbye();
    assert_eq!(rig.at_host, b"up");
    assert!(rig.finished(Leg::Host));
    assert!(!rig.aborted(Leg::Host));
    ends(rig, Reason::ClientClosed);
}

#[test]
fn row_11_a_host_that_is_lost_resets_the_client() {
    let mut rig = Rig::spliced();
    rig.reset_while_receiving(Leg::Host);
    assert!(rig.aborted(Leg::Client));
    assert!(!rig.told_goodbye, "what came is not complete, and must not look so");
    ends(rig, Reason::HostLost);
}

#[test]
fn row_12_a_host_that_resets_a_session_which_the_client_ended() {
    let mut rig = Rig::spliced();
    rig.client_says_goodbye();
    rig.reset_while_receiving(Leg::Host);
    assert!(rig.aborted(Leg::Client));
    ends(rig, Reason::ClientClosed);
}

#[test]
fn row_13_a_host_that_takes_no_more_but_ended_in_order() {
    let mut rig = Rig::spliced();
    rig.slow = true;
    rig.client_writes(b"up");
    rig.reset_while_sending(Leg::Host);
    rig.slow = false;
    rig.host_writes(b"the answer");
    rig.eof(Leg::Host);
    assert_eq!(rig.take_at_client(), b"the answer");
    assert!(goodbye_arrived(&mut rig));
    ends(rig, Reason::HostClosed);
}

#[test]
fn row_14_a_forged_record_reaches_nobody() {
    let mut rig = Rig::spliced();
    let mut record = rig.sealed_by_client(b"rm -rf");
    let last = record.len() - 1;
    record[last] ^= 1;
    rig.client_sends_raw(&record);
    assert_eq!(rig.at_host, b"");
    assert!(rig.aborted(Leg::Host));
    assert_eq!(rig.alerted, Some(AlertDescription::BadRecordMac));
    ends(rig, Reason::TlsBroken);
}

#[test]
fn row_15_a_client_that_gives_up() {
    let mut rig = Rig::spliced();
    rig.client_gives_up();
    assert!(rig.aborted(Leg::Host));
    assert_eq!(rig.take_at_client(), b"");
    ends(rig, Reason::TlsAlert);
}

#[test]
fn row_16_somebody_ends_it() {
    for reason in [Reason::Killed, Reason::Drained, Reason::Stopping, Reason::LoginOver] {
        let mut rig = Rig::spliced();
        rig.slow = true;
        rig.host_writes(b"sealed already");
        rig.event(Event::End(reason));
        rig.slow = false;
        rig.flush();
        assert_eq!(rig.take_at_client(), b"sealed already");
        assert!(goodbye_arrived(&mut rig));
        assert!(rig.finished(Leg::Host));
        ends(rig, reason);
    }
}

// Rows 17 and 18 are deadlines, and are with the others in `promises.rs`.
