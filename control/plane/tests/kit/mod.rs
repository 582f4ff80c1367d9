//! A whole control plane in a thread, with fake workers in front of it and whatever a test wants behind it.
#![expect(clippy::unwrap_used, clippy::unwrap_in_result, reason = "what fails here has failed the test")]

pub(crate) mod operator;
pub(crate) mod somebody;

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gate_config::files::Loaded;
use gate_config::model::{
    Access, AllowedHost, AllowedHostName, Cidr, Credential, DeviceCertificates, FarmServer, FarmServerName, Front, Group,
    GroupName, HostPort, Model, PortRange, Resource, ResourceKind, ResourceName, Sta, Url, User, UserName, Vserver, VserverName,
};
use gate_config::{ListenerIds, Strictness};
use gate_plane::audit::NoAudit;
use gate_plane::{Command, PlaneSettings, Status};
use gate_proto::xml::sta::{Connection, IssueRequest, IssuedTicket, Value};
use sluice_link::ask::{Ask, Redeem, Wanted};
use sluice_link::count::{ListenerTotals, Totals};
use sluice_link::id::{Generation, ListenerId, SessionKey, Slot, SlotKey, SnapshotId, WorkerId};
use sluice_link::live::Traffic;
use sluice_link::port::{PublishProblem, Sluice, TellRefused, WorkerReport};
use sluice_link::snapshot::{Cgp, Limits, Listener, Rates, Snapshot, Tls};
use sluice_link::spread::{Clocked, Times};
use sluice_link::tell::{Refusal, Target, Tell};
use sluice_proto::proxy::{HEADER_BYTES_MAX, Header};
use sluice_proto::ticket::Ticket;
use tokio::sync::mpsc;

/// Nothing in these tests takes longer.
pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const FQDN: &str = "gw.example.test";
pub(crate) const CLIENT: &str = "198.51.100.7:50123";

/// The test's side of the fake workers.
#[derive(Clone)]
pub(crate) struct Workers {
    shared: Arc<Shared>,
    wake: Arc<UnixStream>,
    next: Arc<AtomicU64>,
}

#[derive(Default)]
struct Shared {
    /// What each session has moved, while it lives.
    traffic: Mutex<HashMap<SessionKey, Traffic>>,
    /// Where the virtual servers of the snapshot last published listen: where it says.
    addresses: Mutex<Vec<(ListenerId, SocketAddr)>>,
    /// Everything that was published.
    published: Mutex<Vec<Arc<Snapshot>>>,
    /// The next publication is refused for this virtual server.
    refused: Mutex<Option<String>>,
    /// Workers that have died.
    dead: Mutex<Vec<WorkerId>>,
    asks: Mutex<VecDeque<Ask>>,
    tells: Mutex<Vec<(WorkerId, Tell)>>,
    told: Condvar,
    sessions: AtomicU64,
    /// Who holds this keeps the control thread where it is.
    gate: Mutex<()>,
}

struct FakeSluice {
    shared: Arc<Shared>,
    wake: UnixStream,
    reports: Vec<WorkerReport>,
}

impl Sluice for FakeSluice {
    fn workers(&self) -> u16 {
        2
    }

    fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    fn may_sleep(&mut self) -> bool {
        self.shared.asks.lock().unwrap().is_empty()
    }

    fn next_ask(&mut self) -> Option<Ask> {
        drop(self.shared.gate.lock().unwrap());
        self.shared.asks.lock().unwrap().pop_front()
    }

    fn tell(&mut self, worker: WorkerId, tell: Tell) -> Result<(), TellRefused> {
        if worker.0 >= 2 {
            return Err(TellRefused::Gone);
        }
        if matches!(tell, Tell::Stop) {
            self.shared.sessions.store(0, SeqCst);
        }
        self.shared.tells.lock().unwrap().push((worker, tell));
        self.shared.told.notify_all();
        Ok(())
    }

    fn publish(&mut self, snapshot: Arc<Snapshot>) -> Result<(), PublishProblem> {
        if let Some(listener) = self.shared.refused.lock().unwrap().take() {
            let (address, source) = ("192.0.2.9:443".parse().unwrap(), std::io::ErrorKind::AddrInUse.into());
            return Err(PublishProblem::Bind { listener, address, source });
        }
        self.shared.published.lock().unwrap().push(snapshot.clone());
        *self.shared.addresses.lock().unwrap() = snapshot.listeners.iter().map(|one| (one.id, one.address)).collect();
        Ok(())
    }

