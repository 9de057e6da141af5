//! The checks, from the address to the applications. Each later one needs the earlier ones.

use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::DATE;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::environments::EnvironmentView;
use ripcord_proto::rest::health::{HealthCode, PartHealth, Readiness, ReadyState};
use ripcord_proto::rest::kills::KillView;
use ripcord_proto::rest::log::OrphanView;
use ripcord_proto::rest::triggers::FiringView;
use ripcord_proto::trigger::FiringState;

use super::applications;
use super::finding::{Finding, State};
use super::flagd;
use crate::answer::{Answer, ClientError};
use crate::client::Call;
use crate::context::Context;
use crate::environment_state::last_ping;
use crate::exit::Failure;
use crate::output::{Paint, count, moment};

/// A clock that differs by more makes times in the log hard to read.
const SKEW: SignedDuration = SignedDuration::from_secs(5);
/// How long the first frame of a stream may take.
const FIRST_FRAME: Duration = Duration::from_secs(5);
/// Kills and firings that are named.
const NAMED: usize = 5;
/// Newest firings that are looked through.
const FIRINGS: usize = 200;

/// Runs them, as far as each lets the next one run.
pub(super) async fn all(call: &Context) -> Vec<Finding> {
    let target = call.client.target();
    let mut findings = Vec::new();
    match clock(call).await {
        Ok(clock) => {
            let proxy = call.client.proxy().map(|proxy| format!(", through the proxy {proxy}")).unwrap_or_default();
            findings.push(Finding::well(
                "address",
                format!("{} (from {}){proxy}", call.client.server(), target.server_from),
            ));
            findings.push(clock);
        }
        Err(error) => {
            findings.push(Finding::wrong("address", error.to_string(), error.advice()));
            return findings;
        }
    }
    readiness(call, &mut findings).await;
    match environment(call).await {
        Ok(environment) => findings.extend(environment),
        Err(finding) => {
            findings.push(finding);
            return findings;
        }
    }
    findings.push(stream(call).await);
    findings.extend(kills(call).await);
    findings.extend(firings(call).await);
    findings.extend(orphans(call).await);
    findings.extend(applications::all(call).await);
    findings
}

/// How fast a change reached every application when it was last measured.
fn propagation(call: &Context, view: &EnvironmentView) -> Finding {
    let now = Timestamp::now();
    let found = format!("last ping {}", last_ping(view.last_ping.as_ref(), now));
    match &view.last_ping {
        None => Finding::well("propagation", format!("never measured; measure it with `{}`", call.command("ping"))),
        Some(last) if last.figures.confirmed < last.figures.connected => Finding::warning(
            "propagation",
            found,
            format!("`{}` measures it again and names the applications that do not confirm.", call.command("ping")),
        ),
        Some(_) => Finding::well("propagation", found),
    }
}

/// Rollbacks whose review is overdue.
fn reviews(call: &Context, view: &EnvironmentView) -> Option<Finding> {
    let overdue = count(view.reviews_overdue, "rollback has", "rollbacks have");
    (view.reviews_overdue > 0).then(|| {
        Finding::warning(
            "reviews",
            format!("{overdue} an overdue review"),
            format!(
                "List them with `{}`; record a review with `ripcord rollback review ID --note \"…\"`.",
                call.command("rollback list")
            ),
        )
    })
}

/// Whether anything answers, and what time it thinks it is.
async fn clock(call: &Context) -> Result<Finding, ClientError> {
    let response = call.client.open(Call::get(["healthz"]), "*/*").await?;
    let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
    let server = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let Some(server) = server else {
        return Ok(Finding::well("clock", "the server does not report its time"));
    };
    let apart = Timestamp::now().duration_since(server.timestamp());
    if apart.abs() <= SKEW {
        return Ok(Finding::well("clock", "this machine and the server agree"));
    }
    let seconds = apart.abs().as_secs();
    let how = if apart.is_positive() { "ahead of" } else { "behind" };
    Ok(Finding::warning(
        "clock",
        format!("this machine is {seconds} s {how} the server"),
        "Synchronize both clocks (NTP): leases and the times in the log depend on them.",
    ))
}

