//! Machines made of files.

use std::os::unix::fs::symlink;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A machine with these files.
fn machine(files: &[(&str, &str)]) -> (TempDir, Machine) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        // The kernel says the name once more, in a file of its own.
        if let Some(name) = path.file_name().filter(|file| *file == "stat").and_then(|_| text.split_once('(')?.1.rsplit_once(')'))
        {
            std::fs::write(path.with_file_name("comm"), format!("{}\n", name.0)).unwrap();
        }
    }
    let machine = Machine::below(root.path());
    (root, machine)
}

fn found(machine: &Machine, text: &str) -> Finding {
    let found = machine.look(&[ClientString::parse(text).unwrap()]);
    assert_eq!(found.len(), 1);
    found.into_iter().next().unwrap()
}

fn says(machine: &Machine, cases: &[(&str, Finding)]) {
    for (text, wanted) in cases {
        assert_eq!(found(machine, text), *wanted, "{text}");
    }
}

#[test]
fn processes_are_found_by_program_and_by_name() {
    let (root, machine) = machine(&[
        ("proc/1/stat", "1 (systemd) S 0 1"),
        ("proc/20/stat", "20 (MainThread) S 1 20"),
        ("proc/21/stat", "21 (a-name-that-is-l) R 1 21"),
        ("proc/22/stat", "22 (odd) ) name) S 1 22"),
        ("proc/23/stat", "23 (gone) Z 1 23"),
        ("proc/24/stat", "24 (updated) S 1 23"),
        ("proc/25/stat", "no stat"),
        ("proc/self/stat", "9 (self) R 1 9"),
    ]);
    symlink("/usr/lib/firefox/firefox", root.path().join("proc/20/exe")).unwrap();
    symlink("/opt/updated-program (deleted)", root.path().join("proc/24/exe")).unwrap();
    let no = || Finding::No(Why::NotRunning);
    says(
        &machine,
        &[
            ("proc_2_firefox", Finding::Yes),
            ("proc_0_Firefox", no()),
            ("proc_0_fire", no()),
            ("proc_0_/usr/lib/firefox/firefox", no()),
            ("proc_0_systemd", Finding::Yes),
            ("proc_0_a-name-that-is-longer", no()),
            ("proc_0_a-name-that-is-", no()),
            ("proc_0_odd) ) name", Finding::Yes),
            ("proc_0_odd ) name", no()),
            ("proc_0_odd) name", no()),
            ("proc_0_gone", no()),
            ("proc_0_updated-program", Finding::Yes),
            ("proc_0_self", no()),
        ],
    );
}

#[test]
fn files_are_found_by_whole_paths() {
    let (_root, machine) = machine(&[("etc/here", "")]);
    says(
        &machine,
        &[
            ("file_0_/etc/here", Finding::Yes),
            ("file_0_/etc", Finding::Yes),
            ("file_0_/etc/gone", Finding::No(Why::NoFile)),
            ("file_0_etc/here", Finding::No(Why::Unclear)),
            ("file_0_/etc/../etc/here", Finding::No(Why::Unclear)),
            (r"file_0_C:\etc\here", Finding::No(Why::Unclear)),
        ],
    );
}

#[test]
fn services_run_when_their_group_has_processes() {
    let group = "sys/fs/cgroup/system.slice";
    let (_root, machine) = machine(&[
        (&format!("{group}/ssh.service/cgroup.events"), "populated 1\nfrozen 0\n"),
        (&format!("{group}/idle.service/cgroup.events"), "populated 0\nfrozen 0\n"),
        (&format!("{group}/system-getty.slice/getty@tty1.service/cgroup.events"), "populated 1\n"),
        ("sys/fs/cgroup/systemd/system.slice/old.service/cgroup.procs", "17\n"),
        ("sys/fs/cgroup/systemd/system.slice/ended.service/cgroup.procs", ""),
    ]);
    let no = || Finding::No(Why::NotRunning);
    says(
        &machine,
        &[
            ("svc_0_ssh", Finding::Yes),
            ("svc_0_ssh.service", Finding::Yes),
            ("svc_0_getty@tty1", Finding::Yes),
            ("svc_0_old", Finding::Yes),
            ("svc_0_idle", no()),
            ("svc_0_ended", no()),
            ("svc_0_none", no()),
            ("svc_0_../ssh", Finding::No(Why::Unclear)),
            ("svc_0_a b", Finding::No(Why::Unclear)),
        ],
    );
}

