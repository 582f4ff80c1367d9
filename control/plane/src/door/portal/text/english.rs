//! What pages say in English.

use super::Text;

pub(super) const TEXT: Text = Text {
    language: "en",
    product: "Sluicegate",
    sign_in: "Sign in",
    sign_out: "Sign out",
    sign_out_really: "Do you want to sign out?",
    signed_in_as: "Signed in as",
    user_name: "User name",
    password: "Password",
    resources: "Your applications and desktops",
    no_resources: "Nothing has been published to you yet. Your help desk can change that.",
    no_user: "You are signed in without a user name, and nothing is published for such sessions. Your help desk can say how to sign in with one.",
    open: "Open",
    how_to_open: "Your browser downloads a small file. Open it within a minute or two: the ticket in it is short-lived and good once.",
    back: "Back to the start page",
    code: "Code",
    reference: "Reference",
};
