//! How a login is decided: a machine that is told what happened and says what is to be done next. No I/O, no clock, no chance.
//!
//! ```text
//!   browser, script ─ Event ─►┌──────────────┐─ Step::Show, Scan ───► form, scan            table:    all conversations, by cookie
//!   client agent ─── digits ─►│ Conversation │─ Step::Certificate ──► TLS, with a certificate
//!   TLS, outside ─── Answer ─►│              │─ Step::Ask ──────────► local users, LDAP     lockout:  who may guess
//!                             │              │─ Step::Granted ──────► a session, Watch      again:    the client is looked at again
//!                             └──────┬───────┘─ Step::Over ─────────► why not
//!                                    └─ path: every decision, for operators
//! ```
//!
//! Where to read: `state.rs` has the drawing of the states, `walk.rs` the way through the factors, `round.rs` the policies of one factor,
//! `judge.rs` what follows from a scan, `complete.rs` what must hold at the end,
//! `devices.rs` how users look after their devices for codes. `docs/login.md` explains it with examples.
//!
//! What holds whatever comes:
//!
//! - Exactly one thing is waited for: the first event, a form, a scan, one answer. What belongs to something else changes nothing.
//! - A login is granted only behind a factor that has succeeded and names no next one; each factor before it has succeeded, too.
//! - It is somebody's only if a secret was right. Being looked up is no proof, and neither is what a client says of itself.
//! - Everything is bounded: factors, forms, tries, groups, attributes, decisions.

pub use certificate::{Certificate, Owner};
pub use code::Code;
pub use conversation::{Conversation, FACTORS_MAX, SHOWN_MAX, TRIES_MAX};
pub use devices::{DevicesView, NotDone, Page, Told, UserDevices};
pub use event::{Denial, Event, Shown, Step, Why};
pub use gathered::{ATTRIBUTE_BYTES_MAX, GROUP_BYTES_MAX, GROUPS_MAX, NAMED_MAX};
pub use grant::{Attributes, Grant, Identity, NumberedAttributes, Periodic, Sso};
pub use path::{DECISIONS_MAX, Decision, Failure, Outcome, Rule, Void, Where};
pub use place::{Realm, Setting};
pub use question::{Answer, Ask, Challenge, DeviceSecret, NotCode, Proven, Question};
pub use view::{AGAIN, CertificateView, NEW, OLD, Prefill, ScanView, View, ViewKind};

pub mod again;
pub mod devices;
pub mod lockout;
pub mod orders;
pub mod scan;
pub mod table;

mod answers;
mod before;
mod certificate;
mod code;
mod complete;
mod conversation;
mod dialogue;
mod event;
mod gathered;
mod grant;
mod judge;
mod path;
mod place;
mod question;
mod round;
mod state;
mod view;
mod walk;
