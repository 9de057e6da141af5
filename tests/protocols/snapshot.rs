//! `GET /v1/snapshot` for those who poll.

use anyhow::{Context as _, ensure};
use reqwest::Method;
use ripcord_tests::stream::{Reader, WebSocket};
use ripcord_tests::{Outcome, SOON, World, flags, on_both_stores};

async fn a_snapshot_is_the_frame_that_the_stream_sends(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    admin.kill_flag("checkout").await?;
    let polled = sdk.get_root("/v1/snapshot").await?;
    let streamed = WebSocket::connect(&sdk, "raw").await?.expect("snapshot", SOON).await?;
    ensure!(polled.body == streamed.data, "{} differs from {}", polled.body, streamed.data);
    Ok(())
}

async fn who_has_it_already_gets_304(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let first = sdk.get_root("/v1/snapshot").await?;
    let tag = first.header("etag").context("no ETag")?.to_owned();
    let again = sdk.send(Method::GET, "/v1/snapshot", None, &[("if-none-match", &tag)]).await?;
    ensure!(again.status == 304 && again.body.is_null(), "{} {}", again.status, again.body);
    ensure!(again.header("etag") == Some(&tag), "a 304 names its ETag");
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let changed = sdk.send(Method::GET, "/v1/snapshot", None, &[("if-none-match", &tag)]).await?;
    ensure!(changed.status == 200 && changed.header("etag") != Some(&tag), "{}", changed.status);
    let among = format!("\"other\", {}", changed.header("etag").unwrap_or_default());
    let again = sdk.send(Method::GET, "/v1/snapshot", None, &[("if-none-match", &among)]).await?;
    ensure!(again.status == 304, "one of several ETags: {}", again.status);
    Ok(())
}

on_both_stores!(a_snapshot_is_the_frame_that_the_stream_sends, who_has_it_already_gets_304);
