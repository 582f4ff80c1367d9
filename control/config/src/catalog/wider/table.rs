//! The words themselves, after the public command reference of the other product: facts only, by group.
//!
//! After each object stand the verbs that are said of it, a letter each: `a`dd, `r`m, `s`et, `u`nset, `b`ind and unbind, `e`nable and
//! disable, re`n`ame, `i`mport, a`p`ply, update (`f`, for afresh), `l`ink and unlink. Commands that only do something at once,
//! such as `create ssl rsakey`, never stand in a saved file and are not listed.

use crate::catalog::Rank;

use super::Group;

const AUTHZ: &str = "what a session may reach is said by `add vpn allowedHost`";
const CORE: &str = "the gateway has no such part";
const CS: &str = "content switching and redirection are not part of an ICA gateway";
const EXPR: &str = "it serves policies that have no effect here";
const GSLB: &str = "balancing between sites is done in front of the gateway";
const HOST: &str = "this is set up with the tools of the operating system";
const ICA: &str = "sessions pass as they are: nothing in them is read or changed";
const LB: &str = "load balancing is not part of an ICA gateway";
const LOGIN: &str = "this way of logging in is not offered";
const NAMES: &str = "names are resolved by the operating system";
const NET: &str = "the network is set up with the tools of the operating system";
const QUIC: &str = "QUIC is not spoken";
const SSO: &str = "single sign-on to web applications is not part of an ICA gateway";
const STORE: &str = "the gateway has its own portal";
const TELCO: &str = "carrier networking is not part of an ICA gateway";
const TLS: &str = "certificates and TLS are set by `ssl certKey` and `ssl vserver`";
const TUNNEL: &str = "there is neither a tunnel nor clientless access: only ICA sessions are carried";
const WAF: &str = "an application firewall is not part of an ICA gateway";
const WATCH: &str = "the gateway writes its own log and counts for itself";
const WEB: &str = "web traffic is neither cached, compressed nor rewritten: only ICA sessions and the gateway's own pages pass";

