//! Is the request meant for us, and did it come from one of our own pages?

use hyper::HeaderMap;
use hyper::Uri;
use hyper::header::{HOST, HeaderName, ORIGIN};

/// Names under which a virtual server may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnName {
    /// A name, or an address as it stands in a URL.
    pub(crate) host: String,
    /// Where it listens.
    pub(crate) port: u16,
}

impl OwnName {
    /// Whether a `Host` field names this server: the name in any case, with its port, with 443 or without one, since a
    /// translating router in front may listen on another port than we do.
    pub(crate) fn is_host(&self, field: &str) -> bool {
        let Some(rest) = field.get(..self.host.len()).filter(|name| name.eq_ignore_ascii_case(&self.host)) else {
            return false;
        };
        match &field[rest.len()..] {
            "" | ":443" => true,
            port => port.strip_prefix(':').is_some_and(|port| port == self.port.to_string()),
        }
    }

    fn is_origin(&self, origin: &str) -> bool {
        origin.strip_prefix("https://").is_some_and(|host| self.is_host(host))
    }
}

/// Whether the request names this server, once and consistently.
pub(crate) fn is_for_us(own: &OwnName, uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else { return false };
    let is_absolute_ours = uri.authority().is_none_or(|authority| authority.as_str() == host);
    is_absolute_ours && own.is_host(host)
}

/// Whether a request that changes something may come from one of our own pages, as far as the browser says.
///
/// Our pages say `no-referrer`, and browsers then send `Origin: null` with a form, also to the same site; so `null` is no sign
/// of anything. The form token decides, this only stops earlier.
pub(crate) fn is_from_us(own: &OwnName, headers: &HeaderMap) -> bool {
    let one = |name: HeaderName| {
        let mut all = headers.get_all(name).iter();
        let first = all.next().map(|value| value.to_str().unwrap_or("?"));
        (first, all.next().is_none())
    };
    let (site, site_once) = one(HeaderName::from_static("sec-fetch-site"));
    let (origin, origin_once) = one(ORIGIN);
    let site_fits = site.is_none_or(|site| site == "same-origin");
    let origin_fits = origin.is_none_or(|origin| origin == "null" || own.is_origin(origin));
    site_once && origin_once && site_fits && origin_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> OwnName {
        OwnName { host: "gw.example.test".into(), port: 8443 }
    }

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_host_must_be_ours() {
        let uri: Uri = "/x".parse().unwrap();
        for (host, fits) in [
            ("gw.example.test", true),
            ("GW.Example.TEST", true),
            ("gw.example.test:443", true),
            ("gw.example.test:8443", true),
            ("gw.example.test:80", false),
            ("gw.example.test:", false),
            ("gw.example.test.", false),
            ("gw.example.test:8443:8443", false),
            ("gw.example.testx", false),
            ("evil.test", false),
            ("gw.example.tes", false),
            ("[::1]", false),
        ] {
            assert_eq!(is_for_us(&own(), &uri, &headers(&[("host", host)])), fits, "{host}");
        }
        assert!(!is_for_us(&own(), &uri, &headers(&[])));
        assert!(!is_for_us(&own(), &uri, &headers(&[("host", "gw.example.test"), ("host", "gw.example.test")])));
        let absolute: Uri = "https://gw.example.test/x".parse().unwrap();
        assert!(is_for_us(&own(), &absolute, &headers(&[("host", "gw.example.test")])));
        let other: Uri = "https://evil.test/x".parse().unwrap();
        assert!(!is_for_us(&own(), &other, &headers(&[("host", "gw.example.test")])));
    }

    #[test]
    fn other_sites_do_not_post() {
        for (fields, fits) in [
            (&[][..], true),
            (&[("origin", "https://gw.example.test")], true),
            (&[("origin", "https://gw.example.test:8443"), ("sec-fetch-site", "same-origin")], true),
            (&[("origin", "null"), ("sec-fetch-site", "same-origin")], true),
            (&[("origin", "http://gw.example.test")], false),
            (&[("origin", "https://evil.test")], false),
            (&[("origin", "null"), ("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://gw.example.test"), ("origin", "https://evil.test")], false),
        ] {
            assert_eq!(is_from_us(&own(), &headers(fields)), fits, "{fields:?}");
        }
    }
}
