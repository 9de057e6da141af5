//! `ripcord drill`: rehearses a rollback on a fork of an environment, and judges it.
//!
//! A drill runs in this process and in child processes. It reads the environment that it forks, and writes nothing there
//! except its report.

mod actors;
mod applications;
mod builtin;
mod editors;
mod expected;
mod fork;
mod harness;
mod junit;
mod observations;
mod probe;
mod progress;
mod release;
mod report;
mod runner;
mod traffic;
mod users;
mod verdicts;

use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Args, Subcommand};
use jiff::Timestamp;
use ripcord_proto::drill::{Drill, DrillId, DrillStore};
use ripcord_proto::limits;
use ripcord_proto::rest::drills::{DrillRecorded, DrillRequest};
use ripcord_proto::scenario::Scenario;
use ripcord_proto::text::grouped;

use self::applications::Applications;
use self::fork::Fork;
use self::progress::Progress;
use self::report::Report;
use self::runner::Spec;
use self::verdicts::Judgement;
use super::answer::Answer;
use super::client::Call;
use super::confirm::milliseconds;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::ids::{self, IdArg};
use super::input;
use super::input::ListArgs;
use super::output::{Format, Paint, count, facts, moment, note, print, print_data, short_moment};
use super::signals;
use super::table::{Table, table};

/// Rehearse a rollback on a fork of the environment
///
/// It starts its own servers and applications, makes a bad release, rolls it back, and checks the result. The environment is read
/// and never changed; the report is kept there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord drill run --builtin happy-path
  ripcord drill run --builtin store-outage --store redis
  ripcord drill run --scenario friday.yaml --junit drill.xml
  ripcord drill run --builtin straggler -f flags.yaml --keep=false
  ripcord drill builtins                     the built-in scenarios
  ripcord drill list                         the reports

