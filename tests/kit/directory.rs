//! A directory: a real `slapd` with people and groups of its own, in a folder of its own, on ports of its own.
//!
//! ```text
//!   dc=example,dc=test ─┬─ cn=service            may search, read everything but passwords, and write `userParameters`
//!                       ├─ ou=people             PEOPLE, among them names that mean something in a filter
//!                       ├─ ou=far                a second `twin`
//!                       └─ ou=groups             ann ─► sales, "Sales, North" ─► staff ─► everyone ─► sales: a ring
//! ```
//!
//! `slapd` can not be told to choose a port, so free ones are looked for, and others tried if somebody was quicker.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::certs::{Ca, write};
use crate::deadline;
use crate::tools::Running;

/// Below which everything is.
pub const BASE: &str = "dc=example,dc=test";
/// The account that searches.
pub const SERVICE: &str = "cn=service,dc=example,dc=test";
/// Its password.
pub const SERVICE_PASSWORD: &str = "service secret 1";
/// The account that may do everything.
const ADMIN: &str = "cn=admin,dc=example,dc=test";
/// Its password.
const ADMIN_PASSWORD: &str = "admin secret 1";
/// Names that its certificate is valid for.
pub const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];
/// How often other ports are tried.
const TRIES: usize = 20;

/// Somebody in it.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// His name there, attribute `uid`.
    pub uid: &'static str,
    /// Attribute `cn`: the name by which the object is called, so that odd ones in `uid` need no quoting in its name.
    pub cn: &'static str,
    /// His password. Empty: he has none.
    pub password: &'static str,
}

/// Who is there, once each.
pub const PEOPLE: &[Person] = &[
    Person { uid: "ann", cn: "ann", password: "ann's secret 1" },
    Person { uid: "bob", cn: "bob", password: "bob's secret 1" },
    Person { uid: "jürgen", cn: "juergen", password: "straße 7 ü€𝄞" },
    Person { uid: "日本語", cn: "nihongo", password: "nihongo secret" },
    Person { uid: "*", cn: "star", password: "star's secret" },
    Person { uid: "a*b", cn: "middle", password: "middle's secret" },
    Person { uid: "(paren)", cn: "paren", password: "paren's secret" },
    Person { uid: "back\\slash", cn: "back", password: "back's secret" },
    Person { uid: "\\2a", cn: "escaped", password: "escaped secret" },
    Person { uid: "o'hara, \"x\" + y = z; <#>", cn: "hara", password: "hara's secret" },
    Person { uid: "nopass", cn: "nopass", password: "" },
    Person { uid: "reset", cn: "reset", password: "reset's secret" },
    Person { uid: "locked", cn: "locked", password: "locked secret" },
    Person { uid: "mover", cn: "mover", password: "mover's secret" },
];

/// A directory that runs until the test ends.
#[derive(Debug)]
pub struct Directory {
    /// Where it listens in the clear; it offers StartTLS there.
    pub plain: SocketAddr,
    /// Where it begins with TLS.
    pub tls: SocketAddr,
    running: Running,
    dir: TempDir,
}

impl Directory {
    /// Starts one whose certificate is of `ca`, for [`NAMES`].
    ///
    /// # Panics
    /// If `slapd` is not installed or does not start.
    #[must_use]
    pub fn start(ca: &Ca) -> Self {
        Self::start_as(ca, &NAMES)
    }

