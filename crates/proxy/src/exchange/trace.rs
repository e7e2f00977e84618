//! What a sampled exchange has of its trace.

use std::sync::Arc;

use http::HeaderMap;

use crate::exchange::connection::Connection;
use crate::exchange::request_id::RequestId;
use crate::message::trace_context::{SAMPLED, TraceParent};
use crate::telemetry::ids;
use crate::telemetry::traces::attempts::Attempts;
use crate::telemetry::traces::sampling::{Caller, Decision};
use crate::telemetry::traces::span::Context;
use crate::telemetry::traces::tracer::Tracer;

/// The span of an exchange that is recorded.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) tracer: Arc<Tracer>,
    pub(crate) span: u64,
    /// The caller's span, if its trace is continued.
    pub(crate) parent: Option<u64>,
    /// What a caller said that is not believed.
    pub(crate) link: Option<Context>,
    /// The attempts at targets. They have the trace.
    pub(crate) attempts: Attempts,
}

impl Trace {
    /// Decides whether the exchange is recorded. `headers` are the request's. Only called where the configuration has traces.
    #[cold]
    #[inline(never)]
    pub(crate) fn begin(
        tracer: &Arc<Tracer>,
        id: &RequestId,
        connection: &Connection,
        headers: &HeaderMap,
    ) -> Option<Box<Self>> {
        let (caller, own) = (TraceParent::of(headers), id.trace_id());
        let asked = Caller {
            is_sampled: caller.map(|caller| caller.flags & SAMPLED != 0),
            is_trusted: connection.forwarded.is_of_trace(connection.peer),
        };
        let of = |caller: TraceParent| Context { trace: caller.trace_id, span: caller.parent_id };
        let (trace, parent, link) = match (tracer.sampling.decide(own, asked), caller) {
            (Decision::Skip, _) => return None,
            (Decision::Continue, Some(caller)) => (caller.trace_id, Some(caller.parent_id), None),
            (Decision::Continue | Decision::Begin, caller) => (own, None, caller.map(of)),
        };
        let (tracer, attempts) = (Arc::clone(tracer), Attempts::of(trace));
        Some(Box::new(Self { tracer, span: ids::span(), parent, link, attempts }))
    }

    /// The span of the exchange.
    pub(crate) const fn context(&self) -> Context {
        Context { trace: self.attempts.trace(), span: self.span }
    }

    /// Whether the exchange is part of the trace of its caller.
    pub(crate) const fn is_continued(&self) -> bool {
        self.parent.is_some()
    }
}
