//! Every page there is, with who may see it. What is not in this table does not exist.

use hyper::Method;

/// Who may call a route. A route without one does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Anybody.
    Open,
    /// Anybody who holds the cookie and token of the login form.
    LoginForm,
    /// Who is logged in.
    Login,
    /// Who is logged in and sends the form token of that login.
    LoginAndToken,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// Sends on to the login form.
    Front,
    /// The login form.
    LoginForm,
    /// Takes the login form.
    Enter,
    /// The list of resources.
    Resources,
    /// Starts a resource: the ICA file.
    Launch,
    /// Ends the login.
    Leave,
}

/// One page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) method: Verb,
    pub(crate) path: &'static str,
    pub(crate) class: Class,
    pub(crate) page: Page,
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
}

pub(crate) const FRONT: &str = "/";
pub(crate) const LOGIN_FORM: &str = "/vpn/index.html";
pub(crate) const RESOURCES: &str = "/portal";

/// The table.
pub(crate) const ROUTES: &[Route] = &[
    Route { method: Verb::Get, path: FRONT, class: Class::Open, page: Page::Front },
    Route { method: Verb::Get, path: LOGIN_FORM, class: Class::Open, page: Page::LoginForm },
    Route { method: Verb::Post, path: "/cgi/login", class: Class::LoginForm, page: Page::Enter },
    Route { method: Verb::Get, path: RESOURCES, class: Class::Login, page: Page::Resources },
    Route { method: Verb::Post, path: "/portal/launch", class: Class::LoginAndToken, page: Page::Launch },
    Route { method: Verb::Post, path: "/cgi/logout", class: Class::LoginAndToken, page: Page::Leave },
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
    let mut here = ROUTES.iter().filter(|route| route.path == path).peekable();
    let Some(first) = here.peek() else { return Err(NoRoute::Path) };
    let allowed = match first.method {
        Verb::Get => "GET, HEAD",
        Verb::Post => "POST",
    };
    here.find(|route| Some(route.method) == Verb::of(method)).copied().ok_or(NoRoute::Method(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_does_not_exist() {
        assert_eq!(find(&Method::GET, "/").unwrap().page, Page::Front);
        assert_eq!(find(&Method::HEAD, "/portal").unwrap().class, Class::Login);
        for path in ["/scripts/ctxsta.dll", "/scripts/wpnbr.dll", "/Portal", "/portal/", "/cgi", "", "//"] {
            assert_eq!(find(&Method::POST, path).unwrap_err(), NoRoute::Path, "{path}");
        }
        assert_eq!(find(&Method::GET, "/cgi/login").unwrap_err(), NoRoute::Method("POST"));
        assert_eq!(find(&Method::DELETE, "/portal").unwrap_err(), NoRoute::Method("GET, HEAD"));
    }

    #[test]
    fn whatever_changes_something_wants_a_token() {
        for route in ROUTES.iter().filter(|route| route.method == Verb::Post) {
            assert!(matches!(route.class, Class::LoginForm | Class::LoginAndToken), "{}", route.path);
        }
    }
}
