//! At most one log line per second and source about what strangers do wrong, with the number of lines left out.

use std::hash::Hash;
use std::time::Duration;

use gate_auth::Now;
use gate_auth::guard::Source;
use gate_auth::oldest::OldestOut;

/// Time between two lines about one source.
const EVERY: Duration = Duration::from_secs(1);
/// Sources remembered.
const SOURCES_MAX: usize = 4096;

/// See the module.
#[derive(Debug)]
pub(crate) struct Quiet<S = Source> {
    sources: OldestOut<S, (Option<Now>, u64)>,
}

impl<S: Clone + Eq + Hash> Default for Quiet<S> {
    fn default() -> Self {
        Self { sources: OldestOut::new(SOURCES_MAX) }
    }
}

impl<S: Clone + Eq + Hash> Quiet<S> {
    /// Whether a line may be written about `source`, and if so, how many were not since the last one.
    pub(crate) fn may_say(&mut self, source: S, now: Now) -> Option<u64> {
        let (said, unsaid) = self.sources.touch(&source, || (None, 0));
        if said.is_some_and(|said| now.saturating_sub(said) < EVERY) {
            *unsaid += 1;
            return None;
        }
        *said = Some(now);
        Some(std::mem::take(unsaid))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn one_line_per_second_and_source() {
        let mut quiet = Quiet::default();
        let source = |n: u8| Source::from(IpAddr::from([192, 0, 2, n]));
        let at = Duration::from_millis;
        assert_eq!(quiet.may_say(source(1), at(0)), Some(0));
        assert_eq!(quiet.may_say(source(1), at(500)), None);
        assert_eq!(quiet.may_say(source(2), at(500)), Some(0));
        assert_eq!(quiet.may_say(source(1), at(999)), None);
        assert_eq!(quiet.may_say(source(1), at(1000)), Some(2));
    }
}