async fn readiness(call: &Context, findings: &mut Vec<Finding>) {
    let answer: Result<Answer<Readiness>, _> = call.client.call_any_status(Call::get(["readyz"])).await;
    let readiness = match answer {
        Ok(answer) => answer.value,
        Err(error) => return findings.push(Finding::wrong("server", error.to_string(), error.advice())),
    };
    findings.push(version(&readiness));
    for (part, health) in &readiness.parts {
        let found = format!("{part}: {} (since {})", health.why, moment(health.since));
        if health.state != ReadyState::Ready {
            findings.push(Finding::wrong("server", found, Some(advice(health).to_owned())));
        }
    }
    for warning in &readiness.warnings {
        findings.push(Finding::new("store", State::Warning, warning.clone(), None));
    }
}

/// What a part that is not well means for the caller.
fn advice(health: &PartHealth) -> &'static str {
    match (health.state, health.code) {
        (_, Some(HealthCode::PeerUnreachable)) => "Check --peer and RIPCORD_PEER_SECRET on both nodes, and the network between them.",
        (_, Some(HealthCode::Behind)) => "Kills that this node has not seen may be in force; use another node until it has caught up.",
        (_, Some(HealthCode::MirrorUnwritable)) => "Free up space in the data folder of this node, or repair its disk; it goes on by itself then.",
        (ReadyState::NotReady, _) => "Load balancers should not send traffic here until it is ready.",
        (ReadyState::Degraded | ReadyState::Ready, _) => "Flags are served and kills work; other writes do not work until it is back.",
    }
}

fn version(readiness: &Readiness) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    let found = format!("node {}, version {}, {}", readiness.node, readiness.version, state(readiness.status));
    if readiness.version == own {
        return Finding::well("server", found);
    }
    Finding::warning(
        "server",
        found,
        format!("This command is version {own}; if something looks wrong, use the version of the server."),
    )
}

const fn state(state: ReadyState) -> &'static str {
    match state {
        ReadyState::Ready => "ready",
        ReadyState::Degraded => "degraded",
        ReadyState::NotReady => "not ready",
    }
}

/// Whether the key is good, and reaches the environment.
async fn environment(call: &Context) -> Result<Vec<Finding>, Finding> {
    let target = call.client.target();
    let environment = call.environment();
    let answer: Result<Answer<EnvironmentView>, _> = call.client.call(Call::get(call.path(&[]))).await;
    match answer {
        Ok(answer) => {
            let view = answer.value;
            let found = format!(
                "{} at revision {}: {}, {}",
                view.key,
                view.revision,
                count(view.flags, "flag", "flags"),
                count(view.kills, "kill in force", "kills in force")
            );
            let mut findings = vec![
                Finding::well("key", format!("accepted (from {})", target.key_from)),
                Finding::well("environment", found),
                known_good(&view),
                propagation(call, &view),
            ];
            findings.extend(flagd::size(&view));
            findings.extend(reviews(call, &view));
            Ok(findings)
        }
        Err(error) => {
            let check = match &error {
                ClientError::Problem(refusal) if refusal.problem.code == Code::EnvironmentNotFound => "environment",
                ClientError::Problem(_) => "key",
                ClientError::Unreachable { .. }
                | ClientError::Silent { .. }
                | ClientError::Foreign { .. }
                | ClientError::Proposed(_)
                | ClientError::Usage(_) => "server",
            };
            let head = match target.key {
                None if check == "key" => "no key was given".to_owned(),
                Some(_) if check == "key" => format!("the key from {} has no access to {environment}", target.key_from),
                Some(_) | None => format!("{environment} cannot be read"),
            };
            let described = Failure::from(error).describe(Paint::Plain);
            let advice: Vec<_> = described.lines().map(|line| line.trim().trim_start_matches("error: ")).collect();
            Err(Finding::wrong(check, head, Some(advice.join("\n"))))
        }
    }
}

/// The newest known-good checkpoint, to which a rollback could go.
fn known_good(view: &EnvironmentView) -> Finding {
    match &view.last_known_good {
        Some(good) => Finding::well("known good", crate::environment_state::known_good(good)),
        None => Finding::warning(
            "known good",
            "there is no known-good checkpoint to roll back to",
            "Create one with `ripcord checkpoint create NAME`, and when the state is good, mark it with `ripcord checkpoint vouch NAME`.",
        ),
    }
}

