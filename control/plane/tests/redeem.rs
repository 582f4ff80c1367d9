//! Tickets at the gateway: from the workers' ask to the verdict, with authorities of every kind behind.
#![expect(clippy::unwrap_used, reason = "what fails here has failed the test")]

#[expect(dead_code, reason = "each test file uses its part of the kit")]
mod kit;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use gate_plane::Command;
use gate_plane::latency::Phase;
use kit::{CLIENT, FakeSta, House, Plan, SOON, data, now, post_xml, write_sta};
use sluice_link::ask::{Ask, Closed, Opened, Phases, Redeem, Wanted};
use sluice_link::id::{LaunchId, ListenerId, SessionKey};
use sluice_link::reason::Reason;
use sluice_link::tell::{Refusal, Tell};
use sluice_proto::ticket::Ticket;

const HOST: &str = "10.11.12.13:1494";
const CODE: &str = "0F1E2D3C4B5A69788796A5B4C3D2E1F0";

fn ticket(id: &str, code: &str) -> String {
    format!(";40;{id};{code}")
}

/// A house whose virtual server has these authorities, all of which have told their ids.
fn house(stas: &[&FakeSta]) -> House {
    let mut plan = Plan::new(HOST);
    for sta in stas {
        plan.bind_sta(&sta.url());
    }
    let house = House::open(plan);
    house.wait_status(|status| status.stas.iter().all(|sta| sta.authority_id.is_some()));
    house
}

/// A ticket that the embedded authority at `farm` issued for `address`.
fn issued(farm: std::net::SocketAddr, address: &str, refreshable: bool) -> String {
    let request = format!(
        "<CtxSTAProtocol version=\"4.0\"><RequestTicket><AllowedTicketType>STA-v4</AllowedTicketType>\
         <AllowedAuthorityIDType>STA-v1</AllowedAuthorityIDType><TicketData><Value name=\"ICAAddress\">{address}</Value></TicketData>\
         <Control><Refreshable>{refreshable}</Refreshable></Control></RequestTicket></CtxSTAProtocol>"
    );
    let reply = post_xml(farm, "/scripts/ctxsta.dll", &request);
    assert_eq!(reply.status, 200, "{reply:?}");
    let text = reply.text();
    let element = |name: &str| text.split(&format!("<{name}>")).nth(1).unwrap().split('<').next().unwrap().to_owned();
    format!(";{};{};{}", element("TicketVersion"), element("AuthorityID"), element("Ticket"))
}

fn embedded() -> (House, std::net::SocketAddr) {
    let mut plan = Plan::new(HOST);
    let farm = plan.farm_server("STA01");
    plan.bind_sta(&format!("http://{farm}"));
    (House::open(plan), farm)
}

#[test]
fn of_twenty_at_once_one_wins() {
    let (house, farm) = embedded();
    for _ in 0..10 {
        let ticket = issued(farm, HOST, false);
        let keys: Vec<_> = (0..20).map(|n| house.workers.present(&ticket, &format!("198.51.{n}.1:9"))).collect();
        let verdicts: Vec<_> = keys.into_iter().map(|key| house.workers.verdict(key)).collect();
        assert_eq!(verdicts.iter().filter(|v| v.is_ok()).count(), 1, "{verdicts:?}");
        assert_eq!(verdicts.iter().filter(|v| **v == Err(Refusal::Ticket)).count(), 19);
    }
}

#[test]
fn a_refreshable_ticket_is_good_again() {
    let (house, farm) = embedded();
    let ticket = issued(farm, HOST, true);
    for _ in 0..5 {
        assert_eq!(house.workers.redeem(&ticket).unwrap().address, HOST.parse().unwrap());
    }
}

#[test]
fn only_listed_addresses_are_dialled_and_some_never() {
    let (house, farm) = embedded();
    for (address, fits) in [
        ("10.1.2.3:1494", true),
        ("10.1.2.3", true),
        ("127.0.0.1:1494", true), // the kit's list opens loopback
        ("localhost:1494", true),
        ("10.1.2.3:22", false),
        ("169.254.169.254:1494", false),
        ("0.0.0.0:1494", false),
        ("255.255.255.255:1494", false),
        ("224.0.0.1:1494", false),
        ("[::ffff:169.254.169.254]:1494", false),
        ("[64:ff9b::a9fe:a9fe]:1494", false),
        ("[2001:db8::1]:1494", false),
        ("2130706433:1494", false),
        ("0x7f000001:1494", false),
        ("0177.0.0.1:1494", false),
        ("127.1:1494", false),
        ("[fe80::1%25lo]:1494", false),
        (&farm.to_string(), false),
        ("192.0.2.1:443", false),
        ("a b:1494", false),
        ("10.1.2.3:0", false),
        ("10.1.2.3:99999", false),
    ] {
        let verdict = house.workers.redeem(&issued(farm, address, false));
        if fits {
            assert_eq!(verdict.map(|target| target.address.port()), Ok(1494), "{address}");
        } else {
            assert_eq!(verdict, Err(Refusal::Address), "{address}");
        }
    }
    let verdict = house.workers.redeem(&issued(farm, "no-such-host.invalid:1494", false));
    assert_eq!(verdict, Err(Refusal::Unresolved));
}

