//! Triggers and firings in words, for people on call.

use ripcord_proto::rest::triggers::{FiringView, TriggerCreated, TriggerDetail, TriggerRequest, TriggerTestResponse, TriggerView};
use ripcord_proto::text::grouped;
use ripcord_proto::trigger::{ActivePeriod, FlagTransition, TrafficFilter, TriggerMode, TriggerState};

use crate::context::Context;
use crate::duration::in_words;
use crate::output::{facts, indented, moment};
use crate::table::table;

/// A new trigger, with its secret and how to send signals.
pub(super) fn made(call: &Context, made: &TriggerCreated) -> String {
    let trigger = &made.trigger;
    let Some(hook) = &trigger.hook else {
        return format!(
            "Created trigger {}: when a gate fails, it will {}.\n{}",
            trigger.name,
            trigger.message,
            state(trigger)
        );
    };
    let mut lines = vec![
        format!("Created trigger {}: it will {}.", trigger.name, trigger.message),
        state(trigger),
        format!("Send signals to\n  {}{hook}", call.client.target().server),
    ];
    match (&made.secret, trigger.credential.as_str()) {
        (Some(secret), "hmac") => lines.push(format!(
            "signed with this key, which is not shown again:\n  {secret}\nin the header\n  Ripcord-Signature: t=SECONDS,v1=HEX\n\
             where HEX is the HMAC-SHA256 of SECONDS, a dot and the body; at most 5 minutes old."
        )),
        (Some(secret), _) => lines.push(format!(
            "with this token, which is not shown again:\n  {secret}\nin the header\n  Authorization: Bearer TOKEN"
        )),
        (None, _) => lines.push("with the secret that you gave.".to_owned()),
    }
    lines.join("\n")
}

/// The body that `trigger create` would send. A secret that was given is not shown.
pub(super) fn request(request: &TriggerRequest) -> serde_json::Value {
    let mut shown = serde_json::to_value(request).unwrap_or_default();
    if let Some(secret) = shown.get_mut("secret").filter(|secret| !secret.is_null()) {
        *secret = "(as given)".into();
    }
    shown
}

/// What `trigger create` would create.
pub(super) fn would_make(call: &Context, request: &TriggerRequest) -> String {
    let shown = serde_json::to_string_pretty(&self::request(request)).unwrap_or_default();
    format!(
        "Nothing was created. This would create trigger {} in {}:\n{}",
        request.name,
        call.environment(),
        indented(&shown)
    )
}

/// Its state, and what that means.
pub(super) fn state(trigger: &TriggerView) -> String {
    let name = &trigger.name;
    match (trigger.state, trigger.mode) {
        (TriggerState::Disarmed, _) => format!("{name} is disarmed: its signals are ignored. To arm it: `ripcord trigger arm {name}`"),
        (TriggerState::DryRun, _) => format!("{name} is in a dry run: it only records what it would do. To arm it: `ripcord trigger arm {name}`"),
        (TriggerState::Armed, TriggerMode::Automatic) => format!("{name} is armed and acts without asking."),
        (TriggerState::Armed, TriggerMode::Ask) => format!("{name} is armed and asks before it acts. To see what waits for you: `ripcord trigger firings`"),
        (TriggerState::Armed, TriggerMode::Off) => format!("{name} is armed, and only records that it fired: the mode is off."),
    }
}

/// A trigger and its newest firings.
pub(super) fn detail(call: &Context, detail: &TriggerDetail) -> String {
    let trigger = &detail.trigger;
    let labels = trigger.conditions.labels.iter().map(|(name, values)| {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        format!("{name}={}", values.join("|"))
    });
    let during = (trigger.conditions.during == ActivePeriod::OpenRelease).then(|| "while a release is open".to_owned());
    let about = (trigger.conditions.about == TrafficFilter::RealTraffic).then(|| "real traffic".to_owned());
    let conditions: Vec<String> = labels.chain(during).chain(about).collect();
    let members = [
        ("does", trigger.message.clone()),
        ("mode", trigger.mode.to_string()),
        ("source", trigger.source.kind().to_owned()),
        ("hook", trigger.hook.clone().unwrap_or_else(|| "none: it reacts to gates".to_owned())),
        ("credential", credential(&trigger.credential).to_owned()),
        (
            "only if",
            if conditions.is_empty() {
                "any signal".to_owned()
            } else {
                conditions.join(", ")
            },
        ),
        ("cooldown", trigger.cooldown.to_string()),
        ("at most", format!("{} an hour", trigger.max_per_hour)),
        ("answer within", trigger.answer_within.to_string()),
        ("created", format!("{} by {}", moment(trigger.at), trigger.by.name)),
    ];
    let note = trigger.note.as_ref().map(|note| format!("\n{note}")).unwrap_or_default();
    format!("{}{note}\n{}\n\n{}", state(trigger), indented(&facts(&members)), firings(call, &detail.firings))
}

/// How senders prove who they are.
fn credential(name: &str) -> &str {
    match name {
        "bearer" => "a bearer token",
        "hmac" => "an HMAC-SHA256 signature",
        other => other,
    }
}

/// A list of firings; each that waits for a person comes with the command that confirms it.
pub(super) fn firings(call: &Context, firings: &[FiringView]) -> String {
    if firings.is_empty() {
        return "No trigger has fired.".to_owned();
    }
    let rows = firings.iter().map(|view| {
        let (firing, ago) = (&view.firing, format!("{} ago", in_words(view.age_seconds)));
        let repeats = if firing.repeats > 0 {
            format!(" (received {} times)", grouped(firing.repeats + 1))
        } else {
            String::new()
        };
        [
            ago,
            firing.trigger.to_string(),
            firing.state.as_str().to_owned(),
            if firing.is_open() { "open".to_owned() } else { "ended".to_owned() },
            format!("{}{repeats}", firing.summary),
        ]
    });
    let mut text = table(["fired", "trigger", "state", "alert", "signal"], rows);
    for view in firings.iter().filter(|view| view.can_be_confirmed) {
        text.push_str("\n\n");
        text.push_str(&firing(call, view));
    }
    text
}

/// One firing: its result, and what to do next.
pub(super) fn firing(call: &Context, view: &FiringView) -> String {
    let firing = &view.firing;
    let paint = call.output.paint();
    let head = format!(
        "{} {}, {} ago: {}",
        firing.trigger,
        firing.state.as_str(),
        in_words(view.age_seconds),
        firing.summary
    );
    let head = if view.can_be_confirmed { paint.warn(&head) } else { paint.strong(&head) };
    let until = firing.answer_by.filter(|_| view.can_be_confirmed);
    let until = until.map(|until| format!("\nYou can answer it until {}.", moment(until))).unwrap_or_default();
    let flags = moves(&firing.effects.flags);
    format!("{head}\n{}.{until}{flags}", firing.message)
}

/// What a signal would do.
pub(super) fn tried(answer: &TriggerTestResponse) -> String {
    format!("{}.{}", answer.message, moves(&answer.flags))
}

fn moves(flags: &[FlagTransition]) -> String {
    let told = flags.iter().map(|step| format!("\n  {}: {} -> {}", step.key, step.from, step.to));
    told.collect::<Vec<_>>().concat()
}