/// Whether the stream that applications read opens and sends data.
async fn stream(call: &Context) -> Finding {
    let open = Call::get(["v1", "stream"])
        .query("environment", Some(call.environment()))
        .query("sdk", Some(concat!("ripcord-cli/", env!("CARGO_PKG_VERSION"))))
        .query("instance", Some("ripcord doctor"));
    let response = match call.client.open(open, "text/event-stream").await {
        Ok(response) => response,
        Err(error) => return Finding::wrong("stream", format!("cannot be opened: {error}"), error.advice()),
    };
    let mut bytes = response.bytes_stream();
    match tokio::time::timeout(FIRST_FRAME, bytes.next()).await {
        Ok(Some(Ok(_))) => Finding::well("stream", "opens and sends data"),
        Ok(_) => Finding::wrong(
            "stream",
            "opens, but ends at once",
            Some("A proxy between this machine and the server may block streams.".to_owned()),
        ),
        Err(_) => Finding::wrong(
            "stream",
            format!("opens, but sent nothing within {} s", FIRST_FRAME.as_secs()),
            Some("A proxy between this machine and the server may buffer responses; turn its buffering off for /v1/stream.".to_owned()),
        ),
    }
}

/// Kills without a reason, or not yet in the log.
async fn kills(call: &Context) -> Option<Finding> {
    let kills: Answer<Vec<KillView>> = match call.client.list(&call.path(&["kills"]), usize::MAX).await {
        Ok(kills) => kills,
        Err(error) => return Some(Finding::unread("kills", "the kills in force", &error)),
    };
    let unexplained = kills.value.iter().filter(|kill| kill.reason_missing).count();
    let provisional = kills.value.iter().filter(|kill| kill.provisional).count();
    if provisional > 0 {
        let found = format!("{} in force without a revision", count(provisional, "kill is", "kills are"));
        return Some(Finding::warning(
            "kills",
            found,
            "They will be written to the log when the store is back; keep the node running until then.",
        ));
    }
    if unexplained > 0 {
        let found = format!("{} in force without a reason", count(unexplained, "kill is", "kills are"));
        return Some(Finding::warning(
            "kills",
            found,
            "List them with `ripcord kill list`; add a reason by running the same kill again with --reason.",
        ));
    }
    (!kills.value.is_empty()).then(|| {
        let named: Vec<_> = kills
            .value
            .iter()
            .take(NAMED)
            .map(|kill| format!("{} ({})", kill.kill.scope, kill.kill.id))
            .collect();
        let found = format!("{}: {}", count(kills.value.len(), "kill is in force", "kills are in force"), named.join(", "));
        Finding::warning(
            "kills",
            found,
            "Killed flags serve their safe variant. Lift a kill with `ripcord restore KILL_ID`.",
        )
    })
}

/// Commits that the log has lost.
async fn orphans(call: &Context) -> Option<Finding> {
    let orphans: Answer<Vec<OrphanView>> = match call.client.list(&["v1", "audit", "orphans"], usize::MAX).await {
        Ok(orphans) => orphans,
        Err(error) => return Some(Finding::unread("log", "the commits that the log has lost", &error)),
    };
    let newest = orphans.value.first()?;
    let lost = count(orphans.value.len(), "commit is", "commits are");
    let found = format!(
        "{lost} no longer in a log that was filled again; the newest is of {} by {}, in {}",
        moment(newest.at),
        newest.actor.name,
        newest.log
    );
    Some(Finding::warning(
        "log",
        found,
        "List them with `ripcord audit orphans`, and do again what is still wanted. To clear the list, move orphaned.jsonl out of the data folder of that node and restart it.",
    ))
}

/// Firings of triggers that wait for a person.
async fn firings(call: &Context) -> Option<Finding> {
    let firings: Answer<Vec<FiringView>> = match call.client.list(&call.path(&["firings"]), FIRINGS).await {
        Ok(firings) => firings,
        Err(error) => return Some(Finding::unread("triggers", "the firings", &error)),
    };
    let waiting: Vec<_> = firings
        .value
        .iter()
        .filter(|view| view.firing.state == FiringState::Waiting && view.can_be_confirmed)
        .collect();
    let named: Vec<_> = waiting
        .iter()
        .take(NAMED)
        .map(|view| format!("{} ({})", view.firing.trigger, view.firing.id))
        .collect();
    (!waiting.is_empty()).then(|| {
        let found = format!(
            "{}: {}",
            count(waiting.len(), "firing waits for a person", "firings wait for a person"),
            named.join(", ")
        );
        Finding::warning("triggers", found, "Approve with `ripcord trigger confirm FIRING_ID`, or decline it.")
    })
}
