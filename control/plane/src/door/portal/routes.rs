//! Every page there is, with who may see it. What is not in this table does not exist.

use hyper::Method;

use super::agents::Package;
use super::assets;

/// Who may call a route, and what it does. A route without one does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Anybody. Nothing is changed.
    Open(Open),
    /// Anybody. What is answered depends on whether there is a login; nothing is changed.
    Asking(Asking),
    /// Anybody who takes part in a conversation on its way to a login, or begins one. Its cookie and its step decide what comes of it.
    Conversation(Step),
    /// Whoever holds the cookie of a conversation that wants a scan, or of a login whose scan is repeated.
    Scan(Call),
    /// Takes the form of a login without factors from anybody who holds its cookie and token, or who is no browser and brings neither.
    LoginForm,
    /// Who is logged in.
    Login(Inside),
    /// Who is logged in and sends the form token of that login.
    LoginAndToken(Deed),
}

/// Pages for anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// Sends on to the login form.
    Front,
    /// Sends on to it, and from there to the page of the user's devices.
    Devices,
    /// Which ways to log in there are.
    AuthMethods,
    /// What clients with pages of their own want to know.
    Configuration,
    /// Whether passwords are to be encrypted before they are sent: TLS does that.
    Encryption,
    /// The script of the page for a scan.
    ScanScript,
    /// A package of the endpoint agent.
    Agent(Package),
}

/// Steps of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The page with what is shown now.
    Page,
    /// The page of a login without factors.
    LoginForm,
    /// What is shown now, for programs.
    First,
    /// Takes a form.
    Form,
    /// The device was looked at.
    Scanned,
    /// Takes a new password.
    NewPassword,
    /// Goes on without a certificate.
    NoCertificate,
    /// Gives up.
    Cancel,
}

/// What the app asks that looks at a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Whether it is to look.
    Kind,
    /// At what.
    Question,
    /// What it has found.
    Answer,
    /// Whether it has answered; the page asks that.
    State,
    /// It has come to show its machine's certificate.
    Device,
}

/// What programs ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// Where to go on after a login.
    SetClient,
    /// What is published.
    List,
    /// Who is logged in.
    UserName,
    /// Where to go on, in the words of a login in factors.
    Chosen,
}

/// Pages for those who are logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// The list of resources.
    Resources,
    /// Sends on to it.
    Store,
    /// Asks whether the login should end.
    MayLeave,
}

/// What those who are logged in may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Starts a resource: the ICA file.
    Launch,
    /// Ends the login.
    Leave,
}

impl Class {
    /// Its name, for tests that walk the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Asking(_) => "asking",
            Self::Conversation(_) => "conversation",
            Self::Scan(_) => "scan",
            Self::LoginForm => "login form",
            Self::Login(_) => "login",
            Self::LoginAndToken(_) => "login and token",
        }
    }

    /// Whether a request is refused when a browser says that another site has sent it.
    pub(crate) fn is_for_own_pages(self) -> bool {
        match self {
            Self::Conversation(_) | Self::LoginForm | Self::LoginAndToken(_) => true,
            Self::Open(_) | Self::Asking(_) | Self::Scan(_) | Self::Login(_) => false,
        }
    }

    /// Whether it is for connections that have come to show a machine's certificate.
    pub(crate) fn is_for_machines(self) -> bool {
        matches!(self, Self::Scan(Call::Device))
    }
}

/// One page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) method: Verb,
    pub(crate) path: &'static str,
    pub(crate) class: Class,
}

/// The two methods that pages use. `HEAD` is a `GET` whose body is left out on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
}

