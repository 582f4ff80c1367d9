//! The steps, one after the other, as a client sees them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use gate_proto::host_port::{Host, HostPort};
use gate_proto::ica_file::MEDIA_TYPE;
use gate_proto::ica_file::leak::{self, HostFacts};
use gate_proto::ica_file::read::LaunchFile;
use thiserror::Error;

use super::http::{Browser, NoPage, Page};
use super::page::{input_value, input_values, texts};
use super::show::{Show, Tie, rate};
use super::stage::{GATEWAY_NAME, INSIDE, Stage, USER};
use super::stream::{Echo, Progress, Source, Sum};
use crate::clock::now;
use crate::launch::fault::{Fault, Reply, chain};
use crate::launch::open::{Opening, Plan, Session};
use crate::launch::relay;
use crate::launch::trust::Trust;

/// How long each opening may take.
const OPEN_WAIT: Duration = Duration::from_secs(20);
/// How long the host may take to say hello.
const HELLO_WAIT: Duration = Duration::from_secs(20);
/// How long the transfer may stand still.
const STILL_WAIT: Duration = Duration::from_secs(30);
/// Between two looks at the progress.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Names shown of the list of resources.
const NAMES_SHOWN: usize = 4;
const MIB: u64 = 1024 * 1024;

/// Why a step did not pass.
#[derive(Debug, Error)]
pub enum NotPassed {
    /// No page.
    #[error(transparent)]
    Page(#[from] NoPage),
    /// No session.
    #[error(transparent)]
    Launch(#[from] Fault),
    /// The portal answered something else.
    #[error("{what}: status {status}{advice}")]
    Answer {
        /// What was wanted.
        what: &'static str,
        /// What came.
        status: u16,
        /// The page's own words, if it has any.
        advice: String,
    },
    /// Something is missing in a page.
    #[error("{0} is missing in the page")]
    Absent(&'static str),
    /// The launch file cannot be used.
    #[error("the launch file cannot be used: {0}")]
    File(String),
    /// The launch file tells of the host.
    #[error("the launch file tells of the host: {0}")]
    Leak(String),
    /// The session did not carry what it should.
    #[error("{0}")]
    Stream(String),
    /// Something worked that must not.
    #[error("{0}")]
    Open(&'static str),
    /// The output is gone.
    #[error("cannot print")]
    Print(#[from] io::Error),
}

/// The walk through one gateway.
#[derive(Debug)]
pub struct Walk<'s> {
    stage: &'s Stage,
    mib: u64,
}

/// Which step is being tried, for when it fails.
struct At(&'static str, &'static str);

impl<'s> Walk<'s> {
    /// A walk that sends `mib` MiB each way.
    #[must_use]
    pub fn new(stage: &'s Stage, mib: u64) -> Self {
        Self { stage, mib }
    }

    /// All of it. True: every step passed. The first that does not ends the walk.
    ///
    /// # Errors
    /// If the output is gone.
    pub fn all(&self, show: &mut Show<'_>) -> io::Result<bool> {
        show.heading("The 14 steps")?;
        let mut at = At("1", "TLS to the portal");
        match self.steps(show, &mut at) {
            Ok(()) => Ok(true),
            Err(NotPassed::Print(error)) => Err(error),
            Err(why) => {
                show.progress_over()?;
                show.failed(at.0, at.1, &chain(&why))?;
                Ok(false)
            }
        }
    }

    fn steps(&self, show: &mut Show<'_>, at: &mut At) -> Result<(), NotPassed> {
        let plan = self.plan()?;
        let mut browser = Browser::new(plan.clone());
        let list = self.enter(&mut browser, show, at)?;
        let text = self.click(&mut browser, &list, show, at)?;
        let file = LaunchFile::read(text.as_bytes()).map_err(|bad| NotPassed::File(chain(&bad)))?;
        let plan = Plan { gateway: file.gateway.clone(), ..plan };
        let session = self.launch(&plan, &file, show, at)?;
        self.carry(session, show, at)?;
        show.heading("What must not work")?;
        self.refuse(&plan, &file, show, at)
    }

    fn plan(&self) -> Result<Plan, NotPassed> {
        let gateway = HostPort { host: Host::Name(GATEWAY_NAME.to_owned()), port: self.stage.listens.port() };
        let tls = Trust::File(self.stage.directory.join("ca.pem")).client_config()?;
        Ok(Plan { gateway, at: None, tls, opening: Opening::Pipelined, wait: OPEN_WAIT })
    }

    /// Steps 1 to 5: to the list of resources.
    fn enter(&self, browser: &mut Browser, show: &mut Show<'_>, at: &mut At) -> Result<Page, NotPassed> {
        let start = now();
        let tls = browser.connect()?;
        let front = browser.fetch("/")?;
        wanted(&front, "the front page sends on to the login form", &[302, 303])?;
        show.step("1", at.1, &format!("verified; {tls}"), Tie::Alone, Some(now() - start))?;

        *at = At("2", "gateway asks who it is");
        let start = now();
        let form = browser.fetch(front.header("location").unwrap_or("/vpn/index.html"))?;
        wanted(&form, "the login form", &[200])?;
        let token = input_value(&form.body, "csrf").ok_or(NotPassed::Absent("the login form's token"))?;
        let fields = [("login", USER), ("passwd", self.stage.password.as_str()), ("csrf", &token)];
        let entered = browser.post("/cgi/login", &fields)?;
        wanted(&entered, "the login", &[302, 303])?;
        let cookies: Vec<_> = browser.cookie_names().collect();
        let news = format!("{USER} is in; cookie {}", cookies.join(", "));
        show.step("2", at.1, &news, Tie::Alone, Some(now() - start))?;

        *at = At("3", "portal asks XML Service");
        let start = now();
        let list = browser.fetch(entered.header("location").unwrap_or("/portal"))?;
        wanted(&list, "the list of resources", &[200])?;
        let names = texts(&list.body, "h2");
        if names.is_empty() || input_values(&list.body, "resource").len() != names.len() {
            return Err(NotPassed::Absent("the list of resources"));
        }
        let shown = names.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        show.step("3", at.1, &format!("RequestAppData with the credentials of {USER}"), Tie::First, None)?;
        show.step("4", "XML Service answers", &format!("{} applications for {USER}", names.len()), Tie::Middle, None)?;
        show.step("5", "portal shows the list", &shown, Tie::Last, Some(now() - start))?;
        Ok(list)
    }

    /// Steps 6 to 10: from a click to a launch file, which must tell nothing of the host.
    fn click(&self, browser: &mut Browser, list: &Page, show: &mut Show<'_>, at: &mut At) -> Result<String, NotPassed> {
        *at = At("6", "click: XML Service is asked");
        let start = now();
        let token = input_value(&list.body, "csrf").ok_or(NotPassed::Absent("the list's token"))?;
        let resource = input_value(&list.body, "resource").ok_or(NotPassed::Absent("a resource"))?;
        let answer = browser.post("/portal/launch", &[("csrf", &token), ("resource", &resource)])?;
        wanted(&answer, "a launch file", &[200])?;
        let took = now() - start;
        if answer.header("content-type") != Some(MEDIA_TYPE) {
            return Err(NotPassed::File("its media type is another".to_owned()));
        }
        let file = LaunchFile::read(answer.body.as_bytes()).map_err(|bad| NotPassed::File(chain(&bad)))?;
        let Some(logon_ticket) = &file.logon_ticket else {
            return Err(NotPassed::File("it holds no logon ticket".to_owned()));
        };
        let logon = format!("a host for {resource}; logon ticket …{}", tail(logon_ticket.expose()));
        show.step("6", at.1, &format!("RequestAddress and RequestTicket for {resource}"), Tie::First, None)?;
        show.step("7", "XML Service picks a host", &logon, Tie::Middle, None)?;
        show.step("8", "portal asks the STA", "RequestTicket, with the host's address", Tie::Middle, None)?;
        show.step("9", "STA issues a ticket", &masked(file.ticket.expose()), Tie::Middle, None)?;

        *at = At("10", "ICA file is downloaded");
        let port = self.stage.host.port();
        let written = self.stage.host.to_string();
        let leaks = leak::find(&answer.body, HostFacts { names: &[INSIDE, &written], ports: &[port] });
        if !leaks.is_empty() {
            let all: Vec<_> = leaks.iter().map(ToString::to_string).collect();
            return Err(NotPassed::Leak(all.join("; ")));
        }
        let length = answer.body.len();
        let news = format!("no address, name or port of the host in {length} bytes");
        show.step("10", at.1, &news, Tie::Last, Some(took))?;
        Ok(answer.body)
    }

    /// Steps 11 to 14: TLS by the launch file, the ticket, the host.
    fn launch(&self, plan: &Plan, file: &LaunchFile, show: &mut Show<'_>, at: &mut At) -> Result<Session, NotPassed> {
        *at = At("11", "client comes with the file");
        let session = plan.open(&file.ticket)?;
        let took = session.took;
        let news = format!("verified; {}", session.tls_in_words());
        show.step("11", "client comes with the file", &news, Tie::Alone, Some(took.connect + took.handshake))?;
        show.step("12", "gateway asks the STA", "the ticket as SOCKS5 name, then RequestData", Tie::First, None)?;
        show.step("13", "STA gives the address", "the gateway connects to the host", Tie::Middle, None)?;
        show.step("14", "connected", "SOCKS5 reply 00", Tie::Last, Some(took.reply))?;
        Ok(session)
    }

    /// The session itself: hello, bytes both ways at once, sums.
    fn carry(&self, session: Session, show: &mut Show<'_>, at: &mut At) -> Result<(), NotPassed> {
        show.heading("The session")?;
        *at = At("", "host says hello");
        let total = self.mib * MIB;
        let progress = Arc::new(Progress::default());
        let (made_tell, made) = mpsc::channel();
        let (taken_tell, taken) = mpsc::channel();
        let (hello_tell, hello) = mpsc::channel();
        let mut seed = [0; 8];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| NotPassed::Stream("no random bytes".to_owned()))?;
        let source = Source::new(total, u64::from_le_bytes(seed), Arc::clone(&progress), made_tell);
        let echo = Echo::new(Arc::clone(&progress), hello_tell, taken_tell);
        let start = now();
        let (up, down) = relay::start(session, source)?;
        let carrier = std::thread::Builder::new().name("down".to_owned()).spawn(move || down.carry(echo))?;
        hello.recv_timeout(HELLO_WAIT).map_err(|_| NotPassed::Stream("no ICA hello from the host".to_owned()))?;
        show.step("", at.1, "7f 7f 49 43 41 00", Tie::Alone, Some(now() - start))?;

        *at = At("", "bytes both ways");
        let came_back = self.watch(&progress, &taken, show)?;
        let took = now() - start;
        show.progress_over()?;
        let down = carrier.join().map_err(|_| NotPassed::Stream("down thread panicked".to_owned()))?;
        let up = up.wait();
        down.end.and(up.end).map_err(|broken| NotPassed::Stream(format!("the session broke off: {}", chain(&broken))))?;
        let sent = made.try_recv().map_err(|_| NotPassed::Stream("not everything was sent".to_owned()))?;
        same(&sent, &came_back)?;
        let speed = rate(total, took);
        let news = format!("{} MiB each way at once, {speed} MiB/s up and down", self.mib);
        show.step("", at.1, &news, Tie::Alone, Some(took))?;
        let sum: String = came_back.1.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        show.step("", "every byte came back", &format!("SHA-256 {sum}… at both ends"), Tie::Alone, None)?;
        Ok(())
    }

    /// Draws the progress until the sum of what came back is there. A transfer that stands still has failed.
    fn watch(&self, progress: &Progress, taken: &mpsc::Receiver<Sum>, show: &mut Show<'_>) -> Result<Sum, NotPassed> {
        let total = self.mib * MIB;
        let start = now();
        let (mut last, mut moved) = (0, start);
        loop {
            match taken.recv_timeout(LOOK_EVERY) {
                Ok(sum) => return Ok(sum),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(NotPassed::Stream("the session ended before everything had come back".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let (up, down) = (progress.up.load(Ordering::Relaxed), progress.down.load(Ordering::Relaxed));
            show.progress(up, down, total, now() - start)?;
            if up + down > last {
                (last, moved) = (up + down, now());
            } else if now() - moved > STILL_WAIT {
                return Err(NotPassed::Stream(format!("nothing moved for {} s", STILL_WAIT.as_secs())));
            }
        }
    }

    /// The same ticket again, a made-up one, and the inside through the front door.
    fn refuse(&self, plan: &Plan, file: &LaunchFile, show: &mut Show<'_>, at: &mut At) -> Result<(), NotPassed> {
        *at = At("", "the same ticket again");
        let start = now();
        let refused = |outcome: Result<Session, Fault>, wrong| match outcome {
            Err(Fault::Refused { reply: Reply::TicketRefused, .. }) => Ok(()),
            Err(other) => Err(NotPassed::Launch(other)),
            Ok(_) => Err(NotPassed::Open(wrong)),
        };
        let bare = Plan { opening: Opening::Bare, ..plan.clone() };
        refused(bare.open(&file.ticket), "a ticket was good twice")?;
        show.step("", at.1, "refused, reply 02: a ticket is good once", Tie::Alone, Some(now() - start))?;

        *at = At("", "a made-up ticket");
        let start = now();
        let (front, code) = file.ticket.expose().rsplit_once(';').unwrap_or_default();
        let made_up = format!("{front};{}", "0".repeat(code.len())).as_str().into();
        let negotiated = Plan { opening: Opening::Negotiated, ..plan.clone() };
        refused(negotiated.open(&made_up), "a made-up ticket was good")?;
        show.step("", at.1, "refused, reply 02", Tie::Alone, Some(now() - start))?;

        *at = At("", "STA at the gateway's port");
        let start = now();
        let inside = Browser::new(plan.clone()).post("/scripts/ctxsta.dll", &[("a", "b")])?;
        wanted(&inside, "no such page", &[404])?;
        show.step("", at.1, "404: not there", Tie::Alone, Some(now() - start))?;
        Ok(())
    }
}

fn wanted(page: &Page, what: &'static str, statuses: &[u16]) -> Result<(), NotPassed> {
    if statuses.contains(&page.status) {
        return Ok(());
    }
    let advice: Vec<_> = texts(&page.body, "h1").into_iter().chain(texts(&page.body, "p")).collect();
    let advice = if advice.is_empty() { String::new() } else { format!(" ({})", advice.join(" ")) };
    Err(NotPassed::Answer { what, status: page.status, advice })
}

fn same(sent: &Sum, came_back: &Sum) -> Result<(), NotPassed> {
    if sent.0 != came_back.0 {
        return Err(NotPassed::Stream(format!("{} bytes went up, {} came back", sent.0, came_back.0)));
    }
    if sent.1.as_ref() != came_back.1.as_ref() {
        return Err(NotPassed::Stream("what came back is not what was sent".to_owned()));
    }
    Ok(())
}

/// A ticket string as it may be shown: everything but the secret.
fn masked(ticket: &str) -> String {
    let (front, code) = ticket.rsplit_once(';').unwrap_or_default();
    format!("{front};…{}", tail(code))
}

fn tail(text: &str) -> &str {
    text.get(text.len().saturating_sub(4)..).unwrap_or_default()
}
