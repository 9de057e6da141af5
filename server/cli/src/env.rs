//! `ripcord env`: lists, shows, creates, copies and deletes environments.

mod policy;

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::policy::Protection;
use ripcord_proto::rest::environments::{EnvironmentRequest, EnvironmentResponse, EnvironmentView};
use ripcord_proto::rest::settings::{SettingsRequest, SettingsView};
use ripcord_proto::settings::Bucketing;
use ripcord_proto::text::grouped_len;

use super::answer::Answer;
use super::client::Call;
use super::context::Context;
use super::environment_state::{known_good, last_ping};
use super::exit::{Exit, Failure};
use super::input::ListArgs;
use super::output::{count, facts, indented, moment, short_moment};
use super::table::table;
use super::write::{self, WriteArgs};

/// List, show, create, copy and delete environments
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord env list
  ripcord env create staging --description \"before production\"
  ripcord env copy production rehearsal     flags, segments, settings; no kills
  ripcord env delete rehearsal --confirm rehearsal
  ripcord env policy set --protected --vouch-after 30m --ping-every 10m
  ripcord env bucketing v2 --reassign-users --reason \"older flagd\"")]
pub(crate) struct Env {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the environments that the key reaches
    List(ListArgs),
    /// Show an environment [default: that of --env]
    Show {
        /// The environment's name
        #[arg(value_name = "ENV")]
        name: Option<EnvironmentKey>,
    },
    /// Create an empty environment
    Create {
        /// The environment's name
        #[arg(value_name = "ENV")]
        name: EnvironmentKey,
        /// A description for people
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Create an environment with the flags, segments and settings of another
    Copy {
        /// The environment to copy
        from: EnvironmentKey,
        /// The name of the copy
        to: EnvironmentKey,
        /// A description for people
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Delete an environment, its flags and its history, for good
    Delete {
        /// The environment's name
        #[arg(value_name = "ENV")]
        name: EnvironmentKey,
        /// The name again, to confirm
        #[arg(long, value_name = "NAME")]
        confirm: Option<EnvironmentKey>,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Show or change the policy: protection and automation
    Policy(Box<policy::PolicyCommand>),
    /// Show or change the bucketing generation, which assigns users to splits
    Bucketing {
        /// v3 (the default) or v2 (older flagd clients)
        generation: Option<Generation>,
        /// Confirm that every user may get a different variant afterwards
        #[arg(long)]
        reassign_users: bool,
        #[command(flatten)]
        write: WriteArgs,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Generation {
    V2,
    V3,
}

impl From<Generation> for Bucketing {
    fn from(generation: Generation) -> Self {
        match generation {
            Generation::V2 => Self::V2,
            Generation::V3 => Self::V3,
        }
    }
}

pub(crate) async fn run(call: &Context, command: Env) -> Result<Exit, Failure> {
    match command.action {
        Action::List(arguments) => list(call, arguments).await,
        Action::Show { name } => show(call, name.as_ref().unwrap_or(call.environment())).await,
        Action::Create { name, description, reason } => {
            let request = EnvironmentRequest {
                key: name,
                description,
                copy_of: None,
                reason,
            };
            create(call, &request).await
        }
        Action::Copy { from, to, description, reason } => {
            let request = EnvironmentRequest {
                key: to,
                description,
                copy_of: Some(from),
                reason,
            };
            create(call, &request).await
        }
        Action::Delete { name, confirm, reason } => delete(call, &name, confirm.as_ref(), reason.as_deref()).await,
        Action::Policy(command) => policy::run(call, *command).await,
        Action::Bucketing { generation: None, .. } => bucketing(call).await,
        Action::Bucketing {
            generation: Some(generation),
            reassign_users,
            write,
        } => {
            let rebuckets = if reassign_users { Rebuckets::Confirmed } else { Rebuckets::Unaware };
            set_bucketing(call, generation, rebuckets, &write).await
        }
    }
}

async fn list(call: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let environments: Answer<Vec<EnvironmentView>> = call.client.list(&["v1", "environments"], arguments.most()).await?;
    call.output.answer(&environments, |environments| {
        table(
            [
                "environment",
                "flags",
                "segments",
                "kills",
                "revision",
                "last known good",
                "created",
                "last ping",
                "description",
            ],
            environments.iter().map(|view| {
                [
                    view.key.to_string(),
                    grouped_len(view.flags),
                    grouped_len(view.segments),
                    grouped_len(view.kills),
                    view.revision.to_string(),
                    view.last_known_good.as_ref().map_or_else(|| "-".to_owned(), known_good),
                    short_moment(view.created, Timestamp::now()),
                    last_ping(view.last_ping.as_ref(), Timestamp::now()),
                    view.description.clone().unwrap_or_default(),
                ]
            }),
        )
    });
    Ok(Exit::Done)
}

async fn show(call: &Context, name: &EnvironmentKey) -> Result<Exit, Failure> {
    let view: Answer<EnvironmentView> = call.client.call(Call::get(["v1", "environments", name.as_str()])).await?;
    call.output.answer(&view, |view| {
        let mut members = vec![
            ("flags", grouped_len(view.flags)),
            ("segments", grouped_len(view.segments)),
            ("kills in force", grouped_len(view.kills)),
            ("revision", format!("{} (epoch {})", view.revision, view.epoch)),
            (
                "last known good",
                view.last_known_good.as_ref().map_or_else(|| NOTHING_GOOD.to_owned(), known_good),
            ),
            ("created", moment(view.created)),
            ("last ping", last_ping(view.last_ping.as_ref(), Timestamp::now())),
        ];
        if view.protection == Protection::Protected {
            members.push(("protected", "yes: `ripcord env policy show`".to_owned()));
        }
        if view.reviews_overdue > 0 {
            let overdue = count(view.reviews_overdue, "review of a rollback", "reviews of rollbacks");
            members.push(("overdue", format!("{overdue}; see `ripcord rollback list`")));
        }
        members.extend(view.description.clone().map(|description| ("description", description)));
        if view.stale {
            members.push(("stale", "yes: the server cannot reach its store".to_owned()));
        }
        format!("{}\n{}", call.output.paint().strong(view.key.as_str()), indented(&facts(&members)))
    });
    Ok(Exit::Done)
}

const NOTHING_GOOD: &str = "none: no checkpoint is marked known-good (`ripcord checkpoint vouch`)";

async fn create(call: &Context, request: &EnvironmentRequest) -> Result<Exit, Failure> {
    let answer: Answer<EnvironmentResponse> = call.client.call(Call::post(["v1", "environments"]).json(request)?).await?;
    call.output.answer(&answer, |made| {
        let mut text = format!("Created environment {}", made.key);
        // Writing to a String cannot fail.
        if let Some(from) = &request.copy_of {
            let _ = write!(text, " from {from}");
        }
        for kill in &made.kills_not_copied {
            let _ = write!(
                text,
                "\nWarning: the kill of {} was not copied: the flags that it covers are live in {}.",
                kill.scope, made.key
            );
        }
        let _ = write!(
            text,
            ".\nCreate a key for its applications with\n  ripcord keys create NAME --role sdk --env {}",
            made.key
        );
        text
    });
    Ok(Exit::Done)
}

async fn delete(call: &Context, name: &EnvironmentKey, confirm: Option<&EnvironmentKey>, reason: Option<&str>) -> Result<Exit, Failure> {
    if confirm != Some(name) {
        let view: Answer<EnvironmentView> = call.client.call(Call::get(["v1", "environments", name.as_str()])).await?;
        return Err(Failure::Usage(format!(
            "nothing was deleted. This would delete {name} with its {} and its whole history, for good, and end its streams.\n  \
             Keep a copy first (ripcord backup FILE), then name it twice: ripcord env delete {name} --confirm {name}",
            count(view.value.flags, "flag", "flags")
        )));
    }
    let delete = Call::delete(["v1", "environments", name.as_str()])
        .query("confirm", Some(name))
        .query("reason", reason);
    let answer: Answer<EnvironmentResponse> = call.client.call(delete).await?;
    call.output.answer(&answer, |gone| format!("Deleted environment {}.", gone.key));
    Ok(Exit::Done)
}

async fn bucketing(call: &Context) -> Result<Exit, Failure> {
    let view: Answer<SettingsView> = call.client.call(Call::get(call.path(&["settings"]))).await?;
    call.output.answer(&view, |view| {
        format!(
            "{} assigns users to splits by bucketing generation {}.",
            call.environment(),
            named(view.settings.bucketing)
        )
    });
    Ok(Exit::Done)
}

/// Whether the caller has confirmed that users may get different variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rebuckets {
    Confirmed,
    Unaware,
}

async fn set_bucketing(call: &Context, generation: Generation, rebuckets: Rebuckets, write: &WriteArgs) -> Result<Exit, Failure> {
    let present: Answer<SettingsView> = call.client.call(Call::get(call.path(&["settings"]))).await?;
    if present.value.settings.bucketing != Bucketing::from(generation) && rebuckets == Rebuckets::Unaware {
        return Err(Failure::Usage(format!(
            "nothing was changed. Another bucketing generation gives most users of every split in {} a different variant, at once.\n  \
             If you want that, add --reassign-users.",
            call.environment()
        )));
    }
    let request = SettingsRequest {
        bucketing: generation.into(),
        context: present.value.settings.context,
        context_from_headers: present.value.settings.context_from_headers,
        reassign_users: rebuckets == Rebuckets::Confirmed,
        reason: write.reason.clone(),
    };
    let put = Call::put(call.path(&["settings"])).json(&request)?;
    write::send(call, put, &format!("Set bucketing {}", named(request.bucketing)), write).await
}

const fn named(bucketing: Bucketing) -> &'static str {
    match bucketing {
        Bucketing::V2 => "v2",
        Bucketing::V3 => "v3",
    }
}
