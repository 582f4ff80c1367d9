//! The way of a user through the portal, and what strangers get there.

#[expect(dead_code, reason = "each test file uses its part of the kit")]
mod kit;

use std::io::{Read, Write};

use gate_proto::ica_file::leak::{self, HostFacts};
use gate_proto::ica_file::read::LaunchFile;
use kit::{CLIENT, FQDN, House, Plan, post_xml, read_reply};

const HOST: &str = "10.11.12.13:1494";

fn house() -> House {
    let mut plan = Plan::new(HOST);
    let farm = plan.farm_server("STA02005E10A1B2");
    plan.bind_sta(&format!("http://{farm}"));
    House::open(plan)
}

#[test]
fn from_login_to_launch_to_host() {
    let house = house();
    let front = house.get("/", "");
    assert_eq!((front.status, front.field("location")), (302, "/vpn/index.html"));

    let cookie = house.login("DEMO\\Alice", "s3cret");
    let list = house.get("/portal", &cookie);
    assert_eq!(list.status, 200);
    assert!(list.text().contains("Notepad &#38; &#60;friends&#62;"), "{}", list.text());
    assert!(list.text().contains("name=\"resource\" value=\"Desktop\""));

    let reply = house.launch(&cookie, "Notepad");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.field("content-type"), "application/x-ica");
    assert_eq!(reply.field("content-disposition"), "attachment; filename=\"Notepad.ica\"");
    assert_eq!(reply.field("cache-control"), "no-store");
    let file = LaunchFile::read(&reply.body).unwrap();
    assert_eq!(file.gateway.to_string(), format!("{FQDN}:443"));
    assert_eq!(file.user.as_deref(), Some("alice"));
    assert_eq!(file.logon_ticket.unwrap().expose().len(), 30);
    let facts = HostFacts { names: &["10.11.12.13"], ports: &[1494] };
    assert_eq!(leak::find(&reply.text(), facts), []);
    for page in [&list, &front, &house.get("/nowhere", &cookie)] {
        assert_eq!(leak::find(&format!("{page:?}"), facts), []);
    }

    let ticket = file.ticket.expose();
    assert!(ticket.starts_with(";40;STA02005E10A1B2;"), "{ticket}");
    let target = house.workers.redeem(ticket).unwrap();
    assert_eq!(target.address, HOST.parse().unwrap());
    assert_eq!(target.tls, None);
    assert!(house.workers.redeem(ticket).is_err(), "good once");
}

#[test]
fn each_sees_and_starts_their_own() {
    let house = house();
    let bob = house.login("bob", "hunter2");
    let list = house.get("/portal", &bob);
    assert!(list.text().contains("Nothing has been published"), "{}", list.text());
    let csrf = house.get("/portal", &house.login("alice", "s3cret"));
    let alices = csrf.hidden("csrf");
    // Bob has no form with a token on his page; even with one of his own the resource is not his.
    assert_eq!(house.post("/portal/launch", &bob, &[("csrf", &alices), ("resource", "Notepad")]).status, 403);
    let own = list.hidden("csrf");
    assert_ne!(own, alices);
    let refused = house.post("/portal/launch", &bob, &[("csrf", &own), ("resource", "Notepad")]);
    assert_eq!(refused.status, 404, "{refused:?}");
    assert!(refused.text().contains("SG-2301"));
}

#[test]
fn logout_ends_the_login() {
    let house = house();
    let cookie = house.login("alice", "s3cret");
    let token = house.get("/portal", &cookie).hidden("csrf");
    assert_eq!(house.post("/cgi/logout", &cookie, &[("csrf", "wrong")]).status, 403);
    assert_eq!(house.get("/portal", &cookie).status, 200);
    let out = house.post("/cgi/logout", &cookie, &[("csrf", &token)]);
    assert_eq!((out.status, out.field("location")), (303, "/vpn/index.html"));
    for name in ["__Host-sg-login", "NSC_AAAC"] {
        let gone = format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
        assert!(out.fields("set-cookie").contains(&&*gone), "{out:?}");
    }
    let after = house.get("/portal", &cookie);
    assert_eq!((after.status, after.field("location")), (303, "/vpn/index.html"));
}

