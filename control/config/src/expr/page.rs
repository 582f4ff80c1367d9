//! The page about expressions, `docs/config/expressions.md`: written from the table of members and from the examples below, each of
//! which a test evaluates.

use std::fmt::Write;

use crate::model::authentication::EXPRESSION_CHARS_MAX;

use super::kind::Kind;
use super::members::{MEMBERS, Member, Op};
use super::names::{NAMES_DEPTH_MAX, PATTERNS_MAX};
use super::tree::DEPTH_MAX;

/// An expression, and what it comes to for the request and the user that the page describes.
#[derive(Debug)]
pub(super) struct Example {
    pub(super) expression: &'static str,
    pub(super) value: &'static str,
}

const fn e(expression: &'static str, value: &'static str) -> Example {
    Example { expression, value }
}

/// Examples, by what they are about.
pub(super) const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "The request",
        &[
            e("HTTP.REQ.HEADER(\"User-Agent\").CONTAINS(\"CitrixReceiver\")", "true"),
            e("HTTP.REQ.HEADER(\"user-agent\").CONTAINS(\"Mozilla\").NOT", "true"),
            e("HTTP.REQ.HEADER(\"User-Agent\").NOTCONTAINS(\"Mozilla\")", "true"),
            e("HTTP.REQ.HEADER(\"X-Citrix-Gateway\").EXISTS", "true"),
            e("HTTP.REQ.HEADER(\"X-Other\")", "\"\""),
            e("HTTP.REQ.HEADER(\"X-Forwarded-For\").TYPECAST_IP_ADDRESS_AT.IN_SUBNET(203.0.113.0/24)", "true"),
            e("HTTP.REQ.COOKIE.VALUE(\"NSC_TASS\").EQ(\"manageotp\")", "true"),
            e("HTTP.REQ.COOKIE.VALUE(\"twice\").EXISTS", "false"),
            e("HTTP.REQ.COOKIE.NAMES.CONTAINS(\"NSC_TMAS\")", "true"),
            e("HTTP.REQ.URL", "\"/nf/auth/doAuthentication.do?client=native&lang=de\""),
            e("HTTP.REQ.URL.CONTAINS(\"/nf/auth/doAuthentication.do\")", "true"),
            e("HTTP.REQ.URL.PATH.STARTSWITH(\"/nf/\")", "true"),
            e("HTTP.REQ.URL.PATH.GET(1)", "\"nf\""),
            e("HTTP.REQ.URL.QUERY.VALUE(\"lang\")", "\"de\""),
            e("HTTP.REQ.HOSTNAME.EQ(\"GW.example.com\")", "true"),
            e("HTTP.REQ.HOSTNAME.CONTAINS(\"example\")", "true"),
            e("HTTP.REQ.HOSTNAME.PORT", "8443"),
            e("HTTP.REQ.METHOD.EQ(POST)", "true"),
            e("HTTP.REQ.BODY(500).AFTER_STR(\"domain=\").CONTAINS(\"corp\")", "true"),
            e("HTTP.REQ.BODY(1000).TYPECAST_NVLIST_T('=','&').VALUE(\"persistdevice\").EQ(\"true\")", "true"),
        ],
    ),
    (
        "The connection",
        &[
            e("CLIENT.IP.SRC.IN_SUBNET(10.0.0.0/8)", "false"),
            e("CLIENT.IP.SRC.IN_SUBNET(192.0.2.0/24) || CLIENT.IP.SRC.IN_SUBNET(2001:db8::/32)", "true"),
            e("CLIENT.IP.SRC.EQ(192.0.2.1)", "true"),
            e("CLIENT.IP.SRC == 192.0.2.1", "true"),
            e("CLIENT.IP.DST", "198.51.100.1"),
            e("CLIENT.TCP.DSTPORT", "443"),
            e("CLIENT.SSL.IS_SSL", "true"),
            e("CLIENT.SSL.VERSION.GE(0x303)", "true"),
            e("CLIENT.SSL.CIPHER_NAME", "\"TLS13_AES_256_GCM_SHA384\""),
            e("CLIENT.SSL.CLIENT_CERT.EXISTS", "true"),
            e("CLIENT.SSL.CLIENT_CERT.ISSUER.CONTAINS(\"Example CA\")", "true"),
            e("CLIENT.SSL.CLIENT_CERT.SUBJECT.VALUE(\"CN\")", "\"ann\""),
            e("CLIENT.SSL.CLIENT_CERT.DAYS_TO_EXPIRE.GT(0)", "true"),
            e("CLIENT.IP.SRC.MATCHES_LOCATION(\"*.DE.*.*.*.*\")", "undefined"),
        ],
    ),
    (
        "The login",
        &[
            e("AAA.LOGIN.USERNAME", "\"ann@dom.EXAMPLE\""),
            e("AAA.LOGIN.PASSWORD2", "\"123456\""),
            e("AAA.LOGIN.DOMAIN.EQ(\"corp\")", "true"),
            e("AAA.LOGIN.VALUE(\"persistdevice\")", "\"true\""),
            e("AAA.LOGIN.VALUE(\"other\").EXISTS", "false"),
            e("AAA.LOGIN.CLIENTTYPE", "undefined"),
        ],
    ),
    (
        "The user",
        &[
            e("AAA.USER.NAME", "\"ann\""),
            e("AAA.USER.LOGIN_NAME.SET_TEXT_MODE(IGNORECASE).AFTER_STR(\"@\").EQ(\"dom.example\")", "true"),
            e("AAA.USER.LOGIN_NAME.AFTER_STR(\"@\").EQ(\"dom.example\")", "false"),
            e("AAA.USER.LOGIN_NAME.BEFORE_STR(\"@\")", "\"ann\""),
            e("AAA.USER.IS_MEMBER_OF(\"staff\")", "true"),
            e("AAA.USER.IS_MEMBER_OF(\"Staff\")", "false"),
            e("AAA.USER.GROUPS.COUNT", "3"),
            e("AAA.USER.EXTERNAL_GROUPS", "(\"staff\", \"vpn\")"),
            e("AAA.USER.INTERNAL_GROUPS.GET(0)", "\"compliant\""),
            e("AAA.USER.ATTRIBUTE(1)", "\"ann@example.com\""),
            e("AAA.USER.ATTRIBUTE(2).EXISTS", "false"),
            e("AAA.USER.ATTRIBUTE(17)", "undefined"),
            e("AAA.USER.ATTRIBUTE(\"mail\").ENDSWITH(\"@example.com\")", "true"),
            e("HTTP.REQ.USER.ATTRIBUTE(1).LENGTH", "15"),
            e("HTTP.REQ.USER.NAME", "\"ann\""),
            e("HTTP.REQ.USER.IS_MEMBER_OF(\"vpn\")", "true"),
            e("AAA.USER.SESSIONID", "\"4711\""),
            e("AAA.USER.AUTHENTICATION_STRENGTH.GT(5)", "true"),
            e("AAA.USER.LOGIN_ATTEMPTS", "2"),
        ],
    ),
    (
        "The time",
        &[
            e("SYS.TIME.BETWEEN(GMT 2026 Jan,GMT 2026 Dec)", "true"),
            e("SYS.TIME.HOURS.LT(18)", "true"),
            e("SYS.TIME.WEEKDAY.BETWEEN(1,5)", "false"),
            e("SYS.TIME.GT(GMT 2026 Nov 29 16h)", "false"),
        ],
    ),
    (
        "Texts",
        &[
            e("\"Ann\".TO_LOWER + \"@\" + AAA.LOGIN.DOMAIN", "\"ann@corp\""),
            e("AAA.USER.NAME.STARTSWITH(\"a\") && AAA.USER.NAME.LENGTH == 3", "true"),
            e("AAA.USER.NAME.EQUALS_ANY(\"operators\")", "true"),
            e("HTTP.REQ.HEADER(\"User-Agent\").CONTAINS_ANY(\"agents\")", "true"),
            e("AAA.USER.LOGIN_NAME.SET_TEXT_MODE(IGNORECASE).CONTAINS(\"DOM\")", "true"),
            e("AAA.USER.LOGIN_NAME.REGEX_MATCH(re/^[a-z]+@/)", "true"),
            e("AAA.USER.LOGIN_NAME.REGEX_MATCH(re#@(?i:dom)\\.#)", "true"),
            e("AAA.USER.LOGIN_NAME.REGEX_SELECT(re/@.*/)", "\"@dom.EXAMPLE\""),
            e("AAA.USER.LOGIN_NAME.SUBSTR(4,3)", "\"dom\""),
            e("\"a,b,c\".TYPECAST_LIST_T(',').GET(1)", "\"b\""),
            e("\"a,b,c\".TYPECAST_LIST_T(',').GET(3)", "undefined"),
            e("\"a,b,c\".TYPECAST_LIST_T(',').COUNT", "3"),
            e("\"a,b,c\".TYPECAST_LIST_T(',').CONTAINS(\"b\")", "true"),
            e("\"12\".TYPECAST_NUM_T(DECIMAL).ADD(1)", "13"),
            e("\"twelve\".TYPECAST_NUM_T(DECIMAL)", "undefined"),
            e("AAA.USER.NAME.ENCRYPT", "undefined"),
        ],
    ),
    (
        "What ties them",
        &[
            e("true", "true"),
            e("ns_true", "true"),
            e("!false && (false || TRUE)", "true"),
            e("true || false && false", "true"),
            e("2 + 3 * 4 == 14", "true"),
            e("-7 / 2", "-3"),
            e("1 / 0 == 1", "undefined"),
            e("true || 1 / 0 == 1", "true"),
            e("1 / 0 == 1 || true", "undefined"),
            e("is_native && is_inside.NOT", "refused"),
            e("is_native && !is_inside", "true"),
        ],
    ),
];

