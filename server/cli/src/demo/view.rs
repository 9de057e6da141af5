//! The view of the demo: redrawn in place on a terminal, else a line for each change.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use jiff::Timestamp;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::rest::log::LogEntry;

use super::shop::{Exposure, Feature, Shop};
use crate::answer::{Answer, ClientError};
use crate::client::{Call, Client};
use crate::confirm::milliseconds;
use crate::context::path;
use crate::log_entry::changes;
use crate::output::{Output, Paint, count, moment};

/// Characters of a bar.
const BAR: usize = 30;

/// The newest revision and who has confirmed it.
pub(super) struct Newest {
    entry: LogEntry,
    confirmation: Confirmation,
}

/// Looks it up.
pub(super) async fn newest(client: &Client, environment: &EnvironmentKey) -> Result<Option<Newest>, ClientError> {
    let entries: Answer<Vec<LogEntry>> = client.list(&path(environment, &["revisions"]), 1).await?;
    let Some(entry) = entries.value.into_iter().next() else { return Ok(None) };
    let revision = entry.revision.unwrap_or_default().to_string();
    let confirmation: Answer<Confirmation> = client.call(Call::get(path(environment, &["confirmations", &revision]))).await?;
    Ok(Some(Newest {
        entry,
        confirmation: confirmation.value,
    }))
}

/// What was shown last, and how.
pub(super) struct View {
    output: Output,
    head: String,
    hint: String,
    redraws: bool,
    lines: usize,
    before: Vec<(Feature, Exposure)>,
}

impl View {
    /// A view that has shown nothing yet. `hint` is what commands need to find the server.
    pub(super) fn new(output: Output, server: &str, shop: &Shop, hint: String) -> Self {
        let applications = count(shop.applications(), "application", "applications");
        let users = count(shop.users(), "user", "users");
        let paint = output.paint();
        let view = Self {
            output,
            head: format!("{}  {applications}, {users}, server {server}", paint.strong("Ripcord demo")),
            hint,
            redraws: std::io::stdout().is_terminal(),
            lines: 0,
            before: Vec::new(),
        };
        if !view.redraws {
            view.output.text(&format!("{}\n\n{}", view.head, view.suggestions(Paint::Plain)));
        }
        view
    }

    /// Shows what is served now.
    pub(super) fn show(&mut self, exposure: &[(Feature, Exposure)], newest: Option<Newest>) {
        if self.redraws {
            let text = self.screen(exposure, newest);
            // Up to where the last one began, and away with it.
            let back = if self.lines == 0 {
                String::new()
            } else {
                format!("\x1b[{}A\x1b[J", self.lines)
            };
            self.lines = text.lines().count();
            self.output.text(&format!("{back}{text}"));
        } else {
            for line in steps(&self.before, exposure) {
                self.output.text(&format!("{}  {line}", moment(Timestamp::now())));
            }
        }
        self.before = exposure.to_vec();
    }

    fn screen(&self, exposure: &[(Feature, Exposure)], newest: Option<Newest>) -> String {
        let paint = self.output.paint();
        let mut text = format!("{}\n\n", self.head);
        for (feature, exposure) in exposure {
            text.push_str(&line(*feature, exposure, paint));
            text.push('\n');
        }
        // Writing to a String cannot fail.
        if let Some(Newest { entry, confirmation }) = newest {
            let revision = entry.revision.unwrap_or_default();
            let what = changes(&entry, 2);
            let why = entry.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            let _ = writeln!(text, "\nrevision {revision}  {what}{why}");
            let level = &confirmation.applied;
            let slowest = level.max_ms.map_or_else(String::new, |ms| format!(" in {}", milliseconds(ms)));
            let _ = writeln!(text, "confirmed by {} of {} applications{slowest}", level.confirmed, level.connected);
        }
        let _ = write!(text, "\n{}", self.suggestions(paint));
        text
    }

    fn suggestions(&self, paint: Paint) -> String {
        let commands = [
            "ripcord kill checkout-v2 --reason \"5xx spike\"",
            "ripcord kill list",
            "ripcord kill --tag release-2.14 --reason \"bad deployment\"",
            "ripcord flags explain checkout-v2 --user user-7 -a plan=beta",
            "ripcord watch",
        ];
        let mut text = "Try, in a second terminal:".to_owned();
        for command in commands {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {}{}", paint.strong(command), self.hint);
        }
        text.push_str("\nCtrl-C ends the demo and leaves nothing behind.");
        text
    }
}

/// `checkout-v2      [############                  ]  40.1 %  off 599, on 401`
fn line(feature: Feature, exposure: &Exposure, paint: Paint) -> String {
    let (served, users) = counted(feature, exposure);
    let full = (served as usize * BAR).div_ceil(users.max(1) as usize).min(BAR);
    let bar = format!("[{}{}]", "#".repeat(full), " ".repeat(BAR - full));
    let text = format!(
        "{:15} {:7} {bar} {:>6} %  {}",
        feature.key,
        feature.counted,
        percent(served, users),
        variants(exposure)
    );
    if exposure.killed { format!("{text}  {}", paint.bad("killed")) } else { text }
}

/// Users that are served the counted variant, of how many.
fn counted(feature: Feature, exposure: &Exposure) -> (u32, u32) {
    let served = exposure.variants.get(feature.counted).copied().unwrap_or_default();
    (served, exposure.variants.values().sum())
}

/// To a tenth.
fn percent(served: u32, users: u32) -> String {
    let tenths = (u64::from(served) * 1_000 + u64::from(users) / 2) / u64::from(users.max(1));
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn variants(exposure: &Exposure) -> String {
    let variants: Vec<_> = exposure.variants.iter().map(|(variant, users)| format!("{variant} {users}")).collect();
    variants.join(", ")
}

/// A line for each flag whose exposure has changed.
fn steps(before: &[(Feature, Exposure)], now: &[(Feature, Exposure)]) -> Vec<String> {
    let changed = now.iter().filter(|one| !before.contains(one));
    let step = |(feature, exposure): &(Feature, Exposure)| {
        let (served, users) = counted(*feature, exposure);
        let was = before
            .iter()
            .find(|(other, _)| other == feature)
            .map(|(_, exposure)| counted(*feature, exposure));
        let was = was.map_or_else(String::new, |(served, users)| format!("{} % -> ", percent(served, users)));
        let killed = if exposure.killed { "  killed" } else { "" };
        format!(
            "{}  {was}{} % {}{killed}  ({})",
            feature.key,
            percent(served, users),
            feature.counted,
            variants(exposure)
        )
    };
    changed.map(step).collect()
}

#[cfg(test)]
mod tests;
