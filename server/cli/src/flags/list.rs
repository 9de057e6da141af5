//! `ripcord flags list` and `ripcord flags show`.

use std::fmt::Write as _;

use ripcord_proto::rest::flags::FlagView;
use ripcord_proto::text::listed;
use ripcord_proto::{Flag, FlagKey, VariantName, flag_text};

use crate::answer::Answer;
use crate::client::Call;
use crate::context::Context;
use crate::duration::in_words;
use crate::exit::{Exit, Failure};
use crate::input::ListArgs;
use crate::output::{Paint, count, facts, indented};
use crate::table::{Table, indented_table};

/// Lists all flags.
pub(super) async fn list(call: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let flags: Answer<Vec<FlagView>> = call.client.list(&call.path(&["flags"]), arguments.most()).await?;
    call.output.answer(&flags, |flags| {
        if flags.is_empty() {
            let set = call.command("flags set checkout-v2 --boolean --reason \"first flag\"");
            return format!("{} has no flags. Create one with\n  {set}", call.environment());
        }
        list_table(flags, call.output.paint()).to_string()
    });
    Ok(Exit::Done)
}

fn list_table(flags: &[FlagView], paint: Paint) -> Table {
    let rows = flags.iter().map(|view| {
        let (revision, killed) = (view.revision.to_string(), !view.kills.is_empty());
        let Ok(flag) = serde_json::from_str::<Flag>(view.flag.get()) else {
            let unknown = || "?".to_owned();
            return [view.key.to_string(), state(view, true), unknown(), unknown(), revision, String::new()];
        };
        let state = state(view, flag.enabled);
        [
            view.key.to_string(),
            if killed { paint.bad(&state) } else { state },
            served(view, &flag),
            variant(flag.safe.as_ref()),
            revision,
            listed(&flag.tags, usize::MAX),
        ]
    });
    Table::new(["flag", "state", "serves", "safe", "revision", "tags"], rows)
}

/// What users get to whom no condition applies, and how many rules there are for others.
fn served(view: &FlagView, flag: &Flag) -> String {
    if !view.kills.is_empty() {
        return variant(flag.safe.as_ref());
    }
    if !flag.enabled {
        return variant(None);
    }
    let conditional = flag.rules.iter().take_while(|rule| rule.when.is_some()).count();
    let rest = flag
        .rules
        .get(conditional)
        .map_or_else(|| variant(flag.default.as_ref()), |rule| flag_text::serve(&rule.serve));
    match conditional {
        0 => rest,
        rules => format!("{rest}; {} for others", count(rules, "rule", "rules")),
    }
}

fn state(view: &FlagView, enabled: bool) -> String {
    let state = match (view.kills.is_empty(), enabled) {
        (false, _) => "killed",
        (true, true) => "on",
        (true, false) => "off",
    };
    state.to_owned()
}

/// A variant's name, or what stands for none.
fn variant(name: Option<&VariantName>) -> String {
    name.map_or_else(|| "(caller's)".to_owned(), ToString::to_string)
}

/// Shows one flag.
pub(super) async fn show(call: &Context, key: &FlagKey) -> Result<Exit, Failure> {
    let view: Answer<FlagView> = call.client.call(Call::get(call.path(&["flags", key.as_str()]))).await?;
    call.output.answer(&view, |view| match serde_json::from_str::<Flag>(view.flag.get()) {
        Ok(flag) => describe(view, &flag, call.output.paint()),
        Err(error) => format!("{} cannot be read by this version: {error}\n{}", view.key, view.flag),
    });
    Ok(Exit::Done)
}

fn describe(view: &FlagView, flag: &Flag, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.strong(view.key.as_str()));
    text.push_str(&indented(&facts(&members(view, flag))));
    // Writing to a String cannot fail.
    for kill in &view.kills {
        let reason = kill.reason.as_deref().unwrap_or("no reason given");
        let provisional = if kill.provisional { ", provisional" } else { "" };
        let _ = write!(text, "\n  {}", paint.bad(&format!("killed by {}{provisional}: {reason}", kill.id)));
    }
    if !flag.rules.is_empty() {
        let rules = flag.rules.iter().enumerate().map(|(index, rule)| {
            let name = rule.id.as_ref().map_or_else(|| format!("rules[{index}]"), ToString::to_string);
            let when = rule.when.as_ref().map_or_else(|| "everyone".to_owned(), flag_text::condition);
            [name, flag_text::serve(&rule.serve), when]
        });
        let _ = write!(text, "\n\n{}", indented_table(["rule", "serves", "for"], rules));
    }
    text
}

fn members(view: &FlagView, flag: &Flag) -> Vec<(&'static str, String)> {
    let values: Vec<_> = flag
        .variants
        .iter()
        .map(|(name, value)| format!("{name} = {}", serde_json::to_string(value).unwrap_or_default()))
        .collect();
    let mut members = vec![
        ("state", state(view, flag.enabled)),
        ("variants", values.join(", ")),
        ("default", variant(flag.default.as_ref())),
        ("safe", variant(flag.safe.as_ref())),
        ("revision", view.revision.to_string()),
    ];
    let tags: Vec<_> = flag.tags.iter().map(ToString::to_string).collect();
    let requires: Vec<_> = flag.requires.iter().map(|needed| format!("{} = {}", needed.flag, needed.variant)).collect();
    let optional = [
        ("description", flag.description.clone()),
        ("owner", flag.owner.clone()),
        ("tags", (!tags.is_empty()).then(|| tags.join(", "))),
        ("requires", (!requires.is_empty()).then(|| requires.join(", "))),
        ("lease", flag.lease.as_ref().map(|lease| in_words(u64::from(lease.seconds)))),
        ("expires", flag.expires_at.map(|at| at.to_string())),
    ];
    members.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    members
}

#[cfg(test)]
mod tests;