/// Objects, in the order of the page, with what stands before their members.
const OBJECTS: &[(Kind, &str)] = &[
    (Kind::Request, "HTTP.REQ"),
    (Kind::Url, "HTTP.REQ.URL"),
    (Kind::Path, "HTTP.REQ.URL.PATH"),
    (Kind::Query, "HTTP.REQ.URL.QUERY"),
    (Kind::Host, "HTTP.REQ.HOSTNAME"),
    (Kind::Method, "HTTP.REQ.METHOD"),
    (Kind::Cookie, "HTTP.REQ.COOKIE"),
    (Kind::Login, "AAA.LOGIN"),
    (Kind::User, "AAA.USER"),
    (Kind::Client, "CLIENT"),
    (Kind::Ip, "CLIENT.IP"),
    (Kind::Tcp, "CLIENT.TCP"),
    (Kind::Ssl, "CLIENT.SSL"),
    (Kind::Certificate, "CLIENT.SSL.CLIENT_CERT"),
    (Kind::Distinguished, "a distinguished name"),
    (Kind::System, "SYS"),
    (Kind::Moment, "a time"),
    (Kind::Field, "what may be missing"),
    (Kind::Text, "a text"),
    (Kind::List, "a list"),
    (Kind::Pairs, "names and values"),
    (Kind::Number, "a number"),
    (Kind::Address, "an address"),
    (Kind::Truth, "true or false"),
];

