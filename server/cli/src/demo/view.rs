//! The view of the demo: on a terminal a full screen that fits on 80 × 24, otherwise a line for each change.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use jiff::Timestamp;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::rest::log::LogEntry;
use ripcord_proto::text::{counted, grouped};

use super::shop::{DemoFlag, Exposure, Shop};
use crate::answer::{Answer, ClientError};
use crate::client::{Call, Client};
use crate::confirm::milliseconds;
use crate::context::path;
use crate::log_entry::{LogDetail, changes};
use crate::output::{Output, Paint, count, moment, short_moment, shown};
use crate::{terminal, wrap};

/// Characters of a bar.
const BAR: usize = 18;
/// Columns of a terminal that does not say how many it has.
const WIDTH: usize = 80;
/// The newest changes that are shown.
const EVENTS: usize = 3;
/// Changes of an entry of the log that are named.
const NAMED: usize = 2;

/// Uses the terminal's other screen, so that what was on it is there again afterwards.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?1049l\x1b[?25h";

/// The newest revisions, and who has confirmed the last one.
pub(super) struct Newest {
    entries: Vec<LogEntry>,
    confirmation: Confirmation,
}

/// Looks it up.
pub(super) async fn newest(client: &Client, environment: &EnvironmentKey) -> Result<Option<Newest>, ClientError> {
    let entries: Answer<Vec<LogEntry>> = client.list(&path(environment, &["revisions"]), EVENTS).await?;
    let Some(entry) = entries.value.first() else { return Ok(None) };
    let revision = entry.revision.unwrap_or_default().to_string();
    let confirmation: Answer<Confirmation> = client.call(Call::get(path(environment, &["confirmations", &revision]))).await?;
    Ok(Some(Newest {
        entries: entries.value,
        confirmation: confirmation.value,
    }))
}

/// What was shown last, and how.
pub(super) struct View {
    output: Output,
    head: String,
    hint: String,
    redraws: bool,
    before: Vec<(DemoFlag, Exposure)>,
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
            before: Vec::new(),
        };
        if view.redraws {
            view.output.draw(ENTER);
        } else {
            view.output.text(&format!("{}\n\n{}", view.head, suggestions(Paint::Plain, &view.hint)));
        }
        view
    }

    /// Shows what is served now.
    pub(super) fn show(&mut self, exposure: &[(DemoFlag, Exposure)], newest: Option<&Newest>) {
        if self.redraws {
            let text = self.screen(exposure, newest, terminal::width().unwrap_or(WIDTH), terminal::height());
            // From the upper left corner; what is left of the screen before is cleared line by line, so that nothing flickers.
            self.output.draw(&format!("\x1b[H{}\x1b[K\x1b[J", shown(&text).replace('\n', "\x1b[K\n")));
        } else {
            for line in steps(&self.before, exposure) {
                self.output.text(&format!("{}  {line}", moment(Timestamp::now())));
            }
        }
        self.before = exposure.to_vec();
    }

    /// At most `height - 1` lines of at most `width` columns.
    fn screen(&self, exposure: &[(DemoFlag, Exposure)], newest: Option<&Newest>, width: usize, height: usize) -> String {
        let paint = self.output.paint();
        let mut text = format!("{}\n\n", self.head);
        for (flag, exposure) in exposure {
            text.push_str(&line(*flag, exposure, paint));
            text.push('\n');
        }
        text.push_str(&errors(exposure, paint));
        if let Some(newest) = newest {
            text.push_str(&events(newest));
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}", suggestions(paint, &self.hint));
        let lines = text.lines().take(height.saturating_sub(1));
        lines.map(|line| wrap::cut(line, width)).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.redraws {
            self.output.draw(LEAVE);
        }
    }
}