#[test]
fn a_cookie_from_before_does_not_survive_a_login() {
    let house = house();
    let first = house.login("alice", "s3cret");
    let form = house.get("/vpn/index.html", "");
    let cookies = format!("__Host-sg-form={}; {first}", form.cookie("__Host-sg-form"));
    let fields = [("login", "alice"), ("passwd", "s3cret"), ("csrf", &form.hidden("csrf"))];
    let again = house.post("/cgi/login", &cookies, &fields);
    assert_eq!(again.status, 303);
    assert!(!first.ends_with(&again.cookie("__Host-sg-login")));
    assert_eq!(house.get("/portal", &first).status, 303, "the old one is over");
    let set = again.fields("set-cookie");
    assert!(set[0].ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set:?}");
}

#[test]
fn wrong_password_and_unknown_user_look_the_same_and_are_slowed_down() {
    let house = house();
    let strip = |reply: kit::Reply| {
        let (token, nonce) =
            (reply.hidden("csrf"), reply.text().split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned());
        (reply.status, reply.text().replace(&token, "").replace(&nonce, ""))
    };
    let wrong = strip(house.try_login(CLIENT, "alice", "wrong"));
    let unknown = strip(house.try_login(CLIENT, "mallory", "wrong"));
    let empty = strip(house.try_login(CLIENT, "alice", ""));
    assert_eq!(wrong.0, 403);
    assert_eq!(wrong, unknown);
    assert_eq!(wrong, empty);
    // Four are free, in any spelling; the fifth is counted and closes the door; another user is not touched.
    for user in ["ALICE", "DEMO\\alice", "alice@demo", "Ａlice"] {
        assert_eq!(house.try_login("198.51.100.8:1", user, "wrong").status, 403, "{user}");
    }
    let slowed = house.try_login("198.51.100.9:1", "alice", "s3cret");
    assert_eq!(slowed.status, 429, "{slowed:?}");
    assert_eq!(slowed.field("retry-after"), "1");
    house.login("bob", "hunter2");
}

#[test]
fn a_lock_does_not_touch_who_is_in() {
    let house = house();
    let cookie = house.login("alice", "s3cret");
    for _ in 0..5 {
        house.try_login("198.51.100.8:1", "alice", "wrong");
    }
    assert_eq!(house.try_login("198.51.100.9:1", "alice", "wrong").status, 429);
    assert_eq!(house.get("/portal", &cookie).status, 200);
    house.ticket(&cookie, "Notepad");
}

#[test]
fn the_login_form_needs_its_own_cookie_and_token() {
    let house = house();
    let form = house.get("/vpn/index.html", "");
    let cookie = format!("__Host-sg-form={}", form.cookie("__Host-sg-form"));
    let other = house.get("/vpn/index.html", "");
    for (cookie, token) in [("", form.hidden("csrf")), (&*cookie, other.hidden("csrf")), (&*cookie, String::new())] {
        let fields = [("login", "alice"), ("passwd", "s3cret"), ("csrf", &*token)];
        let reply = house.post("/cgi/login", cookie, &fields);
        assert_eq!(reply.status, 403);
        assert!(reply.text().contains("name=\"login\""), "the form is shown again");
        assert!(!reply.head.contains("sg-login"));
    }
}