    fn resume(&mut self) -> Result<(), PublishProblem> {
        if let Some(listener) = self.shared.refused.lock().unwrap().take() {
            let (address, source) = ("192.0.2.9:443".parse().unwrap(), std::io::ErrorKind::AddrInUse.into());
            return Err(PublishProblem::Bind { listener, address, source });
        }
        Ok(())
    }

    fn totals(&self) -> Vec<Totals> {
        vec![Totals { sessions: self.shared.sessions.load(SeqCst), ..Totals::default() }, Totals::default()]
    }

    /// All traffic is that of the first virtual server.
    fn listener_totals(&self) -> Vec<(ListenerId, ListenerTotals)> {
        let mut totals = ListenerTotals { sessions: self.shared.sessions.load(SeqCst), ..ListenerTotals::default() };
        for one in self.shared.traffic.lock().unwrap().values() {
            totals.up_bytes += one.up_bytes;
            totals.down_bytes += one.down_bytes;
        }
        vec![(ListenerId(1), totals)]
    }

    fn traffic(&self, key: SessionKey) -> Option<Traffic> {
        self.shared.traffic.lock().unwrap().get(&key).copied()
    }

    /// One turn of a microsecond for each worker.
    fn turn_times(&self) -> Vec<Times> {
        let clocked = Clocked::default();
        clocked.record(Duration::from_micros(1));
        vec![clocked.read(); 2]
    }

    fn addresses(&self) -> Vec<(ListenerId, SocketAddr)> {
        self.shared.addresses.lock().unwrap().clone()
    }

    fn reports(&self) -> &[WorkerReport] {
        &self.reports
    }

    fn alive(&self, worker: WorkerId) -> bool {
        worker.0 < 2 && !self.shared.dead.lock().unwrap().contains(&worker)
    }
}

