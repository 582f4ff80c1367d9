//! A login storm through a real directory or a real RADIUS server: what a login costs, and what running streams notice of it.
//!
//! ```text
//!   core 0: sluicegate (1 worker, control thread)        core 1: slapd or freeradius, the crowd, the streams' two ends (streams first)
//!
//!   streams alone ─► logins alone, closed loop ─► streams while logins come at a rate that the machine bears
//! ```

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};

use crate::beside::{self, Rank, p99, percentiles, shown};
use crate::code;
use crate::drive::free_port;
use crate::fault::{Fault, machine};
use crate::radius;
use crate::report::{Outcome, Provenance, say};
use crate::scenario::Scenario;
use crate::stage::{self, Ended, Gateway, Wish, wait_for};

/// The password of all users.
pub(crate) const PASSWORD: &str = "load-test-password";
/// The directory's own account for the gateway.
const SERVICE_PASSWORD: &str = "service-password";
/// Of what comes through alone, the part at which logins come while streams are watched, in percent.
const RATE_PERCENT: f64 = 60.0;

/// What a login is checked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Factors {
    /// A password of a directory.
    Ldap,
    /// The same, and a one-time code of a device that stands in the directory.
    #[value(name = "ldap+totp")]
    LdapTotp,
    /// A password of a RADIUS server.
    Radius,
}

impl Factors {
    /// Whom the gateway asks.
    const fn asked(self) -> &'static str {
        match self {
            Self::Ldap | Self::LdapTotp => "directory",
            Self::Radius => "RADIUS server",
        }
    }

    /// Marks of the table.
    const fn marks(self) -> &'static str {
        match self {
            Self::Ldap => "storm",
            Self::LdapTotp => "storm-totp",
            Self::Radius => "storm-radius",
        }
    }

    const fn has_codes(self) -> bool {
        matches!(self, Self::LdapTotp)
    }
}

/// Users of one crowd where each logs in once: more than any machine lets in while it lasts.
const CROWD_USERS_MAX: usize = 20_000;

/// How to do it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    scenario: Scenario,
    /// The directory's binary.
    #[arg(long, default_value = "/usr/sbin/slapd")]
    slapd: PathBuf,
    /// The RADIUS server's binary.
    #[arg(long, default_value = "/usr/sbin/freeradius")]
    freeradius: PathBuf,
    /// What a login is checked by.
    #[arg(long, value_enum, default_value_t = Factors::Ldap)]
    factors: Factors,
    /// Users in the directory. Each has 32 sessions at most, so that these do not fill the gateway's table of 50,000.
    #[arg(long, default_value_t = 1000)]
    users: usize,
    /// Logins at a time.
    #[arg(long, default_value_t = 32)]
    crowd: usize,
    /// Seconds of a window.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

impl Plan {
    /// The users of the crowd number `number`: the first of them, and how many.
    fn group(&self, users: usize, number: usize) -> (usize, usize) {
        if self.factors.has_codes() { (number * CROWD_USERS_MAX, CROWD_USERS_MAX) } else { (0, users) }
    }
}

/// Runs it.
pub(crate) fn run(plan: &Plan) -> Result<(), Fault> {
    plan.scenario.play(|dir| storm(plan, dir))
}

/// What came of one round.
struct Round {
    quiet: Outcome,
    logins: Outcome,
    beside: Outcome,
    /// Logins per second while streams were watched.
    rate: u32,
}

