//! Virtual servers whose records the kernel shall seal or open, and what the log says when there are new ones: what it can do here, or that
//! our own engine serves in its place. It is the workers who give it keys.

use sluice_link::snapshot::Listener;
use tracing::{info, warn};

/// What is to be done where it can do nothing.
const CURE: &str = "load its module with `modprobe tls`, for every boot by a line `tls` in a file of /etc/modules-load.d, and start the \
                    gateway anew: it looks once";

/// What is to be told once a configuration is in force.
#[derive(Debug)]
pub(crate) struct News {
    /// The virtual servers, by name.
    vservers: String,
    /// What the kernel can do, or why nothing.
    found: Result<String, String>,
}

impl News {
    /// Looks what the kernel can do, if one of the virtual servers `now` wants it that did not `before`, or wants another part of it. It may
    /// take some milliseconds.
    pub(crate) fn of(before: &[Listener], now: &[Listener], look: fn() -> Result<String, String>) -> Option<Self> {
        let is_new = |one: &&Listener| {
            let wants = one.tls.engine.kernel_seals() || one.tls.engine.kernel_opens();
            wants && !before.iter().any(|old| old.id == one.id && old.tls.engine == one.tls.engine)
        };
        let names: Vec<&str> = now.iter().filter(is_new).map(|one| one.name.as_str()).collect();
        (!names.is_empty()).then(|| Self { vservers: names.join(" "), found: look() })
    }

    /// Tells it.
    pub(crate) fn tell(&self) {
        let vservers = &self.vservers;
        match &self.found {
            Ok(can) => info!(vservers, can, "the kernel is given the keys of new sessions"),
            Err(why) => {
                warn!(vservers, why, cure = CURE, "TLS of the kernel is not to be had, our own record engine serves instead");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_link::id::ListenerId;
    use sluice_link::snapshot::{Cgp, Rates, RecordEngine, Tls};

    use super::*;

    fn listeners(of: &[(u32, &str, RecordEngine)]) -> Vec<Listener> {
        let one = |&(id, name, engine): &(u32, &str, RecordEngine)| Listener {
            id: ListenerId(id),
            name: name.to_owned(),
            address: ([127, 0, 0, 1], 443).into(),
            tls: Tls { engine, ..Tls::default() },
            cgp: Cgp::Reject,
            rates: Rates::default(),
        };
        of.iter().map(one).collect()
    }

    #[test]
    fn it_is_told_once_of_each_virtual_server_that_comes_to_want_it() {
        use RecordEngine::{Kernel, KernelRx, KernelTx, Own, Rustls};
        let told = |before: &[_], now: &[_]| {
            News::of(&listeners(before), &listeners(now), || Ok(String::new())).map(|news| news.vservers)
        };
        let some = |names: &str| Some(names.to_owned());
        assert_eq!(told(&[], &[(1, "a", Own), (2, "b", Rustls)]), None);
        assert_eq!(told(&[], &[(1, "a", KernelTx), (2, "b", Own), (3, "c", KernelRx)]), some("a c"));
        assert_eq!(told(&[(1, "a", Kernel)], &[(1, "a", Kernel), (2, "b", Own)]), None, "nothing new");
        assert_eq!(told(&[(1, "a", Kernel)], &[(1, "renamed", Kernel)]), None, "only its name is");
        assert_eq!(told(&[(1, "a", Kernel)], &[(2, "a", Kernel)]), some("a"), "another of that name");
        assert_eq!(told(&[(1, "a", KernelTx)], &[(1, "a", Kernel)]), some("a"), "more of it");
        assert_eq!(told(&[(1, "a", Kernel)], &[(1, "a", Own)]), None);
    }
}
