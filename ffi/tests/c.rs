//! The C side: the header is what the source says, and C programs built against it run.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sluicegate_tests::certs::{Ca, write};
use sluicegate_tests::tools::Running;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where cargo has put `libsluicegate.so` and `.a`: beside this test.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_path_buf()
}

#[test]
fn header_is_current() {
    let config = cbindgen::Config::from_file(here("cbindgen.toml")).unwrap();
    let mut generated = Vec::new();
    cbindgen::Builder::new().with_crate(here("")).with_config(config).generate().unwrap().write(&mut generated);
    let generated = String::from_utf8(generated).unwrap();
    let checked_in = here("include/sluicegate.h");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&checked_in, &generated).unwrap();
    }
    let found = std::fs::read_to_string(&checked_in).unwrap_or_default();
    assert!(
        found == generated,
        "include/sluicegate.h is not what the source says: UPDATE=1 cargo test -p sluicegate-ffi\n{generated}"
    );
}

/// Builds `smoke.c` with `flags` and runs it.
fn smoke(name: &str, flags: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join(name);
    let built = Command::new("gcc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-I"])
        .arg(here("include"))
        .arg(here("tests/smoke.c"))
        .args(flags)
        .arg("-o")
        .arg(&program)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));

    let (chain, key) = Ca::new().server(&["gw.example.test"]);
    let _ = write(dir.path(), "gw.pem", &chain);
    let _ = write(dir.path(), "gw.key", &key);
    let config = "enable ns feature SSLVPN AAA\nset ns worker -count 1\nset ns config -innerSocket DIR/inner.sock -controlSocket DIR/control.sock\nadd ssl certKey gw -cert gw.pem -key gw.key\n\
                  add vpn vserver vpn1 SSL 127.0.0.1 0 -vserverFqdn gw.example.test\nbind ssl vserver vpn1 -certkeyName gw\n";
    let _ = write(dir.path(), "ns.conf", &config.replace("DIR", &dir.path().display().to_string()));

    let mut command = Command::new(&program);
    command.arg(dir.path()).env("LD_LIBRARY_PATH", libraries()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start(&mut command);
    let mut said = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let address = said.next().expect("the program ends before it has told its address").unwrap();
    let connection = TcpStream::connect(&address).unwrap();
    // The gateway answers these bytes by closing: so it has seen the connection when the program goes on.
    let mut seen = connection.try_clone().unwrap();
    seen.write_all(b"not TLS").unwrap();
    let _ = std::io::copy(&mut &connection, &mut std::io::sink());
    running.0.stdin.as_mut().unwrap().write_all(b"c").unwrap();
    assert_eq!(said.next().map(Result::unwrap).as_deref(), Some("ok"));
    assert!(running.wait().success());
}

#[test]
fn c_program_with_the_shared_library() {
    let at = format!("-L{}", libraries().display());
    smoke("shared", &[&at, "-lsluicegate"]);
}

#[test]
fn c_program_with_the_static_library_under_a_sanitizer() {
    let archive = libraries().join("libsluicegate.a").display().to_string();
    smoke("static", &["-fsanitize=address,undefined", &archive, "-lpthread", "-ldl", "-lm"]);
}
