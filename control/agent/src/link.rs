//! Where to go: the link with which a page starts the agent, or an address and a token.
//!
//! ```text
//! nsgcepa://nsgcepa/epav2plugin/ HOST [":" PORT] "/" TOKEN "/"
//! ```

use gate_proto::host_port::{Host, HostPort};
use thiserror::Error;
use zeroize::Zeroizing;

/// Longest link, in bytes.
pub const LINK_BYTES_MAX: usize = 1024;
/// Longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 256;
/// Hexadecimal digits with which a token begins: the key of the envelope is made of them.
pub const TOKEN_HEX_DIGITS: usize = 32;
/// The port of a gateway that none is said for.
const HTTPS: u16 = 443;
/// What every link begins with.
const PREFIX: &str = "nsgcepa://nsgcepa/epav2plugin/";

/// Why there is nowhere to go. The fault of whoever made the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoAim {
    /// Not `nsgcepa://nsgcepa/epav2plugin/HOST/TOKEN/`.
    #[error("not a link of the form {PREFIX}HOST/TOKEN/")]
    Shape,
    /// The gateway's name is none.
    #[error("the gateway is not https://NAME or https://NAME:PORT")]
    Gateway,
    /// Not a token.
    #[error("the token is not {TOKEN_HEX_DIGITS} hexadecimal digits, perhaps with letters, digits, - and _ behind them")]
    Token,
}

/// A gateway, and the token that it knows this scan by. Whoever has the token can answer in its place: it is
/// not shown, and wiped on drop.
pub struct Aim {
    /// The gateway; its certificate must be for this name.
    pub gateway: HostPort,
    /// The value of the cookie.
    pub token: Zeroizing<String>,
}

impl Aim {
    /// Reads a link.
    ///
    /// # Errors
    /// [`NoAim`].
    pub fn of_link(link: &str) -> Result<Self, NoAim> {
        let rest = Some(link).filter(|link| link.len() <= LINK_BYTES_MAX).and_then(|link| link.strip_prefix(PREFIX));
        let (gateway, rest) = rest.and_then(|rest| rest.split_once('/')).ok_or(NoAim::Shape)?;
        let token = rest.strip_suffix('/').ok_or(NoAim::Shape)?;
        Ok(Self { gateway: host(gateway)?, token: checked(token)? })
    }

    /// Reads `https://NAME[:PORT]`, with or without a slash at its end, and a token.
    ///
    /// # Errors
    /// [`NoAim`].
    pub fn of_url(gateway: &str, token: &str) -> Result<Self, NoAim> {
        let name = gateway.strip_prefix("https://").ok_or(NoAim::Gateway)?;
        Ok(Self { gateway: host(name.strip_suffix('/').unwrap_or(name))?, token: checked(token)? })
    }

    /// The `Host` of a request: without the port if it is the usual one. It enters the key of the envelope.
    #[must_use]
    pub fn host_header(&self) -> String {
        let name = match &self.gateway.host {
            Host::Address(std::net::IpAddr::V6(address)) => format!("[{address}]"),
            Host::Address(std::net::IpAddr::V4(address)) => address.to_string(),
            Host::Name(name) => name.clone(),
        };
        if self.gateway.port == HTTPS { name } else { format!("{name}:{}", self.gateway.port) }
    }
}

/// Without the token.
impl std::fmt::Debug for Aim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aim").field("gateway", &self.gateway).finish_non_exhaustive()
    }
}

fn host(text: &str) -> Result<HostPort, NoAim> {
    HostPort::parse(text, HTTPS).map_err(|_| NoAim::Gateway)
}

fn checked(token: &str) -> Result<Zeroizing<String>, NoAim> {
    let bytes = token.as_bytes();
    let is_long_enough = (TOKEN_HEX_DIGITS..=TOKEN_BYTES_MAX).contains(&bytes.len());
    let fits = is_long_enough
        && bytes.iter().take(TOKEN_HEX_DIGITS).all(u8::is_ascii_hexdigit)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if fits { Ok(Zeroizing::new(token.to_owned())) } else { Err(NoAim::Token) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "981005eef29ce34c80f535f9e78f4b4d";

    fn of(link: &str) -> Result<(String, String), NoAim> {
        Aim::of_link(link).map(|aim| (aim.host_header(), aim.token.to_string()))
    }

    #[test]
    fn links_of_pages_are_read() {
        for (name, host) in [
            ("vpn.example.test", "vpn.example.test"),
            ("vpn.example.test:443", "vpn.example.test"),
            ("vpn.example.test:8443", "vpn.example.test:8443"),
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:db8::1]:4430", "[2001:db8::1]:4430"),
        ] {
            assert_eq!(of(&format!("{PREFIX}{name}/{TOKEN}/")), Ok((host.to_owned(), TOKEN.to_owned())), "{name}");
            assert_eq!(Aim::of_url(&format!("https://{name}/"), TOKEN).map(|aim| aim.host_header()), Ok(host.to_owned()));
        }
    }

    #[test]
    fn what_is_no_link_is_refused() {
        for (link, why) in [
            (String::new(), NoAim::Shape),
            (format!("https://vpn.example.test/{TOKEN}/"), NoAim::Shape),
            (format!("{PREFIX}vpn.example.test/{TOKEN}"), NoAim::Shape),
            (format!("{PREFIX}vpn.example.test"), NoAim::Shape),
            (format!("{PREFIX}vpn.example.test/{}/", "a".repeat(LINK_BYTES_MAX)), NoAim::Shape),
            (format!("{PREFIX}/{TOKEN}/"), NoAim::Gateway),
            (format!("{PREFIX}user@vpn.example.test/{TOKEN}/"), NoAim::Gateway),
            (format!("{PREFIX}vpn.example.test:0/{TOKEN}/"), NoAim::Gateway),
            (format!("{PREFIX}-oProxyCommand=x/{TOKEN}/"), NoAim::Gateway),
            (format!("{PREFIX}vpn.example.test/{TOKEN}/x/"), NoAim::Token),
            (format!("{PREFIX}vpn.example.test/{TOKEN}%0d%0a/"), NoAim::Token),
            (format!("{PREFIX}vpn.example.test/{}/", &TOKEN[1..]), NoAim::Token),
            (format!("{PREFIX}vpn.example.test/{}/", "a".repeat(TOKEN_BYTES_MAX + 1)), NoAim::Token),
        ] {
            assert_eq!(of(&link).unwrap_err(), why, "{link:.80}");
        }
        assert_eq!(Aim::of_url("http://vpn.example.test", TOKEN).map(|_| ()), Err(NoAim::Gateway));
    }

    proptest! {
        #[test]
        fn arbitrary_links_are_answered(rest in ".{0,80}") {
            if let Ok((host, token)) = of(&format!("{PREFIX}{rest}")) {
                // Neither can leave its line of the request.
                prop_assert!(!host.contains(char::is_whitespace) && !token.contains(char::is_whitespace));
            }
        }
    }
}