#[test]
fn addresses_are_compared_without_separators() {
    let (_root, machine) =
        machine(&[("sys/class/net/lo/address", "00:00:00:00:00:00\n"), ("sys/class/net/eth0/address", "1a:c8:9c:83:b0:f7\n")]);
    says(
        &machine,
        &[
            ("sys_0_MAC_ADDR_anyof_1AC89C83B0F7,0250F20A777C[COMMENT: MAC Address]", Finding::Yes),
            ("sys_0_MAC_ADDR_anyof_0250F20A777C,1a:c8:9c:83:b0:f7", Finding::Yes),
            ("sys_0_MAC_ADDR_anyof_0250F20A777C", Finding::No(Why::NoneOfThem)),
            ("sys_0_MAC_ADDR_anyof_000000000000", Finding::No(Why::NoneOfThem)),
            ("sys_0_MAC_ADDR_anyof_1AC8", Finding::No(Why::Unclear)),
            ("sys_0_MAC-MAC_ADDR_anyof_1AC89C83B0F7", Finding::No(Why::Unknown)),
        ],
    );
}

#[test]
fn domains_count_with_what_is_below_them() {
    let asks = [
        ("sys_0_DOMAIN_SUFFIX_anyof_example.com", true),
        ("sys_0_DOMAIN_SUFFIX_anyof_other.test,EXAMPLE.COM.", true),
        ("sys_0_DOMAIN_SUFFIX_anyof_ample.com", false),
        ("sys_0_DOMAIN_SUFFIX_anyof_corp.example.com.evil.test", false),
    ];
    for files in [
        &[("proc/sys/kernel/hostname", "pc7.corp.example.com\n")][..],
        &[("proc/sys/kernel/hostname", "pc7\n"), ("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 pc7.corp.Example.com pc7\n")],
        &[("etc/resolv.conf", "nameserver 192.0.2.1\nsearch corp.example.com. local\n")],
        &[("etc/krb5.conf", "[libdefaults]\n\tdefault_realm = CORP.EXAMPLE.COM\n")],
    ] {
        let (_root, machine) = machine(files);
        for (text, holds) in asks {
            assert_eq!(found(&machine, text), yes_or(holds, Why::NoneOfThem), "{text} {files:?}");
        }
        assert_eq!(found(&machine, "sys_0_DOMAIN_SUFFIX_anyof_,"), Finding::No(Why::Unclear));
    }
    let (_root, machine) = machine(&[("etc/hosts", "192.0.2.1 other.example.com other\n# 127.0.1.1 pc.example.com pc\n")]);
    assert_eq!(found(&machine, "sys_0_DOMAIN_SUFFIX_anyof_example.com"), Finding::No(Why::NoneOfThem));
}

#[test]
fn versions_are_compared_by_their_numbers() {
    let (_root, machine) = machine(&[
        ("etc/os-release", "NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n"),
        ("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"),
    ]);
    says(
        &machine,
        &[
            ("sys_0_LINUX-OS_debian", Finding::Yes),
            ("sys_0_LINUX-OS_debian_VERSION_>=_12", Finding::Yes),
            ("sys_0_LINUX-OS_debian_VERSION_==_12.0", Finding::Yes),
            ("sys_0_LINUX-OS_debian_VERSION_>_9", Finding::Yes),
            ("sys_0_LINUX-OS_debian_VERSION_<_12", Finding::No(Why::Version("12".into()))),
            ("sys_0_LINUX-OS_0_VERSION_!=_13_KERNEL_>=_6.1", Finding::Yes),
            ("sys_0_LINUX-OS_0_KERNEL_>_6.1.0", Finding::No(Why::Version("6.1.0-18-amd64".into()))),
            ("sys_0_LINUX-OS_ubuntu_VERSION_>=_12", Finding::No(Why::NoneOfThem)),
            ("sys_0_LINUX-OS_debian_VERSION_>=", Finding::No(Why::Unclear)),
            ("sys_0_LINUX-OS_debian_VERSION_like_12", Finding::No(Why::Unclear)),
            ("sys_0_LINUX-OS_debian_COLOUR_==_1", Finding::No(Why::Unknown)),
            ("sys_0_WIN-OS_10_BUILD_>=_1", Finding::No(Why::Unknown)),
        ],
    );
}