#[test]
fn the_wanted_address_counts() {
    let both = "<ResponseData><TicketData><Value name=\"ICAAddress\">10.0.0.1:1494</Value><Value name=\"cgpaddress\">10.0.0.1:2598</Value></TicketData></ResponseData>";
    let sta = FakeSta::new("STA01", move |body, stream| {
        write_sta(
            stream,
            if body.contains("AAAAAAAAAAAAAAAA") { both } else { &*Box::leak(data("10.0.0.2:1494").into_boxed_str()) },
        );
    });
    let mut plan = Plan::new(HOST);
    plan.model.allowed_hosts.find_mut("all").unwrap().ports.push(gate_config::model::PortRange::parse("2598").unwrap());
    plan.bind_sta(&sta.url());
    let house = House::open(plan);
    house.wait_status(|status| status.stas[0].authority_id.is_some());
    let wants = |code: &str, wanted| {
        let key = house.workers.present(&ticket("STA01", code), CLIENT);
        drop(house.workers.verdict(key));
        let text = ticket("STA01", code);
        house.workers.ask(Ask::Redeem(Redeem {
            key,
            listener: ListenerId(1),
            client: CLIENT.parse().unwrap(),
            ticket: Ticket::parse(text.as_bytes()).unwrap(),
            wanted,
        }));
        house.workers.verdict(key).map(|target| target.address.to_string())
    };
    assert_eq!(wants("AAAAAAAAAAAAAAAA", Wanted::Cgp).as_deref(), Ok("10.0.0.1:2598"));
    assert_eq!(wants("AAAAAAAAAAAAAAAA", Wanted::Ica).as_deref(), Ok("10.0.0.1:1494"));
    assert_eq!(wants("BBBBBBBBBBBBBBBB", Wanted::Cgp), Err(Refusal::Address));
}

#[test]
fn a_second_farm_is_asked_over_http() {
    let mut far = Plan::new(HOST);
    let service = far.farm_server("STA0FAR");
    let _far = House::open(far);
    let mut plan = Plan::new(HOST);
    let near = plan.farm_server("STA0NEAR");
    plan.bind_sta(&format!("http://{near}"));
    plan.bind_sta(&format!("http://{service}/Scripts/CtxSta.dll"));
    let house = House::open(plan);
    let status = house.wait_status(|status| status.stas.iter().all(|sta| sta.authority_id.is_some()));
    assert!(status.stas.iter().any(|sta| sta.authority_id.as_deref() == Some("STA0FAR") && sta.insecure));
    assert!(status.stas.iter().any(|sta| sta.authority_id.as_deref() == Some("STA0NEAR") && !sta.insecure));

    for _ in 0..3 {
        let far_ticket = issued(service, "10.0.0.7:1494", false);
        assert_eq!(house.workers.redeem(&far_ticket.to_lowercase()), Err(Refusal::Ticket));
        assert_eq!(house.workers.redeem(&far_ticket).unwrap().address.to_string(), "10.0.0.7:1494");
        assert_eq!(house.workers.redeem(&far_ticket), Err(Refusal::Ticket));
    }
    let (a, b) = (issued(near, "10.0.0.1:1494", false), issued(service, "10.0.0.2:1494", false));
    let halves = |ticket: &str| ticket.trim_start_matches(";40;").to_owned();
    let dual = |a: &str, b: &str| format!(";42;{};{}", halves(a), halves(b));
    assert_eq!(house.workers.redeem(&dual(&a, &b)).unwrap().address.to_string(), "10.0.0.1:1494", "the first pair counts");
    assert_eq!(house.workers.redeem(&dual(&a, &b)).unwrap().address.to_string(), "10.0.0.2:1494", "refused: the next pair");
    assert_eq!(house.workers.redeem(&dual(&a, &b)), Err(Refusal::Ticket));
}