/// Writing to a `String` cannot fail.
macro_rules! put {
    ($page:expr, $($text:tt)*) => { let _: std::fmt::Result = writeln!($page, $($text)*); };
}

/// The page, without the line that says where it comes from.
pub(crate) fn page() -> String {
    let mut page = String::from("# Expressions\n\n");
    page.push_str(
        "Rules of policies, and the expressions that find a name or a password in a request, are written in the language of NetScaler's \
         advanced expressions, as far as logins need it.\n\n\
         - A chain begins with an object and goes on with members: `HTTP.REQ.HEADER(\"Host\").EQ(\"gw.example.com\")`. Case is no difference in \
         names of objects and members.\n\
         - Operators, the tightest first: `!`; `* / %`; `+ -`, where `+` also ties texts; `< <= > >=`; `== !=`; `&&`; `||`. Parentheses \
         go before all of them.\n\
         - Texts stand in double quotes; in them `\\\" \\\\ \\n \\r \\t` are escapes. Numbers are whole, decimal or `0x…`. Regular expressions \
         are `re/…/`, with any sign in place of the slashes that does not stand in them. They are searched in a time that is \
         linear in the text; there are no look-arounds and no back-references. Their case does not follow `SET_TEXT_MODE`: write `(?i)`.\n\
         - Texts differ in case, until `SET_TEXT_MODE(IGNORECASE)` in the chain says otherwise. Names of hosts never do.\n\
         - A header, cookie, field or attribute that is missing is the empty text.\n\
         - What cannot be said is *undefined*: a part of a list behind its end, a number from a text that is none, a division by zero. An \
         expression that comes to something undefined is undefined as a whole, and a rule that is, is not true. `&&` and `||` are read from left to \
         right and stop when their answer is known.\n\
         - A word alone is the name of a [`policy expression`](policy.md#policy-expression), in any case. Members cannot follow it.\n",
    );
    put!(
        page,
        "- An expression has at most {EXPRESSION_CHARS_MAX} characters, with parentheses and arguments at most {DEPTH_MAX} deep; named \
         expressions lead to others at most {NAMES_DEPTH_MAX} deep; a pattern set has at most {PATTERNS_MAX} patterns. The work of an \
         evaluation is bounded; what would be more is undefined."
    );
    page.push_str(
        "- What is not understood is an error with line and column. With `--lenient` it is a warning, and the expression is always undefined.\n\
         - Variables (`$name`) are refused: nothing is kept between requests but what belongs to the user.\n\
         - Session policies may be written in the old language: `ns_true`, `ns_false`, `REQ.HTTP.HEADER … EXISTS|NOTEXISTS|CONTAINS|NOTCONTAINS \
         …`, `REQ.IP.SOURCEIP == … [-netmask …]`, `&&`, `||`, `!` and parentheses. They mean what they say in the new one.\n\
         - What a client is asked about itself, `sys.client_expr(\"…\")`, stands in the `-csecexpr` of an \
         [`epaAction`](authentication.md#authentication-epaaction) and nowhere else.\n\n\
         In a line of the configuration an expression with blanks stands in quotes, and its own quotes then need backslashes; an expression \
         without blanks outside of its quotes and parentheses needs neither.\n\n\
         ## What is understood\n\n| of | member | gives | meaning |\n| --- | --- | --- | --- |\n",
    );
    for (kind, called) in OBJECTS {
        for member in MEMBERS.iter().filter(|member| member.of == *kind && !matches!(member.op, Op::Unsupported(_))) {
            let of = if called.contains('.') || called.chars().all(|c| c.is_ascii_uppercase()) {
                format!("`{called}`")
            } else {
                (*called).to_owned()
            };
            put!(page, "| {of} | `{}` | {} | {} |", written(member), member.gives.called(), member.says);
        }
    }
    page.push_str(
        "\nA URL, host, path, query, method, distinguished name and whatever may be missing is a text, too, and has its members.\n\n\
         These are understood and always undefined, with a warning when the configuration is read:\n\n| of | member | since |\n| --- | --- | --- |\n",
    );
    for member in MEMBERS {
        if let Op::Unsupported(why) = member.op {
            put!(page, "| {} | `{}` | {why} |", member.of.called(), member.name);
        }
    }
    page.push_str(
        "\n## Examples\n\nThey are evaluated for a form that Ann has sent, on Sunday, 29 November 2026, at 16:30 UTC, from 192.0.2.1:\n\n```text\n\
         POST /nf/auth/doAuthentication.do?client=native&lang=de HTTP/1.1\nHost: gw.example.com:8443\nUser-Agent: CitrixReceiver/24.2 Linux\n\
         X-Citrix-Gateway: gw\nX-Forwarded-For: 203.0.113.7\n\
         Cookie: NSC_TASS=manageotp; NSC_TMAS=\"4f00\"; twice=1; twice=2\n\n\
         login=ann%40dom.EXAMPLE&passwd=…&passwd1=123456&domain=corp&persistdevice=true\n```\n\n\
         A directory has said of her that she is called `ann` and in the groups `staff` and `vpn`, and that `mail`, which is also attribute 1, is \
         `ann@example.com`; a look at her machine has given the group `compliant`. The named expression `is_native` is \
         `HTTP.REQ.HEADER(\"User-Agent\").CONTAINS(\"CitrixReceiver\")`, and `is_inside` is `CLIENT.IP.SRC.IN_SUBNET(10.0.0.0/8)`; the pattern \
         set `agents` has `AGEE` and `CitrixReceiver`, and `operators` has `ann` and `bob`.\n",
    );
    for (title, examples) in EXAMPLES {
        put!(page, "\n### {title}\n\n| expression | value |\n| --- | --- |");
        for example in *examples {
            put!(page, "| `{}` | {} |", example.expression.replace('|', "\\|"), example.value);
        }
    }
    page
}