/// Who has confirmed the newest revision, and the last few.
fn events(newest: &Newest) -> String {
    let Newest { entries, confirmation } = newest;
    let level = &confirmation.applied;
    let revision = entries.first().and_then(|entry| entry.revision).unwrap_or_default();
    let slowest = level.max_ms.map_or_else(String::new, |ms| format!(" in {}", milliseconds(ms)));
    // The applications connect after the first revision, and start with it.
    let confirmed = if level.connected == 0 {
        "the applications have started with it".to_owned()
    } else {
        format!(
            "confirmed by {} of {}{slowest}",
            grouped(level.confirmed),
            counted(level.connected, "application", "applications")
        )
    };
    let mut text = format!("\nrevision {revision}: {confirmed}\n");
    for entry in entries {
        let why = entry.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        let when = short_moment(entry.at, Timestamp::now());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {when}  {}{why}", changes(entry, NAMED, LogDetail::People));
    }
    text
}

fn suggestions(paint: Paint, hint: &str) -> String {
    let commands = [
        "ripcord kill checkout-v2 --reason \"5xx spike\"",
        "ripcord restore --flag checkout-v2 --reason \"fixed\"",
        "ripcord rollback --release web-2.15 --reason \"errors\"    once it is out",
        "ripcord kill --tag release-2.14 --reason \"bad deployment\"",
        "ripcord flags explain checkout-v2 --user user-7 -a plan=beta",
        "ripcord watch",
    ];
    let mut text = "Try, in a second terminal:".to_owned();
    for command in commands {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {}", paint.strong(command));
    }
    if !hint.is_empty() {
        let _ = write!(text, "\neach of them with\n {hint}");
    }
    text.push_str("\nCtrl-C ends the demo and leaves nothing behind.");
    text
}

/// `checkout-v2     on      ████████············   40.1 %  401 of 1,000`
fn line(flag: DemoFlag, exposure: &Exposure, paint: Paint) -> String {
    let (served, users) = served_of(flag, exposure);
    let (full, rest) = bar(served, users);
    let bar = format!("{}{}", paint.good(&full), paint.faint(&rest));
    let text = format!(
        "{:15} {:7} {bar} {:>6} %  {}",
        flag.key,
        flag.counted,
        percent(served, users),
        of(served, users)
    );
    if exposure.killed { format!("{text}  {}", paint.bad("killed")) } else { text }
}

fn bar(part: u32, whole: u32) -> (String, String) {
    let full = (part as usize * BAR).div_ceil(whole.max(1) as usize).min(BAR);
    ("█".repeat(full), "·".repeat(BAR - full))
}

/// The users whose requests fail. The new checkout fails if most of them use it.
fn errors(exposure: &[(DemoFlag, Exposure)], paint: Paint) -> String {
    let Some((on, users)) = exposure.first().map(|(flag, exposure)| served_of(*flag, exposure)) else {
        return String::new();
    };
    let failing = if on > users / 2 { on / 6 } else { 0 } + users / 500;
    let (full, rest) = bar(failing, users);
    let bar = format!("{}{}", paint.bad(&full), paint.faint(&rest));
    format!("{:15} {:7} {bar} {:>6} %  {}\n", "errors", "", percent(failing, users), of(failing, users))
}

fn of(part: u32, whole: u32) -> String {
    format!("{} of {}", grouped(u64::from(part)), grouped(u64::from(whole)))
}

/// Users that are served the counted variant, of how many.
fn served_of(flag: DemoFlag, exposure: &Exposure) -> (u32, u32) {
    let served = exposure.variants.get(flag.counted).copied().unwrap_or_default();
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
fn steps(before: &[(DemoFlag, Exposure)], now: &[(DemoFlag, Exposure)]) -> Vec<String> {
    let changed = now.iter().filter(|one| !before.contains(one));
    let step = |(flag, exposure): &(DemoFlag, Exposure)| {
        let (served, users) = served_of(*flag, exposure);
        let was = before.iter().find(|(other, _)| other == flag).map(|(_, exposure)| served_of(*flag, exposure));
        let was = was.map_or_else(String::new, |(served, users)| format!("{} % -> ", percent(served, users)));
        let killed = if exposure.killed { "  killed" } else { "" };
        format!(
            "{}  {was}{} % {}{killed}  ({})",
            flag.key,
            percent(served, users),
            flag.counted,
            variants(exposure)
        )
    };
    changed.map(step).collect()
}

#[cfg(test)]
mod tests;
