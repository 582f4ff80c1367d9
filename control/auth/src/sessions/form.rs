//! The form with which a login begins, guarded before there is a login to guard it with.

use std::time::Duration;

use super::Token;
use crate::Now;
use crate::seal::{Seal, SealKey};

/// How long a login page may lie open before its form is refused.
pub const FORM_LIFE: Duration = Duration::from_secs(600);

/// Guards the login form itself, before there is a login: whoever posts it must hold the cookie that came with it.
#[derive(Clone, Debug)]
pub struct LoginForm {
    key: SealKey,
}

impl LoginForm {
    /// Nothing is stored.
    #[must_use]
    pub fn new(key: SealKey) -> Self {
        Self { key }
    }

    /// The token for a form that is shown now to the holder of `cookie`.
    #[must_use]
    pub fn token(&self, cookie: &Token, now: Now) -> String {
        let seconds = now.as_secs();
        format!("{seconds:x}-{}", self.seal(cookie.expose(), seconds).to_text())
    }

    /// Whether `presented` came with a form that was shown to the holder of `cookie` within [`FORM_LIFE`].
    #[must_use]
    pub fn is_token(&self, cookie: &str, presented: &str, now: Now) -> bool {
        let Some((seconds, seal)) = presented.split_once('-') else { return false };
        let Ok(seconds) = u64::from_str_radix(seconds, 16) else { return false };
        let shown = Duration::from_secs(seconds);
        self.seal(cookie, seconds).is_text(seal) && shown <= now && now - shown <= FORM_LIFE
    }

    fn seal(&self, cookie: &str, seconds: u64) -> Seal {
        self.key.seal("login form", &[cookie.as_bytes(), &seconds.to_le_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TOKEN_RANDOM_BYTES;

    const T0: Now = Now::from_secs(77);

    fn token(n: u8) -> Token {
        Token::new([n; TOKEN_RANDOM_BYTES])
    }

    #[test]
    fn the_login_form_needs_its_cookie_and_is_not_valid_for_ever() {
        let form = LoginForm::new(SealKey::new([2; 32]));
        let shown = form.token(&token(1), T0);
        assert!(form.is_token(token(1).expose(), &shown, T0));
        assert!(form.is_token(token(1).expose(), &shown, T0 + FORM_LIFE));
        assert!(!form.is_token(token(1).expose(), &shown, T0 + FORM_LIFE + Duration::from_secs(1)));
        assert!(!form.is_token(token(2).expose(), &shown, T0));
        assert!(!form.is_token(token(1).expose(), &shown.replace("4d-", "4e-"), T0 + FORM_LIFE));
        for junk in ["", "-", "4d", "zz-00", "ffffffffffffffffff-00"] {
            assert!(!form.is_token(token(1).expose(), junk, T0));
        }
    }
}