impl Workers {
    fn new() -> (Self, FakeSluice) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let shared = Arc::new(Shared::default());
        shared.addresses.lock().unwrap().push((ListenerId(1), "192.0.2.1:443".parse().unwrap()));
        let report = |worker| WorkerReport {
            worker: WorkerId(worker),
            core: Some(usize::from(worker)),
            pinned: true,
            engine: "fake".into(),
            fallback: None,
            sessions: 8192,
            asks: 2048,
            buffers: 25_000,
        };
        let workers = Self { shared: shared.clone(), wake: Arc::new(ours), next: Arc::new(AtomicU64::new(0)) };
        (workers, FakeSluice { shared, wake: theirs, reports: vec![report(0), report(1)] })
    }

    /// Does `meanwhile` while the control thread stands still, at the latest when it next looks for something to do.
    pub(crate) fn stalled<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        let _held = self.shared.gate.lock().unwrap();
        meanwhile()
    }

    /// What a session has moved from now on; `None`: it is over.
    pub(crate) fn set_traffic(&self, key: SessionKey, traffic: Option<Traffic>) {
        let mut all = self.shared.traffic.lock().unwrap();
        match traffic {
            Some(traffic) => drop(all.insert(key, traffic)),
            None => drop(all.remove(&key)),
        }
    }

    pub(crate) fn set_sessions(&self, sessions: u64) {
        self.shared.sessions.store(sessions, SeqCst);
    }

    pub(crate) fn ask(&self, ask: Ask) {
        self.shared.asks.lock().unwrap().push_back(ask);
        (&*self.wake).write_all(&[1; 8]).unwrap();
    }

    /// The snapshot that was published last.
    pub(crate) fn published(&self) -> Option<Arc<Snapshot>> {
        self.shared.published.lock().unwrap().last().cloned()
    }

    /// How many snapshots were published.
    pub(crate) fn publications(&self) -> usize {
        self.shared.published.lock().unwrap().len()
    }

    /// Refuses the next publication on account of this virtual server.
    pub(crate) fn refuse_next(&self, listener: &str) {
        *self.shared.refused.lock().unwrap() = Some(listener.to_owned());
    }

    /// Lets a worker die.
    pub(crate) fn kill(&self, worker: u16) {
        self.shared.dead.lock().unwrap().push(WorkerId(worker));
    }

    /// Presents a ticket and gives the key under which the answer will come.
    pub(crate) fn present(&self, ticket: &str, client: &str) -> SessionKey {
        self.present_at(ListenerId(1), ticket, client)
    }

    /// The same at another virtual server.
    pub(crate) fn present_at(&self, listener: ListenerId, ticket: &str, client: &str) -> SessionKey {
        let n = u32::try_from(self.next.fetch_add(1, SeqCst)).unwrap();
        let key = SessionKey {
            worker: WorkerId(u16::try_from(n % 2).unwrap()),
            at: SlotKey { slot: Slot(n), generation: Generation(7) },
        };
        self.ask(Ask::Redeem(Redeem {
            key,
            listener,
            client: client.parse().unwrap(),
            ticket: Ticket::parse(ticket.as_bytes()).unwrap(),
            wanted: Wanted::Ica,
        }));
        key
    }

    /// Waits for the first message that `pick` wants, and takes it out.
    pub(crate) fn wait<T>(&self, mut pick: impl FnMut(&WorkerId, &Tell) -> Option<T>) -> T {
        let by = now() + SOON;
        let mut tells = self.shared.tells.lock().unwrap();
        loop {
            for at in 0..tells.len() {
                let (worker, tell) = &tells[at];
                if let Some(picked) = pick(worker, tell) {
                    tells.remove(at);
                    return picked;
                }
            }
            let left = by.saturating_duration_since(now());
            assert!(!left.is_zero(), "no such message; there are {tells:?}");
            tells = self.shared.told.wait_timeout(tells, left).unwrap().0;
        }
    }

    /// How many messages of a kind are waiting to be taken.
    pub(crate) fn count(&self, fits: impl Fn(&Tell) -> bool) -> usize {
        self.shared.tells.lock().unwrap().iter().filter(|(_, tell)| fits(tell)).count()
    }

    pub(crate) fn verdict(&self, wanted: SessionKey) -> Result<Target, Refusal> {
        self.wait(|worker, tell| {
            let Tell::Redeemed { key, verdict } = tell else { return None };
            (*key == wanted).then(|| {
                assert_eq!(*worker, key.worker);
                verdict.clone()
            })
        })
    }

    /// Presents a ticket and waits for the verdict.
    pub(crate) fn redeem(&self, ticket: &str) -> Result<Target, Refusal> {
        self.verdict(self.present(ticket, CLIENT))
    }
}

/// One read of the clock for all tests.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the tests' one read of the clock, for deadlines")]
    Instant::now()
}

/// What a house is made of.
pub(crate) struct Plan {
    pub(crate) model: Model,
    pub(crate) farm_servers: Vec<TcpListener>,
    pub(crate) files: Loaded,
}

impl Plan {
    /// Users `alice` (group Staff) and `bob`; resources `Notepad` (Staff) and `Desktop` (alice), all on `host`.
    pub(crate) fn new(host: &str) -> Self {
        let mut model = Model::default();
        model.features.ssl_vpn = true;
        model.features.aaa = true;
        model.vpn.nt_domain = Some("DEMO".into());
        // Hashed with costs that are next to nothing, so that the tests are quick.
        for (name, hash) in [
            ("alice", "UtZEz+BWHC0WlJmqT+7JZIGfdVZuDoQEmUbiCLh7qvY"), // s3cret
            ("bob", "X2GowFcIBjqaOkT9YxifAWkwSk5c0dvtvKHLkcfTBJQ"),   // hunter2
        ] {
            let phc = format!("$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg${hash}");
            let user = User { credential: Credential::Hashed(phc.into()), policies: Vec::new() };
            model.users.add(UserName::parse(name).unwrap(), user).unwrap();
        }
        let staff = Group { users: [UserName::parse("alice").unwrap()].into(), ..Group::default() };
        model.groups.add(GroupName::parse("Staff").unwrap(), staff).unwrap();
        let notepad = Access { groups: [GroupName::parse("Staff").unwrap()].into(), ..Access::default() };
        let desktop = Access { users: [UserName::parse("alice").unwrap()].into(), ..Access::default() };
        for (name, access, kind) in [("Notepad", notepad, ResourceKind::Application), ("Desktop", desktop, ResourceKind::Desktop)]
        {
            let resource = Resource {
                host: HostPort::parse(host, 1494).unwrap(),
                cgp_host: None,
                display_name: Some(format!("{name} & <friends>").into()),
                description: Some("Plain text editor".into()),
                kind,
                folder: None,
                access,
            };
            model.farm.resources.add(ResourceName::parse(name).unwrap(), resource).unwrap();
        }
        let everywhere = AllowedHost {
            network: Cidr::parse("0.0.0.0/0").unwrap(),
            ports: vec![PortRange::parse("1494").unwrap()],
            allow_loopback: true,
        };
        model.allowed_hosts.add(AllowedHostName::parse("all").unwrap(), everywhere).unwrap();
        let vserver = Vserver {
            address: "192.0.2.1:443".parse().unwrap(),
            enabled: true,
            fqdn: Some(FQDN.into()),
            cgp: Cgp::Reject,
            rates: Rates::default(),
            front: Front::default(),
            devices: DeviceCertificates::default(),
            stas: Vec::new(),
            authn_profile: None,
            admission: Default::default(),
        };
        model.vservers.add(VserverName::parse("gw").unwrap(), vserver).unwrap();
        Self { model, farm_servers: Vec::new(), files: Loaded::default() }
    }

