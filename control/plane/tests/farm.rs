//! The embedded farm as its neighbours see it: ticket authority and XML Service on the inside listener.
#![expect(clippy::unwrap_used, clippy::unwrap_in_result, reason = "what fails here has failed the test")]

#[expect(dead_code, reason = "each test file uses its part of the kit")]
mod kit;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use gate_config::Strictness;
use gate_config::model::{CertKey, CertKeyName, Sta, Url};
use gate_proto::ctx1;
use gate_proto::xml::encoding::Encoding;
use gate_proto::xml::nfuse::answer::{Answer, NoAnswer};
use gate_proto::xml::nfuse::request::{
    AddressRequest, AddressTarget, AppDataRequest, Client, Credentials, LaunchRefRequest, LogonTicketRequest, Password, Request,
    ServerDataRequest, ValidateCredentials,
};
use gate_proto::xml::nfuse::words::{AddressFlag, Detail, ErrorId};
use kit::{House, Plan, Reply, post_xml, read_reply};
use sluice_link::tell::Refusal;

const HOST: &str = "10.11.12.13:1494";
const STA: &str = "/scripts/ctxsta.dll";
const XML: &str = "/scripts/wpnbr.dll";

fn house() -> (House, SocketAddr) {
    let mut plan = Plan::new(HOST);
    let farm = plan.farm_server("STA01");
    (House::open(plan), farm)
}

fn sta(farm: SocketAddr, inner: &str) -> Reply {
    post_xml(
        farm,
        STA,
        &format!(
            "<?xml version=\"1.0\"?><!DOCTYPE CtxSTAProtocol SYSTEM \"CtxSTA.dtd\"><CtxSTAProtocol version=\"4.0\">{inner}</CtxSTAProtocol>"
        ),
    )
}

fn ask(farm: SocketAddr, request: &Request) -> Result<Answer, NoAnswer> {
    let reply = post_xml(farm, XML, &String::from_utf8(request.write(Encoding::Utf8)).unwrap());
    assert_eq!(reply.status, 200, "{reply:?}");
    Answer::read(&reply.body, request.kind())
}

fn refused(answer: Result<Answer, NoAnswer>) -> ErrorId {
    match answer {
        Err(NoAnswer::Refused(id)) => id,
        other => panic!("{other:?}"),
    }
}

fn alice() -> Credentials {
    Credentials::with_password("alice", &"s3cret".into(), Some("DEMO"))
}

fn issue(types: &str) -> String {
    format!("<RequestTicket>{types}<TicketData><Value name=\"ICAAddress\">{HOST}</Value></TicketData></RequestTicket>")
}

const TYPES: &str = "<AllowedTicketType>STA-v4</AllowedTicketType><AllowedAuthorityIDType>STA-v1</AllowedAuthorityIDType>";