#[test]
fn a_disk_is_encrypted_if_all_below_it_is() {
    let mount =
        |device: &str, source: &str| format!("1 0 {device} / / rw - ext4 {source} rw\n2 1 8:9 / /boot rw - ext4 /dev/sda9 rw\n");
    let (direct, lvm) = (mount("254:0", "/dev/mapper/root"), mount("254:1", "/dev/mapper/vg-root"));
    let crypt = ("sys/dev/block/254:0/dm/uuid", "CRYPT-LUKS2-0a-root\n");
    let is = |files: &[(&str, &str)]| {
        let (_root, machine) = machine(files);
        let answers =
            ["app_0_HD-ENC", "app_0_HD-ENC_0", "app_0_LINUX-HD-ENC_0_ENABLED_==_TRUE"].map(|text| found(&machine, text));
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(found(&machine, "app_0_HD-ENC_180_VERSION_<_2.2"), Finding::No(Why::Unknown));
        answers[0] == Finding::Yes
    };
    assert!(is(&[("proc/self/mountinfo", &direct), crypt]));
    let lvm_on = |first: &str, second: Option<&str>| {
        let below = |n: u8| format!("sys/dev/block/254:1/slaves/dm-{n}/dm/uuid");
        let (one, two) = (below(2), below(3));
        let mut files = vec![("proc/self/mountinfo", lvm.as_str()), ("sys/dev/block/254:1/dm/uuid", "LVM-x"), (&one, first)];
        files.extend(second.map(|second| (two.as_str(), second)));
        is(&files)
    };
    assert!(lvm_on("CRYPT-LUKS2-x", None) && lvm_on("CRYPT-LUKS2-x", Some("CRYPT-LUKS1-y")));
    assert!(!lvm_on("LVM-y", None) && !lvm_on("CRYPT-LUKS2-x", Some("mpath-y")));
    assert!(!is(&[("proc/self/mountinfo", &mount("8:1", "/dev/sda1")), ("sys/dev/block/8:1/size", "1")]));
    let btrfs = mount("0:31", "/dev/mapper/root");
    assert!(is(&[
        ("proc/self/mountinfo", &btrfs),
        ("sys/class/block/dm-0/dm/name", "root\n"),
        ("sys/class/block/dm-0/dm/uuid", "CRYPT-x")
    ]));
    assert!(!is(&[("proc/self/mountinfo", &mount("0:31", "overlay"))]) && !is(&[]));
    let hidden = format!("{direct}3 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
    assert!(!is(&[("proc/self/mountinfo", &hidden), crypt]), "the last mount counts");
}

#[test]
fn devices_that_lie_on_themselves_end() {
    let (root, machine) =
        machine(&[("proc/self/mountinfo", "1 0 9:0 / / rw - ext4 /dev/md0 rw\n"), ("sys/dev/block/9:0/size", "1")]);
    std::fs::create_dir(root.path().join("sys/dev/block/9:0/slaves")).unwrap();
    symlink("../../9:0", root.path().join("sys/dev/block/9:0/slaves/md0")).unwrap();
    assert_eq!(found(&machine, "app_0_HD-ENC_0"), Finding::No(Why::NotEncrypted));
}

#[test]
fn a_firewall_is_one_of_three() {
    let up = |files: &[(&str, &str)]| {
        let (_root, machine) = machine(files);
        found(&machine, "app_0_FIREWALL_0_RUNNING_==_TRUE") == Finding::Yes
    };
    assert!(up(&[("sys/fs/cgroup/system.slice/firewalld.service/cgroup.events", "populated 1\n")]));
    assert!(up(&[("etc/ufw/ufw.conf", "# x\nENABLED=yes\nLOGLEVEL=low\n")]));
    assert!(!up(&[("etc/ufw/ufw.conf", "ENABLED=no\n# ENABLED=yes\n")]));
    let nft = [
        ("sys/module/nf_tables/refcnt", "1"),
        ("etc/systemd/system/sysinit.target.wants/nftables.service", ""),
        ("etc/nftables.conf", "table inet filter {\n  chain input { type filter hook input priority filter; policy drop; }\n}\n"),
    ];
    assert!(up(&nft));
    for missing in 0..nft.len() {
        let rest: Vec<_> = nft.iter().enumerate().filter(|(n, _)| *n != missing).map(|(_, file)| *file).collect();
        assert!(!up(&rest), "without {}", nft[missing].0);
    }
    assert!(!up(&[nft[0], nft[1], ("etc/nftables.conf", "# chain input { type filter hook input; }\n")]));
}

#[test]
fn what_is_not_known_is_not_passed() {
    let (_root, machine) = machine(&[]);
    for text in ["reg_0_HKLM", "app_0_ANTIVIR_0", "app_0_FIREWALL_7", "sys_0_HEALTH", "new_0_x", "app_0_HD-ENC_0_X_==_1"] {
        assert_eq!(found(&machine, text), Finding::No(Why::Unknown), "{text}");
    }
    // Not by looking: a connection of its own proves it.
    assert_eq!(found(&machine, "device-cert_0_0"), Finding::No(Why::NoCertificate));
}

proptest! {
    #[test]
    fn arbitrary_bodies_are_answered(kind in "proc|file|svc|sys|app|x", body in "(MAC_ADDR_anyof_|DOMAIN_SUFFIX_anyof_|LINUX-OS_|HD-ENC_)?[ -:<-~ü]{1,40}") {
        if let Ok(string) = ClientString::parse(&format!("{kind}_0_{body}")) {
            let (_root, machine) = machine(&[]);
            prop_assert_eq!(machine.look(&[string]).len(), 1);
        }
    }
}