    /// Adds an inside listener on loopback and gives its address.
    pub(crate) fn farm_server(&mut self, id: &str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = FarmServer {
            address,
            authority_id: Some(id.into()),
            ticket_lifetime: Duration::from_secs(100),
            refreshable_lifetime: Duration::from_secs(500),
            allow_from: Vec::new(),
            certificate: None,
        };
        let name = format!("farm{}", self.farm_servers.len());
        self.model.farm.servers.add(FarmServerName::parse(&name).unwrap(), server).unwrap();
        self.farm_servers.push(listener);
        address
    }

    /// Binds an authority to the virtual server.
    pub(crate) fn bind_sta(&mut self, url: &str) {
        let sta = Sta { url: Url::parse(url).unwrap(), insecure: true, roots: None };
        self.model.vservers.find_mut("gw").unwrap().stas.push(sta);
    }
}

/// A control plane that runs.
pub(crate) struct House {
    pub(crate) workers: Workers,
    pub(crate) commands: mpsc::Sender<Command>,
    inner: PathBuf,
    _directory: tempfile::TempDir,
    thread: Option<JoinHandle<()>>,
}

impl House {
    pub(crate) fn open(plan: Plan) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner.sock");
        let snapshot = Snapshot {
            id: SnapshotId(1),
            listeners: vec![Listener {
                id: ListenerId(1),
                name: "gw".into(),
                address: "192.0.2.1:443".parse().unwrap(),
                tls: Tls {
                    certificates: Vec::new(),
                    tls12: true,
                    tls13: true,
                    post_quantum: true,
                    resumption: true,
                    ..Tls::default()
                },
                cgp: Cgp::Reject,
                rates: Rates::default(),
            }],
            inner: inner.clone(),
            host_tls: Vec::new(),
            limits: Limits::default(),
        };
        let settings = PlaneSettings {
            model: Arc::new(plan.model),
            files: Arc::new(plan.files),
            snapshot: Arc::new(snapshot),
            listening: vec!["192.0.2.1:443".parse().unwrap()],
            inner: UnixListener::bind(&inner).unwrap(),
            farm_servers: plan.farm_servers,
            farm_hosts: Vec::new(),
            state: None,
            origin: now(),
            ids: ListenerIds::default(),
            reader: Arc::new(std::collections::BTreeMap::<PathBuf, Vec<u8>>::new()),
            file: None,
            strictness: Strictness::Strict,
            audit: Arc::new(NoAudit),
            set_log: Box::new(|_| {}),
            kernel_tls: || Err("there is none in tests".to_owned()),
            control: None,
        };
        let (workers, sluice) = Workers::new();
        let (commands, waiting) = mpsc::channel(gate_plane::COMMANDS_MAX);
        let (ready, is_ready) = channel();
        let thread = std::thread::spawn(move || {
            gate_plane::run(settings, Box::new(sluice), waiting, || ready.send(()).unwrap()).unwrap();
        });
        is_ready.recv_timeout(SOON).expect("the control plane begins");
        Self { workers, commands, inner, _directory: directory, thread: Some(thread) }
    }

    pub(crate) fn status(&self) -> Status {
        let (reply, answer) = sync_channel(1);
        self.commands.blocking_send(Command::Status(reply)).unwrap();
        answer.recv_timeout(SOON).unwrap()
    }

    /// Waits until the status fits.
    pub(crate) fn wait_status(&self, fits: impl Fn(&Status) -> bool) -> Status {
        let by = now() + SOON;
        loop {
            let status = self.status();
            if fits(&status) {
                return status;
            }
            assert!(now() < by, "{status:?}");
            std::thread::yield_now();
        }
    }

    /// A connection as a worker brings it.
    pub(crate) fn connect(&self, client: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.inner).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let header = Header {
            source: client.parse().unwrap(),
            destination: "192.0.2.1:443".parse().unwrap(),
            authority: Some(FQDN),
            tls: Some("TLSv1.3"),
            unique_id: None,
            alpn: None,
            certificates: None,
        };
        let mut room = [0; HEADER_BYTES_MAX];
        stream.write_all(header.write(&mut room).unwrap()).unwrap();
        stream
    }

    /// One request on a connection of its own.
    pub(crate) fn raw(&self, request: &[u8]) -> Reply {
        let mut stream = self.connect(CLIENT);
        stream.write_all(request).unwrap();
        read_reply(&mut stream)
    }

    pub(crate) fn get(&self, path: &str, cookies: &str) -> Reply {
        let cookie = if cookies.is_empty() { String::new() } else { format!("Cookie: {cookies}\r\n") };
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: {FQDN}\r\n{cookie}\r\n").as_bytes())
    }

    pub(crate) fn post(&self, path: &str, cookies: &str, fields: &[(&str, &str)]) -> Reply {
        self.post_from(CLIENT, path, cookies, fields, "")
    }

    pub(crate) fn post_from(&self, client: &str, path: &str, cookies: &str, fields: &[(&str, &str)], more: &str) -> Reply {
        let body = gate_proto::form::encode(fields);
        let cookie = if cookies.is_empty() { String::new() } else { format!("Cookie: {cookies}\r\n") };
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {FQDN}\r\n{cookie}{more}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut stream = self.connect(client);
        stream.write_all((head + &body).as_bytes()).unwrap();
        read_reply(&mut stream)
    }

    /// Posts the login form as a browser would that has just been shown it.
    pub(crate) fn try_login(&self, client: &str, user: &str, password: &str) -> Reply {
        let form = self.get("/vpn/index.html", "");
        let cookie = format!("__Host-sg-form={}", form.cookie("__Host-sg-form"));
        let fields = [("login", user), ("passwd", password), ("csrf", &form.hidden("csrf"))];
        self.post_from(client, "/cgi/login", &cookie, &fields, "")
    }

    /// Logs in and gives the cookie.
    pub(crate) fn login(&self, user: &str, password: &str) -> String {
        let reply = self.try_login(CLIENT, user, password);
        assert_eq!(reply.status, 303, "{reply:?}");
        assert_eq!(reply.field("location"), "/portal");
        format!("__Host-sg-login={}", reply.cookie("__Host-sg-login"))
    }

    /// Clicks a resource.
    pub(crate) fn launch(&self, cookie: &str, resource: &str) -> Reply {
        let list = self.get("/portal", cookie);
        self.post("/portal/launch", cookie, &[("csrf", &list.hidden("csrf")), ("resource", resource)])
    }

    /// Clicks a resource and gives the ticket in its launch file.
    pub(crate) fn ticket(&self, cookie: &str, resource: &str) -> String {
        let reply = self.launch(cookie, resource);
        assert_eq!(reply.status, 200, "{reply:?}");
        let file = gate_proto::ica_file::read::LaunchFile::read(&reply.body).unwrap();
        file.ticket.expose().to_owned()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.commands.blocking_send(Command::Stop);
        let ended = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

/// An answer.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.head, String::from_utf8_lossy(&self.body))
    }
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        let of_name = |line: &&str| line.split_once(':').is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
        self.head.lines().filter(of_name).map(|line| line.split_once(':').unwrap().1.trim()).collect()
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        match self.fields(name).as_slice() {
            [only] => only,
            other => panic!("{name}: {other:?} in {}", self.head),
        }
    }

    pub(crate) fn cookie(&self, name: &str) -> String {
        let set = self.fields("set-cookie");
        let found = set.iter().find_map(|set| set.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no cookie {name} in {}", self.head)).split(';').next().unwrap().to_owned()
    }

    pub(crate) fn hidden(&self, name: &str) -> String {
        let text = self.text();
        let start = format!("name=\"{name}\" value=\"");
        let at = text.find(&start).unwrap_or_else(|| panic!("no field {name} in {text}")) + start.len();
        text[at..].split('"').next().unwrap().to_owned()
    }
}