#[test]
fn programs_log_in_as_they_are_used_to() {
    let house = house();
    let wrong = house.post("/cgi/login", "", &[("login", "alice"), ("passwd", "wrong")]);
    assert_eq!((wrong.status, wrong.field("location")), (302, "/vpn/index.html"));
    assert_eq!(wrong.field("set-cookie"), "NSC_VPNERR=4001; Path=/; Secure; HttpOnly; SameSite=Lax");
    let form = house.get("/vpn/index.html", "NSC_VPNERR=4001");
    assert!(form.text().contains("role=\"alert\""));
    assert!(form.fields("set-cookie").iter().any(|set| set.starts_with("NSC_VPNERR=;")), "shown once");

    let right = house.post("/cgi/login", "", &[("login", "alice"), ("passwd", "s3cret")]);
    assert_eq!((right.status, right.field("location")), (302, "/cgi/setclient?wica"));
    let cookie = format!("NSC_AAAC={}", right.cookie("NSC_AAAC"));
    let next = house.post("/cgi/setclient?wica", &cookie, &[]);
    assert_eq!((next.status, next.field("location")), (302, "/Citrix/StoreWeb/"));
    assert_eq!(house.get("/Citrix/StoreWeb/", &cookie).field("location"), "/portal");
    let list = house.post("/cgi/Resources/List", &cookie, &[]);
    assert!(list.text().contains("{\"id\":\"Notepad\",\"name\":\"Notepad \\u0026 \\u003cfriends\\u003e\"}"), "{list:?}");
    assert_eq!(house.post("/logon/LogonPoint/Authentication/GetUserName", &cookie, &[]).text(), "alice");
    let out = house.get("/cgi/logout", &cookie);
    assert_eq!((out.status, out.field("location")), (303, "/vpn/index.html"));
    assert_eq!(house.get("/portal", &cookie).status, 303);
}

#[test]
fn programs_without_a_login_are_told_where_to_get_one() {
    let house = house();
    for path in ["/cgi/Resources/List", "/logon/LogonPoint/Resources/List"] {
        let list = house.post(path, "", &[]);
        assert_eq!((list.status, &*list.text()), (200, "{\"unauthorized\": true}"));
        let where_to = "reason=\"notoken\", location=\"/cgi/GetAuthMethods\"";
        assert_eq!(list.field("citrixwebreceiver-authenticate"), where_to);
    }
    let methods = house.post("/cgi/GetAuthMethods", "", &[]);
    assert!(methods.text().contains("url=\"/cgi/login\""), "{methods:?}");
    assert!(house.post("/logon/LogonPoint/Home/Configuration", "", &[]).text().contains("listURL=\"Resources/List\""));
    assert_eq!(house.post("/logon/LogonPoint/Authentication/GetUserName", "", &[]).status, 403);
    for reply in [house.get("/cgi/setclient?wica", ""), house.post("/cgi/setclient?wica", "", &[])] {
        assert_eq!((reply.status, reply.field("location")), (302, "/vpn/index.html"));
    }
}

#[test]
fn no_browser_is_logged_in_by_another_site() {
    let house = house();
    let fields = [("login", "alice"), ("passwd", "s3cret")];
    for more in
        ["Origin: https://evil.test\r\n", "Sec-Fetch-Site: cross-site\r\n", "Origin: null\r\n", "Sec-Fetch-Site: same-origin\r\n"]
    {
        let reply = house.post_from(CLIENT, "/cgi/login", "", &fields, more);
        assert_eq!(reply.status, 403, "{more}: {reply:?}");
        assert!(!reply.head.contains("sg-login") && !reply.head.contains("NSC_AAAC"), "{more}");
    }
    let cookie = house.login("alice", "s3cret").replace("__Host-sg-login", "NSC_AAAC");
    let planted = house.get("/portal", &format!("{cookie}\r\nSec-Fetch-Site: same-origin"));
    assert_eq!(planted.status, 303, "a neighbour's cookie is no login");
    assert_eq!(house.get("/portal", &cookie).status, 200, "a program knows no other name");
}

