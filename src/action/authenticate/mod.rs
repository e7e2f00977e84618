//! stand-in
use crate::clock::Timestamp;
use crate::exchange::Exchange;
use crate::exchange::rejection::Rejection;
use crate::message::{Request, Response};
use http::HeaderMap;
use std::rc::Rc;
use std::sync::Arc;
#[derive(Debug)]
pub(crate) struct Authenticate;
#[derive(Debug)]
pub(crate) struct Anonymous(());
#[derive(Debug)]
pub(crate) struct SignedIn;
#[derive(Debug, Default)]
pub(crate) struct Local;
pub(crate) enum Outcome {
    Identified(Rc<SignedIn>),
    Anonymous(Anonymous),
    Answered(Response),
}
impl Authenticate {
    pub(crate) async fn run(&self, _: &Local, _: &mut Exchange, _: &HeaderMap) -> Result<Outcome, Rejection> {
        Ok(Outcome::Anonymous(Anonymous(())))
    }
}
impl SignedIn {
    pub(crate) fn apply(&self, _: &Arc<str>, _: Timestamp, _: &mut HeaderMap) -> Result<(), Rejection> {
        Ok(())
    }
    pub(crate) fn expires_at(&self) -> Timestamp {
        Timestamp::from_seconds(0)
    }
}
#[derive(Debug)]
pub(crate) struct Endpoints;
#[derive(Debug, Clone, Copy)]
pub(crate) enum Endpoint {}
impl Endpoints {
    pub(crate) fn find(&self, _: &str) -> Option<Endpoint> {
        None
    }
    pub(crate) async fn answer(
        &self,
        _: Endpoint,
        _: &Local,
        _: &mut Exchange,
        _: Request,
    ) -> Result<Response, Rejection> {
        Err(crate::exchange::rejection::Reason::Internal.into())
    }
}
