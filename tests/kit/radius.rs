//! A RADIUS server: a real `freeradius` with people of its own, in a folder of its own, on a port of its own.
//!
//! ```text
//!   ann, bob         a password: PAP, CHAP, MS-CHAP, MS-CHAPv2; ann has groups in an attribute of a vendor, and in Class
//!   carol            a password, then a code
//!   dave             a password, then a PIN, then a code
//! ```
//!
//! `freeradius` can not be told to choose a port, so a free one is looked for, and others tried if somebody was quicker.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::certs::write;
use crate::deadline;
use crate::tools::Running;

/// The key that it shares with everybody on this machine.
pub const KEY: &str = "radius test key of 30 bytes 01";
/// Number of the vendor in whose attribute groups are (RFC 5612 keeps it for examples), and its type.
pub const GROUPS: (u32, u8) = (32_473, 6);
/// How often other ports are tried.
const TRIES: usize = 20;

/// Somebody whom it knows.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// His name.
    pub name: &'static str,
    /// His password.
    pub password: &'static str,
    /// What he is asked afterwards, and what is right.
    pub codes: &'static [(&'static str, &'static str)],
}

/// Who is there. What ann has is in the configuration below.
pub const PEOPLE: &[Person] = &[
    Person { name: "ann", password: "ann's radius secret", codes: &[] },
    Person { name: "bob", password: "bob's radius secret", codes: &[] },
    Person { name: "jürgen", password: "straße 7 ü€", codes: &[] },
    Person { name: "carol", password: "carol's secret", codes: &[("Code <b>from</b> the \"token\" & device?", "314159")] },
    Person { name: "dave", password: "dave's secret", codes: &[("PIN?", "2468"), ("Next code?", "135790")] },
];

/// A server that runs until the test ends.
#[derive(Debug)]
pub struct Radius {
    /// Where it listens.
    pub at: SocketAddr,
    running: Running,
    dir: TempDir,
}