pub(super) const GROUPS: &[Group] = &[
    Group {
        word: "",
        why: NET,
        rank: Rank::WiderBase,
        objects: "appAlgParam/su application/ri arp/ar arpparam/su bridgegroup/arsub bridgetable/arsu callhome/su channel/arsub \
                  extendedmemoryparam/su fis/arb forwardingSession/ars inat/arsu inatparam/su interface/sue interfacePair/ar \
                  ip6Tunnel/ar ip6TunnelParam/su ipset/arb ipTunnel/ar ipTunnelParam/su ipv6/su L2Param/su L3Param/su L4Param/su \
                  lacp/s linkset/arb location/ar locationFile/ari locationFile6/ari locationParameter/su MapBmr/arb MapDmr/ar \
                  MapDomain/arb nat64/arsu nat64param/su nd6/ar nd6RAvariables/sub netbridge/arsub netProfile/arsub \
                  onLinkIPv6Prefix/arsu ptp/s radiusNode/ars reporting/e rnat/arsu rnat6/asub rnatglobal/b rnatparam/su \
                  route/arsu route6/arsu rsskeytype/s uiinternal/su vlan/arsub vrID/arsub vrID6/arsub vrIDParam/su vxlan/arsub \
                  vxlanVlanMap/arb",
    },
    Group {
        word: "",
        why: LB,
        rank: Rank::WiderRest,
        objects: "server/arsuen service/arsuben serviceGroup/arsuben vserver/rsue",
    },
    Group {
        word: "aaa",
        why: LOGIN,
        rank: Rank::WiderRest,
        objects: "certParams/su global/b group/arb kcdAccount/arsu ldapParams/su parameter/su preauthenticationaction/arsu \
                  preauthenticationparameter/su preauthenticationpolicy/ars radiusParams/su ssoProfile/arsu tacacsParams/su \
                  user/arsb",
    },
    Group { word: "adm", why: HOST, rank: Rank::WiderBase, objects: "parameter/su" },
    Group { word: "analytics", why: WATCH, rank: Rank::WiderBase, objects: "global/b profile/arsu" },
    Group { word: "api", why: WAF, rank: Rank::WiderRest, objects: "profile/arsub spec/arf" },
    Group {
        word: "appflow",
        why: WATCH,
        rank: Rank::WiderBase,
        objects: "action/arsun collector/arsun global/b param/su policy/arsun policylabel/arbn",
    },
    Group {
        word: "appfw",
        why: WAF,
        rank: Rank::WiderRest,
        objects: "archive/ri confidField/arsu customSettings/rif fieldType/ars global/b htmlerrorpage/rif JSONContentType/ar \
                  learningdata/r learningsettings/su policy/arsun policylabel/arbn profile/arsub settings/su signatures/rif \
                  wsdl/ri XMLContentType/ar xmlerrorpage/rif xmlschema/ri",
    },
    Group { word: "appqoe", why: LB, rank: Rank::WiderRest, objects: "action/arsu CustomResp/rif parameter/su policy/ars" },
    Group {
        word: "audit",
        why: WATCH,
        rank: Rank::WiderBase,
        objects: "messageaction/arsu nslogAction/arsu nslogGlobal/b nslogParams/su nslogPolicy/ars syslogAction/arsu \
                  syslogGlobal/b syslogParams/su syslogPolicy/ars",
    },
    Group {
        word: "authentication",
        why: LOGIN,
        rank: Rank::WiderRest,
        objects: "adfsProxyProfile/arsu authnProfile/arsu azureKeyVault/arsu certAction/arsu certPolicy/arsu \
                  citrixAuthAction/arsu dfaAction/arsu dfaPolicy/ars epaAction/arsu ldapAction/arsu ldapPolicy/arsu \
                  localPolicy/ars loginSchema/arsu loginSchemaPolicy/arsun negotiateAction/arsu negotiatePolicy/ars \
                  OAuthAction/arsu OAuthIDPPolicy/arsun OAuthIDPProfile/arsu Policy/arsun policylabel/arbn \
                  protectedUserAction/arsu pushService/arsu radiusAction/arsu radiusPolicy/arsu samlAction/arsu \
                  samlIdPPolicy/arsun samlIdPProfile/arsu samlPolicy/arsu smartAccessPolicy/arsu smartAccessProfile/arsu \
                  storefrontAuthAction/arsu tacacsAction/arsu tacacsPolicy/arsu vserver/arsuben webAuthAction/arsu \
                  webAuthPolicy/ars",
    },
    Group { word: "authorization", why: AUTHZ, rank: Rank::WiderRest, objects: "policy/arsn policylabel/arbn" },
    Group { word: "autoscale", why: LB, rank: Rank::WiderRest, objects: "action/arsu policy/arsun profile/ars" },
    Group { word: "azure", why: HOST, rank: Rank::WiderBase, objects: "application/ar keyVault/arsu" },
    Group {
        word: "bot",
        why: WAF,
        rank: Rank::WiderRest,
        objects: "global/b policy/arsun policylabel/arbn profile/arsub settings/su signature/ri",
    },
    Group { word: "ca", why: WEB, rank: Rank::WiderRest, objects: "action/arsun global/b policy/arsun" },
    Group {
        word: "cache",
        why: WEB,
        rank: Rank::WiderRest,
        objects: "contentGroup/arsu forwardProxy/ar global/b parameter/su policy/arsun policylabel/arbn selector/ars",
    },
    Group { word: "cli", why: HOST, rank: Rank::WiderBase, objects: "mode/su prompt/s" },
    Group {
        word: "cloud",
        why: HOST,
        rank: Rank::WiderBase,
        objects: "allowedngsticketprofile/ar awsParam/s credential/su parameter/su profile/ar",
    },
    Group { word: "cloudTunnel", why: NET, rank: Rank::WiderBase, objects: "parameter/su vserver/ar" },
    Group { word: "cluster", why: NET, rank: Rank::WiderBase, objects: "instance/arsue node/arsub nodegroup/arsub" },
    Group {
        word: "cmp",
        why: WEB,
        rank: Rank::WiderRest,
        objects: "action/arsun global/b parameter/su policy/arsn policylabel/arbn",
    },
    Group {
        word: "contentInspection",
        why: WAF,
        rank: Rank::WiderRest,
        objects: "action/arsu callout/arsu global/b parameter/su policy/arsun policylabel/arbn profile/arsu",
    },
    Group { word: "cr", why: CS, rank: Rank::WiderRest, objects: "policy/arsun vserver/arsuben" },
    Group {
        word: "cs",
        why: CS,
        rank: Rank::WiderRest,
        objects: "action/arsun parameter/su policy/arsun policylabel/arbn vserver/arsuben",
    },
    Group { word: "db", why: TELCO, rank: Rank::WiderRest, objects: "dbProfile/arsu user/ars" },
    Group {
        word: "dns",
        why: NAMES,
        rank: Rank::WiderBase,
        objects: "aaaaRec/ar action/arsu action64/arsu addRec/ar cnameRec/ar global/b key/arsui mxRec/arsu nameServer/arsue \
                  naptrRec/ar nsRec/ar parameter/su policy/arsu policy64/ars policylabel/arbn profile/arsu ptrRec/ar soaRec/arsu \
                  srvRec/arsu suffix/ar txtRec/ar view/ar zone/arsu",
    },
    Group { word: "dos", why: LB, rank: Rank::WiderRest, objects: "policy/arsu" },
    Group { word: "feo", why: WEB, rank: Rank::WiderRest, objects: "action/arsu global/b parameter/su policy/arsu" },
    Group {
        word: "filter",
        why: WEB,
        rank: Rank::WiderRest,
        objects: "action/arsu global/b htmlinjectionparameter/su htmlinjectionvariable/arsu policy/ars postbodyInjection/su \
                  prebodyInjection/su",
    },
    Group {
        word: "gslb",
        why: GSLB,
        rank: Rank::WiderRest,
        objects: "ldnsentry/r parameter/su service/arsubn site/arsu vserver/arsuben",
    },
    Group { word: "HA", why: NET, rank: Rank::WiderBase, objects: "node/arsub" },
    Group {
        word: "ica",
        why: ICA,
        rank: Rank::WiderRest,
        objects: "accessprofile/arsu action/arsun global/b latencyprofile/arsu parameter/su policy/arsun",
    },
    Group { word: "ipsec", why: NET, rank: Rank::WiderBase, objects: "parameter/su profile/ar" },
    Group { word: "ipsecalg", why: TELCO, rank: Rank::WiderRest, objects: "profile/arsu" },
    Group {
        word: "lb",
        why: LB,
        rank: Rank::WiderRest,
        objects: "action/arsun global/b group/arsubn metricTable/arsb monitor/arsube parameter/su policy/arsun policylabel/arbn \
                  profile/arsu route/ar route6/ar sipParameters/su vserver/arsuben wlm/arsub",
    },
    Group { word: "lldp", why: NET, rank: Rank::WiderBase, objects: "param/su" },
    Group {
        word: "lsn",
        why: TELCO,
        rank: Rank::WiderRest,
        objects: "appsprofile/arsub client/arb group/arsub httphdrlogprofile/arsu ip6profile/ar logprofile/arsu parameter/su \
                  pool/arsub rtspalgprofile/arsu sipalgprofile/arsu static/ar transportprofile/arsu",
    },
    Group { word: "metrics", why: WATCH, rank: Rank::WiderBase, objects: "profile/arsu" },
    Group {
        word: "ns",
        why: CORE,
        rank: Rank::WiderBase,
        objects: "acl/arsuen acl6/arsuen acls/p acls6/p appflowCollector/ar appflowParam/su aptlicense/f assignment/arsun \
                  capacity/su centralmanagementserver/ar config/su consoleloginprompt/su cqaparam/su dhcpParams/su diameter/su \
                  encryptionKey/arsu encryptionParams/s extension/arsuif feature/e hmacKey/arsu hostName/s httpParam/su \
                  httpProfile/arsu icapProfile/arsu idletimeout/su ip/arsue ip6/arsu licenseproxyserver/ars licenseserver/ars \
                  limitIdentifier/arsu limitSelector/arsu migration/su mode/e param/su partition/arsub pbr/arsue pbr6/arsuep \
                  pbrs/p rateControl/su rpcNode/su serviceFunction/ars servicePath/arb simpleacl/ar simpleacl6/ar spParams/su \
                  tcpbufParam/su tcpParam/su tcpProfile/arsu timeout/su timer/arsubn trafficDomain/arbe variable/arsu vpxparam/s \
                  weblogparam/su xmlnamespace/arsu",
    },
    Group { word: "ntp", why: HOST, rank: Rank::WiderBase, objects: "param/su server/arsu sync/e" },
    Group { word: "pcp", why: TELCO, rank: Rank::WiderRest, objects: "profile/arsu server/arsu" },
    Group {
        word: "policy",
        why: EXPR,
        rank: Rank::WiderBase,
        objects: "contentGroup/ar dataset/arb expression/arsu httpCallout/arsu map/ar param/su patClass/arb patset/arb \
                  stringmap/arsub urlset/arif",
    },
    Group { word: "pq", why: LB, rank: Rank::WiderRest, objects: "policy/arsu" },
    Group { word: "protocol", why: WEB, rank: Rank::WiderRest, objects: "httpBand/su" },
    Group { word: "quic", why: QUIC, rank: Rank::WiderRest, objects: "param/su" },
    Group { word: "quicBridge", why: NET, rank: Rank::WiderBase, objects: "profile/arsu" },
    Group { word: "rdp", why: TUNNEL, rank: Rank::WiderRest, objects: "clientprofile/arsu serverprofile/arsu" },
    Group { word: "reputation", why: WAF, rank: Rank::WiderRest, objects: "settings/su" },
    Group {
        word: "responder",
        why: WEB,
        rank: Rank::WiderRest,
        objects: "action/arsun global/b htmlpage/rif param/su policy/arsun policylabel/arbn",
    },
    Group {
        word: "rewrite",
        why: WEB,
        rank: Rank::WiderRest,
        objects: "action/arsun global/b param/su policy/arsun policylabel/arbn",
    },
    Group { word: "rise", why: NET, rank: Rank::WiderBase, objects: "param/su" },
    Group { word: "router", why: NET, rank: Rank::WiderBase, objects: "bgp/arsu dynamicRouting/arsup ospf/su rip/su" },
    Group { word: "sc", why: LB, rank: Rank::WiderRest, objects: "parameter/su policy/arsu" },
    Group { word: "smpp", why: TELCO, rank: Rank::WiderRest, objects: "param/su user/ars" },
    Group {
        word: "snmp",
        why: HOST,
        rank: Rank::WiderBase,
        objects: "alarm/sue community/ar engineId/su group/ars manager/arsu mib/su option/su trap/arsub user/arsu view/ars",
    },
    Group { word: "spillover", why: LB, rank: Rank::WiderRest, objects: "action/arn policy/arsun" },
    Group {
        word: "ssl",
        why: TLS,
        rank: Rank::WiderRest,
        objects: "action/ar caCertGroup/arb certBundle/rip certFile/ri certKey/arsubfl certKeyBundle/arf cipher/arsub \
                  crlFile/ri dhFile/ri dtlsProfile/arsu fips/suf fipsKey/ri fipsSIMSource/e fipsSIMTarget/e global/b hsmKey/ar \
                  keyFile/ri logprofile/arsu ocspResponder/arsu parameter/su policy/arsu policylabel/arb profile/arsub \
                  service/sub serviceGroup/sub vserver/sub wrapkey/r",
    },
    Group { word: "stream", why: LB, rank: Rank::WiderRest, objects: "identifier/arsu selector/ars" },
    Group {
        word: "subscriber",
        why: TELCO,
        rank: Rank::WiderRest,
        objects: "gxInterface/su param/su profile/arsu radiusInterface/s",
    },
    Group {
        word: "system",
        why: HOST,
        rank: Rank::WiderBase,
        objects: "autorestorefeature/e backup/ar cmdPolicy/ars collectionparam/su entitydata/r extramgmtcpu/e global/b \
                  group/arsub kek/i parameter/su restorepoint/r sshkey/ri user/arsub",
    },
    Group {
        word: "tm",
        why: SSO,
        rank: Rank::WiderRest,
        objects: "formSSOAction/arsu global/b samlSSOProfile/arsu sessionAction/arsu sessionParameter/su sessionPolicy/arsu \
                  trafficAction/arsu trafficPolicy/arsu",
    },
    Group {
        word: "transform",
        why: WEB,
        rank: Rank::WiderRest,
        objects: "action/arsu global/b policy/arsun policylabel/arbn profile/arsu",
    },
    Group { word: "tunnel", why: NET, rank: Rank::WiderBase, objects: "global/b trafficPolicy/arsu" },
    Group { word: "ulfd", why: TELCO, rank: Rank::WiderRest, objects: "server/ar" },
    Group { word: "urlFiltering", why: WAF, rank: Rank::WiderRest, objects: "parameter/su" },
    Group { word: "user", why: TELCO, rank: Rank::WiderRest, objects: "protocol/arsu vserver/arsu" },
    Group {
        word: "videooptimization",
        why: WEB,
        rank: Rank::WiderRest,
        objects: "action/arsun global/b parameter/su policy/arsun policylabel/arbn",
    },
    Group {
        word: "vpn",
        why: TUNNEL,
        rank: Rank::WiderRest,
        objects: "alwaysONProfile/arsu clientlessAccessPolicy/ars clientlessAccessProfile/arsu epaprofile/ar eula/ar \
                  formSSOAction/arsu global/b intranetApplication/ar nextHopServer/ar parameter/su pcoipProfile/arsu \
                  pcoipVserverProfile/arsu portaltheme/ar samlSSOProfile/arsu sessionAction/arsu sessionPolicy/arsu \
                  trafficAction/arsu trafficPolicy/arsu url/arsu vserver/arsuben",
    },
    Group { word: "wf", why: STORE, rank: Rank::WiderRest, objects: "site/ars" },
    Group { word: "wi", why: STORE, rank: Rank::WiderRest, objects: "site/arsub" },
];