impl Verb {
    pub(crate) fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::POST => Some(Self::Post),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

pub(crate) const FRONT: &str = "/";
/// Where users look after their devices for one-time codes.
pub(crate) const DEVICES: &str = "/manageotp";
pub(crate) const LOGIN_FORM: &str = "/vpn/index.html";
pub(crate) const RESOURCES: &str = "/portal";
pub(crate) const SET_CLIENT: &str = "/cgi/setclient?wica";
/// The page of a login in factors.
pub(crate) const PAGE: &str = "/logon/LogonPoint/index.html";
/// Where that page asks how a scan is.
pub(crate) const SCAN_STATE: &str = "/logon/LogonPoint/sg/scan";
/// Where the page for a certificate goes on without one.
pub(crate) const NO_CERTIFICATE: &str = "/logon/LogonPoint/sg/no-certificate";
/// Where programs look for a store. They take its name out of this path.
pub(crate) const STORE: &str = "/Citrix/StoreWeb/";

const fn get(path: &'static str, class: Class) -> Route {
    Route { method: Verb::Get, path, class }
}

const fn post(path: &'static str, class: Class) -> Route {
    Route { method: Verb::Post, path, class }
}

/// The table.
pub(crate) const ROUTES: &[Route] = &[
    get(FRONT, Class::Open(Open::Front)),
    get(DEVICES, Class::Open(Open::Devices)),
    get(LOGIN_FORM, Class::Conversation(Step::LoginForm)),
    get("/vpn/tmindex.html", Class::Conversation(Step::LoginForm)),
    post("/cgi/login", Class::LoginForm),
    get("/cgi/setclient", Class::Asking(Asking::SetClient)),
    post("/cgi/setclient", Class::Asking(Asking::SetClient)),
    get(STORE, Class::Login(Inside::Store)),
    get(PAGE, Class::Conversation(Step::Page)),
    get("/logon/LogonPoint/tmindex.html", Class::Conversation(Step::Page)),
    get("/nf/auth/getAuthenticationRequirements.do", Class::Conversation(Step::First)),
    post("/nf/auth/getAuthenticationRequirements.do", Class::Conversation(Step::First)),
    post("/nf/auth/doAuthentication.do", Class::Conversation(Step::Form)),
    post("/nf/auth/doEPA.do", Class::Conversation(Step::Scanned)),
    post("/nf/auth/doCredentialUpdate.do", Class::Conversation(Step::NewPassword)),
    post("/nf/auth/doCancelCredentialUpdate.do", Class::Conversation(Step::Cancel)),
    post(NO_CERTIFICATE, Class::Conversation(Step::NoCertificate)),
    post("/nf/auth/doLogoff.do", Class::Conversation(Step::Cancel)),
    post("/nf/auth/setClient.do", Class::Asking(Asking::Chosen)),
    get("/nf/auth/getECdetails", Class::Open(Open::Encryption)),
    post("/nf/auth/getECdetails", Class::Open(Open::Encryption)),
    get("/p/u/getAuthenticationRequirements.do", Class::Conversation(Step::First)),
    post("/p/u/getAuthenticationRequirements.do", Class::Conversation(Step::First)),
    post("/p/u/doAuthentication.do", Class::Conversation(Step::Form)),
    post("/p/u/doEPA.do", Class::Conversation(Step::Scanned)),
    post("/p/u/doCredentialUpdate.do", Class::Conversation(Step::NewPassword)),
    post("/p/u/doCancelCredentialUpdate.do", Class::Conversation(Step::Cancel)),
    post("/p/u/doLogoff.do", Class::Conversation(Step::Cancel)),
    post("/p/u/setClient.do", Class::Asking(Asking::Chosen)),
    get("/p/u/getECdetails", Class::Open(Open::Encryption)),
    post("/p/u/getECdetails", Class::Open(Open::Encryption)),
    get("/epatype", Class::Scan(Call::Kind)),
    post("/epatype", Class::Scan(Call::Kind)),
    get("/epaq", Class::Scan(Call::Question)),
    post("/epaq", Class::Scan(Call::Question)),
    get("/epas", Class::Scan(Call::Answer)),
    post("/epas", Class::Scan(Call::Answer)),
    get("/epadc", Class::Scan(Call::Device)),
    get(SCAN_STATE, Class::Scan(Call::State)),
    get(assets::SCAN_SCRIPT, Class::Open(Open::ScanScript)),
    get(Package::Deb.path(), Class::Open(Open::Agent(Package::Deb))),
    get(Package::Program.path(), Class::Open(Open::Agent(Package::Program))),
    get(Package::Archive.path(), Class::Open(Open::Agent(Package::Archive))),
    get(RESOURCES, Class::Login(Inside::Resources)),
    post("/portal/launch", Class::LoginAndToken(Deed::Launch)),
    get("/cgi/logout", Class::Login(Inside::MayLeave)),
    post("/cgi/logout", Class::LoginAndToken(Deed::Leave)),
    post("/cgi/GetAuthMethods", Class::Open(Open::AuthMethods)),
    post("/logon/LogonPoint/Authentication/GetAuthMethods", Class::Open(Open::AuthMethods)),
    post("/logon/LogonPoint/Home/Configuration", Class::Open(Open::Configuration)),
    post("/logon/LogonPoint/Resources/List", Class::Asking(Asking::List)),
    post("/cgi/Resources/List", Class::Asking(Asking::List)),
    post("/logon/LogonPoint/Authentication/GetUserName", Class::Asking(Asking::UserName)),
];

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// No such path.
    Path,
    /// The path exists for this method.
    Method(&'static str),
}

/// The page for a method and a canonical path.
pub(crate) fn find(method: &Method, path: &str) -> Result<Route, NoRoute> {
    let here = || ROUTES.iter().filter(|route| route.path == path);
    let has = |verb| here().any(|route| route.method == verb);
    let allowed = match (has(Verb::Get), has(Verb::Post)) {
        (false, false) => return Err(NoRoute::Path),
        (true, false) => "GET, HEAD",
        (false, true) => "POST",
        (true, true) => "GET, HEAD, POST",
    };
    here().find(|route| Some(route.method) == Verb::of(method)).copied().ok_or(NoRoute::Method(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_does_not_exist() {
        assert_eq!(find(&Method::GET, "/").unwrap().class, Class::Open(Open::Front));
        assert_eq!(find(&Method::HEAD, "/portal").unwrap().class, Class::Login(Inside::Resources));
        for path in ["/scripts/ctxsta.dll", "/scripts/wpnbr.dll", "/Portal", "/portal/", "/cgi", "", "//"] {
            assert_eq!(find(&Method::POST, path).unwrap_err(), NoRoute::Path, "{path}");
        }
        assert_eq!(find(&Method::GET, "/cgi/login").unwrap_err(), NoRoute::Method("POST"));
        assert_eq!(find(&Method::DELETE, "/portal").unwrap_err(), NoRoute::Method("GET, HEAD"));
        assert_eq!(find(&Method::PUT, "/cgi/logout").unwrap_err(), NoRoute::Method("GET, HEAD, POST"));
    }

    #[test]
    fn each_page_is_listed_once() {
        for (at, route) in ROUTES.iter().enumerate() {
            let same = ROUTES.iter().skip(at + 1).find(|other| other.path == route.path && other.method == route.method);
            assert!(same.is_none(), "{}", route.path);
        }
    }

    #[test]
    fn whatever_changes_something_is_for_our_own_pages_only() {
        let changes = |class| matches!(class, Class::LoginForm | Class::LoginAndToken(_));
        for route in ROUTES.iter().filter(|route| changes(route.class)) {
            assert!(route.method == Verb::Post && route.class.is_for_own_pages(), "{}", route.path);
        }
    }
}