impl Radius {
    /// Starts one that shares [`KEY`].
    ///
    /// # Panics
    /// If `freeradius` is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(KEY, "")
    }

    /// Starts one that shares `key`, and knows more people: lines of its file `users`.
    ///
    /// # Panics
    /// If `freeradius` is not installed or does not start.
    #[must_use]
    pub fn start_with(key: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let _users = write(dir.path(), "users", &(people() + more));
        let _dictionary = write(
            dir.path(),
            "dictionary",
            &format!(
                "VENDOR Example {}\nBEGIN-VENDOR Example\nATTRIBUTE Example-Groups {} string\nEND-VENDOR Example\n",
                GROUPS.0, GROUPS.1
            ),
        );
        let mut tries = 0;
        loop {
            let at = free_port();
            let _main = write(dir.path(), "radiusd.conf", &configuration(dir.path(), at, key));
            let log = dir.path().join("log");
            let _ = fs::remove_file(&log);
            let mut command = Command::new("freeradius");
            command
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .args(["-f", "-n", "radiusd", "-d"])
                .arg(dir.path())
                .arg("-l")
                .arg(&log);
            let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
            let is_there = deadline::until("freeradius to listen, or to end", || {
                let told = fs::read_to_string(&log).unwrap_or_default();
                if running.0.try_wait().expect("a child of ours").is_some() {
                    return Some(false);
                }
                told.contains("Ready to process requests").then_some(true)
            });
            if is_there {
                return Self { at, running, dir };
            }
            tries += 1;
            let told = fs::read_to_string(&log).unwrap_or_default();
            assert!(
                tries < TRIES,
                "freeradius does not start; try: freeradius -X -n radiusd -d {}\n{told}",
                dir.path().display()
            );
        }
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Stops it from answering, until [`Radius::go_on`].
    ///
    /// # Panics
    /// If there is no `kill`.
    pub fn hang(&self) {
        self.signal("-STOP");
    }

    /// Lets it answer again, also what has come meanwhile.
    ///
    /// # Panics
    /// If there is no `kill`.
    pub fn go_on(&self) {
        self.signal("-CONT");
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

/// A port that was free a moment ago.
fn free_port() -> SocketAddr {
    let held = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    held.local_addr().expect("its address")
}

/// Its file `users`.
fn people() -> String {
    let mut lines = String::new();
    for Person { name, password, codes } in PEOPLE {
        lines.push_str(&format!("{name} Cleartext-Password := {}", quoted(password)));
        for ((place, text), (question, code)) in
            [("Tmp-String-0", "Tmp-String-2"), ("Tmp-String-1", "Tmp-String-3")].iter().zip(*codes)
        {
            lines.push_str(&format!(", {place} := {}, {text} := {}", quoted(code), quoted(question)));
        }
        lines.push('\n');
        if *name == "ann" {
            lines.push_str("    Example-Groups := \"Groups=sales;staff\", Class := \"by class\", Reply-Message := \"Welcome\"\n");
        }
    }
    lines
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Its main file: as little as it takes, and a Message-Authenticator in each answer, as servers of today send it by themselves.
fn configuration(dir: &Path, at: SocketAddr, key: &str) -> String {
    let (dir, ip, port) = (dir.display(), at.ip(), at.port());
    let signed = "update reply {\n Message-Authenticator := 0x00\n }";
    format!(
        r#"
        logdir = {dir}
        run_dir = {dir}
        libdir = /usr/lib/freeradius
        max_request_time = 30
        cleanup_delay = 1
        max_requests = 65536
        hostname_lookups = no
        proxy_requests = no
        log {{
            destination = files
            file = {dir}/log
        }}
        security {{
            reject_delay = 0
            status_server = no
        }}
        thread pool {{
            start_servers = 4
            max_servers = 8
        }}
        client here {{
            ipaddr = 127.0.0.1
            secret = "{key}"
            require_message_authenticator = yes
        }}
        modules {{
            files {{
                usersfile = {dir}/users
            }}
            pap {{
                normalise = no
            }}
            chap {{
            }}
            mschap {{
                use_mppe = no
            }}
            always handled {{
                rcode = handled
            }}
        }}
        policy {{
            ask_back {{
                update reply {{
                    Reply-Message := "%{{session-state:Tmp-String-2}}"
                    }}
                update control {{
                    Response-Packet-Type := Access-Challenge
                    }}
                handled
            }}
        }}
        server default {{
            listen {{
                type = auth
                ipaddr = {ip}
                port = {port}
            }}
            authorize {{
                files
                if (&State) {{
                    update control {{
                        Auth-Type := Step
                        Cleartext-Password := &session-state:Tmp-String-0
                    }}
                }}
                elsif (&control:Tmp-String-0) {{
                    update control {{
                    Auth-Type := Ask
                    }}
                }}
                else {{
                    chap
                    mschap
                    pap
                }}
            }}
            authenticate {{
                Auth-Type PAP {{
                    pap
                }}
                Auth-Type CHAP {{
                    chap
                }}
                Auth-Type MS-CHAP {{
                    mschap
                }}
                Auth-Type Ask {{
                    pap
                    update session-state {{
                        Tmp-String-0 := &control:Tmp-String-0
                        Tmp-String-1 := &control:Tmp-String-1
                        Tmp-String-2 := &control:Tmp-String-2
                        Tmp-String-3 := &control:Tmp-String-3
                    }}
                    ask_back
                }}
                Auth-Type Step {{
                    pap
                    if (&session-state:Tmp-String-1) {{
                        update session-state {{
                            Tmp-String-0 := &session-state:Tmp-String-1
                            Tmp-String-2 := &session-state:Tmp-String-3
                        }}
                        update session-state {{
                    Tmp-String-1 !* ANY
                    }}
                        ask_back
                    }}
                }}
            }}
            post-auth {{
                {signed}
                Post-Auth-Type REJECT {{
                    {signed}
                }}
                Post-Auth-Type Challenge {{
                    {signed}
                }}
            }}
        }}
        "#
    )
}
