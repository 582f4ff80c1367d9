//! Why a session ended: one list for logs, counters, traces and documentation.

use std::fmt;

/// Whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// Nobody's: an ordinary end.
    Nobody,
    /// The client's, or of whoever pretended to be one.
    Client,
    /// The host's or the inner network's.
    Host,
    /// The ticket authority's.
    Sta,
    /// An operator asked for it.
    Operator,
    /// Ours, or the machine's.
    Gateway,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $word:literal, $blame:ident;)+) => {
        /// Why a session ended. Codes are stable: they appear in logs and scripts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name = $code,)+
        }

        impl Reason {
            /// All of them, in order of code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word used in logs and metrics.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// Whose fault it was.
            #[must_use]
            pub fn blame(self) -> Blame {
                match self { $(Self::$name => Blame::$blame,)+ }
            }

            /// What it means, as one or two sentences.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// Place in [`Reason::ALL`], for tables of counters.
            #[must_use]
            pub fn index(self) -> usize {
                Self::ALL.iter().position(|r| *r == self).unwrap_or_default()
            }
        }
    };
}

reasons! {
    /// Both sides finished in an orderly way.
    Finished = 1000, "finished", Nobody;
    /// The client closed first, in an orderly way.
    ClientClosed = 1001, "client_closed", Nobody;
    /// The host closed first, in an orderly way.
    HostClosed = 1002, "host_closed", Nobody;
    /// No byte in either direction for the configured idle time.
    Idle = 1003, "idle", Nobody;

    /// The client's connection ended before a TLS ClientHello was complete.
    ClientGone = 1100, "client_gone", Client;
    /// The first bytes were not TLS.
    NotTls = 1101, "not_tls", Client;
    /// The ClientHello was malformed or larger than allowed.
    BadHello = 1102, "bad_hello", Client;
    /// The handshake failed: no version, group or suite in common, or a bad message.
    TlsRefused = 1103, "tls_refused", Client;
    /// The handshake was not finished in time.
    TlsTimeout = 1104, "tls_timeout", Client;
    /// A record failed authentication or broke the record rules after the handshake.
    TlsBroken = 1105, "tls_broken", Client;
    /// The client sent a fatal alert.
    TlsAlert = 1106, "tls_alert", Client;
    /// The client's connection ended without close_notify.
    Truncated = 1107, "truncated", Client;
    /// The client's connection was reset or timed out in the network.
    ClientLost = 1108, "client_lost", Client;
    /// A certificate of the client's is asked for, and it showed none that is good.
    ClientCertificate = 1109, "client_certificate", Client;

    /// The first bytes after TLS were none of SOCKS5, CGP and HTTP.
    UnknownOpening = 1200, "unknown_opening", Client;
    /// The opening was not complete in time.
    OpeningTimeout = 1201, "opening_timeout", Client;
    /// The SOCKS5 greeting or request broke its grammar.
    BadSocks = 1202, "bad_socks", Client;
    /// The SOCKS5 request was for a command other than CONNECT.
    SocksCommand = 1203, "socks_command", Client;
    /// The SOCKS5 request named an address instead of a ticket. It was not connected to.
    SocksAddress = 1204, "socks_address", Client;
    /// The string presented as a ticket is none.
    NotATicket = 1205, "not_a_ticket", Client;
    /// The client asked for session reliability (CGP), which is switched off: remove CGPAddress from the ICA file.
    CgpRejected = 1206, "cgp_rejected", Client;
    /// Too many unproven connections from this source.
    SourceLimit = 1207, "source_limit", Client;

    /// The ticket's authority does not know it: never issued, expired, or already used.
    TicketRefused = 1300, "ticket_refused", Client;
    /// No configured authority has the id in the ticket.
    UnknownSta = 1301, "unknown_sta", Client;
    /// The authority did not answer in time, or not in its protocol.
    StaOutage = 1302, "sta_outage", Sta;
    /// The redeemed address is outside the allow-list, or missing.
    AddressRefused = 1303, "address_refused", Operator;
    /// Too many failed tickets from this source lately.
    Throttled = 1304, "throttled", Client;

    /// The host refused the connection.
    HostRefused = 1400, "host_refused", Host;
    /// The host or its network cannot be reached.
    HostUnreachable = 1401, "host_unreachable", Host;
    /// The host did not accept in time.
    HostTimeout = 1402, "host_timeout", Host;
    /// TLS towards the host failed: its certificate or its handshake.
    HostTls = 1403, "host_tls", Host;
    /// The host's connection was reset or timed out in the network.
    HostLost = 1404, "host_lost", Host;
    /// The host's name could not be resolved.
    HostUnresolved = 1405, "host_unresolved", Host;
    /// The control plane's inner listener did not take the connection.
    PortalDown = 1406, "portal_down", Gateway;
    /// The TLS profile by which this host was to be verified was removed while the session was being made. It was not connected to.
    HostProfileGone = 1407, "host_profile_gone", Operator;

    /// An operator ended it.
    Killed = 1500, "killed", Operator;
    /// The drain deadline came.
    Drained = 1501, "drained", Operator;
    /// The gateway is stopping.
    Stopping = 1502, "stopping", Operator;
    /// The login with which it was launched is over, and what is configured wants that to end it, too.
    LoginOver = 1503, "login_over", Operator;

    /// The control plane is too busy or did not answer in time.
    Busy = 1600, "busy", Gateway;
    /// No buffer, slot or descriptor was to be had.
    Exhausted = 1601, "exhausted", Gateway;
    /// A TLS key has to be changed and cannot be: that of TLS 1.2 has protected as many bytes as it may, or the kernel has it.
    KeySpent = 1602, "key_spent", Gateway;
    /// A state that cannot be was found; the session was ended rather than guessed at.
    Never = 1603, "never", Gateway;
    /// The other side did not drain its connection in time.
    Stuck = 1604, "stuck", Client;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
