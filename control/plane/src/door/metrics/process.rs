//! What the kernel says of this process, under the names that Prometheus' own libraries give.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Times in `/proc/self/stat` are in hundredths of a second, whatever the kernel itself counts in (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);
/// Places of processor time, for the process and for the kernel on its behalf, counted behind the name in brackets.
const STAT_UTIME: usize = 11;

/// What is known of the process. What the kernel does not say is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Process {
    pub(super) cpu: Option<Duration>,
    pub(super) open_fds: Option<u64>,
    pub(super) max_fds: Option<u64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) threads: Option<u64>,
}

impl Process {
    /// Asks the kernel. On one that has to list descriptors to count them it may take milliseconds: not for the control thread.
    pub(super) fn read() -> Self {
        let text = |name: &str| fs::read_to_string(Path::new("/proc/self").join(name)).unwrap_or_default();
        let (status, limits) = (text("status"), text("limits"));
        let of = |text: &str, name: &str| text.lines().find_map(|line| first_number(line.strip_prefix(name)?));
        Self {
            cpu: cpu(&text("stat")),
            open_fds: open_fds(Path::new("/proc/self/fd")).ok(),
            max_fds: of(&limits, "Max open files"),
            resident_bytes: of(&status, "VmRSS:").map(|kib| kib.saturating_mul(1024)),
            virtual_bytes: of(&status, "VmSize:").map(|kib| kib.saturating_mul(1024)),
            threads: of(&status, "Threads:"),
        }
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// Processor time. The name in brackets may hold anything, blanks and brackets, too.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut ticks = behind.split_whitespace().skip(STAT_UTIME).map(str::parse::<u32>);
    Some(TICK.saturating_mul(ticks.next()?.ok()?).saturating_add(TICK.saturating_mul(ticks.next()?.ok()?)))
}

/// Linux 6.2 and newer say it as the size of the folder; others list them, the one that lists included.
fn open_fds(folder: &Path) -> io::Result<u64> {
    let said = fs::metadata(folder)?.len();
    if said > 0 {
        return Ok(said);
    }
    Ok(u64::try_from(fs::read_dir(folder)?.count()).unwrap_or(u64::MAX).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_all_of_it() {
        let before = Process::read();
        let held: Vec<_> = (0..100).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let after = Process::read();
        assert!(before.cpu.is_some() && after.cpu >= before.cpu);
        // Other tests open and close some at the same time.
        assert!(after.open_fds.unwrap() > 100 && after.max_fds.unwrap() >= after.open_fds.unwrap(), "{after:?}");
        assert!(after.resident_bytes.unwrap() > 1 << 20 && after.virtual_bytes > after.resident_bytes);
        assert!(after.threads.unwrap() >= 1);
        drop(held);
    }

    #[test]
    fn names_with_brackets_are_stepped_over() {
        let stat = "1 (a) b) S 2 3 4 5 6 7 8 9 10 11 150 50 14 15";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        assert_eq!(cpu("1 (a) S 2"), None);
        assert_eq!(cpu(""), None);
    }

    #[test]
    fn descriptors_are_listed_where_the_folder_has_no_size() {
        // `task` lists threads and has no size on any kernel; this one at least is there.
        let threads = fs::metadata("/proc/self/task").unwrap();
        assert_eq!(threads.len(), 0);
        let listed = open_fds(Path::new("/proc/self/task")).unwrap();
        assert!(listed < 10_000, "{listed}");
        let _ = open_fds(Path::new("/nonexistent")).unwrap_err();
    }
}