#[test]
fn the_authority_answers_each_request_as_it_should() {
    let (_house, farm) = house();
    let issued = sta(farm, &issue(TYPES));
    assert_eq!(issued.status, 200);
    let text = issued.text();
    assert!(text.contains("<AuthorityID>STA01</AuthorityID>") && text.contains("<TicketVersion>40</TicketVersion>"), "{text}");
    let ticket = text.split("<Ticket>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(ticket.len() == 32 && ticket.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)), "{ticket}");

    let redeem = |inner: &str| sta(farm, &format!("<RequestData>{inner}</RequestData>"));
    for (inner, id) in [
        ("<AuthorityID>STA02</AuthorityID><Ticket>{}</Ticket>", "wrong-authority"),
        ("<Ticket>{}</Ticket><TicketVersion>10</TicketVersion>", "invalid-ticket"),
        ("<Ticket>FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF</Ticket>", "invalid-ticket"),
    ] {
        let reply = redeem(&inner.replace("{}", &ticket));
        assert_eq!(reply.status, 200, "{inner}");
        assert!(reply.text().contains(&format!("<ErrorId>{id}</ErrorId>")), "{inner}: {reply:?}");
    }
    // The whole client string will do, and nothing that went wrong above has used it up.
    let reply = redeem(&format!("<Ticket>;40;STA01;{ticket}</Ticket>"));
    assert!(reply.text().contains(&format!("<Value name=\"ICAAddress\">{HOST}</Value>")), "{reply:?}");
    let again = redeem(&format!("<Ticket>{ticket}</Ticket>"));
    let never = redeem("<Ticket>FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF</Ticket>");
    assert_eq!(again.body, never.body, "used and never issued look the same");

    let mismatch = sta(farm, &issue(&TYPES.replace("STA-v4", "STA-v1")));
    assert!(mismatch.text().contains("<ErrorId>version-mismatch</ErrorId>"));
}

#[test]
fn what_is_no_request_gets_a_bare_status() {
    let (_house, farm) = house();
    assert_eq!(sta(farm, "<RequestNothing/>").status, 400);
    assert_eq!(post_xml(farm, STA, "not xml").status, 400);
    assert_eq!(post_xml(farm, STA, &"x".repeat(70_000)).status, 413);
    assert_eq!(post_xml(farm, "/scripts/other.dll", "").status, 404);
    assert_eq!(post_xml(farm, "/SCRIPTS/CtxSTA.DLL", "not xml").status, 400);
    for (request, status) in [
        (format!("GET {STA} HTTP/1.1\r\nHost: x\r\n\r\n"), 405),
        (format!("GET {XML} HTTP/1.1\r\nHost: x\r\n\r\n"), 405),
        (format!("POST {STA} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400),
        (format!("POST {STA} HTTP/1.1\nHost: x\n\n"), 400),
    ] {
        let mut stream = TcpStream::connect(farm).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let reply = read_reply(&mut stream);
        assert_eq!(reply.status, status, "{request}");
        assert!(reply.body.is_empty());
        assert_eq!(status == 405, reply.fields("allow") == ["POST"]);
    }
}

#[test]
fn chunked_and_old_clients_are_served() {
    let (_house, farm) = house();
    let body = format!("<CtxSTAProtocol version=\"4.0\">{}</CtxSTAProtocol>", issue(TYPES));
    let chunks: String =
        body.as_bytes().chunks(50).map(|c| format!("{:x}\r\n{}\r\n", c.len(), String::from_utf8_lossy(c))).collect();
    for request in [
        format!("POST {STA} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"),
        format!("POST {STA} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    ] {
        let mut stream = TcpStream::connect(farm).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let reply = read_reply(&mut stream);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.text().contains("<Ticket>"));
    }
}

#[test]
fn credentials_are_checked_in_every_encoding() {
    let (_house, farm) = house();
    let validate =
        |credentials| ask(farm, &Request::ValidateCredentials(ValidateCredentials { credentials, wants_identity: true }));
    let password = |password| Credentials::Password { user: "alice@demo".into(), password, domain: None };
    for good in [alice(), password(Password::Cleartext("s3cret".into())), password(Password::Ctx1(ctx1::encode("s3cret")))] {
        let Answer::ValidateCredentials(ids) = validate(good).unwrap() else { panic!() };
        assert_eq!(ids[0].text, "DEMO\\alice");
    }
    for (bad, id) in [
        (password(Password::Cleartext("wrong".into())), ErrorId::FailedCredentials),
        (password(Password::Cleartext("".into())), ErrorId::FailedCredentials),
        (password(Password::Ctx1("MEG".into())), ErrorId::FailedCredentials),
        (password(Password::Unsupported("rsa128".into())), ErrorId::FailedCredentials),
        (Credentials::with_password("alice", &"s3cret".into(), Some("OTHER")), ErrorId::FailedCredentials),
        (Credentials::with_password("mallory", &"s3cret".into(), None), ErrorId::FailedCredentials),
        (
            Credentials::Identity(vec![gate_proto::xml::nfuse::request::UserId {
                kind: Some("SAM".into()),
                text: "DEMO\\alice".into(),
            }]),
            ErrorId::NotTrusted,
        ),
    ] {
        assert_eq!(refused(validate(bad)), id);
    }
}

#[test]
fn resources_are_listed_for_those_who_may_use_them() {
    let (_house, farm) = house();
    let names = |asked: AppDataRequest| {
        let Answer::AppData(apps) = ask(farm, &Request::AppData(asked)).unwrap() else { panic!() };
        apps.into_iter().map(|app| app.in_name).collect::<Vec<_>>()
    };
    let all = || AppDataRequest { details: vec![Detail::All, Detail::AccessList], ..AppDataRequest::default() };
    assert_eq!(names(AppDataRequest { credentials: Some(alice()), ..all() }), ["Notepad", "Desktop"]);
    let bob = Credentials::with_password("bob", &"hunter2".into(), None);
    assert_eq!(names(AppDataRequest { credentials: Some(bob), ..all() }), [""; 0]);
    assert_eq!(names(AppDataRequest { credentials: Some(alice()), app_names: vec!["Desktop".into()], ..all() }), ["Desktop"]);
    let Answer::AppData(anonymous) = ask(farm, &Request::AppData(all())).unwrap() else { panic!() };
    assert_eq!(anonymous.len(), 2);
    assert!(anonymous.iter().all(|app| app.access.is_none()), "who may use what is told to nobody");
}

#[test]
fn hosts_tickets_and_references_are_for_users() {
    let (_house, farm) = house();
    let address = |target: &str, credentials, flags| {
        ask(
            farm,
            &Request::Address(AddressRequest {
                target: AddressTarget::App(target.into()),
                client: Client::default(),
                wanted: None,
                flags,
                credentials,
                client_type: None,
            }),
        )
    };
    let Answer::Address(found) = address("Notepad", Some(alice()), vec![]).unwrap() else { panic!() };
    assert_eq!(found.host_port().unwrap().to_string(), HOST);
    let bob = Credentials::with_password("bob", &"hunter2".into(), None);
    assert_eq!(refused(address("Notepad", Some(bob), vec![])), ErrorId::NoServer);
    assert_eq!(refused(address("Nothing", Some(alice()), vec![])), ErrorId::NoServer);
    assert_eq!(refused(address("Notepad", None, vec![])), ErrorId::FailedCredentials);
    assert_eq!(refused(address("Notepad", Some(alice()), vec![AddressFlag::AltAddress])), ErrorId::NoAltAddress);

    let logon = |kind: &str| {
        let asked = LogonTicketRequest { credentials: alice(), ticket_type: kind.into(), ticket_tag: None, time_to_live_s: None };
        ask(farm, &Request::Ticket(asked))
    };
    let Answer::Ticket(ticket) = logon("CtxLogon").unwrap() else { panic!() };
    assert_eq!(ticket.expose().len(), 30);
    assert_eq!(refused(logon("Other")), ErrorId::NotSupported);
    let reference = LaunchRefRequest {
        kind: "ICA".into(),
        ticket_tag: found.ticket_tag,
        device_id: None,
        session_sharing_key: None,
        credentials: Some(alice()),
        time_to_live_s: None,
    };
    let Answer::LaunchRef(reference) = ask(farm, &Request::LaunchRef(reference)).unwrap() else { panic!() };
    assert_eq!(reference.len() % 4, 0);
}

#[test]
fn smaller_requests_and_rubbish_are_answered_in_words() {
    let (_house, farm) = house();
    let Answer::ServerData(servers) = ask(farm, &Request::ServerData(ServerDataRequest::default())).unwrap() else { panic!() };
    assert_eq!(servers.into_iter().map(|s| s.name).collect::<Vec<_>>(), ["10.11.12.13"]);
    let Answer::ServerFarmData(names) = ask(farm, &Request::ServerFarmData).unwrap() else { panic!() };
    assert_eq!(names, ["Sluicegate"]);
    assert_eq!(refused(ask(farm, &Request::ProtocolInfo { server_address: None })), ErrorId::Unspecified);
    for body in ["rubbish", "<NFuseProtocol version=\"5.4\"><RequestNothing/></NFuseProtocol>", "<Other/>"] {
        let reply = post_xml(farm, XML, body);
        assert_eq!(reply.status, 200, "{body}");
        assert!(reply.text().contains("<ErrorId>"), "{body}: {reply:?}");
    }
    let latin =
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><NFuseProtocol version=\"1.1\"><RequestCapabilities/></NFuseProtocol>";
    assert!(post_xml(farm, XML, latin).text().starts_with("<?xml version=\"1.0\" encoding=\"ISO-8859-1\""));
}

/// A CA, and a certificate for 127.0.0.1 with its key, all as PEM.
fn certificates() -> (String, String, String) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (ca_pem, certificate.pem(), key.serialize_pem())
}

/// Files as the configuration's reader hands them on.
fn loaded(files: &[(&str, &str)]) -> gate_config::files::Loaded {
    let files: BTreeMap<PathBuf, Vec<u8>> = files.iter().map(|(name, text)| (name.into(), text.as_bytes().to_vec())).collect();
    let text = "add ssl certKey far -cert far.pem -key far.key\n\
                add ssl certKey ca -cert ca.pem\n\
                add ssl certKey other -cert other.pem\n";
    gate_config::check("test", text, Strictness::Strict, &files).files
}

#[test]
fn a_second_farm_is_asked_over_https_and_must_prove_who_it_is() {
    let (ca, certificate, key) = certificates();
    let (other, ..) = certificates();
    let files = [("far.pem", &*certificate), ("far.key", &*key), ("ca.pem", &*ca), ("other.pem", &*other)];
    let mut far = Plan::new(HOST);
    let service = far.farm_server("STA0FAR");
    far.files = loaded(&files);
    let pair = CertKey { certificate: "far.pem".into(), key: Some("far.key".into()), issuer: None };
    far.model.certificates.add(CertKeyName::parse("far").unwrap(), pair).unwrap();
    far.model.farm.servers.find_mut("farm0").unwrap().certificate = Some(CertKeyName::parse("far").unwrap());
    let _far = House::open(far);

    let with = |url: String, roots: &str| {
        let mut plan = Plan::new(HOST);
        plan.files = loaded(&files);
        let sta = Sta { url: Url::parse(&url).unwrap(), insecure: false, roots: Some(roots.into()) };
        plan.model.vservers.find_mut("gw").unwrap().stas.push(sta);
        House::open(plan)
    };
    let house = with(format!("https://{service}"), "ca.pem");
    let status = house.wait_status(|status| status.stas[0].authority_id.is_some());
    assert!(!status.stas[0].insecure);
    let cookie = house.login("alice", "s3cret");
    for _ in 0..5 {
        let ticket = house.ticket(&cookie, "Notepad");
        assert!(ticket.starts_with(";40;STA0FAR;"));
        assert_eq!(house.workers.redeem(&ticket).unwrap().address, HOST.parse().unwrap());
        assert_eq!(house.workers.redeem(&ticket), Err(Refusal::Ticket));
    }

    let ticket = house.ticket(&cookie, "Notepad");
    for (url, roots) in [
        (format!("https://{service}"), "other.pem"),
        (format!("https://localhost:{}", service.port()), "ca.pem"),
        (format!("http://{service}"), "ca.pem"),
    ] {
        let distrusts = with(url.clone(), roots);
        assert_eq!(distrusts.workers.redeem(&ticket), Err(Refusal::StaOutage), "{url} {roots}");
        assert_eq!(distrusts.status().stas[0].authority_id, None, "{url} {roots}");
        let cookie = distrusts.login("alice", "s3cret");
        assert_eq!(distrusts.launch(&cookie, "Notepad").status, 503, "{url} {roots}");
    }
    assert_eq!(house.workers.redeem(&ticket).unwrap().address, HOST.parse().unwrap(), "nobody else has seen the ticket");
}

/// What a scanner that reads with patterns makes of our answers.
fn nmap(script: &str, farm: SocketAddr, arguments: &[&str]) -> Option<String> {
    let port = farm.port();
    // The scripts only look at the usual ports or at services called http.
    let output = Command::new("nmap")
        .args(["-Pn", "-n", "--script", &format!("+{script}"), "-p", &port.to_string(), "127.0.0.1"])
        .args(arguments)
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn scanners_find_applications_servers_and_good_passwords() {
    let (_house, farm) = house();
    let Some(apps) = nmap("citrix-enum-apps-xml", farm, &[]) else {
        eprintln!("nmap is not installed: skipped");
        return;
    };
    for wanted in ["Application: Notepad & <friends>", "Application: Desktop & <friends>"] {
        assert!(apps.contains(wanted), "{wanted}: {apps}");
    }
    let servers = nmap("citrix-enum-servers-xml", farm, &[]).unwrap();
    assert!(servers.contains("10.11.12.13"), "{servers}");
    let directory = tempfile::tempdir().unwrap();
    let list = |name: &str, lines: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, lines).unwrap();
        path.display().to_string()
    };
    let users = list("users", "alice\nmallory\n");
    let passwords = list("passwords", "wrong\ns3cret\n");
    let arguments = format!("userdb={users},passdb={passwords},ntdomain=DEMO");
    let found = nmap("citrix-brute-xml", farm, &["--script-args", &arguments]).unwrap();
    assert!(found.contains("alice:s3cret"), "{found}");
    assert!(!found.contains("mallory:"), "{found}");
}
