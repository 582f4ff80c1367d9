//! Objects and settings of NetScaler that are known with all their arguments, and have no effect here.

use crate::model::Model;
use crate::print::Writer;

use super::rest::{add, bind, print_bindings, print_objects, print_settings, rm, set, settings, unbind};
use super::site::{Refused, Site};
use super::{Argument, Command, Effect, Form, Kind, Op, Origin, Rank, Said};

const ON_OFF: Kind = Kind::Choice(&["ON", "OFF"]);
const ENABLED: Kind = Kind::Choice(&["ENABLED", "DISABLED"]);
const YES_NO: Kind = Kind::Choice(&["YES", "NO"]);
const FAMILY: Kind = Kind::Choice(&["IPV4", "IPV6"]);
const PORT: Kind = Kind::Number { min: 1, max: 65_535, unit: "port" };
const ANY: u64 = u32::MAX as u64;

const TUNNEL: &str = "there is neither a tunnel nor clientless access: only ICA sessions are carried";
const PAGES: &str = "the gateway's pages have one look";
const KERNEL: &str = "addresses are set up with the tools of the operating system";
const PROFILE: &str =
    "TCP is the operating system's, and one profile fits ICA: no Nagle, and congestion control as `set ns worker` says";
const TLS: &str = "TLS is set by `ssl vserver`; suites and groups are modern ones only";
const ADMIN: &str = "who may use the control socket is said by `set ns config -readGroup -changeGroup`";

const fn number(min: u64, max: u64, unit: &'static str) -> Kind {
    Kind::Number { min, max, unit }
}

