//! The floor: actix handlers that answer with constant bodies, and nothing else.

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Result;
use bytes::Bytes;
use ripcord_benches::process::listener;

const WORKERS: usize = 2;

/// Serves until it is ended.
pub fn run(single: usize, bulk: usize) -> Result<()> {
    let body = |size: usize| Bytes::from("x".repeat(size));
    let (single, bulk) = (body(single), body(bulk));
    let listener = listener()?;
    println!("{}", listener.local_addr()?);
    actix_web::rt::System::new().block_on(async move {
        let app = move || {
            let answer = |body: &Bytes| {
                let body = body.clone();
                // The body that came in is read: a connection on which one is left unread is closed.
                web::post().to(move |_: Bytes| {
                    let body = body.clone();
                    async move { HttpResponse::Ok().content_type("application/json").body(body) }
                })
            };
            App::new()
                .route("/ofrep/v1/evaluate/flags", answer(&bulk))
                .route("/ofrep/v1/evaluate/flags/{key}", answer(&single))
        };
        HttpServer::new(app).workers(WORKERS).disable_signals().listen(listener)?.run().await
    })?;
    Ok(())
}