    /// The same with a certificate for other names.
    ///
    /// # Panics
    /// If `slapd` is not installed or does not start.
    #[must_use]
    pub fn start_as(ca: &Ca, names: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let (certificate, key) = ca.server(names);
        let _certificate = write(dir.path(), "server.pem", &certificate);
        let _key = write(dir.path(), "server.key", &key);
        let _ca = ca.write(dir.path());
        std::fs::create_dir(dir.path().join("db")).expect("a folder for the data");
        let conf = write(dir.path(), "slapd.conf", &configuration(dir.path()));
        let mut tries = 0;
        let (running, plain, tls) = loop {
            let (plain, tls) = free_ports();
            let mut command = Command::new("slapd");
            command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").args(["-d", "0", "-f"]).arg(&conf).arg("-h");
            command.arg(format!("ldap://{plain} ldaps://{tls}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut running = Running::start(&mut command);
            let is_there = deadline::until("slapd to listen, or to end", || {
                let has_ended = running.0.try_wait().expect("a child of ours").is_some();
                let listens = || [plain, tls].iter().all(|at| TcpStream::connect(at).is_ok());
                if has_ended { Some(false) } else { listens().then_some(true) }
            });
            if is_there {
                break (running, plain, tls);
            }
            tries += 1;
            assert!(tries < TRIES, "slapd does not start; try: slapd -d 1 -f {}", conf.display());
        };
        let directory = Self { plain, tls, running, dir };
        directory.change(&people());
        directory
    }

    /// Adds, changes and deletes objects, as `ldapmodify` reads it: objects without `changetype` are added.
    ///
    /// # Panics
    /// If it is refused; what the directory said is shown.
    pub fn change(&self, ldif: &str) {
        let url = format!("ldap://{}", self.plain);
        let mut child = Command::new("ldapmodify")
            .args(["-a", "-x", "-H", &url, "-D", ADMIN, "-w", ADMIN_PASSWORD])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ldapmodify");
        child.stdin.take().expect("a pipe").write_all(ldif.as_bytes()).expect("ldapmodify reads");
        let done = child.wait_with_output().expect("a child of ours");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Adds somebody whose `uid` may be any text; `cn` must be plain.
    ///
    /// # Panics
    /// If the directory refuses.
    pub fn add(&self, uid: &str, cn: &str, password: &str) {
        let (uid, password) = (base64(uid.as_bytes()), base64(password.as_bytes()));
        self.change(&format!(
            "dn: cn={cn},ou=people,{BASE}\nobjectClass: inetOrgPerson\nsn: {cn}\nuid:: {uid}\nuserPassword:: {password}\n"
        ));
    }

    /// Puts `text` into `userParameters` of the person called `cn`, or takes away what is there.
    ///
    /// # Panics
    /// If the directory refuses.
    pub fn set_devices(&self, cn: &str, text: Option<&str>) {
        let value = text.map_or_else(String::new, |text| format!("userParameters:: {}\n", base64(text.as_bytes())));
        self.change(&format!("dn: cn={cn},ou=people,{BASE}\nchangetype: modify\nreplace: userParameters\n{value}"));
    }

    /// What stands in `userParameters` of the person called `cn`.
    ///
    /// # Panics
    /// If it cannot be asked.
    #[must_use]
    pub fn devices(&self, cn: &str) -> Option<String> {
        let url = format!("ldap://{}", self.plain);
        let base = format!("cn={cn},ou=people,{BASE}");
        let found = Command::new("ldapsearch")
            .args(["-LLL", "-x", "-o", "ldif-wrap=no", "-H", &url, "-D", ADMIN, "-w", ADMIN_PASSWORD, "-s", "base", "-b", &base])
            .arg("userParameters")
            .stdin(Stdio::null())
            .output()
            .expect("ldapsearch");
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
        let text = String::from_utf8(found.stdout).expect("LDIF is text");
        text.lines().find_map(|line| line.strip_prefix("userParameters: ")).map(str::to_owned)
    }

    /// Stops it from answering, until [`Directory::go_on`]: connections are made, and nothing comes on them.
    ///
    /// # Panics
    /// If there is no `kill`.
    pub fn hang(&self) {
        self.signal("-STOP");
    }

    /// Lets it answer again.
    ///
    /// # Panics
    /// If there is no `kill`.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    /// The folder with its files; `ca.pem` is there.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Its process, for measuring.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.0.id()
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.pid().to_string()]).status().expect("kill");
        assert!(done.success());
    }
}

/// Two ports that were free a moment ago.
fn free_ports() -> (SocketAddr, SocketAddr) {
    let held = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    let [plain, tls] = held.map(|listener| listener.local_addr().expect("its address"));
    (plain, tls)
}

/// The attribute in which Active Directory keeps devices for codes, with the orderings that its filter needs; and who may have it. The class is
/// ours, under the number that is set aside for documentation.
const DEVICES: &str = "attributetype ( 1.2.840.113556.1.4.138 NAME 'userParameters' EQUALITY caseExactMatch \
     ORDERING caseExactOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n\
     objectclass ( 1.3.6.1.4.1.32473.1.1 NAME 'deviceOwner' SUP top AUXILIARY MAY userParameters )\n";

fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "include /etc/ldap/schema/core.schema\n\
         include /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/inetorgperson.schema\n\
         modulepath /usr/lib/ldap\n\
         moduleload back_mdb\n\
         moduleload memberof\n\
         moduleload ppolicy\n\
         {DEVICES}\
         pidfile {dir}/slapd.pid\n\
         threads 4\n\
         TLSCACertificateFile {dir}/ca.pem\n\
         TLSCertificateFile {dir}/server.pem\n\
         TLSCertificateKeyFile {dir}/server.key\n\
         access to attrs=userPassword by self write by anonymous auth by * none\n\
         access to attrs=userParameters by dn.exact=\"{SERVICE}\" write by * none\n\
         access to * by dn.exact=\"{SERVICE}\" read by self read by * none\n\
         database mdb\n\
         maxsize 16777216\n\
         suffix \"{BASE}\"\n\
         rootdn \"{ADMIN}\"\n\
         rootpw \"{ADMIN_PASSWORD}\"\n\
         directory {dir}/db\n\
         dbnosync\n\
         index uid,cn,member,memberOf eq\n\
         overlay memberof\n\
         memberof-group-oc groupOfNames\n\
         overlay ppolicy\n\
         ppolicy_default \"cn=policy,{BASE}\"\n\
         ppolicy_hash_cleartext\n\
         ppolicy_use_lockout\n"
    )
}

/// Everything in it.
fn people() -> String {
    let mut ldif = format!(
        "dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\n\n\
         dn: ou=people,{BASE}\nobjectClass: organizationalUnit\n\n\
         dn: ou=far,{BASE}\nobjectClass: organizationalUnit\n\n\
         dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\n\n\
         dn: cn=policy,{BASE}\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\npwdAttribute: userPassword\npwdMustChange: TRUE\n\
         pwdLockout: TRUE\npwdAllowUserChange: TRUE\npwdMinLength: 8\npwdCheckQuality: 1\n\n\
         dn: {SERVICE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\nuserPassword: {SERVICE_PASSWORD}\n\n\
         dn: cn=twin,ou=people,{BASE}\nobjectClass: inetOrgPerson\nsn: twin\nuid: twin\nuserPassword: twin's secret\n\n\
         dn: cn=twin,ou=far,{BASE}\nobjectClass: inetOrgPerson\nsn: twin\nuid: twin\nuserPassword: twin's secret\n\n"
    );
    for person in PEOPLE {
        let Person { uid, cn, password } = person;
        let _ = writeln!(
            ldif,
            "dn: cn={cn},ou=people,{BASE}\nobjectClass: inetOrgPerson\nobjectClass: deviceOwner\nsn: {cn}\nuid:: {}\nmail: {cn}@example.test\n\
             displayName: {cn} the first\ntelephoneNumber: 1\ntelephoneNumber: 2",
            base64(uid.as_bytes())
        );
        if !password.is_empty() {
            let _ = writeln!(ldif, "userPassword:: {}", base64(password.as_bytes()));
        }
        ldif.push('\n');
    }
    let groups = [
        ("cn=sales", &["cn=ann,ou=people", "cn=everyone,ou=groups"][..]),
        ("cn=Sales\\, North", &["cn=ann,ou=people"]),
        ("cn=staff", &["cn=sales,ou=groups", "cn=bob,ou=people"]),
        ("cn=everyone", &["cn=staff,ou=groups"]),
    ];
    // First all of them, then who is in them: a member of a group that is not there yet would not learn of it.
    for (name, _) in groups {
        let _ = writeln!(ldif, "dn: {name},ou=groups,{BASE}\nobjectClass: groupOfNames\nmember: {SERVICE}\n");
    }
    for (name, members) in groups {
        let _ = writeln!(ldif, "dn: {name},ou=groups,{BASE}\nchangetype: modify\nadd: member");
        for member in members {
            let _ = writeln!(ldif, "member: {member},{BASE}");
        }
        ldif.push('\n');
    }
    let _ = writeln!(ldif, "dn: cn=reset,ou=people,{BASE}\nchangetype: modify\nadd: pwdReset\npwdReset: TRUE\n");
    let locked = "pwdAccountLockedTime: 000001010000Z";
    let _ = writeln!(ldif, "dn: cn=locked,ou=people,{BASE}\nchangetype: modify\nadd: pwdAccountLockedTime\n{locked}\n");
    ldif
}

/// As LDIF wants values that are not plain.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |sum, &byte| sum << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { digit.into() } else { '=' });
        }
    }
    text
}