#[test]
fn an_id_that_nobody_has_is_unknown_unless_somebody_is_silent() {
    let sta = FakeSta::new("STA01", |_, stream| write_sta(stream, &data(HOST)));
    let known = house(&[&sta]);
    assert_eq!(known.workers.redeem(&ticket("STA02", CODE)), Err(Refusal::UnknownSta));
    assert_eq!(known.workers.redeem(&ticket("sta01", CODE)).unwrap().address, HOST.parse().unwrap());

    let mut plan = Plan::new(HOST);
    plan.bind_sta(&sta.url());
    plan.bind_sta("http://127.0.0.1:1");
    let house = House::open(plan);
    house.wait_status(|status| status.stas.iter().any(|sta| sta.authority_id.is_some()));
    assert_eq!(house.workers.redeem(&ticket("STA02", CODE)), Err(Refusal::StaOutage), "it may be the silent one's");
    let dual = format!(";42;STA02;{CODE};STA01;{CODE}");
    assert_eq!(house.workers.redeem(&dual).unwrap().address, HOST.parse().unwrap(), "outage: the next pair");
}

#[test]
fn broken_authorities_are_outages_and_noes_are_refusals() {
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE CtxSTAProtocol [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><CtxSTAProtocol><ResponseData>&b;</ResponseData></CtxSTAProtocol>";
    let raw = |status: &str, body: &str| format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let cases: Vec<(&str, String, Refusal)> = vec![
        ("garbage", raw("200 OK", "\u{1}\u{2}garbage"), Refusal::StaOutage),
        ("bomb", raw("200 OK", bomb), Refusal::StaOutage),
        ("empty", raw("200 OK", ""), Refusal::StaOutage),
        ("error 500", raw("500 Oops", "no"), Refusal::StaOutage),
        ("error 404", raw("404 Not Found", ""), Refusal::StaOutage),
        ("cut off", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<CtxSTAProtocol>".into(), Refusal::StaOutage),
        ("no http", "SSH-2.0-OpenSSH_9.2\r\n".into(), Refusal::StaOutage),
        ("too long", format!("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{}", "x".repeat(99_999)), Refusal::StaOutage),
        ("head too long", format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(99_999)), Refusal::StaOutage),
        ("nothing", String::new(), Refusal::StaOutage),
        (
            "a no",
            raw("200 OK", "<CtxSTAProtocol><ResponseData><ErrorId>invalid-ticket</ErrorId></ResponseData></CtxSTAProtocol>"),
            Refusal::Ticket,
        ),
        (
            "another's answer",
            raw(
                "200 OK",
                "<CtxSTAProtocol><ResponseData><Ticket>FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF</Ticket><TicketData><Value name=\"ICAAddress\">10.0.0.9:1494</Value></TicketData></ResponseData></CtxSTAProtocol>",
            ),
            Refusal::StaOutage,
        ),
    ];
    for (case, answer, refusal) in cases {
        let sta = FakeSta::new("STA01", move |_, stream| {
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.shutdown(std::net::Shutdown::Both);
        });
        let house = house(&[&sta]);
        assert_eq!(house.workers.redeem(&ticket("STA01", CODE)), Err(refusal), "{case}");
        // What went wrong for one says nothing about the next: the connection is gone, the authority still known.
        assert_eq!(house.workers.redeem(&ticket("STA01", CODE)), Err(refusal), "{case}, again");
    }
}

#[test]
fn an_authority_that_hangs_holds_up_nobody_else() {
    let hangs = FakeSta::new("STA01", |_, stream| {
        let _ = stream.read(&mut [0]);
    });
    let works = FakeSta::new("STA02", |_, stream| write_sta(stream, &data(HOST)));
    let house = house(&[&hangs, &works]);
    let began = now();
    let hanging: Vec<_> = (0..50).map(|n| house.workers.present(&ticket("STA01", CODE), &format!("198.51.{n}.1:9"))).collect();
    for _ in 0..50 {
        assert_eq!(house.workers.redeem(&ticket("STA02", CODE)).unwrap().address, HOST.parse().unwrap());
    }
    // Not one of the fifty has its answer while the others have had theirs: they did not wait for them.
    let answered = house.workers.count(|tell| matches!(tell, Tell::Redeemed { .. }));
    assert!(answered == 0 || now() - began > Duration::from_secs(3), "{answered}");
    for key in hanging {
        assert_eq!(house.workers.verdict(key), Err(Refusal::StaOutage));
    }
    let dual = format!(";42;STA01;{CODE};STA02;{CODE}");
    assert_eq!(house.workers.redeem(&dual).unwrap().address, HOST.parse().unwrap(), "the next pair, still in time");
}

#[test]
fn late_answers_reach_nobody() {
    // Every ticket has its own host; each tenth answer comes after its asker has given up, while others ask.
    let (written, is_written) = std::sync::mpsc::channel();
    let late = Arc::new(AtomicUsize::new(0));
    let counted = late.clone();
    let sta = FakeSta::new("STA01", move |body, stream| {
        let code = body.split("<Ticket>").nth(1).unwrap().split('<').next().unwrap();
        let n: u32 = code.trim_start_matches('A').parse().unwrap();
        if n < 1000 && n % 10 == 9 {
            counted.fetch_add(1, SeqCst);
            // The gateway waits 3 s.
            std::thread::park_timeout(Duration::from_secs(4));
            write_sta(stream, &data(&host_of(n)));
            written.send(n).unwrap();
        } else {
            write_sta(stream, &data(&host_of(n)));
        }
    });
    let house = house(&[&sta]);
    let present = |n: u32| {
        let code = format!("{n:A>16}");
        (house.workers.present(&ticket("STA01", &code), &format!("10.{}.{}.9:9", n / 256, n % 256)), n)
    };
    let check = |(key, n): (SessionKey, u32)| match house.workers.verdict(key) {
        Ok(target) => {
            assert_eq!(target.address.to_string(), host_of(n), "a crossing");
            true
        }
        Err(Refusal::StaOutage) => false,
        Err(other) => panic!("{n}: {other:?}"),
    };
    let first: Vec<_> = (0..1000).map(present).collect();
    // On a machine that is busy with other things more than the hundred may be late; that many are not.
    let in_time = first.into_iter().filter(|asked| check(*asked)).count();
    assert!((500..=900).contains(&in_time), "{in_time}");
    let mut asked = 1000;
    let late = late.load(SeqCst);
    assert!(late > 0, "nothing was ever late");
    for _ in 0..late {
        is_written.recv_timeout(SOON).unwrap();
        for n in asked..asked + 5 {
            assert!(check(present(n)), "{n}");
        }
        asked += 5;
    }
}

fn host_of(n: u32) -> String {
    format!("10.{}.{}.1:1494", 100 + n / 256, n % 256)
}

#[test]
fn a_connection_that_is_off_by_one_is_not_used_again() {
    // The first answer on each connection belongs to somebody else; were the connection kept, all later ones would, too.
    let answered = std::sync::Mutex::new(std::collections::HashMap::new());
    let sta = FakeSta::new("STA01", move |body, stream| {
        let code = body.split("<Ticket>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let before = answered.lock().unwrap().insert(stream.peer_addr().unwrap(), code);
        let code = before.unwrap_or_else(|| "F".repeat(32));
        let data = data(HOST).replace("<TicketData>", &format!("<Ticket>{code}</Ticket><TicketData>"));
        write_sta(stream, &data);
    });
    let house = house(&[&sta]);
    for n in 0..5 {
        let code = format!("{n:A>32}");
        assert_eq!(house.workers.redeem(&ticket("STA01", &code)), Err(Refusal::StaOutage), "{n}");
    }
    assert_eq!(sta.redemptions.try_iter().count(), 5, "none was asked twice");
}

#[test]
fn two_authorities_with_one_id_are_both_tried_and_reported() {
    let first =
        FakeSta::new("STA01", |_, stream| write_sta(stream, "<ResponseData><ErrorId>invalid-ticket</ErrorId></ResponseData>"));
    let second = FakeSta::new("STA01", |_, stream| write_sta(stream, &data(HOST)));
    let house = house(&[&first, &second]);
    assert!(house.status().stas.iter().all(|sta| sta.ambiguous));
    assert_eq!(house.workers.redeem(&ticket("STA01", CODE)).unwrap().address, HOST.parse().unwrap());
    assert!(first.redemptions.try_recv().is_ok() && second.redemptions.try_recv().is_ok());
}

#[test]
fn connections_are_used_again() {
    let connections = Arc::new(std::sync::Mutex::new(std::collections::HashSet::new()));
    let seen = connections.clone();
    let sta = FakeSta::new("STA01", move |_, stream| {
        seen.lock().unwrap().insert(stream.peer_addr().unwrap());
        write_sta(stream, &data(HOST));
    });
    let house = house(&[&sta]);
    for _ in 0..20 {
        house.workers.redeem(&ticket("STA01", CODE)).unwrap();
    }
    assert_eq!(connections.lock().unwrap().len(), 1);
}

#[test]
fn an_idle_connection_that_died_is_not_an_outage() {
    let sta = FakeSta::new("STA01", |_, stream| {
        write_sta(stream, &data(HOST));
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    let house = house(&[&sta]);
    for _ in 0..20 {
        assert_eq!(house.workers.redeem(&ticket("STA01", CODE)).unwrap().address, HOST.parse().unwrap());
    }
}

#[test]
fn guessing_is_banned_and_others_are_not() {
    let (house, farm) = embedded();
    let bad = ticket("STA01", CODE);
    for n in 0..11 {
        assert_eq!(house.workers.redeem(&bad), Err(Refusal::Ticket), "{n}");
    }
    assert_eq!(house.workers.redeem(&bad), Err(Refusal::Throttled));
    let good = issued(farm, HOST, false);
    assert_eq!(house.workers.redeem(&good), Err(Refusal::Throttled), "a good one, too: it is not used up");
    let other = house.workers.present(&good, "198.51.100.8:1");
    assert_eq!(house.workers.verdict(other).unwrap().address, HOST.parse().unwrap());
}

#[test]
fn launches_are_counted_until_their_session_ends() {
    let (house, farm) = embedded();
    let key = house.workers.present(&issued(farm, HOST, false), CLIENT);
    let launch = house.workers.verdict(key).unwrap().launch;
    assert_eq!(house.wait_status(|status| status.launches == 1).launches, 1);
    house.workers.ask(Ask::Opened(Opened {
        key,
        launch,
        listener: ListenerId(1),
        took: Duration::from_millis(3),
        phases: Phases { redeem: Some(Duration::from_millis(2)), ..Phases::default() },
        secured: None,
    }));
    let status = house.wait_status(|status| !status.latencies.is_empty());
    let [latency] = status.latencies[..] else { panic!("{:?}", status.latencies) };
    assert_eq!(latency.listener, ListenerId(1));
    let timed: Vec<(Phase, u64)> = latency.phases.iter().map(|(phase, times)| (*phase, times.count)).collect();
    assert_eq!(timed, [(Phase::Handshake, 0), (Phase::Preface, 0), (Phase::Redeem, 1), (Phase::Connect, 0), (Phase::Whole, 1)]);
    let closed = |launch: Option<LaunchId>| {
        Ask::Closed(Closed {
            key,
            listener: ListenerId(1),
            client: CLIENT.parse().unwrap(),
            launch,
            reason: Reason::Finished,
            up_bytes: 1,
            down_bytes: 2,
            lived: Duration::from_secs(1),
            phases: Phases::default(),
        })
    };
    house.workers.ask(closed(None));
    house.workers.ask(closed(Some(launch)));
    house.wait_status(|status| status.launches == 0);
}

#[test]
fn a_stalled_control_thread_catches_up() {
    let (house, farm) = embedded();
    let tickets: Vec<_> = (0..20).map(|_| issued(farm, HOST, false)).collect();
    let keys: Vec<_> = house.workers.stalled(|| {
        let present = |(n, ticket): (usize, &String)| house.workers.present(ticket, &format!("198.51.{n}.1:9"));
        let keys = tickets.iter().enumerate().map(present).collect();
        assert_eq!(house.workers.count(|tell| matches!(tell, Tell::Redeemed { .. })), 0, "nothing is redeemed meanwhile");
        keys
    });
    for key in keys {
        assert_eq!(house.workers.verdict(key).unwrap().address, HOST.parse().unwrap());
    }
}

#[test]
fn drain_tells_every_worker_and_ends_with_the_last_session() {
    let (house, _) = embedded();
    house.workers.set_sessions(1);
    house.commands.blocking_send(Command::Drain { within: Duration::from_secs(60) }).unwrap();
    let deadline = |wanted: u16| {
        house.workers.wait(|worker, tell| {
            let Tell::Drain { deadline } = tell else { return None };
            (worker.0 == wanted).then_some(*deadline)
        })
    };
    assert_eq!(deadline(0), deadline(1));
    house.status();
    assert_eq!(house.workers.count(|tell| matches!(tell, Tell::Stop)), 0, "a session is left");
    house.workers.set_sessions(0);
    for wanted in 0..2 {
        house.workers.wait(|worker, tell| (matches!(tell, Tell::Stop) && worker.0 == wanted).then_some(()));
    }
}
