//! One call to an SMS gateway over HTTP.

use std::sync::Arc;

use http::StatusCode;

use crate::backchannel::call::{Backchannel, Error};
use crate::message::WholeRequest;
use crate::message::causes::with_causes;
use crate::messages::courier::letter::Undelivered;

/// Makes the call. Returns the status.
///
/// # Errors
///
/// [`Undelivered::Never`] for a status of `never`: that of a message which the gateway refuses. Everything else may be mended until another try: the
/// gateway is down, or has another secret than we.
pub(super) async fn call(
    network: &Arc<dyn Backchannel>,
    request: WholeRequest,
    never: &[StatusCode],
) -> Result<String, Undelivered> {
    let response = network.call(request).await.map_err(|error| Undelivered::Later(cause(&error)))?;
    let status = response.status();
    let answer = format!("the gateway answers {status}");
    match status {
        status if status.is_success() => Ok(answer),
        status if never.contains(&status) => Err(Undelivered::Never(answer)),
        _ => Err(Undelivered::Later(answer)),
    }
}

fn cause(error: &Error) -> String {
    with_causes(error).to_string()
}
