//! Text that must not be seen: passwords and tickets on their way through the codecs.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text: cleared from memory when dropped, shown by neither `Debug` nor `Display`.
///
/// Comparing two secrets with `==` is deliberately not offered; where one guards access, the comparison belongs
/// to the code that can do it in constant time.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of `text`. Copies made of it earlier are the caller's to clear.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it holds nothing. An empty password is a wrong password.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::new("Pa$$w0rd!");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.expose(), "Pa$$w0rd!");
    }
}
