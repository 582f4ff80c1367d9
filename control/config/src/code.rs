//! Numbers and texts of errors: the public table of the NetScaler command line, as far as it concerns what is configured here. Some
//! entries are said by programs around this one: the command line client, the gateway as it runs.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)+) => {
        /// An entry of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $name,)+
        }

        impl Code {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its number, which programs match.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)+ }
            }

            /// Its text, which people know.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

codes! {
    /// The level that one has does not suffice, what must be written down cannot be, or the object is built in.
    NotPermitted = 257, "Operation not permitted";
    /// A named or referenced object is missing.
    NoSuchResource = 258, "No such resource";
    /// The peer may look and not change, or not even look.
    PermissionDenied = 269, "Permission denied";
    /// `add` of a name that is there.
    AlreadyExists = 273, "Resource already exists";
    /// Something that no other entry says better.
    InvalidArgument = 278, "Invalid argument";
    /// Two listeners on one address.
    AddressInUse = 304, "Address already in use";
    /// `rm` of an object that others need.
    InUse = 315, "Resource in use";
    /// Accepted, kept, and without effect.
    NotImplemented = 339, "Feature is not implemented";
    /// Nobody has logged in.
    LoginRequired = 352, "Login is required";
    /// An administrator's login was wrong.
    BadLogin = 354, "Invalid username or password";
    /// Likewise, of a user that exists.
    BadPassword = 355, "Invalid username or password";
    /// Never said here: there are no licences.
    NotLicensed = 356, "Feature(s) not licensed";
    /// A password of an administrator.
    PasswordTooShort = 399, "Password too short - minimum length is 8 characters";
    /// `set` or `unset` that says nothing to do.
    NothingToSet = 431, "No arguments to set";
    /// An administrator's session is over.
    SessionEnded = 444, "Session expired or killed. Please login again";
    /// As many as there may be are connected.
    TooManySessions = 445, "Session limit exceeded";
    /// Below the range.
    BelowMinimum = 508, "Invalid arguments, given value is less than the minimum value";
    /// Above the range.
    AboveMaximum = 509, "Invalid arguments, given value is more than the maximum value";
    /// A named expression is called so that it cannot be told from others.
    ExpressionNameInvalid = 515, "Invalid expression name";
    /// An action of another kind has this name.
    ActionNameTaken = 528, "Action name is already in use";
    /// A policy of another kind has this name.
    PolicyNameTaken = 532, "Policy name is already in use";
    /// Something that is no policy has this name.
    PolicyNameInvalid = 544, "Policy name is invalid";
    /// An action that does not say what to do.
    ActionIncomplete = 550, "Action has missing argument";
    /// Of a policy.
    ExpressionTooLong = 594, "Expression too long - maximum length is 1500";
    /// Of a classic policy.
    ClassicRuleTooLong = 596, "Expression too long - maximum length is 800";
    /// A binding that is there.
    BindingExists = 664, "Bind entry already exists";
    /// What a client is asked about itself.
    ClientExpressionTooLong = 687, "Client security expression too long";
    /// A policy of another kind.
    VserverPolicyKind = 808, "Only authentication and traffic policies can be bound to a VPN vserver";
    /// A policy of another kind.
    GlobalPolicyKind = 809, "Only authentication and traffic policies can be bound to VPN global";
    /// `rm` of a policy that is bound.
    BoundPolicy = 810, "Bound policy cannot be removed";
    /// Such an expression where none may be.
    ClientExpressionUnsupported = 814, "Policy type does not support client security expressions in rule";
    /// For a reason that is nobody's business.
    LoginFailed = 1025, "Login failed";
    /// The connection was idle for too long.
    NotLoggedIn = 1027, "Not logged in or connection timed out";
    /// At the end of a batch.
    SomeFailed = 1059, "Some commands failed";
    /// At the end of a batch.
    AllFailed = 1060, "All commands failed";
    /// A feature is needed that is off.
    FeatureOff = 1067, "Feature(s) not enabled";
    /// Nothing is called so.
    NoSuchCommand = 1088, "No such command";
    /// An abbreviation of several.
    AmbiguousCommand = 1089, "Ambiguous command name";
    /// No argument is called so.
    NoSuchArgument = 1090, "No such argument";
    /// A keyword without its value, or a secret that cannot be read.
    ValueMissing = 1091, "Required argument value missing";
    /// One excludes the other, or one was given twice.
    BothSpecified = 1092, "Arguments cannot both be specified";
    /// One needs the other.
    PrerequisiteMissing = 1093, "Argument pre-requisite missing";
    /// Fewer words than the command needs.
    TooFewArguments = 1094, "Too few arguments";
    /// A keyword that must be there.
    ArgumentMissing = 1095, "Required argument missing";
    /// A word stands behind a keyword.
    OutOfOrder = 1096, "Argument(s) out of order";
    /// Not of the argument's type.
    InvalidValue = 1097, "Invalid argument value";
    /// An abbreviation of several arguments.
    AmbiguousArgument = 1099, "Ambiguous argument name";
    /// An abbreviation of several values.
    AmbiguousValue = 1105, "Ambiguous argument value";
    /// More words than the argument or command takes.
    TooManyValues = 1112, "Argument has too many values";
    /// An expression that falls apart into words.
    QuotesNeeded = 1114, "Expression must be enclosed in quotes";
    /// A quote that nothing closes.
    UnmatchedQuote = 1115, "Unmatched quote";
    /// The line ends before it names an object.
    Incomplete = 1128, "Incomplete command";
    /// A range of names: `name[1-5]`.
    NoPatterns = 1138, "Regular expression not allowed";
    /// Quotes or parentheses that make no sense.
    InvalidSyntax = 1145, "Invalid syntax in term";
    /// Nothing was called so.
    NoSuchAlias = 1153, "No such alias";
    /// Something was called so.
    AliasExists = 1154, "Alias already exists";
    /// A file cannot be read.
    NoSuchFile = 1155, "No such file";
    /// A warning: there is a newer one.
    Deprecated = 1157, "Command deprecated";
    /// An argument that has a successor.
    ArgumentDeprecated = 1158, "Argument deprecated";
    /// No certificate in the file.
    InvalidCertificate = 1536, "Invalid certificate";
    /// No private key in the file.
    InvalidKey = 1537, "Invalid private key, or PEM pass phrase required for this private key";
    /// They are not of one pair.
    KeyMismatch = 1538, "Certificate and private key do not match";
    /// No such certificate object, or none bound.
    NoCertificate = 1540, "Certificate does not exist";
    /// `rm` of a certificate that is bound.
    CertificateInUse = 1541, "Certificate is referenced";
    /// The certificate is not bound there.
    NoCertificateBinding = 1542, "Certificate binding does not exist";
    /// `link` that would end where it began.
    LinkedToItself = 1543, "Certificate can't be linked to the same certificate";
    /// `unlink` of a certificate without a link.
    NotLinked = 1545, "Certificate does not have any CA link";
    /// A warning: a server has one certificate beside those chosen by name.
    Replaces = 1546, "Current certificate replaces the previous binding";
    /// A warning.
    NotYetValid = 1588, "Certificate is not yet valid";
    /// A warning.
    Expired = 1589, "Certificate has expired";
    /// A key under a pass phrase.
    KeyPassword = 1613, "Password required for private key";
    /// A client that showed none.
    ClientCertificateNeeded = 2120, "Client SSL certificate is required";
    /// Never said here: there are no licences.
    TooManyUsers = 2624, "MaxAAAUsers value not allowed by license";
    /// No such user.
    NoSuchUser = 2626, "User does not exist";
    /// No such group.
    NoSuchGroup = 2627, "Group does not exist";
    /// A user of this name is there.
    UserExists = 2631, "User already exists";
    /// A group of this name is there.
    GroupExists = 2632, "Group already exists";
    /// Bound already.
    UserInGroup = 2633, "User is already bound to the group";
    /// Not bound.
    UserNotInGroup = 2640, "User is not bound to the group";
    /// A policy of another kind.
    PreauthenticationOnly = 2647, "Only preauthentication policies can be bound to AAA global";
    /// An action without the server that it asks.
    NoServer = 2648, "ServerIP not configured for the authentication type";
    /// Logins are needed and off.
    AaaOff = 2650, "Feature(s) not enabled [AAA]";
    /// A profile that leads nowhere.
    NoAuthenticationVserver = 2654, "No Authentication vserver name specified";
    /// It cannot be read, or not be converted.
    InvalidExpression = 3073, "Invalid expression";
    /// Parts that are right, joined wrongly.
    InvalidCompound = 3081, "Compound expression syntax error";
    /// Longer than can be read.
    ExpressionLong = 3083, "Expression too long";
    /// No such factor.
    NoSuchLabel = 3087, "Policy Label does not exist";
    /// A label that is built in.
    BuiltInLabel = 3088, "Default Policy labels cannot be removed";
    /// A rule that is neither.
    NotBoolean = 3092, "Expression should evaluate to true or false";
    /// It does not go together with what is bound there.
    CannotBind = 3096, "Policy cannot be bound to specified policy label";
    /// Not bound.
    NotBound = 3104, "Policy not bound to specified policy label";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.number(), self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend() {
        assert!(Code::ALL.is_sorted_by_key(|code| code.number()));
    }
}
