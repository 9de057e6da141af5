//! `ripcord keys`: who may call.

use clap::{Args, Subcommand};
use ripcord_proto::EnvironmentKey;
use ripcord_proto::rest::keys::{KeyCreated, KeyRequest, KeyView};
use ripcord_proto::rest::responses::RecordResponse;
use ripcord_proto::role::Role;

use super::client::{Answer, Call};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::{moment, table};

/// Make, list and revoke keys
///
/// A key is shown once, when it is made; the server keeps only its hash.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord keys create \"checkout service\" --role sdk
  ripcord keys create ci --role pipeline --for production --for staging
  ripcord keys list
  ripcord keys revoke key_4fK2mQ9xWz1B --reason \"lost laptop\"

Roles: sdk (applications), viewer, pipeline (edit and kill),
oncall (kill and restore), editor (both), admin.")]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key, and show it once
    Create {
        /// What it is called; the log names its holder by it
        name: String,
        /// What it may do: sdk, client, viewer, pipeline, oncall, editor or admin
        #[arg(long)]
        role: Role,
        /// An environment that it is for; can be given several times. Else that of --env
        #[arg(long = "for", value_name = "NAME")]
        environments: Vec<EnvironmentKey>,
        /// Why; it goes into the log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List the keys
    List,
    /// Revoke a key: it is worth nothing from now on
    Revoke {
        /// Its id, as `ripcord keys list` shows it
        #[arg(value_name = "KEY_ID")]
        id: String,
        /// Why; it goes into the log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Does it.
pub(crate) async fn run(call: &Context, command: Keys) -> Result<Exit, Failure> {
    match command.action {
        Action::Create {
            name,
            role,
            environments,
            reason,
        } => {
            let request = KeyRequest {
                role,
                environments: reach(call, role, environments),
                name,
                reason,
            };
            create(call, &request).await
        }
        Action::List => list(call).await,
        Action::Revoke { id, reason } => revoke(call, &id, reason.as_deref()).await,
    }
}

/// An admin key is for every environment; another one is for those that are named, or that of the call.
fn reach(call: &Context, role: Role, named: Vec<EnvironmentKey>) -> Vec<EnvironmentKey> {
    if role == Role::Admin || !named.is_empty() {
        return named;
    }
    vec![call.environment().clone()]
}

async fn create(call: &Context, request: &KeyRequest) -> Result<Exit, Failure> {
    let answer: Answer<KeyCreated> = call.client.call(Call::post(["v1", "keys"]).json(request)?).await?;
    call.output.answer(&answer, |made| {
        let environments: Vec<_> = request.environments.iter().map(ToString::to_string).collect();
        let reach = if environments.is_empty() {
            "every environment".to_owned()
        } else {
            environments.join(", ")
        };
        match &made.key {
            Some(key) => format!(
                "Made key {} ({}) for {reach}. It is shown this once:\n\n  {}",
                made.id,
                request.role,
                call.output.paint().strong(key)
            ),
            None => format!(
                "Key {} was made, but the answer that showed it was lost. Revoke it and make another: ripcord keys revoke {}",
                made.id, made.id
            ),
        }
    });
    Ok(Exit::Done)
}

async fn list(call: &Context) -> Result<Exit, Failure> {
    let keys: Answer<Vec<KeyView>> = call.client.list(&["v1", "keys"], usize::MAX).await?;
    call.output.answer(&keys, |keys| {
        if keys.is_empty() {
            return "There is no key but the admin key that the server was started with.".to_owned();
        }
        table(
            ["key", "role", "environments", "created", "name"],
            keys.iter().map(|view| {
                let environments: Vec<_> = view.environments.iter().map(ToString::to_string).collect();
                let reach = if environments.is_empty() { "all".to_owned() } else { environments.join(", ") };
                [view.id.clone(), view.role.to_string(), reach, moment(view.created), view.name.clone()]
            }),
        )
    });
    Ok(Exit::Done)
}

async fn revoke(call: &Context, id: &str, reason: Option<&str>) -> Result<Exit, Failure> {
    let answer: Answer<RecordResponse> = call.client.call(Call::delete(["v1", "keys", id]).query("reason", reason)).await?;
    call.output.answer(&answer, |gone| format!("Revoked key {}. Its streams end now.", gone.id));
    Ok(Exit::Done)
}
