//! `ripcord flags`: flags one by one.

mod explain;
mod list;
mod percentage;
mod set;
mod stale;
mod usages;

use clap::{Args, Subcommand};
use ripcord_proto::FlagKey;
use ripcord_proto::rest::flags::FlagPatch;

use super::client::Call;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::input::ListArgs;
use super::write::{self, WriteArgs};

/// List, show, change and explain flags; find flags safe to remove
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord flags list
  ripcord flags show checkout-v2
  ripcord flags set checkout-v2 --boolean --percent 25 --reason \"launch\"
  ripcord flags disable checkout-v2 --reason \"not needed any more\"
  ripcord flags explain checkout-v2 --user u-17 -a plan=beta
  ripcord flags stale
  ripcord flags usages src/")]
pub(crate) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the flags of the environment
    List(ListArgs),
    /// Show one flag
    Show {
        /// The flag's key
        flag: FlagKey,
    },
    /// Create a flag, or change parts of it
    Set(set::FlagEdit),
    /// Switch a flag on
    Enable(NamedFlag),
    /// Switch a flag off: applications serve their own default
    Disable(NamedFlag),
    /// Delete a flag
    Delete {
        /// The flag's key
        flag: FlagKey,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Evaluate a flag for a user and explain the result
    Explain(explain::Explain),
    /// List flags that look unused: one variant only, never evaluated, or expired
    Stale,
    Usages(usages::Usages),
}

#[derive(Debug, Args)]
struct NamedFlag {
    /// The flag's key
    flag: FlagKey,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) async fn run(call: &Context, command: Flags) -> Result<Exit, Failure> {
    match command.action {
        Action::List(arguments) => list::list(call, arguments).await,
        Action::Show { flag } => list::show(call, &flag).await,
        Action::Set(set) => set::run(call, set).await,
        Action::Enable(switch) => set_enabled(call, switch, Enabled::On).await,
        Action::Disable(switch) => set_enabled(call, switch, Enabled::Off).await,
        Action::Delete { flag, write } => delete(call, &flag, &write).await,
        Action::Explain(command) => explain::run(call, command).await,
        Action::Stale => stale::run(call).await,
        Action::Usages(command) => usages::run(call, command).await,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enabled {
    On,
    Off,
}

async fn set_enabled(call: &Context, switch: NamedFlag, enabled: Enabled) -> Result<Exit, Failure> {
    let patch = FlagPatch {
        enabled: enabled == Enabled::On,
        reason: switch.write.reason.clone(),
    };
    let patch = Call::patch(call.path(&["flags", switch.flag.as_str()])).json(&patch)?;
    let done = match enabled {
        Enabled::On => "Switched on",
        Enabled::Off => "Switched off",
    };
    write::send(call, patch, &format!("{done} flag {}", switch.flag), &switch.write).await
}

async fn delete(call: &Context, flag: &FlagKey, write: &WriteArgs) -> Result<Exit, Failure> {
    let delete = Call::delete(call.path(&["flags", flag.as_str()])).query("reason", write.reason.as_ref());
    write::send(call, delete, &format!("Deleted flag {flag}"), write).await
}