fn storm(plan: &Plan, dir: &Path) -> Result<(), Fault> {
    let quick = plan.scenario.quick;
    let (rounds, seconds) = (plan.scenario.rounds(), if quick { 0.5 } else { plan.seconds });
    let users = match plan.factors {
        // Each logs in once: so many in each of the two crowds of a round.
        Factors::LdapTotp => 2 * rounds * CROWD_USERS_MAX,
        Factors::Ldap | Factors::Radius if quick => 50,
        Factors::Ldap | Factors::Radius => plan.users,
    };
    stage::certificates(dir, stage::Key::P256)?;
    let _awake = beside::awake();
    let (_sink, host) = stage::sink(Rank::Streams)?;
    let (_asked, lines) = match plan.factors {
        Factors::Ldap | Factors::LdapTotp => slapd(plan, dir, users).map(|(process, at)| (process, lines(at, plan.factors)))?,
        Factors::Radius => radius::start(&plan.freeradius, dir, users).map(|(process, at)| (process, radius::lines(at)))?,
    };
    let gateway = Gateway::start(&Wish::under_load(&plan.scenario.gateway, dir, &[host], &lines))?;
    let mut done = Vec::new();
    for number in 1..=rounds {
        let quiet = begin(Rank::Streams, &beside::streams(&gateway, dir, host, seconds))?.finish("streams alone")?;
        let logins = crowd(plan, &gateway, dir, plan.group(users, 2 * number - 2), seconds, None)?.finish("logins alone")?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of logins is small and positive")]
        let rate = (logins.units / logins.seconds * RATE_PERCENT / 100.0).max(1.0) as u32;
        // The streams are up and warm before their window begins; the crowd goes on for longer than that window.
        let around = crowd(plan, &gateway, dir, plan.group(users, 2 * number - 1), seconds + 4.0, Some(rate))?;
        let beside = begin(Rank::Streams, &beside::streams(&gateway, dir, host, seconds))?.finish("streams beside logins")?;
        let _: Outcome = around.finish("logins beside streams")?;
        say(&format!(
            "round {number}: {:.0} logins/s at {:.0} µs CPU; streams p99 {:.0} µs alone, {:.0} µs beside {rate} logins/s",
            logins.units / logins.seconds,
            logins.cpu_per_unit.unwrap_or(0.0) * 1e6,
            p99(&quiet),
            p99(&beside)
        ));
        done.push(Round { quiet, logins, beside, rate });
    }
    let table = table(&done, users, plan.crowd, plan.factors);
    say(&table);
    plan.scenario.write(plan.factors.marks(), &table)
}

/// The gateway's side: the directory, and behind it, where codes are asked for, the same once more.
fn lines(directory: SocketAddr, factors: Factors) -> String {
    let action = |name: &str, more: &str| {
        format!(
            "add authentication ldapAction {name} -serverIP {} -serverPort {} -ldapBase \"dc=load,dc=test\" \
             -ldapBindDn \"cn=gateway,dc=load,dc=test\" -ldapBindDnPassword {SERVICE_PASSWORD} -ldapLoginName uid -secType PLAINTEXT{more}\n",
            directory.ip(),
            directory.port()
        )
    };
    let (codes, next) = match factors {
        Factors::Ldap | Factors::Radius => (String::new(), ""),
        Factors::LdapTotp => {
            let codes =
                action("codes", " -authentication DISABLED -OTPSecret userParameters -searchFilter \"userParameters>=#@\"");
            let rest = "add authentication Policy code -rule true -action codes\n\
                 add authentication loginSchema both -authenticationSchema LoginSchema/DualAuthOTP.xml\n\
                 add authentication loginSchemaPolicy both -rule true -action both\n\
                 bind authentication vserver logins -policy both -priority 10\n\
                 add authentication policylabel second -loginSchema LSCHEMA_INT\n\
                 bind authentication policylabel second -policyName code -priority 10\n";
            (codes + rest, " -nextFactor second")
        }
    };
    format!(
        "{}add authentication Policy ask -rule true -action directory\nadd authentication vserver logins SSL 0.0.0.0\n{codes}\
         bind authentication vserver logins -policy ask -priority 10{next}\n\
         add authentication authnProfile logins -authnVsName logins\nset vpn vserver vpn1 -authnProfile logins\n",
        action("directory", "")
    )
}