/// A member with what it takes, as it is written.
fn written(member: &Member) -> String {
    if member.takes.is_empty() {
        return member.name.to_owned();
    }
    let takes: Vec<_> = member.takes.iter().map(|takes| takes.written()).collect();
    format!("{}({})", member.name, takes.join(",")).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::sample::{self, shown};
    use crate::model::authentication::Expression;

    #[test]
    fn the_examples_come_to_what_the_page_says() {
        let sample = sample::ann();
        for example in EXAMPLES.iter().flat_map(|(_, examples)| *examples) {
            let expression = Expression::parse(example.expression).unwrap();
            let value = match expression.tree() {
                Ok(_) => shown(&expression, &sample.facts()),
                Err(_) => "refused".to_owned(),
            };
            assert_eq!(value, example.value, "{} {:?}", example.expression, expression.tree().err());
        }
    }

    /// Each member is said of an object of the page, or stands on the way to one.
    #[test]
    fn every_member_is_on_the_page() {
        let page = page();
        for member in MEMBERS {
            let on_the_way = matches!(member.of, Kind::Root | Kind::Http | Kind::Aaa);
            let written = if matches!(member.op, Op::Unsupported(_)) { member.name.to_owned() } else { written(member) };
            assert!(on_the_way || page.contains(&format!("`{written}`")), "{:?} {}", member.of, member.name);
            assert!(on_the_way || matches!(member.op, Op::Unsupported(_)) || OBJECTS.iter().any(|(kind, _)| *kind == member.of));
        }
    }
}
