//! Random bytes from the system's generator: the one place that asks for them.

use thiserror::Error;

/// The system gave no random bytes. Nothing secret can be made; the request at hand fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the system's random generator does not answer")]
pub(crate) struct NoRandom;

/// `N` bytes that nobody can guess.
///
/// # Errors
/// [`NoRandom`].
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}
