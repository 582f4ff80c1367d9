//! The embedded ticket authority: issues to portals, redeems for gateways.
//!
//! Unknown, expired and used tickets get one answer. Whoever can post here can have tickets, hence the list at the listener.

use std::net::IpAddr;
use std::sync::Arc;

use gate_auth::tickets::Kind;
use gate_proto::secret::Secret;
use gate_proto::xml::sta::{
    IssueRequest, IssuedTicket, RedeemRequest, RefusalId, StaRequest, TicketType, Value, write_issue_answer, write_redeem_answer,
};
use hyper::StatusCode;
use tracing::warn;

use crate::action::{Action, FarmNumber, Owned};
use crate::reach::sta::TICKET_VERSION;

/// One authority.
#[derive(Debug)]
pub(crate) struct Service {
    /// Which table of the owner's.
    pub(crate) number: FarmNumber,
    /// What it calls itself.
    pub(crate) id: Arc<str>,
    pub(crate) owner: Owned,
}

impl Service {
    /// Answers one document with another, or with a bare status.
    pub(crate) async fn answer(&self, body: &[u8], peer: IpAddr) -> Result<Vec<u8>, StatusCode> {
        let (request, encoding) =
            StaRequest::read(body).map_err(|bad| StatusCode::from_u16(bad.http_status()).unwrap_or(StatusCode::BAD_REQUEST))?;
        Ok(match request {
            StaRequest::Issue(request) => write_issue_answer(encoding, self.issue(request, peer).await?.as_ref()),
            StaRequest::Redeem(request) => write_redeem_answer(encoding, self.redeem(&request).await?.as_deref()),
        })
    }

    async fn issue(&self, request: IssueRequest, peer: IpAddr) -> Result<Result<IssuedTicket, RefusalId>, StatusCode> {
        if !request.ticket_types.contains(&TicketType::StaV4) || !request.authority_types.iter().any(|t| t == "STA-v1") {
            return Ok(Err(RefusalId::VersionMismatch));
        }
        let kind = if request.refreshable { Kind::Refreshable } else { Kind::Once };
        let (sta, values) = (self.number, request.values);
        let issued = self.owner.ask(|reply| Action::IssueSta { sta, issuer: peer, kind, values, reply }).await;
        match issued {
            Ok(Ok(code)) => Ok(Ok(IssuedTicket {
                authority_id: self.id.to_string(),
                ticket: Secret::new(code.expose()),
                ticket_version: TICKET_VERSION.to_owned(),
            })),
            Ok(Err(why)) => {
                warn!(id = %self.id, %peer, %why, "no ticket issued");
                Err(StatusCode::SERVICE_UNAVAILABLE)
            }
            Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    async fn redeem(&self, request: &RedeemRequest) -> Result<Result<Vec<Value>, RefusalId>, StatusCode> {
        if request.authority_id.as_deref().is_some_and(|id| !id.eq_ignore_ascii_case(&self.id)) {
            return Ok(Err(RefusalId::WrongAuthority));
        }
        if request.ticket_version.as_deref().is_some_and(|version| version != TICKET_VERSION) {
            return Ok(Err(RefusalId::InvalidTicket));
        }
        let (sta, code) = (self.number, request.ticket.expose().to_owned().into());
        let redeemed = self.owner.ask(|reply| Action::RedeemSta { sta, code, reply }).await;
        redeemed.map(|values| values.map_err(|_| RefusalId::InvalidTicket)).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    }
}