/// Reads one answer, by its length.
pub(crate) fn read_reply(stream: &mut impl Read) -> Reply {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "ended inside the head: {}", String::from_utf8_lossy(&bytes));
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut reply = Reply { status, head, body: Vec::new() };
    // Who has it already is sent nothing.
    if status != 304 {
        let length: usize = reply.field("content-length").parse().unwrap();
        reply.body.resize(length, 0);
    }
    stream.read_exact(&mut reply.body).unwrap();
    reply
}

/// Posts a document to an inside listener.
pub(crate) fn post_xml(address: SocketAddr, path: &str, body: &str) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).unwrap();
    read_reply(&mut stream)
}

/// An authority of the test's own: `answer` gets each request's body and writes what it likes.
pub(crate) struct FakeSta {
    pub(crate) address: SocketAddr,
    /// How often it was asked for a ticket, which is how monitors learn its id.
    pub(crate) probes: Arc<AtomicU64>,
    pub(crate) redemptions: Receiver<String>,
}

impl FakeSta {
    pub(crate) fn new(id: &'static str, answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, redemptions) = channel();
        let answer = Arc::new(answer);
        let probes = Arc::new(AtomicU64::new(0));
        let counted = probes.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (answer, seen, counted) = (answer.clone(), seen.clone(), counted.clone());
                std::thread::spawn(move || serve_sta(stream, id, &*answer, &seen, &counted));
            }
        });
        Self { address, probes, redemptions }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn serve_sta(mut stream: TcpStream, id: &str, answer: &dyn Fn(&str, &mut TcpStream), seen: &Sender<String>, probes: &AtomicU64) {
    while let Some(body) = read_request(&mut stream) {
        if body.contains("<RequestTicket>") {
            probes.fetch_add(1, SeqCst);
            let ticket = format!(
                "<ResponseTicket><AuthorityID>{id}</AuthorityID><Ticket>00000000000000000000000000000000</Ticket><TicketVersion>40</TicketVersion></ResponseTicket>"
            );
            write_sta(&mut stream, &ticket);
        } else {
            let _ = seen.send(body.clone());
            answer(&body, &mut stream);
        }
    }
}

