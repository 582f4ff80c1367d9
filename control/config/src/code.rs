//! Numbers and texts of errors: the public table of the NetScaler command line, as far as it is used here.

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
    /// `set` or `unset` that says nothing to do.
    NothingToSet = 431, "No arguments to set";
    /// Below the range.
    BelowMinimum = 508, "Invalid arguments, given value is less than the minimum value";
    /// Above the range.
    AboveMaximum = 509, "Invalid arguments, given value is more than the maximum value";
    /// An action of another kind has this name.
    ActionNameTaken = 528, "Action name is already in use";
    /// A policy of another kind has this name.
    PolicyNameTaken = 532, "Policy name is already in use";
    /// Something that is no policy has this name.
    PolicyNameInvalid = 544, "Policy name is invalid";
    /// Of a policy.
    ExpressionTooLong = 594, "Expression too long - maximum length is 1500";
    /// Of a classic policy.
    ClassicRuleTooLong = 596, "Expression too long - maximum length is 800";
    /// A binding that is there.
    BindingExists = 664, "Bind entry already exists";
    /// What a client is asked about itself.
    ClientExpressionTooLong = 687, "Client security expression too long";
    /// `rm` of a policy that is bound.
    BoundPolicy = 810, "Bound policy cannot be removed";
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
    /// Not of the argument's type.
    InvalidValue = 1097, "Invalid argument value";
    /// An abbreviation of several arguments.
    AmbiguousArgument = 1099, "Ambiguous argument name";
    /// An abbreviation of several values.
    AmbiguousValue = 1105, "Ambiguous argument value";
    /// More words than the argument or command takes.
    TooManyValues = 1112, "Argument has too many values";
    /// A quote that nothing closes.
    UnmatchedQuote = 1115, "Unmatched quote";
    /// The line ends before it names an object.
    Incomplete = 1128, "Incomplete command";
    /// Quotes or parentheses that make no sense.
    InvalidSyntax = 1145, "Invalid syntax in term";
    /// A file cannot be read.
    NoSuchFile = 1155, "No such file";
    /// A warning: there is a newer one.
    Deprecated = 1157, "Command deprecated";
    /// No certificate in the file.
    InvalidCertificate = 1536, "Invalid certificate";
    /// No private key in the file.
    InvalidKey = 1537, "Invalid private key, or PEM pass phrase required for this private key";
    /// No such certificate object, or none bound.
    NoCertificate = 1540, "Certificate does not exist";
    /// `rm` of a certificate that is bound.
    CertificateInUse = 1541, "Certificate is referenced";
    /// `link` that would end where it began.
    LinkedToItself = 1543, "Certificate can't be linked to the same certificate";
    /// `unlink` of a certificate without a link.
    NotLinked = 1545, "Certificate does not have any CA link";
    /// A warning: a server has one certificate beside those chosen by name.
    Replaces = 1546, "Current certificate replaces the previous binding";
    /// A key under a pass phrase.
    KeyPassword = 1613, "Password required for private key";
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
    /// It cannot be read, or not be converted.
    InvalidExpression = 3073, "Invalid expression";
    /// No such factor.
    NoSuchLabel = 3087, "Policy Label does not exist";
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