#[test]
fn pages_speak_japanese_to_whoever_wants_it() {
    let house = house();
    let get = |path: &str, wish: &str| {
        house.raw(format!("GET {path} HTTP/1.1\r\nHost: {FQDN}\r\nAccept-Language: {wish}\r\n\r\n").as_bytes()).text()
    };
    let form = get("/vpn/index.html", "ja,en;q=0.5");
    assert!(form.contains("<html lang=\"ja\">") && form.contains("サインイン"), "{form}");
    assert!(get("/nowhere", "ja").contains("SG-2001") && get("/nowhere", "ja").contains("見つかりません"));
    assert!(get("/vpn/index.html", "fr").contains("Sign in"));
}

#[test]
fn other_sites_cannot_post() {
    let house = house();
    let cookie = house.login("alice", "s3cret");
    let token = house.get("/portal", &cookie).hidden("csrf");
    let fields = [("csrf", &*token), ("resource", "Notepad")];
    for (more, status) in [
        ("Origin: https://evil.test\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Origin: null\r\nSec-Fetch-Site: same-site\r\n", 403),
        ("Origin: null\r\nSec-Fetch-Site: same-origin\r\n", 200),
        ("Origin: https://gw.example.test\r\n", 200),
    ] {
        assert_eq!(house.post_from(CLIENT, "/portal/launch", &cookie, &fields, more).status, status, "{more}");
    }
    for path in ["/portal/launch", "/cgi/login"] {
        assert_eq!(house.get(path, &cookie).status, 405, "{path}: GET changes nothing");
        assert_eq!(house.get(path, &cookie).field("allow"), "POST");
    }
    let link = house.get("/cgi/logout", &format!("{cookie}\r\nSec-Fetch-Site: cross-site"));
    assert_eq!(link.status, 200);
    assert_eq!(link.hidden("csrf"), token, "a browser is asked first");
    assert_eq!(house.get("/portal", &cookie).status, 200);
}

#[test]
fn only_our_own_name_is_answered() {
    let house = house();
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\nHost: {FQDN}\r\n\r\n"), 302),
        (format!("GET / HTTP/1.1\r\nHost: {}:443\r\n\r\n", FQDN.to_uppercase()), 302),
        (format!("GET https://{FQDN}/ HTTP/1.1\r\nHost: {FQDN}\r\n\r\n"), 302),
        ("GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n".into(), 421),
        ("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n".into(), 421),
        (format!("GET / HTTP/1.1\r\nHost: {FQDN}:80\r\n\r\n"), 421),
        (format!("GET https://evil.test/ HTTP/1.1\r\nHost: {FQDN}\r\n\r\n"), 421),
        (format!("GET / HTTP/1.1\r\nHost: {FQDN}\r\nHost: {FQDN}\r\n\r\n"), 400),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400),
        (format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(24_812)), 431),
        (format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(300)), 400),
        ("GET / HTTP/1.0\r\n\r\n".into(), 421),
    ] {
        let reply = house.raw(request.as_bytes());
        let shown = &request[..request.len().min(80)];
        assert_eq!(reply.status, status, "{shown}");
        assert!(!reply.text().contains("evil.test"), "{shown}");
    }
}

