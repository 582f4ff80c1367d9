//! The sets of words of the dialect. Unknown words are kept, see `Other`.

use super::super::words::words;

words! {
    /// An optional ability of a service.
    Capability {
        /// It answers [`Kind::ValidateCredentials`](super::Kind::ValidateCredentials).
        SeparateCredentialsValidation = "separate-credentials-validation",
        /// It tells a user's identities there, if asked.
        UserIdentity = "user-identity",
        /// It answers [`Kind::LaunchRef`](super::Kind::LaunchRef).
        LaunchReference = "launch-reference",
        /// Icons in several sizes.
        MultiImageIcons = "multi-image-icons",
        /// Identities instead of passwords.
        IntegratedAuthentication = "integrated-authentication",
        /// Streamed applications.
        RadeSessionProxy = "rade-session-proxy",
        /// Security identifiers in access lists.
        SidEnumeration = "sid-enumeration",
    }
}

words! {
    /// Why a service said no.
    ErrorId {
        /// Unknown user or wrong password.
        FailedCredentials = "failed-credentials",
        /// The password must be changed first.
        MustChangeCredentials = "must-change-credentials",
        /// The password has expired.
        ExpiredCredentials = "expired-credentials",
        /// The account is switched off.
        AccountDisabled = "account-disabled",
        /// The account is locked.
        AccountLockedOut = "account-locked-out",
        /// Not at this time of the day.
        InvalidLogonHours = "invalid-logon-hours",
        /// No host runs this application.
        NoServer = "no-server",
        /// An alternative address was wanted and none is configured.
        NoAltAddress = "no-alt-address",
        /// All hosts are at full load.
        Overloaded = "mfserver-overloaded",
        /// Credentials without a password from a caller that is not trusted.
        NotTrusted = "not-trusted",
        /// No licence.
        NotLicensed = "not-licensed",
        /// The dialect is not supported.
        VersionMismatch = "version-mismatch",
        /// Logon tickets are switched off.
        TicketingDisabled = "Ticketing-Disabled",
        /// Listing groups is switched off.
        GroupEnumerationDisabled = "GroupEnumeration-Disabled",
        /// Listing folders is switched off.
        FolderEnumerationDisabled = "FolderEnumeration-Disabled",
        /// The service cannot work at the moment.
        ServiceUnavailable = "service-unavailable",
        /// Anything else.
        Unspecified = "unspecified",
        /// The machine is in maintenance.
        InMaintenanceMode = "in-maintenance-mode",
        /// There is no such machine.
        NoMachine = "no-machine",
        /// The operation does not exist for this machine.
        NotSupported = "not-supported",
        /// The operation has been started already.
        OperationInProgress = "operation-in-progress",
        /// The operation took too long.
        TimedOut = "timed-out",
    }
}

words! {
    /// What is wanted about each application.
    Detail {
        /// Who may start it.
        Permissions = "permissions",
        /// The 32 by 32 icon.
        Icon = "icon",
        /// Which icons there are.
        IconInfo = "icon-info",
        /// Everything but the access list.
        All = "all",
        /// The default set.
        Defaults = "defaults",
        /// The default set, as others spell it.
        Default = "default",
        /// Associated file types.
        FileType = "file-type",
        /// The access list.
        AccessList = "access-list",
        /// Offline use of streamed applications.
        RadeOfflineMode = "rade-offline-mode",
    }
}

words! {
    /// Which servers are meant.
    ServerType {
        /// Any.
        All = "all",
        /// Windows.
        Win32 = "win32",
        /// UNIX.
        X = "x",
    }
}

words! {
    /// How an application is started.
    ClientType {
        /// Through ICA.
        Ica30 = "ica30",
        /// As a URL.
        Content = "content",
        /// As a streamed application.
        Rade = "rade",
        /// Through RDP.
        Rdp = "rdp",
        /// Any way.
        All = "all",
    }
}

words! {
    /// What an address looks like.
    AddressForm {
        /// IPv4 without port.
        Dot = "dot",
        /// IPv4 and port.
        DotPort = "dot-port",
        /// Name without port.
        Dns = "dns",
        /// Name and port.
        DnsPort = "dns-port",
        /// Port without host.
        Port = "port",
    }
}

words! {
    /// Wishes about the choice of a host.
    AddressFlag {
        /// The address as seen from outside a translating router.
        AltAddress = "alt-addr",
        /// Do not count this question as load.
        NoLoadBias = "no-load-bias",
    }
}

words! {
    /// Where a user name is known.
    DomainType {
        /// A Windows domain.
        Nt = "NT",
        /// A UNIX host.
        Unix = "UNIX",
        /// A Novell directory.
        Nds = "NDS",
    }
}

words! {
    /// How far below a folder to look.
    Traverse {
        /// Everything below.
        Subtree = "subtree",
        /// The folder itself.
        OneLevel = "onelevel",
    }
}

words! {
    /// Which sessions to look for.
    SessionType {
        /// Connected ones.
        Active = "active",
        /// Those left behind.
        Disconnected = "disconnected",
    }
}