const fn kept(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Argument {
    Argument::kept(name).takes(kind).or(default).means(help)
}

/// Objects with a name: added, changed, removed.
macro_rules! objects {
    ($($name:ident: $group:literal $object:literal, $summary:literal, $why:expr, $rank:ident, $first:literal, [$($word:expr),*], [$($keyword:expr),* $(,)?],
       $called:literal, $words:literal, $change:literal => $back:literal;)+) => {$(
        pub(super) const $name: Command = Command {
            group: $group,
            object: $object,
            words: concat!($group, " ", $object),
            summary: $summary,
            notes: "",
            origin: Origin::NetScaler,
            feature: None,
            effect: Effect::Never($why),
            forms: &[
                Form {
                    op: Op::Add,
                    positionals: &[Argument::required($first, Kind::Name, "Its name."), $($word),*],
                    keywords: &[$($keyword),*],
                    example: concat!("add ", $group, " ", $object, " ", $called, $words),
                    apply: add,
                    print: Some((Rank::$rank, print_objects)),
                },
                Form {
                    op: Op::Set,
                    positionals: &[Argument::required($first, Kind::Name, "Its name.")],
                    keywords: &[$($keyword),*],
                    example: concat!("set ", $group, " ", $object, " ", $called, " ", $change),
                    apply: set,
                    print: None,
                },
                Form {
                    op: Op::Unset,
                    positionals: &[Argument::required($first, Kind::Name, "Its name.")],
                    keywords: &[$($keyword),*],
                    example: concat!("unset ", $group, " ", $object, " ", $called, " ", $back),
                    apply: set,
                    print: None,
                },
                Form {
                    op: Op::Rm,
                    positionals: &[Argument::required($first, Kind::Name, "Its name.")],
                    keywords: &[],
                    example: concat!("rm ", $group, " ", $object, " ", $called),
                    apply: rm,
                    print: None,
                },
            ],
        };
    )+};
}

/// Objects with a name and nothing to change: added, removed.
macro_rules! fixed_objects {
    ($($name:ident: $group:literal $object:literal, $summary:literal, $why:expr, $rank:ident, [$first:expr $(, $word:expr)*], [$($keyword:expr),* $(,)?],
       $called:literal, $words:literal $(, $more:expr)*;)+) => {$(
        pub(super) const $name: Command = Command {
            group: $group,
            object: $object,
            words: concat!($group, " ", $object),
            summary: $summary,
            notes: "",
            origin: Origin::NetScaler,
            feature: None,
            effect: Effect::Never($why),
            forms: &[
                Form {
                    op: Op::Add,
                    positionals: &[$first $(, $word)*],
                    keywords: &[$($keyword),*],
                    example: concat!("add ", $group, " ", $object, " ", $called, $words),
                    apply: add,
                    print: Some((Rank::$rank, print_objects)),
                },
                Form {
                    op: Op::Rm,
                    positionals: &[$first],
                    keywords: &[],
                    example: concat!("rm ", $group, " ", $object, " ", $called),
                    apply: rm,
                    print: None,
                },
                $($more,)*
            ],
        };
    )+};
}

const SYSTEM_GROUP_KEYWORDS: &[Argument] = &[
    kept("promptString", Kind::Text, "", "What the command line shows."),
    kept("timeout", number(0, 100_000_000, "seconds"), "", "Ends a command line that rests."),
];
const SYSTEM_GROUP_BIND: &[Argument] = &[
    kept("userName", Kind::Name, "", "A member."),
    kept("policyName", Kind::Anything, "", "A command policy, with its place."),
    kept("partitionName", Kind::Text, "", "A part of the machine."),
];
const FIRST_OF_MANY: &[Argument] = &[Argument::required("name", Kind::Name, "Its name.")];

/// Settings of which there is one set only.
macro_rules! settings {
    ($($name:ident: $group:literal $object:literal, $summary:literal, $notes:literal, $effect:expr, $rank:ident, $change:literal => $back:literal, [$($keyword:expr),* $(,)?];)+) => {$(
        pub(super) const $name: Command = Command {
            group: $group,
            object: $object,
            words: concat!($group, " ", $object),
            summary: $summary,
            notes: $notes,
            origin: Origin::NetScaler,
            feature: None,
            effect: $effect,
            forms: &[
                Form {
                    op: Op::Set,
                    positionals: &[],
                    keywords: &[$($keyword),*],
                    example: concat!("set ", $group, " ", $object, " ", $change),
                    apply: settings,
                    print: Some((Rank::$rank, print_settings)),
                },
                Form {
                    op: Op::Unset,
                    positionals: &[],
                    keywords: &[$($keyword),*],
                    example: concat!("unset ", $group, " ", $object, " ", $back),
                    apply: settings,
                    print: None,
                },
            ],
        };
    )+};
}

objects! {
    VPN_URL: "vpn" "url", "A bookmark.", TUNNEL, VpnUrl, "urlName",
        [Argument::required("linkName", Kind::Text, "What users read."), Argument::required("actualURL", Kind::Text, "Where it leads.")],
        [
            kept("vServerName", Kind::Text, "", "Virtual server of the application."),
            kept("clientlessAccess", ON_OFF, "OFF", "Whether it is opened without a tunnel."),
            kept("comment", Kind::Text, "", "For people."),
            kept("iconURL", Kind::Text, "", "Its picture."),
            kept("ssotype", Kind::Choice(&["unifiedgateway", "selfauth", "samlauth"]), "", "How users are logged in there."),
            kept("applicationtype", Kind::Choice(&["CVPN", "VPN", "SaaS"]), "", "What kind of application it is."),
            kept("samlSSOProfile", Kind::Text, "", "How users are logged in there by SAML."),
            kept("appjson", Kind::Text, "", "Details of the application."),
        ],
        "intranet", " Intranet https://intranet.example.com", "-comment Home" => "-comment";
    VPN_TRAFFIC_ACTION: "vpn" "trafficAction", "What happens to web traffic of a session.", TUNNEL, VpnTrafficAction, "name",
        [Argument::required("qual", Kind::Choice(&["http", "tcp"]), "Which traffic.")],
        [
            kept("appTimeout", number(1, 715_827, "minutes"), "", "Ends what rests so long."),
            kept("SSO", ON_OFF, "", "Whether name and password are passed on."),
            kept("HDX", ON_OFF, "", "Whether it is ICA in HTTP."),
            kept("formSSOAction", Kind::Text, "", "How a form is filled in."),
            kept("fta", ON_OFF, "", "Whether files open in their application."),
            kept("wanscaler", ON_OFF, "", "Whether it is optimised."),
            kept("kcdAccount", Kind::Text, "", "Account for Kerberos delegation."),
            kept("samlSSOProfile", Kind::Text, "", "How users are logged in by SAML."),
            kept("proxy", Kind::Text, "", "Through which proxy it goes."),
            kept("userExpression", Kind::Text, "", "Which name is passed on."),
            kept("passwdExpression", Kind::Text, "", "Which password."),
        ],
        "sso", " http", "-SSO ON" => "-SSO";
    VPN_PORTAL_THEME: "vpn" "portaltheme", "A look of the pages.", PAGES, VpnPortalTheme, "name",
        [],
        [kept("basetheme", Kind::Choice(&["Default", "Greenbubble", "X1", "RfWebUI"]), "", "The look that it begins with.")],
        "blue", " -basetheme RfWebUI", "-basetheme X1" => "-basetheme";
    NS_TCP_PROFILE: "ns" "tcpProfile", "Settings of TCP.", PROFILE, NsTcpProfile, "name",
        [],
        [
            TCP_WS, TCP_SACK, TCP_WSVAL, TCP_NAGLE, TCP_ACK_ON_PUSH, TCP_MAX_BURST, TCP_CWND, TCP_DELAYED_ACK, TCP_OOO,
            TCP_MAX_PKT, TCP_RETX, TCP_RTO, TCP_SLOW_START,
            kept("mss", number(0, 9_176, "bytes"), "", "Longest segment."),
            kept("bufferSize", number(8_190, 20_971_520, "bytes"), "8190", "Buffer of a connection."),
            kept("sendBuffsize", number(8_190, 20_971_520, "bytes"), "8190", "Buffer for sending."),
            kept("synCookie", ENABLED, "ENABLED", "Cookies against floods of connections."),
            kept("KAprobeUpdateLastactivity", ENABLED, "ENABLED", "Whether an answer to a probe counts as traffic."),
            kept("flavor", Kind::Choice(&["Default", "Westwood", "BIC", "CUBIC", "Nile"]), "Default", "Congestion control; here `set ns worker -congestion`."),
            kept("dynamicReceiveBuffering", ENABLED, "DISABLED", "Buffers that grow; the operating system's always do."),
            kept("KA", ENABLED, "DISABLED", "Probes on connections that rest."),
            kept("KAconnIdleTime", number(1, 4_095, "seconds"), "900", "After so long."),
            kept("KAmaxProbes", number(1, 254, "probes"), "3", "So many."),
            kept("KAprobeInterval", number(1, 4_095, "seconds"), "75", "So far apart."),
            kept("mptcp", ENABLED, "DISABLED", "Several paths."),
            kept("EstablishClientConn", Kind::Choice(&["AUTOMATIC", "CONN_ESTABLISHED", "ON_FIRST_DATA"]), "AUTOMATIC", "When a connection counts as made."),
            kept("tcpSegOffload", Kind::Choice(&["AUTOMATIC", "DISABLED"]), "AUTOMATIC", "Segments made by the network card."),
            kept("rstWindowAttenuate", ENABLED, "DISABLED", "Resets are taken in a small window only."),
            kept("rstMaxAck", ENABLED, "DISABLED", "Resets that acknowledge too much are taken."),
            kept("spoofSynDrop", ENABLED, "ENABLED", "Made-up openings are dropped."),
            kept("ecn", ENABLED, "DISABLED", "Congestion is told in packets."),
            kept("mptcpDropDataOnPreEstSF", ENABLED, "DISABLED", "Several paths: data that comes early."),
            kept("mptcpFastOpen", ENABLED, "DISABLED", "Several paths: data in the opening."),
            kept("mptcpSessionTimeout", number(0, 86_400, "seconds"), "0", "Several paths: rest."),
            kept("TimeStamp", ENABLED, "DISABLED", "Time stamps; the operating system's are on."),
            kept("dsack", ENABLED, "ENABLED", "Duplicates are told."),
            kept("ackAggregation", ENABLED, "DISABLED", "Acknowledgements are gathered."),
            kept("frto", ENABLED, "DISABLED", "Timeouts that were none are noticed."),
            kept("maxcwnd", number(8_190, 20_971_520, "bytes"), "524288", "Largest congestion window."),
            kept("fack", ENABLED, "DISABLED", "Forward acknowledgement."),
            kept("tcpmode", Kind::Choice(&["TRANSPARENT", "ENDPOINT"]), "TRANSPARENT", "Whether both legs are coupled."),
            kept("tcpFastOpen", ENABLED, "DISABLED", "Data in the opening."),
            kept("Hystart", ENABLED, "DISABLED", "Slow start ends early."),
            kept("dupackthresh", number(1, 15, "acknowledgements"), "3", "After so many it is sent again."),
            kept("burstRateControl", Kind::Choice(&["DISABLED", "FIXED", "DYNAMIC"]), "DISABLED", "How bursts are spread."),
            kept("tcprate", number(0, 10_000_000, "kilobits per second"), "0", "Rate for that."),
            kept("rateqmax", number(0, 1_000_000_000, "bytes"), "0", "Queue for that."),
            kept("DropHalfClosedConnOnTimeout", ENABLED, "DISABLED", "Half-closed connections that rest end without a word."),
            kept("DropEstConnOnTimeout", ENABLED, "DISABLED", "Others do."),
        ],
        "ica", " -nagle DISABLED", "-WS ENABLED" => "-WS";
    SSL_PROFILE: "ssl" "profile", "Settings of TLS under a name.", TLS, SslProfile, "name",
        [],
        [
            kept("sslProfileType", Kind::Choice(&["FrontEnd", "BackEnd"]), "FrontEnd", "Towards clients or towards servers."),
            kept("ssl3", ENABLED, "DISABLED", "SSL 3."),
            kept("tls1", ENABLED, "ENABLED", "TLS 1.0."),
            kept("tls11", ENABLED, "ENABLED", "TLS 1.1."),
            kept("tls12", ENABLED, "ENABLED", "TLS 1.2."),
            kept("tls13", ENABLED, "DISABLED", "TLS 1.3."),
            kept("dh", ENABLED, "DISABLED", "Diffie-Hellman."),
            kept("dhFile", Kind::Text, "", "Its parameters."),
            kept("dhCount", number(0, 65_534, "handshakes"), "0", "Handshakes with one key."),
            kept("dhKeyExpSizeLimit", ENABLED, "DISABLED", "Short exponents."),
            kept("dhEkeyExchangeWithPSK", YES_NO, "NO", "Resumption with a fresh key."),
            kept("eRSA", ENABLED, "ENABLED", "Ephemeral RSA."),
            kept("eRSACount", number(0, 65_534, "handshakes"), "0", "Handshakes with one key."),
            kept("sessReuse", ENABLED, "ENABLED", "Resumption."),
            kept("sessTimeout", number(0, ANY, "seconds"), "120", "Life of what is resumed."),
            kept("sessionTicket", ENABLED, "DISABLED", "Resumption by tickets."),
            kept("sessionTicketLifeTime", number(0, 172_800, "seconds"), "300", "Life of a ticket."),
            kept("sessionTicketKeyRefresh", ENABLED, "ENABLED", "Keys of tickets are changed."),
            kept("sessionKeyLifeTime", number(600, 86_400, "seconds"), "3000", "Life of such a key."),
            kept("prevSessionKeyLifeTime", number(0, 172_800, "seconds"), "0", "How long the last one still opens."),
            kept("cipherRedirect", ENABLED, "DISABLED", "A page for clients with old suites."),
            kept("cipherURL", Kind::Text, "", "That page."),
            kept("clientAuth", ENABLED, "DISABLED", "Certificates of clients."),
            kept("clientCert", Kind::Choice(&["Mandatory", "Optional"]), "", "Whether there must be one."),
            kept("clientAuthUseBoundCAChain", ENABLED, "DISABLED", "Judged by bound authorities only."),
            kept("sslRedirect", ENABLED, "DISABLED", "Redirects are rewritten."),
            kept("redirectPortRewrite", ENABLED, "DISABLED", "Their ports, too."),
            kept("SNIEnable", ENABLED, "DISABLED", "Certificates by name."),
            kept("SNIHTTPHostMatch", Kind::Choice(&["NO", "CERT", "STRICT"]), "CERT", "Whether the host must be that of the handshake."),
            kept("ocspStapling", ENABLED, "DISABLED", "Answers of OCSP are shown."),
            kept("serverAuth", ENABLED, "DISABLED", "Servers are verified."),
            kept("commonName", Kind::Text, "", "By this name."),
            kept("pushEncTrigger", Kind::Choice(&["Always", "Merge", "Ignore", "Timer"]), "", "When data is encrypted."),
            kept("pushEncTriggerTimeout", number(1, 200, "milliseconds"), "1", "Wait of pushed data."),
            kept("sendCloseNotify", YES_NO, "YES", "The end is said."),
            kept("clearTextPort", number(0, 65_535, "port"), "", "Port without TLS."),
            kept("insertionEncoding", Kind::Choice(&["Unicode", "UTF-8"]), "Unicode", "Encoding of names of certificates in headers."),
            kept("denySSLReneg", Kind::Choice(&["NO", "FRONTEND_CLIENT", "FRONTEND_CLIENTSERVER", "ALL", "NONSECURE"]), "ALL", "Renegotiation."),
            kept("maxRenegRate", number(0, 65_535, "renegotiations per second"), "0", "How often."),
            kept("quantumSize", Kind::Choice(&["4096", "8192", "16384"]), "8192", "Bytes gathered before they are encrypted."),
            kept("strictCAChecks", YES_NO, "NO", "Authorities are checked strictly."),
            kept("encryptTriggerPktCount", number(10, 50, "packets"), "45", "Packets gathered before."),
            kept("pushFlag", number(0, 3, "bits"), "0", "When packets are pushed."),
            kept("dropReqWithNoHostHeader", YES_NO, "NO", "Requests without a host are dropped."),
            kept("sslTriggerTimeout", number(1, 200, "milliseconds"), "100", "Wait before encrypting what is there."),
            kept("HSTS", ENABLED, "DISABLED", "Browsers are told to use TLS only."),
            kept("maxage", number(0, ANY, "seconds"), "0", "For so long."),
            kept("IncludeSubdomains", YES_NO, "NO", "For names below, too."),
            kept("preload", YES_NO, "NO", "From the first visit on."),
            kept("strictSigDigestCheck", ENABLED, "DISABLED", "Signatures must be offered ones."),
            kept("zeroRttEarlyData", ENABLED, "DISABLED", "Early data."),
            kept("tls13SessionTicketsPerAuthContext", number(1, 10, "tickets"), "1", "Tickets at a time."),
            kept("skipClientCertPolicyCheck", ENABLED, "DISABLED", "Policies in certificates are not looked at."),
            kept("allowExtendedMasterSecret", YES_NO, "NO", "Extended master secret."),
            kept("alpnProtocol", Kind::Choice(&["NONE", "HTTP1.1", "HTTP2"]), "NONE", "Protocol that is offered."),
            kept("allowUnknownSNI", ENABLED, "DISABLED", "Unknown names are served."),
            kept("ssllogprofile", Kind::Text, "", "What is logged."),
            kept("ssliVerifyServerCertForReuse", ENABLED, "ENABLED", "Interception: certificates of servers."),
            kept("cipherName", Kind::Text, "", "A suite."),
            kept("cipherPriority", number(1, 1_000, "place"), "", "Its place."),
        ],
        "modern", " -tls13 ENABLED -tls1 DISABLED -tls11 DISABLED", "-HSTS ENABLED -maxage 157680000" => "-HSTS";
}

const TCP_WS: Argument = kept("WS", ENABLED, "DISABLED", "Windows larger than 64 KiB; the operating system's are on.");
const TCP_SACK: Argument = kept("SACK", ENABLED, "DISABLED", "Gaps are told; the operating system's are.");
const TCP_WSVAL: Argument = kept("WSVal", number(0, 14, "bits"), "4", "How much larger.");
const TCP_NAGLE: Argument = Argument::always("nagle", "DISABLED", "Nothing waits for more to say.").takes(ENABLED);
const TCP_ACK_ON_PUSH: Argument = kept("ackOnPush", ENABLED, "ENABLED", "What is pushed is acknowledged at once.");
const TCP_MAX_BURST: Argument = kept("maxBurst", number(1, 255, "segments"), "6", "Segments in a row.");
const TCP_CWND: Argument = kept("initialCwnd", number(1, 44, "segments"), "4", "Congestion window at first.");
const TCP_DELAYED_ACK: Argument =
    kept("delayedAck", number(10, 300, "milliseconds"), "100", "How long an acknowledgement waits.");
const TCP_OOO: Argument = kept("oooQSize", number(0, 65_535, "segments"), "64", "Segments that wait for others; 0 is no limit.");
const TCP_MAX_PKT: Argument = kept("maxPktPerMss", number(0, 1_460, "packets"), "0", "Packets of a segment.");
const TCP_RETX: Argument = kept("pktPerRetx", number(1, 512, "packets"), "1", "Packets sent again at a time.");
const TCP_RTO: Argument = kept("minRTO", number(10, 64_000, "milliseconds"), "1000", "Least wait before sending again.");
const TCP_SLOW_START: Argument = kept("slowStartIncr", number(1, 100, "segments"), "2", "Growth in slow start.");

fixed_objects! {
    VPN_INTRANET_APPLICATION: "vpn" "intranetApplication", "What the tunnel reaches.", TUNNEL, VpnIntranetApplication,
        [
            Argument::required("name", Kind::Name, "Its name."),
            Argument::optional("protocol", Kind::Choice(&["TCP", "UDP", "ANY"]), "Protocol."),
            Argument::optional("destination", Kind::Text, "An address, a range of them, or a name.")
        ],
        [
            kept("netmask", Kind::Ip, "255.255.255.255", "Mask of the address."),
            kept("destPort", Kind::Ports, "", "Ports there."),
            kept("interception", Kind::Choice(&["PROXY", "TRANSPARENT"]), "", "How the client catches it."),
            kept("srcIP", Kind::Ip, "", "Address at the client."),
            kept("srcPort", PORT, "", "Port at the client."),
            kept("spoofIIP", ON_OFF, "ON", "Whether the intranet address is used."),
            kept("clientApplication", Kind::Anything, "", "Programs of the client."),
        ],
        "lan", " ANY 10.20.0.0 -netmask 255.255.0.0 -destPort 1-65535 -interception TRANSPARENT";
    VPN_EULA: "vpn" "eula", "Terms that users accept.", PAGES, VpnEula,
        [Argument::required("name", Kind::Name, "Its name.")], [], "terms", "";
    VPN_NEXT_HOP_SERVER: "vpn" "nextHopServer", "The second gateway of two.", "there is one gateway between client and host", VpnNextHopServer,
        [
            Argument::required("name", Kind::Name, "Its name."),
            Argument::optional("nextHopIP", Kind::Text, "Its address, or its port if -nextHopFQDN is there."),
            Argument::optional("nextHopPort", PORT, "Its port.")
        ],
        [
            kept("nextHopFQDN", Kind::DnsName, "", "Its name."),
            kept("resAddressType", FAMILY, "", "To which kind of address that resolves."),
            kept("secure", ON_OFF, "OFF", "Whether it is spoken to with TLS."),
        ],
        "inner", " 10.20.0.9 443 -secure ON";
    NS_IP: "ns" "ip", "An address of the machine.", KERNEL, NsIp,
        [
            Argument::required("name", Kind::Ip, "The address."),
            Argument::required("netmask", Kind::Ip, "Its mask.")
        ],
        [
            kept("type", Kind::Choice(&["SNIP", "VIP", "NSIP", "GSLBsiteIP", "CLIP", "LSN", "MIP"]), "SNIP", "What it is for."),
            kept("arp", ENABLED, "ENABLED", "ARP."),
            kept("icmp", ENABLED, "ENABLED", "Pings."),
            kept("vServer", ENABLED, "ENABLED", "Virtual servers."),
            kept("telnet", ENABLED, "ENABLED", "Telnet."),
            kept("ftp", ENABLED, "ENABLED", "FTP."),
            kept("gui", Kind::Choice(&["ENABLED", "SECUREONLY", "DISABLED"]), "ENABLED", "The administrator's pages."),
            kept("ssh", ENABLED, "ENABLED", "SSH."),
            kept("snmp", ENABLED, "ENABLED", "SNMP."),
            kept("mgmtAccess", ENABLED, "DISABLED", "All of these for administrators."),
            kept("restrictAccess", ENABLED, "DISABLED", "Other ports are closed."),
            kept("dynamicRouting", ENABLED, "DISABLED", "Routing protocols."),
            kept("decrementTTL", ENABLED, "DISABLED", "Hops are counted."),
            kept("hostRoute", ENABLED, "", "A route to it is announced."),
            kept("networkRoute", ENABLED, "", "A route to its network is."),
            kept("tag", number(0, ANY, "tag"), "0", "Tag of that."),
            kept("hostRtGw", Kind::Ip, "", "Gateway of that."),
            kept("metric", Kind::Text, "", "Cost of that."),
            kept("vserverRHILevel", Kind::Choice(&["ONE_VSERVER", "ALL_VSERVERS", "NONE", "VSVR_CNTRLD"]), "ONE_VSERVER", "When that is done."),
            kept("vserverRHIMode", Kind::Choice(&["DYNAMIC_ROUTING", "RISE"]), "DYNAMIC_ROUTING", "How."),
            kept("ospfLSAType", Kind::Choice(&["TYPE1", "TYPE5"]), "TYPE5", "OSPF: type."),
            kept("ospfArea", number(0, ANY, "area"), "", "OSPF: area."),
            kept("state", ENABLED, "ENABLED", "Whether it is on."),
            kept("vrID", number(1, 255, "id"), "", "VRRP."),
            kept("icmpResponse", Kind::Choice(&["NONE", "ONE_VSERVER", "ALL_VSERVERS", "VSVR_CNTRLD"]), "", "When pings are answered."),
            kept("ownerNode", number(0, 255, "node"), "255", "Node of the cluster."),
            kept("arpResponse", Kind::Choice(&["NONE", "ONE_VSERVER", "ALL_VSERVERS"]), "", "When ARP is answered."),
            kept("ownerDownResponse", YES_NO, "YES", "Whether others answer."),
            kept("td", number(0, 4_094, "traffic domain"), "0", "Traffic domain."),
        ],
        "192.0.2.9", " 255.255.255.0 -type SNIP";
    SSL_CIPHER: "ssl" "cipher", "A group of TLS suites.", TLS, SslCipher,
        [Argument::required("name", Kind::Name, "Its name.")], [], "strong", "",
        Form {
            op: Op::Bind,
            positionals: FIRST_OF_MANY,
            keywords: &[
                kept("cipherName", Kind::Text, "", "A suite."),
                kept("cipherPriority", number(1, 1_000, "place"), "", "Its place."),
            ],
            example: "bind ssl cipher strong -cipherName TLS1.3-AES256-GCM-SHA384 -cipherPriority 1",
            apply: bind,
            print: Some((Rank::SslCipherBind, print_bindings)),
        },
        Form {
            op: Op::Unbind,
            positionals: FIRST_OF_MANY,
            keywords: &[kept("cipherName", Kind::Text, "", "A suite.")],
            example: "unbind ssl cipher strong -cipherName TLS1.3-AES256-GCM-SHA384",
            apply: unbind,
            print: None,
        };
    SYSTEM_GROUP: "system" "group", "A group of administrators.", ADMIN, SystemGroup,
        [Argument::required("name", Kind::Name, "Its name.")],
        [
            kept("promptString", Kind::Text, "", "What the command line shows."),
            kept("timeout", number(0, 100_000_000, "seconds"), "", "Ends a command line that rests."),
        ],
        "operators", "",
        Form {
            op: Op::Set,
            positionals: FIRST_OF_MANY,
            keywords: SYSTEM_GROUP_KEYWORDS,
            example: "set system group operators -timeout 900",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: FIRST_OF_MANY,
            keywords: SYSTEM_GROUP_KEYWORDS,
            example: "unset system group operators -timeout",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Bind,
            positionals: FIRST_OF_MANY,
            keywords: SYSTEM_GROUP_BIND,
            example: "bind system group operators -policyName superuser 100",
            apply: bind,
            print: Some((Rank::SystemGroupBind, print_bindings)),
        },
        Form {
            op: Op::Unbind,
            positionals: FIRST_OF_MANY,
            keywords: SYSTEM_GROUP_BIND,
            example: "unbind system group operators -policyName superuser 100",
            apply: unbind,
            print: None,
        };
    SYSTEM_CMD_POLICY: "system" "cmdPolicy", "What administrators may say.", ADMIN, SystemCmdPolicy,
        [
            Argument::required("name", Kind::Name, "Its name."),
            Argument::required("action", Kind::Choice(&["ALLOW", "DENY"]), "Whether they may."),
            Argument::required("cmdSpec", Kind::Text, "Which commands, as a regular expression.")
        ],
        [], "look", " ALLOW \"^show .*\"";
}

/// `enable ns mode`
pub(super) const NS_MODE: Command = Command {
    group: "ns",
    object: "mode",
    words: "ns mode",
    summary: "How packets are forwarded.",
    notes: "",
    origin: Origin::NetScaler,
    feature: None,
    effect: Effect::Never(KERNEL),
    forms: &[
        Form {
            op: Op::Enable,
            positionals: MODES,
            keywords: &[],
            example: "enable ns mode FR L3 Edge USNIP PMTUD",
            apply: mode,
            print: Some((Rank::NsMode, print_modes)),
        },
        Form { op: Op::Disable, positionals: MODES, keywords: &[], example: "disable ns mode L3", apply: mode, print: None },
    ],
};

const MODES: &[Argument] = &[Argument::required(
    "Mode",
    Kind::List(
        &Kind::Choice(&[
            "FR",
            "L2",
            "USIP",
            "CKA",
            "TCPB",
            "MBF",
            "Edge",
            "USNIP",
            "SUBNIP",
            "L3",
            "PMTUD",
            "MediaClassification",
            "SRADV",
            "DRADV",
            "IRADV",
            "SRADV6",
            "DRADV6",
            "BridgeBPDUs",
            "RISE_APBR",
            "RISE_RHI",
            "ULFD",
        ]),
        64,
    ),
    "One or more modes.",
)];

fn mode(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    for value in said.values("Mode") {
        let mode: Box<str> = value.shown().into();
        if said.form.op == Op::Enable {
            site.model.features.modes.insert(mode);
        } else {
            site.model.features.modes.remove(&mode);
        }
    }
    Ok(())
}

fn print_modes(model: &Model, out: &mut Writer<'_>) {
    let modes = &model.features.modes;
    if !modes.is_empty() {
        modes.iter().fold(out.line(Op::Enable, &NS_MODE, ""), |line, mode| line.word(mode)).end();
    }
}

settings! {
    NS_PARAM: "ns" "param", "Settings of the whole machine.", "",
        Effect::Never("ports, cookies and times are set where they belong, see `ns limits`"), NsParam, "-cookieversion 1" => "-cookieversion",
        [
            kept("httpPort", Kind::List(&PORT, 64), "", "Ports on which HTTP is looked for."),
            kept("maxConn", number(0, ANY, "connections"), "0", "Connections to a server."),
            kept("maxReq", number(0, 65_535, "requests"), "0", "Requests on one of them."),
            kept("cip", Kind::Anything, "", "A header with the client's address."),
            kept("cookieversion", Kind::Choice(&["0", "1"]), "0", "Version of cookies."),
            kept("secureCookie", ENABLED, "ENABLED", "Cookies travel with TLS only."),
            kept("pmtuMin", number(168, 1_500, "bytes"), "576", "Least path MTU."),
            kept("pmtuTimeout", number(1, 1_440, "minutes"), "10", "Life of a path MTU."),
            kept("ftpPortRange", Kind::Ports, "", "Ports of FTP."),
            kept("crPortRange", Kind::Ports, "", "Ports of cache redirection."),
            kept("timezone", Kind::Text, "CoordinatedUniversalTime", "Time zone."),
            kept("grantQuotaMaxClient", number(0, 100, "percent"), "10", "Shared quota of connections."),
            kept("exclusiveQuotaMaxClient", number(0, 100, "percent"), "80", "Each core's quota of them."),
            kept("grantQuotaSpillOver", number(0, 100, "percent"), "10", "Shared quota of spill-over."),
            kept("exclusiveQuotaSpillOver", number(0, 100, "percent"), "80", "Each core's quota of that."),
            kept("useproxyport", ENABLED, "ENABLED", "Connections to servers have a port of their own."),
            kept("internaluserlogin", ENABLED, "ENABLED", "Its own users log in with keys."),
            kept("aftpAllowRandomSourcePort", ENABLED, "DISABLED", "Ports of active FTP."),
            kept("icaPorts", Kind::List(&PORT, 64), "", "Ports on which ICA is looked for."),
            kept("secureicaPorts", Kind::List(&PORT, 64), "", "Those of ICA in TLS."),
            kept("tcpCIP", ENABLED, "DISABLED", "An option with the client's address."),
            kept("servicePathIngressVLAN", number(1, 4_094, "VLAN"), "", "VLAN of service paths."),
            kept("mgmtHttpPort", PORT, "80", "Port of the administrator's pages."),
            kept("mgmtHttpsPort", PORT, "443", "The same with TLS."),
            kept("proxyProtocol", ENABLED, "DISABLED", "A header with the client's address, before all else."),
            kept("advancedAnalyticsStats", ENABLED, "DISABLED", "More figures."),
            kept("ipTtl", number(1, 255, "hops"), "255", "Hops of a packet."),
        ];
    NS_TCP_PARAM: "ns" "tcpParam", "Settings of TCP.",
        "TCP is the operating system's. Nagle's algorithm is always off on both legs, and a connection that rests is probed after 60 s, every 10 s, \
         6 times. Congestion control is `set ns worker -congestion`; window scaling, selective acknowledgement and buffers are the system's own.",
        Effect::Never(PROFILE), NsTcpParam, "-WS ENABLED -SACK ENABLED" => "-WS",
        [
            TCP_WS, TCP_SACK, TCP_WSVAL, TCP_NAGLE, TCP_ACK_ON_PUSH, TCP_MAX_BURST, TCP_CWND, TCP_DELAYED_ACK, TCP_OOO,
            TCP_MAX_PKT, TCP_RETX, TCP_RTO, TCP_SLOW_START,
            kept("learnVsvrMSS", ENABLED, "DISABLED", "Segment lengths are learnt."),
            kept("mssLearnInterval", number(1, 1_048_576, "seconds"), "180", "How often."),
            kept("mssLearnDelay", number(1, 1_048_576, "seconds"), "3600", "How much later again."),
            kept("recvBuffSize", number(8_190, 20_971_520, "bytes"), "8190", "Buffer for receiving."),
            kept("downStateRST", ENABLED, "DISABLED", "A server that is down resets."),
            kept("limitedPersist", ENABLED, "ENABLED", "Probes of a closed window end."),
            kept("maxDynServerProbes", number(1, 65_535, "probes"), "7", "Probes of new servers."),
            kept("synHoldFastGiveup", number(256, 65_535, "connections"), "1024", "Openings that wait before they give up."),
            kept("maxSynholdPerprobe", number(1, 255, "connections"), "128", "Openings that wait for a probe."),
            kept("maxSynhold", number(256, 65_535, "connections"), "16384", "Openings that wait."),
            kept("maxTimeWaitConn", number(1, ANY, "connections"), "7000", "Ended connections that are remembered."),
            kept("maxSynAckRetx", number(100, 1_048_576, "packets"), "100", "Answers to openings sent again."),
            kept("synAttackDetection", ENABLED, "ENABLED", "Floods of openings are noticed."),
            kept("connFlushIfNoMem", Kind::Choice(&["NONE", "HALFCLOSED_AND_IDLE", "FIFO"]), "NONE", "What ends when memory is short."),
            kept("connFlushThres", number(1, ANY, "connections"), "", "From how many on."),
            kept("TcpMaxRetries", number(1, 7, "times"), "7", "How often it is sent again."),
            kept("tcpFastOpenCookieTimeout", number(0, 31_536_000, "seconds"), "0", "Life of a cookie for data in the opening."),
            kept("autosyncookietimeout", number(7, 65_535, "seconds"), "30", "Life of cookies against floods."),
            kept("tcpfintimeout", number(1, 3_600, "seconds"), "40", "Wait for the other's end."),
            kept("mptcpConCloseOnPassiveSF", ENABLED, "ENABLED", "Several paths: end of one that rests."),
            kept("mptcpChecksum", ENABLED, "ENABLED", "Several paths: checksums."),
            kept("mptcpSFtimeout", number(0, 31_536_000, "seconds"), "0", "Several paths: rest of one."),
            kept("mptcpSFReplaceTimeout", number(0, 31_536_000, "seconds"), "10", "Several paths: when one is replaced."),
            kept("mptcpMaxSF", number(2, 6, "paths"), "4", "Several paths: how many."),
            kept("mptcpMaxPendingSF", number(0, 4, "paths"), "4", "Several paths: how many not yet joined."),
            kept("mptcpPendingJoinThreshold", number(0, ANY, "connections"), "0", "Several paths: joins that wait."),
            kept("mptcpRTOsToSwitchSF", number(1, 6, "times"), "2", "Several paths: when another is taken."),
            kept("mptcpUseBackupOnDSS", ENABLED, "ENABLED", "Several paths: the spare one."),
            kept("mptcpImmediateSFCloseOnFIN", ENABLED, "DISABLED", "Several paths: end at once."),
            kept("mptcpCloseMptcpSessionOnLastSFClose", ENABLED, "DISABLED", "Several paths: end with the last."),
            kept("mptcpSendSFResetOption", ENABLED, "DISABLED", "Several paths: why one ended."),
        ];
    SSL_PARAMETER: "ssl" "parameter", "Settings of TLS.",
        "Records are sized by the data plane. Renegotiation is refused, the end of a session is always said, and OCSP and CRL are not asked.",
        Effect::Never(TLS), SslParameter, "-denySSLReneg ALL" => "-denySSLReneg",
        [
            kept("quantumSize", Kind::Choice(&["4096", "8192", "16384"]), "8192", "Bytes gathered before they are encrypted."),
            kept("crlMemorySizeMB", number(10, 1_024, "megabytes"), "256", "Memory for revocation lists."),
            kept("strictCAChecks", YES_NO, "NO", "Authorities are checked strictly."),
            kept("sslTriggerTimeout", number(1, 200, "milliseconds"), "100", "Wait before encrypting what is there."),
            Argument::always("sendCloseNotify", "YES", "The end of a session is always said.").takes(YES_NO),
            kept("encryptTriggerPktCount", number(10, 50, "packets"), "45", "Packets gathered before."),
            Argument::always("denySSLReneg", "ALL", "Renegotiation is refused.")
                .takes(Kind::Choice(&["NO", "FRONTEND_CLIENT", "FRONTEND_CLIENTSERVER", "ALL", "NONSECURE"])),
            kept("insertionEncoding", Kind::Choice(&["Unicode", "UTF-8"]), "Unicode", "Encoding of names of certificates in headers."),
            kept("ocspCacheSize", number(0, 512, "megabytes"), "10", "Memory for OCSP."),
            kept("pushFlag", number(0, 3, "bits"), "0", "When packets are pushed."),
            kept("dropReqWithNoHostHeader", YES_NO, "NO", "Requests without a host are dropped."),
            kept("SNIHTTPHostMatch", Kind::Choice(&["NO", "CERT", "STRICT"]), "CERT", "Whether the host must be that of the handshake."),
            kept("pushEncTriggerTimeout", number(1, 200, "milliseconds"), "1", "Wait of pushed data."),
            kept("cryptodevDisableLimit", number(0, ANY, "operations"), "0", "When the crypto card is not used."),
            kept("undefActionControl", Kind::Text, "CLIENTAUTH", "What happens to undefined control policies."),
            kept("undefActionData", Kind::Text, "NOOP", "The same of data policies."),
            kept("defaultProfile", ENABLED, "DISABLED", "Settings come from profiles."),
            kept("softwareCryptoThreshold", number(0, 100, "percent"), "0", "When the crypto card is helped."),
            kept("hybridFIPSMode", ENABLED, "DISABLED", "FIPS."),
            kept("sigDigestType", Kind::Anything, "ALL", "Signatures that are offered."),
            kept("ssliErrorCache", ENABLED, "DISABLED", "Failures of interception are remembered."),
            kept("ssliMaxErrorCacheMem", number(0, ANY, "bytes"), "0", "In so much memory."),
            kept("insertCertSpace", YES_NO, "YES", "Blanks in certificates in headers."),
            kept("ndcppComplianceCertCheck", YES_NO, "NO", "Names of certificates are checked strictly."),
            kept("heterogeneousSSLHW", ENABLED, "DISABLED", "Different crypto cards in a cluster."),
            kept("operationQueueLimit", number(0, 10_000, "operations"), "150", "Operations that wait for the crypto card."),
        ];
    SYSTEM_PARAMETER: "system" "parameter", "Settings of administration.", "", Effect::Never(ADMIN), SystemParameter,
        "-promptString gateway" => "-promptString",
        [
            kept("rbaOnResponse", ENABLED, "ENABLED", "Answers show only what one may see."),
            kept("promptString", Kind::Text, "", "What the command line shows."),
            kept("natPcbForceFlushLimit", number(1_000, ANY, "connections"), "2147483647", "When its own connections are flushed."),
            kept("natPcbRstOnTimeout", ENABLED, "DISABLED", "They end with a reset."),
            kept("timeout", number(0, 100_000_000, "seconds"), "900", "Ends a command line that rests."),
            kept("localAuth", ENABLED, "ENABLED", "Local administrators may log in."),
            kept("minpasswordlen", number(1, 127, "characters"), "", "Shortest password."),
            kept("strongpassword", Kind::Choice(&["enableall", "enablelocal", "disabled"]), "disabled", "Passwords must be strong."),
            kept("restrictedtimeout", ENABLED, "DISABLED", "Command lines rest a short time only."),
            kept("fipsUserMode", ENABLED, "DISABLED", "FIPS."),
            kept("doppler", ENABLED, "", "Figures are sent to the maker; here nothing is."),
            kept("googleanalytics", ENABLED, "DISABLED", "The same to another."),
            kept("totalAuthTimeout", number(5, 120, "seconds"), "20", "Longest login."),
            kept(
                "cliLoglevel",
                Kind::Choice(&["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFORMATIONAL", "DEBUG"]),
                "INFORMATIONAL",
                "How much of command lines is logged; here all changes are.",
            ),
            kept("forcePasswordChange", ENABLED, "DISABLED", "The first password must be changed."),
            kept("basicAuth", ENABLED, "ENABLED", "Passwords in headers."),
            kept("reauthOnAuthParamChange", ENABLED, "DISABLED", "Changes ask for the password again."),
            kept("removeSensitiveFiles", ENABLED, "DISABLED", "Keys are deleted with the configuration."),
            kept("maxSessionPerUser", number(1, 40, "sessions"), "20", "Sessions of one administrator."),
            kept("wafProtection", Kind::Anything, "", "Its own firewall."),
            kept("passwordHistoryControl", ENABLED, "DISABLED", "Old passwords are refused."),
            kept("pwdhistoryCount", number(1, 10, "passwords"), "6", "So many."),
            kept("maxClient", number(10, 40, "clients"), "10", "Clients of the administrator's API."),
            kept("allowDefaultPartition", ENABLED, "DISABLED", "Administrators of parts see the whole."),
            kept("daysToExpire", number(30, 255, "days"), "", "Life of a password."),
            kept("warnPriorNdays", number(5, 40, "days"), "", "How long before its end one is told."),
        ];
}
