//! A real freeradius for the storm: as many users as wanted, one password, PAP.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::drive::free_port;
use crate::fault::{Fault, machine};
use crate::stage::{Ended, beside, wait_for};
use crate::storm::PASSWORD;

/// The key that it shares with the gateway.
const KEY: &str = "a key of the storm, long enough";

/// The gateway's side: one factor.
pub(crate) fn lines(server: SocketAddr) -> String {
    format!(
        "add authentication radiusAction server -serverIP {} -serverPort {} -radKey \"{KEY}\"\n\
         add authentication Policy ask -rule true -action server\n\
         add authentication vserver logins SSL 0.0.0.0\nbind authentication vserver logins -policy ask -priority 10\n\
         add authentication authnProfile logins -authnVsName logins\nset vpn vserver vpn1 -authnProfile logins\n",
        server.ip(),
        server.port()
    )
}

/// A server that knows `users`, beside the core under load and behind the streams.
pub(crate) fn start(binary: &Path, dir: &Path, users: usize) -> Result<(Ended, SocketAddr), Fault> {
    let folder = dir.join("radius");
    fs::create_dir_all(&folder).map_err(machine("make a folder"))?;
    // A port that is free for TCP is hardly ever taken for UDP; a start that fails says so.
    let address = free_port()?;
    let file = |name: &str, text: &str| fs::write(folder.join(name), text).map_err(machine("write a file"));
    let mut people = String::new();
    for number in 0..users {
        let _ = writeln!(people, "user{number} Cleartext-Password := \"{PASSWORD}\"");
    }
    file("users", &people)?;
    file("dictionary", "")?;
    file("radiusd.conf", &configuration(&folder, address))?;
    let log = folder.join("log");
    let mut command = Command::new("nice");
    command
        .args(["-n", "5", "taskset", "-c", beside()])
        .arg(binary)
        .args(["-f", "-n", "radiusd", "-d"])
        .arg(&folder)
        .arg("-l")
        .arg(&log);
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut process = Ended(started.map_err(machine("start freeradius"))?);
    let is_ready = || fs::read_to_string(&log).is_ok_and(|told| told.contains("Ready to process requests")).then_some(());
    wait_for("freeradius", &mut process, &log, is_ready)?;
    Ok((process, address))
}

fn configuration(folder: &Path, at: SocketAddr) -> String {
    let (dir, ip, port) = (folder.display(), at.ip(), at.port());
    format!(
        r#"
        logdir = {dir}
        run_dir = {dir}
        libdir = /usr/lib/freeradius
        max_requests = 65536
        cleanup_delay = 1
        proxy_requests = no
        hostname_lookups = no
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
            secret = "{KEY}"
            require_message_authenticator = yes
        }}
        modules {{
            files {{
                usersfile = {dir}/users
            }}
            pap {{
                normalise = no
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
                pap
            }}
            authenticate {{
                Auth-Type PAP {{
                    pap
                }}
            }}
            post-auth {{
                update reply {{
                    Message-Authenticator := 0x00
                }}
            }}
        }}
        "#
    )
}
