//! The demonstration: a gateway with its embedded farm on loopback, and all 14 steps of a launch through it.
//!
//! ```text
//!  stage   certificates, ns.conf, the gateway as a process of its own
//!  walk    the steps, as a client over the network      http, page   the browser's part
//!          and three things that must not work          stream       bytes there and back, hashed
//!  show    the lines and the bar
//! ```
//!
//! A step passes if what the client sees over the network says so; nothing is taken from the gateway's word for it.

pub mod http;
pub mod page;
pub mod show;
pub mod stage;
pub mod stream;
pub mod walk;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::show::Show;
use self::stage::{GATEWAY_NAME, Stage, USER};
use self::walk::Walk;

/// Most mebibytes to send each way.
const MIB_MAX: u64 = 1024 * 1024;

/// Who may open and seal records.
const RECORD_ENGINES: [&str; 5] = ["OWN", "RUSTLS", "KERNEL_TX", "KERNEL_RX", "KERNEL"];

/// Start a gateway with everything around it on this machine, and take a session through all 14 steps.
///
/// Then it stays up, with address and password shown, until it is interrupted. Exit code 0: all steps passed.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// The gateway's program. Without it, `sluicegate` beside this one.
    #[arg(long, value_name = "PATH")]
    pub gateway: Option<PathBuf>,
    /// End after the steps.
    #[arg(long)]
    pub once: bool,
    /// Keep certificates, configuration and log here, instead of in a temporary directory.
    #[arg(long, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
    /// How much to send through the session each way, in MiB.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=MIB_MAX))]
    pub mib: u64,
    /// Who opens and seals the session's records: `-recordEngine` of `set ssl vserver`. Without it, the gateway's own choice.
    #[arg(long, value_name = "ENGINE", ignore_case = true, value_parser = RECORD_ENGINES)]
    pub record_engine: Option<String>,
}

impl Demo {
    /// Runs the demonstration. True: all steps passed.
    ///
    /// # Errors
    /// If the output is gone.
    pub fn run(&self, out: &mut dyn Write) -> io::Result<bool> {
        // Before the first thread and the first process: an interrupt that comes early must find its handler.
        let mut signals = if self.once { None } else { Some(Signals::new([SIGINT, SIGTERM])?) };
        let mut show = Show::new(out);
        let program = match &self.gateway {
            Some(program) => program.clone(),
            None => std::env::current_exe()?.with_file_name("sluicegate"),
        };
        show.heading("Sluicegate: one ICA session, end to end")?;
        let mut stage = match Stage::start(&program, self.dir.as_deref(), self.record_engine.as_deref()) {
            Ok(stage) => stage,
            Err(why) => {
                show.failed("", "start the gateway", &stage::in_words(&why))?;
                return Ok(false);
            }
        };
        let url = format!("https://{GATEWAY_NAME}:{}/", stage.listens.port());
        show.fact("gateway", &format!("{url}  (process {}, files in {})", stage.pid(), stage.directory.display()))?;
        show.fact("inside", "STA, XML Service and demo host on loopback, out of reach from the gateway's port")?;
        let passed = Walk::new(&stage, self.mib).all(&mut show)?;
        if let Some(engine) = &self.record_engine {
            show.heading("Who had the records")?;
            show.fact("wanted", &engine.to_uppercase())?;
            show.fact("kernel", &stage.kernel_keys())?;
        }
        if !passed {
            show.line("The gateway's log ends:")?;
            show.line(stage.log_end().trim_start())?;
        }
        if let Some(signals) = &mut signals {
            show.heading("It stays up. Ctrl-C ends it.")?;
            show.fact("address", &url)?;
            show.fact("user", USER)?;
            show.fact("password", &stage.password)?;
            show.fact("authority", &stage.directory.join("ca.pem").display().to_string())?;
            let ca = stage.directory.join("ca.pem");
            show.fact("launch", &format!("sluicectl launch FILE.ica --ca {} --stdio", ca.display()))?;
            let _first = signals.forever().next();
        }
        let well = !stage.is_running() || stage.stop();
        Ok(passed && (well || signals.is_some()))
    }
}
