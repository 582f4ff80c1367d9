//! The words of the form language. All four sets are open.

use crate::xml::words::words;

words! {
    /// Whether a step was processed.
    Status {
        /// It was, whatever came of it.
        Success = "success",
        /// A server behind this one does not answer.
        ServiceUnavailable = "error-service-unavailable",
        /// A fault of this server.
        InternalFailure = "error-internal-failure",
        /// The form had fields that do not belong to this step, or lacked some.
        ParamsNotExpected = "error-params-not-expected",
        /// Nobody logs in here.
        LogonPointUnknown = "error-logon-point-unknown",
        /// No such conversation.
        SessionInvalid = "error-sessionid-invalid",
        /// The conversation took too long.
        SessionExpired = "error-sessionid-expired",
        /// The state context is not ours.
        StateInvalid = "error-state-context-invalid",
    }
}

words! {
    /// What came of a step.
    Outcome {
        /// A form is to be filled in.
        MoreInfo = "more-info",
        /// Logged in.
        Success = "success",
        /// Not logged in, and there is no other try in this conversation.
        Fail = "fail",
        /// Given up.
        Cancelled = "cancelled",
        /// The password must be changed first; the form is for that.
        UpdateCredentials = "update-credentials",
    }
}

words! {
    /// What a credential is.
    CredentialType {
        /// Nothing: a label, a button.
        None = "none",
        /// Name of the user, with or without domain.
        Username = "username",
        /// Domain.
        Domain = "domain",
        /// Realm.
        Realm = "realm",
        /// Password.
        Password = "password",
        /// The password that is to replace the old one.
        NewPassword = "newpassword",
        /// PIN.
        Pin = "pin",
        /// A code that is good once or for a short time.
        Passcode = "passcode",
        /// Any text that is no secret.
        TextCredential = "textcredential",
        /// Whether the client may keep what was typed.
        SaveCredentials = "savecredentials",
        /// Code of a SecurID token.
        RsaPasscode = "rsa-passcode",
        /// The next code of that.
        RsaNextPasscode = "rsa-next-passcode",
        /// The next number of that, without PIN.
        RsaNextTokencode = "rsa-next-tokencode",
        /// PIN of that.
        RsaPin = "rsa-pin",
        /// A page that the client opens inside.
        WebView = "webview",
        /// The client's machine is looked at, version 1 of the exchange.
        NsgEpa = "nsg-epa",
        /// The same, version 2.
        NsgEpaV2 = "nsg-epa-v2",
        /// The kind of client is chosen.
        NsgSetClient = "nsg-setclient",
        /// A button of the gateway.
        NsgX1 = "nsg-x1",
        /// A field that is not shown.
        NsgHidden = "nsg-hidden",
        /// A text by its key.
        NsgL20n = "nsg-l20n",
        /// A step of a dialogue.
        NsDialogue = "ns-dialogue",
        /// The button that goes one form back.
        GoBack = "GoBack",
    }
}

words! {
    /// How a label is shown.
    LabelType {
        /// Not at all.
        None = "none",
        /// As it is.
        Plain = "plain",
        /// Large.
        Heading = "heading",
        /// As information.
        Information = "information",
        /// As a warning.
        Warning = "warning",
        /// As what went wrong. By this clients tell a wrong password from a second factor.
        Error = "error",
        /// As what went well.
        Confirmation = "confirmation",
        /// As an image.
        Image = "image",
        /// A plain label; the text is a key.
        NsgLoginLabel = "nsg-login-label",
        /// A heading; the text is a key.
        NsgLoginHeading = "nsg-login-heading",
        /// A plain label; the text is a key.
        NsgL20n = "nsg-l20n",
        /// What went wrong; the text is a key.
        NsgL20nError = "nsg-l20n-error",
        /// The client's machine is being looked at.
        NsgEpa = "nsg-epa",
        /// The same, version 2.
        NsgEpaV2 = "nsg-epa-v2",
        /// The client's machine did not pass.
        NsgEpaFailure = "nsg-epa-failure",
        /// What helps to change a password.
        NsgChangePassword = "nsg-change-pass-assistive-text",
        /// A step of a dialogue.
        Dialogue = "dialogue-label",
    }
}

impl LabelType {
    /// What a client understands that does not know this type: one of the standard ones.
    #[must_use]
    pub fn standard(&self) -> Self {
        match self {
            Self::None => Self::None,
            Self::Heading | Self::NsgLoginHeading => Self::Heading,
            Self::Information | Self::NsgEpa | Self::NsgEpaV2 => Self::Information,
            Self::Warning => Self::Warning,
            Self::Error | Self::NsgL20nError | Self::NsgEpaFailure => Self::Error,
            Self::Confirmation => Self::Confirmation,
            Self::Image => Self::Image,
            Self::Plain | Self::NsgLoginLabel | Self::NsgL20n | Self::NsgChangePassword | Self::Dialogue | Self::Other(_) => {
                Self::Plain
            }
        }
    }
}
