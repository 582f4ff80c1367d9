//! The XML Service as the portal asks it: every question is a real NFuse exchange, also with the embedded one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use gate_config::model::{Scheme, Url};
use gate_proto::xml::ANSWER_CAPS;
use gate_proto::xml::encoding::Encoding;
use gate_proto::xml::nfuse::XML_PATH;
use gate_proto::xml::nfuse::answer::{Answer, NoAnswer};
use gate_proto::xml::nfuse::request::Request;
use thiserror::Error;

use super::post::{Endpoint, Outage};
use super::roots::BadRoots;
use crate::door::xml;
use crate::helpers::Helpers;

/// Who asks the embedded service.
const OURSELVES: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum NoReply {
    /// The service cannot be asked.
    #[error("outage: {0}")]
    Outage(#[from] Outage),
    /// It said no, or something that cannot be used.
    #[error(transparent)]
    No(#[from] NoAnswer),
}

/// Why a service cannot be used. The operator's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unusable {
    /// Its trust anchors.
    #[error(transparent)]
    Roots(#[from] BadRoots),
    /// Passwords would travel in the clear, and nobody has said that they may.
    #[error("passwords would travel in the clear to {0}: use https, loopback, or allow it")]
    Clear(String),
}

/// One service.
pub(crate) enum XmlService {
    /// Our own: the documents are the same, they only stay in the process.
    Embedded(Arc<xml::Service>),
    /// One that is somewhere else.
    Remote(Box<Endpoint>),
}

impl XmlService {
    /// The service at `url`. Plain HTTP is for loopback, unless `insecure` allows it.
    pub(crate) fn new(url: &Url, insecure: bool, roots_pem: Option<&[u8]>, helpers: Arc<Helpers>) -> Result<Self, Unusable> {
        if url.scheme == Scheme::Http && !insecure && !url.at.host.is_loopback() {
            return Err(Unusable::Clear(url.to_string()));
        }
        Ok(Self::Remote(Box::new(Endpoint::new(url, XML_PATH, roots_pem, helpers)?)))
    }

    /// Addresses of the service itself, which are never hosts.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        match self {
            Self::Embedded(_) => Vec::new(),
            Self::Remote(endpoint) => endpoint.addresses(),
        }
    }

    /// Asks `request`.
    pub(crate) async fn ask(&self, request: &Request) -> Result<Answer, NoReply> {
        let asked = request.write(Encoding::Utf8);
        match self {
            Self::Embedded(service) => Ok(Answer::read(&service.answer(&asked, OURSELVES).await, request.kind())?),
            Self::Remote(endpoint) => {
                let read = |answer: &[u8]| match Answer::read(answer, request.kind()) {
                    Ok(answer) => Ok(Ok(answer)),
                    Err(no @ NoAnswer::Refused(_)) => Ok(Err(no)),
                    Err(nonsense @ NoAnswer::Malformed(_)) => Err(Outage::Protocol(nonsense.to_string())),
                };
                Ok(endpoint.post(asked, ANSWER_CAPS.document_bytes, read).await??)
            }
        }
    }
}