#[test]
fn what_is_not_a_page_is_refused_politely() {
    let house = house();
    for (target, status) in [
        ("/scripts/ctxsta.dll", 404),
        ("/Scripts/WPnBr.dll", 404),
        ("/portal/../cgi/login", 400),
        ("/%2e%2e/", 400),
        ("/a%2fb", 400),
        ("/portal;x=1", 400),
        ("/%00", 400),
        ("/robots.txt", 404),
    ] {
        let reply = house.raw(format!("POST {target} HTTP/1.1\r\nHost: {FQDN}\r\nContent-Length: 0\r\n\r\n").as_bytes());
        assert_eq!(reply.status, status, "{target}");
        assert!(reply.text().contains("SG-2"), "{target}: a code");
        assert!(reply.text().contains("Reference"), "{target}");
    }
    let large = house.raw(
        format!("POST /cgi/login HTTP/1.1\r\nHost: {FQDN}\r\nContent-Length: 70000\r\n\r\n{}", "a".repeat(70_000)).as_bytes(),
    );
    assert_eq!(large.status, 413);
    for body in ["login=a&login=b", "login=%zz", "login=%00"] {
        let length = body.len();
        let reply =
            house.raw(format!("POST /cgi/login HTTP/1.1\r\nHost: {FQDN}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes());
        assert_eq!(reply.status, 400, "{body}");
    }
}

#[test]
fn every_answer_carries_the_safe_headers() {
    let house = house();
    let cookie = house.login("alice", "s3cret");
    let malformed = house.raw(b"GET / HTTP/1.1\nHost: x\n\n");
    assert_eq!(malformed.status, 400);
    let launched = house.launch(&cookie, "Desktop");
    for reply in [house.get("/", ""), house.get("/portal", &cookie), house.get("/x", ""), malformed, launched] {
        let policy = reply.field("content-security-policy");
        assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(reply.field("x-content-type-options"), "nosniff");
        assert_eq!(reply.field("referrer-policy"), "no-referrer");
        assert_eq!(reply.field("cache-control"), "no-store");
        assert_eq!(reply.field("cross-origin-opener-policy"), "same-origin");
        assert_eq!(reply.field("cross-origin-resource-policy"), "same-origin");
        assert!(reply.field("strict-transport-security").starts_with("max-age="));
        assert!(reply.fields("server").is_empty());
    }
}

#[test]
fn smuggled_requests_are_never_answered() {
    let house = house();
    let canary = format!("GET /portal HTTP/1.1\r\nHost: {FQDN}\r\n\r\n");
    for doubtful in [
        format!("POST /cgi/login HTTP/1.1\r\nHost: {FQDN}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("POST /cgi/login HTTP/1.1\r\nHost: {FQDN}\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n"),
        format!("POST /cgi/login HTTP/1.1\r\nHost: {FQDN}\r\nTransfer-Encoding: xchunked\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {FQDN}\r\nX: a\n\r\n\r\n"),
    ] {
        let mut stream = house.connect(CLIENT);
        stream.write_all((doubtful.clone() + &canary).as_bytes()).unwrap();
        assert_eq!(read_reply(&mut stream).status, 400, "{doubtful}");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(String::from_utf8_lossy(&rest), "", "{doubtful}");
    }
}

#[test]
fn one_connection_serves_many_requests_in_order_and_then_ends() {
    let house = house();
    let cookie = house.login("alice", "s3cret");
    let mut stream = house.connect(CLIENT);
    let one = format!("GET /portal HTTP/1.1\r\nHost: {FQDN}\r\nCookie: {cookie}\r\n\r\n");
    let other = format!("GET / HTTP/1.1\r\nHost: {FQDN}\r\n\r\n");
    stream.write_all([one.clone(), other.clone(), one].concat().as_bytes()).unwrap();
    let statuses: Vec<u16> = (0..3).map(|_| read_reply(&mut stream).status).collect();
    assert_eq!(statuses, [200, 302, 200]);
    for _ in 3..99 {
        stream.write_all(other.as_bytes()).unwrap();
        assert_eq!(read_reply(&mut stream).status, 302);
    }
    stream.write_all(other.as_bytes()).unwrap();
    let last = read_reply(&mut stream);
    assert_eq!(last.field("connection"), "close");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn without_an_authority_there_is_no_launch_and_the_user_is_told() {
    let mut plan = Plan::new(HOST);
    plan.farm_server("STA01");
    plan.bind_sta("http://127.0.0.1:1");
    let house = House::open(plan);
    let cookie = house.login("alice", "s3cret");
    let reply = house.launch(&cookie, "Notepad");
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("SG-2302"));
    assert!(!format!("{reply:?}").contains("127.0.0.1"));
    assert_eq!(reply.field("retry-after"), "5");
}

#[test]
fn the_portal_can_ask_an_xml_service_over_http() {
    let mut far = Plan::new(HOST);
    let service = far.farm_server("STA0FAR");
    let _far = House::open(far);
    let mut plan = Plan::new("192.0.2.99:1494");
    plan.model.farm.xml_service = Some(gate_config::model::XmlService {
        url: gate_config::model::Url::parse(&format!("http://{service}")).unwrap(),
        insecure: false,
        roots: None,
    });
    plan.bind_sta(&format!("http://{service}"));
    let house = House::open(plan);
    house.wait_status(|status| status.stas[0].authority_id.is_some());
    let cookie = house.login("alice", "s3cret");
    let ticket = house.ticket(&cookie, "Notepad");
    assert!(ticket.starts_with(";40;STA0FAR;"), "{ticket}");
    let target = house.workers.redeem(&ticket).unwrap();
    assert_eq!(target.address, HOST.parse().unwrap(), "the far farm's host, not ours");
}

#[test]
fn the_inside_listener_is_another_door() {
    let mut plan = Plan::new(HOST);
    let farm = plan.farm_server("STA01");
    let house = House::open(plan);
    let capabilities = "<NFuseProtocol version=\"5.4\"><RequestCapabilities><Nil/></RequestCapabilities></NFuseProtocol>";
    let reply = post_xml(farm, "/Scripts/WPnBr.dll", capabilities);
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains("separate-credentials-validation"));
    assert_eq!(reply.field("content-type"), "text/xml");
    let length = capabilities.len();
    let outside = house.raw(
        format!("POST /scripts/wpnbr.dll HTTP/1.1\r\nHost: {FQDN}\r\nContent-Length: {length}\r\n\r\n{capabilities}").as_bytes(),
    );
    assert_eq!(outside.status, 404);
}

#[test]
fn who_is_slow_is_cut_off() {
    let house = house();
    let starts = [
        String::new(),
        format!("GET / HTTP/1.1\r\nHost: {FQDN}\r\n"),
        format!("POST /cgi/login HTTP/1.1\r\nHost: {FQDN}\r\nContent-Length: 10\r\n\r\nlogin"),
    ];
    let mut streams: Vec<_> = starts
        .iter()
        .map(|start| {
            let mut stream = house.connect(CLIENT);
            stream.write_all(start.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Meanwhile one who is not: the deadline belongs to the connection.
    assert_eq!(house.get("/", "").status, 302);
    for (stream, start) in streams.iter_mut().zip(&starts) {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap_or_else(|error| panic!("{start}: still open: {error}"));
        assert_eq!(String::from_utf8_lossy(&answer), "", "{start}");
    }
}

#[test]
fn a_refusal_arrives_even_if_more_was_sent_than_is_read() {
    let house = house();
    let junk = "j".repeat(300_000);
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\nHost: {junk}\r\n\r\n"), 431),
        (format!("GET /{junk} HTTP/1.1\r\nHost: {FQDN}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: {FQDN}\r\nA : b\r\n\r\n{junk}"), 400),
        (format!("POST /cgi/login HTTP/1.1\r\nHost: {FQDN}\r\nContent-Length: 300000\r\n\r\n{junk}"), 413),
    ] {
        let mut stream = house.connect(CLIENT);
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(read_reply(&mut stream).status, status);
        // And then an orderly end: a reset would run over the answer on its way through the data plane.
        let mut rest = Vec::new();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
    }
}

#[test]
fn who_ends_his_side_is_still_answered() {
    let house = house();
    let mut stream = house.connect(CLIENT);
    stream.write_all(format!("GET /vpn/index.html HTTP/1.1\r\nHost: {FQDN}\r\n\r\n").as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_reply(&mut stream).status, 200);
}

#[test]
fn stop_lets_no_connection_linger() {
    let house = house();
    let mut idle = house.connect(CLIENT);
    idle.write_all(format!("GET / HTTP/1.1\r\nHost: {FQDN}\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(read_reply(&mut idle).status, 302);
    drop(house);
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
}
