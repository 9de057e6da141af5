//! Compression of large responses; small ones would only get larger.

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;

/// Smaller responses fit into one packet and are not compressed.
const WORTH_IT: u64 = 1_400;

/// Marks small responses as not to be encoded. Wrap it with [`actix_web::middleware::Compress`].
pub async fn spare_small<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    let small = matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0..WORTH_IT));
    if small {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    }
    Ok(response)
}
