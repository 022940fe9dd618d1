//! dashboard - one-time links to the page
//!
//! Not here: what a link opens (`web::access`), the page (`web`).

use std::net::SocketAddr;
use std::sync::Arc;

use super::Operator;
use crate::admin::message::Response;
use crate::web::access::{PageAccess, Visitor};
use gatepost_core::moment::Moment;

/// Where the page is, and what makes its links.
#[derive(Clone, Debug)]
pub struct PagePlace {
    /// None: on a UNIX socket.
    pub(in crate::server) address: Option<SocketAddr>,
    pub(in crate::server) access: Arc<PageAccess>,
}

impl PagePlace {
    /// The page with a link that opens once; none: on a UNIX socket.
    pub fn link(&self, now: Moment) -> Option<String> {
        let link = self.access.link(Visitor::default(), now);
        Some(format!("http://{}/#{link}", self.address?))
    }
}

impl Operator {
    pub(super) fn page_link(
        &self,
        who: Option<String>,
        from: Option<String>,
        now: Moment,
    ) -> Result<Response, String> {
        match &self.page {
            Some(page) => Ok(Response::Dashboard {
                address: page.address.map(|address| format!("http://{address}")),
                link: page.access.link(Visitor::new(who, from), now),
            }),
            None => Err("there is no page: write [http] listen = \"127.0.0.1:9465\" into gatepost.toml, and \
                         restart Gatepost"
                .to_owned()),
        }
    }
}