/// Reads one request's body; `None` if the caller has gone.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

/// Writes an answer with status 200. The caller may have gone.
pub(crate) fn write_sta(stream: &mut TcpStream, inner: &str) {
    let body = format!("<?xml version=\"1.0\"?><CtxSTAProtocol version=\"4.0\">{inner}</CtxSTAProtocol>");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all((head + &body).as_bytes());
}

/// `ResponseData` with an address.
pub(crate) fn data(address: &str) -> String {
    format!("<ResponseData><TicketData><Value name=\"ICAAddress\">{address}</Value></TicketData></ResponseData>")
}

/// A ticket that the embedded authority at `farm` issues for a launch of `user` at `host`.
pub(crate) fn issue_for(farm: SocketAddr, host: &str, user: &str) -> String {
    let connection = Connection {
        server_address: host.to_owned(),
        user_name: user.to_owned(),
        user_domain: "DEMO".to_owned(),
        application_name: "Notepad".to_owned(),
        protocol: "ICA".to_owned(),
    };
    let value = |name: &str, text: String| Value { name: name.to_owned(), text };
    let values = vec![value("ICAAddress", host.to_owned()), value("XData", connection.write())];
    let request = String::from_utf8(IssueRequest::new(values, false).write()).unwrap();
    let reply = post_xml(farm, "/scripts/ctxsta.dll", &request);
    assert_eq!(reply.status, 200, "{reply:?}");
    let issued = IssuedTicket::read(reply.text().as_bytes()).unwrap();
    issued.client_string().expose().to_owned()
}