Exit codes of run: 0 passed, 1 failed, 3 a guard refused what should have
been allowed.")]
pub(crate) struct DrillCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run a drill
    Run(Run),
    /// List saved reports, newest first
    List(ListArgs),
    /// Show a report
    Show {
        /// The drill's id, or the beginning of it
        #[arg(value_name = "DRILL_ID")]
        id: IdArg<DrillId>,
    },
    /// List the built-in scenarios
    Builtins {
        /// Print the file of this scenario, as a template for your own
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
struct Run {
    /// Scenario file; `-` reads standard input
    #[arg(long, group = "what", value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Name of a built-in scenario
    #[arg(long, group = "what", value_name = "NAME")]
    builtin: Option<String>,
    /// Store to run on: embedded or redis [default: the scenario's, else embedded]
    #[arg(long, value_name = "STORE")]
    store: Option<DrillStore>,
    /// Number of connected applications [default: the scenario's, else 5]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=limits::DRILL_APPLICATIONS))]
    applications: Option<u64>,
    /// Run on this flags file instead of a fork of the environment
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Whether to save the report in the environment
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    keep: bool,
}

pub(crate) async fn run(call: &Context, command: DrillCommand) -> Result<Exit, Failure> {
    match command.action {
        Action::Run(command) => Box::pin(rehearse(call, &command)).await,
        Action::List(arguments) => list(call, arguments).await,
        Action::Show { id } => show(call, &id.resolved(call).await?).await,
        Action::Builtins { name } => builtins(call, name.as_deref()),
    }
}

async fn rehearse(call: &Context, command: &Run) -> Result<Exit, Failure> {
    let spec = spec(call, command).await?;
    // Checked first: a report that could not be saved is an error before anything is started.
    let earlier = if command.keep { earlier(call, &spec).await? } else { None };
    let progress = Progress::new(call.output);
    let mut signals = signals::listen()?;
    let observations = tokio::select! {
        observations = runner::runner(&spec, &progress) => observations?,
        // Dropping the future ends everything that it started.
        () = signals.next() => return Err(Failure::Local("The drill was interrupted; nothing is left behind.".to_owned())),
    };
    let judgement = verdicts::judge(&spec.scenario, spec.confirm_within(), &observations);
    let request = DrillRequest {
        scenario: spec.scenario.name.clone(),
        store: spec.store,
        fork: spec.fork.from.clone(),
        applications: u64::try_from(spec.applications).unwrap_or(u64::MAX),
        verdicts: judgement.verdicts.clone(),
        figures: judgement.figures.clone(),
    };
    if let Some(path) = &command.junit {
        let document = junit::document(&Report::from(&request));
        std::fs::write(path, document).map_err(|error| Failure::Local(format!("Cannot write {}: {error}.", path.display())))?;
    }
    let text = Report::from(&request).describe(earlier.as_ref(), call.output.paint());
    call.output.text(&format!("\n{text}"));
    let kept = if command.keep { keep(call, &request).await } else { Ok(None) };
    if call.output.format() == Format::Json {
        print_data(&json(&request, &judgement, kept.as_ref().ok().and_then(Option::as_ref))?);
    }
    match kept {
        Ok(Some(kept)) => call.output.text(&format!(
            "Saved as {}: {}",
            kept.drill.id,
            call.command(&format!("drill show {}", kept.drill.id))
        )),
        Ok(None) => {}
        Err(failure) => {
            failure.note(call.output);
            note("The report was not saved; use --keep=false to run a drill without saving it.");
            return Ok(if judgement.refused { Exit::Refused } else { Exit::Failed });
        }
    }
    Ok(exit(&judgement))
}

fn exit(judgement: &Judgement) -> Exit {
    match (judgement.passed(), judgement.refused) {
        (true, _) => Exit::Done,
        (false, true) => Exit::Refused,
        (false, false) => Exit::Failed,
    }
}

/// The drill's specification, from the scenario and the command line.
async fn spec(call: &Context, command: &Run) -> Result<Spec, Failure> {
    let scenario = scenario(command)?;
    let store = command.store.or(scenario.store).unwrap_or(DrillStore::Embedded);
    if store == DrillStore::Embedded && scenario.needs_redis() {
        return Err(Failure::Usage(format!(
            "{} simulates a store outage, which is not possible with the embedded store; run it with --store redis.",
            scenario.name
        )));
    }
    let fork = match &command.file {
        Some(file) => Fork::file(file)?,
        None => Fork::environment(call).await?,
    };
    let applications = Applications::number(&scenario, command.applications);
    Ok(Spec {
        scenario,
        fork,
        store,
        applications,
    })
}

fn scenario(command: &Run) -> Result<Scenario, Failure> {
    match (&command.scenario, &command.builtin) {
        (Some(file), _) => {
            let text = input::text(file)?;
            Scenario::parse(&text).map_err(|faults| Failure::File {
                file: input::name(file),
                faults,
            })
        }
        (None, Some(name)) => builtin::scenario(name),
        (None, None) => Err(Failure::Usage("Name a scenario with --scenario FILE or --builtin NAME.".to_owned())),
    }
}

/// The newest saved report of the same scenario and store.
async fn earlier(call: &Context, spec: &Spec) -> Result<Option<Drill>, Failure> {
    let drills: Answer<Vec<Drill>> = call.client.list(&call.path(&["drills"]), limits::DRILLS).await?;
    let same = |drill: &Drill| drill.scenario == spec.scenario.name && drill.store == spec.store;
    Ok(drills.value.into_iter().find(same))
}

async fn keep(call: &Context, request: &DrillRequest) -> Result<Option<DrillRecorded>, Failure> {
    let answer: Answer<DrillRecorded> = call.client.call(Call::post(call.path(&["drills"])).json(request)?).await?;
    Ok(Some(answer.value))
}

/// The report as the API shows it, and whether a guard refused something.
fn json(request: &DrillRequest, judgement: &Judgement, kept: Option<&DrillRecorded>) -> Result<String, Failure> {
    let unwritable = |error: serde_json::Error| Failure::Local(format!("Cannot write the report: {error}."));
    let mut report = match kept {
        Some(kept) => serde_json::to_value(kept),
        None => serde_json::to_value(request),
    }
    .map_err(unwritable)?;
    if let Some(members) = report.as_object_mut() {
        members.insert("passed".to_owned(), judgement.passed().into());
        members.insert("refused_by_a_guard".to_owned(), judgement.refused.into());
    }
    serde_json::to_string(&report).map_err(unwritable)
}

async fn list(call: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let drills: Answer<Vec<Drill>> = call.client.list(&call.path(&["drills"]), arguments.most().min(limits::DRILLS)).await?;
    call.output.answer(&drills, |drills| {
        if drills.is_empty() {
            return format!("No saved drills yet. Run one: {}", call.command("drill run --builtin happy-path"));
        }
        listed(drills, Timestamp::now(), call.output.paint()).to_string()
    });
    Ok(Exit::Done)
}

fn listed(drills: &[Drill], now: Timestamp, paint: Paint) -> Table {
    let ids = ids::short(drills.iter().map(|drill| drill.id.as_str()));
    let rows = drills.iter().zip(ids).map(|(drill, id)| {
        let failed = drill.verdicts.iter().filter(|verdict| !verdict.passed).count();
        let came = if drill.passed {
            paint.good("passed")
        } else {
            paint.bad(&format!("{failed} failed"))
        };
        let back = drill.figures.get("back_ms").or_else(|| drill.figures.get("safe_ms"));
        [
            id.to_owned(),
            short_moment(drill.at, now),
            drill.scenario.clone(),
            drill.store.to_string(),
            came,
            back.map_or_else(String::new, |ms| milliseconds(*ms)),
            drill.by.name.clone(),
        ]
    });
    Table::new(["drill", "when", "scenario", "store", "result", "back in", "by"], rows)
}

async fn show(call: &Context, id: &DrillId) -> Result<Exit, Failure> {
    let drill: Answer<Drill> = call.client.call(Call::get(call.path(&["drills", id.as_str()]))).await?;
    call.output.answer(&drill, |drill| {
        let head = facts(&[
            ("drill", drill.id.to_string()),
            ("when", moment(drill.at)),
            ("by", drill.by.name.clone()),
            ("applications", grouped(drill.applications)),
        ]);
        format!("{head}\n\n{}", Report::from(drill).describe(None, call.output.paint()))
    });
    Ok(Exit::Done)
}

fn builtins(call: &Context, name: Option<&str>) -> Result<Exit, Failure> {
    if let Some(name) = name {
        builtin::scenario(name)?;
        builtin::files().filter(|(known, _)| *known == name).for_each(|(_, file)| print_data(file));
        return Ok(Exit::Done);
    }
    let scenarios = builtin::files().map(|(name, _)| builtin::scenario(name)).collect::<Result<Vec<_>, _>>()?;
    let about = |scenario: &Scenario| scenario.about.clone().unwrap_or_default();
    match call.output.format() {
        Format::Json => {
            let items: Vec<_> = scenarios
                .iter()
                .map(|scenario| serde_json::json!({"name": scenario.name, "about": about(scenario)}))
                .collect();
            print_data(&serde_json::json!({"items": items, "next": null}).to_string());
        }
        Format::Text => {
            let rows = scenarios.iter().map(|scenario| [scenario.name.clone(), about(scenario)]);
            print(&table(["scenario", "what it rehearses"], rows));
            print(&format!(
                "\n{} in all. Print one as a template for your own with `ripcord drill builtins NAME`.",
                count(scenarios.len(), "scenario", "scenarios")
            ));
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests;