/// A directory with `users` in it, beside the core under load and behind the streams.
fn slapd(plan: &Plan, dir: &Path, users: usize) -> Result<(Ended, SocketAddr), Fault> {
    let (data, config, ldif) = (dir.join("ldap"), dir.join("slapd.conf"), dir.join("users.ldif"));
    fs::create_dir_all(&data).map_err(machine("make a folder"))?;
    let text = format!(
        "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\ninclude /etc/ldap/schema/inetorgperson.schema\n\
         attributetype ( 1.2.840.113556.1.4.138 NAME 'userParameters' EQUALITY caseExactMatch ORDERING caseExactOrderingMatch \
         SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n\
         objectclass ( 1.3.6.1.4.1.32473.1.1 NAME 'deviceOwner' SUP top AUXILIARY MAY userParameters )\n\
         modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {0}/slapd.pid\nloglevel 0\nthreads 4\n\
         database mdb\nsuffix dc=load,dc=test\nrootdn cn=gateway,dc=load,dc=test\nrootpw {SERVICE_PASSWORD}\n\
         directory {1}\nmaxsize 268435456\nindex objectClass,uid eq\n",
        dir.display(),
        data.display()
    );
    fs::write(&config, text).map_err(machine("write a file"))?;
    let mut people = "dn: dc=load,dc=test\nobjectClass: dcObject\nobjectClass: organization\no: load\ndc: load\n".to_owned();
    for number in 0..users {
        let _ = write!(
            people,
            "\ndn: uid=user{number},dc=load,dc=test\nobjectClass: inetOrgPerson\nobjectClass: deviceOwner\nuid: user{number}\ncn: User {number}\n\
             sn: {number}\nuserPassword: {PASSWORD}\nuserParameters: #@load={}&,\n",
            code::base32(number)
        );
    }
    fs::write(&ldif, people).map_err(machine("write a file"))?;
    let [config, ldif] = [config, ldif].map(|path| path.display().to_string());
    stage::tool("slapadd", &["-q", "-f", &config, "-l", &ldif], dir)?;
    let address = free_port()?;
    let log = dir.join("slapd.log");
    let out = fs::File::create(&log).map_err(machine("write a file"))?;
    let mut command = Command::new("nice");
    command.args(["-n", "5", "taskset", "-c", stage::beside()]).arg(&plan.slapd);
    command.args(["-d", "0", "-f", &config, "-h", &format!("ldap://{address}")]);
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out).spawn();
    let mut process = Ended(started.map_err(machine("start slapd"))?);
    wait_for("slapd", &mut process, &log, || std::net::TcpStream::connect(address).ok())?;
    Ok((process, address))
}

/// A load that runs.
struct Begun(std::process::Child);

impl Begun {
    fn finish(self, what: &str) -> Result<Outcome, Fault> {
        let done = self.0.wait_with_output().map_err(machine("wait for a load"))?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        serde_json::from_str(&text).map_err(|_| Fault::Tool { tool: what.to_owned(), said: text })
    }
}

fn begin(rank: Rank, args: &[String]) -> Result<Begun, Fault> {
    let mut command = rank.command();
    command.arg(stage::own_binary()?).args(args);
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    started.map(Begun).map_err(machine("run a load"))
}

fn crowd(
    plan: &Plan,
    gateway: &Gateway,
    dir: &Path,
    (first, users): (usize, usize),
    seconds: f64,
    rate: Option<u32>,
) -> Result<Begun, Fault> {
    let mut args = beside::load(&["logins", "--password", PASSWORD], gateway, dir, seconds);
    args.extend(["--users".into(), users.to_string(), "--first".into(), first.to_string()]);
    args.extend(["--connections".into(), plan.crowd.to_string()]);
    args.extend(plan.factors.has_codes().then(|| "--codes".to_owned()));
    args.extend(rate.iter().flat_map(|rate| ["--rate".to_owned(), rate.to_string()]));
    begin(Rank::Storm, &args)
}

fn table(rounds: &[Round], users: usize, crowd: usize, factors: Factors) -> String {
    let asked = factors.asked();
    let what = if factors.has_codes() { ", with password and one-time code" } else { "" };
    let from = Provenance::here();
    let of = |figure: fn(&Round) -> f64, digits| shown(rounds.iter().map(figure), digits);
    format!(
        "Machine: {}. Commit: `{}`.\nCommand: `{}`.\n\n\
         | logins of {users} users{what}, {crowd} at a time, each with a TLS handshake of its own | |\n| --- | --- |\n\
         | logins per second, gateway on one core, {asked} and crowd on the other | {} |\n| CPU of the gateway, µs a login | {} |\n\n\
         | µs | p50 | p90 | p99 | p99.9 | highest |\n| --- | --- | --- | --- | --- | --- |\n| a login, closed loop | {} |\n\
         | keystrokes of 50 streams, alone | {} |\n| the same beside {} logins/s | {} |\n\n\
         p99 of streams beside logins to p99 alone: **{}**.",
        from.machine,
        from.commit,
        from.command,
        of(|round| round.logins.units / round.logins.seconds, 0),
        of(|round| round.logins.cpu_per_unit.unwrap_or(0.0) * 1e6, 0),
        percentiles(rounds.iter().map(|round| &round.logins)),
        percentiles(rounds.iter().map(|round| &round.quiet)),
        of(|round| f64::from(round.rate), 0),
        percentiles(rounds.iter().map(|round| &round.beside)),
        of(|round| p99(&round.beside) / p99(&round.quiet).max(1.0), 2),
    )
}
