//! `ripcord keys`: creates, lists and revokes keys.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::rest::keys::{KeyCreated, KeyRequest, KeyView};
use ripcord_proto::rest::responses::RecordResponse;
use ripcord_proto::role::Role;

use super::answer::Answer;
use super::client::Call;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::input::ListArgs;
use super::output::short_moment;
use super::table::table;

/// Create, list and revoke keys
///
/// A key is shown once, when it is created; the server keeps only its hash. `--env` says which environments it is for.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord keys create \"checkout service\" --role sdk
  ripcord keys create ci --role pipeline --env production,staging
  ripcord keys list
  ripcord keys revoke key_4fK2mQ9xWz1B --reason \"lost laptop\"

Roles: sdk (applications), client (browsers), viewer (read), pipeline (edit,
kill), oncall (kill, restore, roll back), editor (all of these), admin.")]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create a key and show it once
    Create {
        /// A name for the key, shown in the audit log
        name: String,
        /// What it may do: sdk, client, viewer, pipeline, oncall, editor or admin
        #[arg(long)]
        role: Role,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List the keys
    List(ListArgs),
    /// Revoke a key, effective immediately
    Revoke {
        /// The key's id, as `ripcord keys list` shows it
        #[arg(value_name = "KEY_ID")]
        id: String,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

pub(crate) async fn run(call: &Context, command: Keys) -> Result<Exit, Failure> {
    match command.action {
        Action::Create { name, role, reason } => {
            let request = KeyRequest {
                role,
                environments: reach(call, role),
                name,
                reason,
            };
            create(call, &request).await
        }
        Action::List(arguments) => list(call, arguments).await,
        Action::Revoke { id, reason } => revoke(call, &id, reason.as_deref()).await,
    }
}

/// An admin key is for every environment; another one is for those of --env.
fn reach(call: &Context, role: Role) -> Vec<EnvironmentKey> {
    if role == Role::Admin { Vec::new() } else { call.environments().to_vec() }
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
                "Created key {} ({}) for {reach}. It is shown only this once:\n\n  {}\n\nApplications and commands read it from RIPCORD_KEY.",
                made.id,
                request.role,
                call.output.paint().strong(key)
            ),
            None => format!(
                "Key {} was created, but the answer that showed it was lost. Revoke it and create another: ripcord keys revoke {}",
                made.id, made.id
            ),
        }
    });
    Ok(Exit::Done)
}

async fn list(call: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let keys: Answer<Vec<KeyView>> = call.client.list(&["v1", "keys"], arguments.most()).await?;
    call.output.answer(&keys, |keys| {
        if keys.is_empty() {
            return "The only key is the admin key that the server was started with.".to_owned();
        }
        let now = Timestamp::now();
        table(
            ["key", "role", "environments", "created", "name"],
            keys.iter().map(|view| {
                let environments: Vec<_> = view.environments.iter().map(ToString::to_string).collect();
                let reach = if environments.is_empty() { "all".to_owned() } else { environments.join(", ") };
                [
                    view.id.clone(),
                    view.role.to_string(),
                    reach,
                    short_moment(view.created, now),
                    view.name.clone(),
                ]
            }),
        )
    });
    Ok(Exit::Done)
}

async fn revoke(call: &Context, id: &str, reason: Option<&str>) -> Result<Exit, Failure> {
    let answer: Answer<RecordResponse> = call.client.call(Call::delete(["v1", "keys", id]).query("reason", reason)).await?;
    call.output.answer(&answer, |gone| {
        format!(
            "Revoked key {}. Each node refuses it and ends its streams as soon as it hears of this.",
            gone.id
        )
    });
    Ok(Exit::Done)
}
