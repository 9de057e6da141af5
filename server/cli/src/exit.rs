//! How a command ends: the exit code, and the error message.

use std::fmt::Write as _;
use std::process::ExitCode;

use ripcord_proto::ValidationErrors;
use ripcord_proto::problem::{Code, CommandExit, Problem};

use super::answer::{ClientError, RefusedCall};
use super::output::{Format, Output, Paint, note, note_data};

/// The exit codes, which scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: it failed.
    Failed,
    /// 2: the command line is wrong, whatever a server or a file says.
    Usage,
    /// 3: a guard or a gate refused it: a kill, a plan that no longer holds, a role; or it waits for a second person.
    Refused,
    /// 4: it is done, and was not confirmed in time.
    Unconfirmed,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unconfirmed => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line is not valid.
    #[error("{0}")]
    Usage(String),
    /// The server refused the call, or could not be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file is not valid; the paths of the faults begin with the file's.
    #[error("{file} is not valid; nothing was changed")]
    File {
        /// The file name as given.
        file: String,
        /// All problems in it.
        faults: ValidationErrors,
    },
    /// Files of a folder are not valid.
    #[error("{name} is not valid; nothing was changed")]
    Files {
        /// The folder name as given.
        name: String,
        /// The files, each with every problem in it.
        faulty: Vec<Faulty>,
    },
    /// A problem on this machine: what failed, and what to do.
    #[error("{0}")]
    Local(String),
}

/// A file and every problem in it.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) file: String,
    /// What is wrong.
    pub(crate) faults: ValidationErrors,
}

impl Failure {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Client(ClientError::Usage(_)) => Exit::Usage,
            Self::Client(ClientError::Problem(refusal)) => of_code(refusal.problem.code),
            Self::Client(ClientError::Proposed(_)) => Exit::Refused,
            Self::Client(_) | Self::File { .. } | Self::Files { .. } | Self::Local(_) => Exit::Failed,
        }
    }

    /// The message for the terminal.
    pub(crate) fn describe(&self, paint: Paint) -> String {
        let mut text = String::new();
        let head = match self {
            Self::Client(ClientError::Problem(refusal)) => format!("{} ({})", title(refusal), refusal.problem.code.as_str()),
            Self::Client(error) => error.to_string(),
            Self::Usage(_) | Self::File { .. } | Self::Files { .. } | Self::Local(_) => self.to_string(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {head}", paint.bad("error:"));
        match self {
            Self::Client(ClientError::Problem(refusal)) => describe_problem(&mut text, refusal),
            Self::Client(error) => {
                if let Some(advice) = error.advice() {
                    let _ = writeln!(text, "  {advice}");
                }
            }
            Self::File { file, faults } => {
                for fault in faults.all() {
                    let _ = writeln!(text, "  {file}: {fault}");
                }
            }
            Self::Files { faulty, .. } => {
                for Faulty { file, faults } in faulty {
                    for fault in faults.all() {
                        let _ = writeln!(text, "  {file}: {fault}");
                    }
                }
            }
            Self::Usage(_) | Self::Local(_) => {}
        }
        without_numbers(&text)
    }

    /// Prints it to the standard error: for people, or with `--json` as a problem document.
    pub(crate) fn note(&self, output: Output) {
        match output.format() {
            Format::Json => note_data(&self.json()),
            Format::Text => note(&self.describe(output.error_paint())),
        }
    }

    /// The problem document as it was received, for `--json`.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Client(ClientError::Problem(refusal)) => refusal.text.trim_end().to_owned(),
            Self::Client(ClientError::Proposed(proposed)) => proposed.text.trim_end().to_owned(),
            Self::File { file, faults } => {
                let errors: Vec<_> = faults
                    .all()
                    .iter()
                    .map(|fault| serde_json::json!({"path": fault.path, "problem": fault.problem}))
                    .collect();
                serde_json::json!({"title": self.to_string(), "file": file, "errors": errors}).to_string()
            }
            Self::Files { name, faulty } => {
                let faults = faulty.iter().flat_map(|faulty| faulty.faults.all().iter().map(|fault| (&faulty.file, fault)));
                let errors: Vec<_> = faults
                    .map(|(file, fault)| serde_json::json!({"file": file, "path": fault.path, "problem": fault.problem}))
                    .collect();
                serde_json::json!({"title": self.to_string(), "file": name, "errors": errors}).to_string()
            }
            Self::Client(error) => serde_json::json!({"title": error.to_string(), "detail": error.advice()}).to_string(),
            Self::Usage(_) | Self::Local(_) => serde_json::json!({"title": self.to_string()}).to_string(),
        }
    }
}

/// The text without the numbers that the operating system gives errors: ` (os error 111)`.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => shown.push_str(rest),
            Some(_) | None => shown.extend([" (os error ", part]),
        }
    }
    shown
}

/// The exit code if the server refused with this code.
pub(crate) const fn of_code(code: Code) -> Exit {
    match code.exit() {
        CommandExit::Failed => Exit::Failed,
        CommandExit::Refused => Exit::Refused,
    }
}

/// What was wrong with the key of a call that was refused as `UNAUTHENTICATED`.
fn key_fault(problem: &Problem) -> Option<&str> {
    let fault = problem.members.get("key").and_then(serde_json::Value::as_str);
    fault.filter(|_| problem.code == Code::Unauthenticated)
}

fn member<'a>(problem: &'a Problem, name: &str) -> Option<&'a str> {
    problem.members.get(name).and_then(serde_json::Value::as_str)
}

/// The title of a problem; if it is about the key or the person, which one, and where that is from.
fn title(refusal: &RefusedCall) -> String {
    let RefusedCall { problem, caller, .. } = refusal;
    match key_fault(problem) {
        Some("missing") => return "no key was given".to_owned(),
        Some(_) => {
            let key = caller.key.as_ref().map(|key| format!(" ({key})")).unwrap_or_default();
            return format!("the server rejected the key from {}{key}", caller.key_from);
        }
        None => {}
    }
    if problem.code != Code::Forbidden {
        return problem.title.clone();
    }
    if member(problem, "proposed_by").is_some() {
        let you = caller.actor.as_ref().map_or_else(|| "you".to_owned(), |actor| format!("you ({actor})"));
        return format!("{you} proposed this; a different person has to approve it");
    }
    match (member(problem, "key_name"), member(problem, "role")) {
        (Some(name), Some(role)) => format!("your key \"{name}\" (role {role}, from {}) may not do this", caller.key_from),
        _ => problem.title.clone(),
    }
}

fn describe_problem(text: &mut String, refusal: &RefusedCall) {
    let problem = &refusal.problem;
    // How to write a header or a body member does not help on the command line, and the title has said who may not.
    let is_told = problem.code == Code::ReasonRequired || key_fault(problem).is_some() || member(problem, "key_name").is_some();
    if problem.code == Code::Invalid && !problem.errors.is_empty() {
        // The detail is about members of the document; the fields follow.
        let _ = writeln!(text, "  Nothing was changed.");
    } else if !problem.detail.is_empty() && !is_told {
        let _ = writeln!(text, "  {}", problem.detail);
    }
    if key_fault(problem).is_some_and(|fault| fault != "missing") {
        let _ = writeln!(text, "  It is unknown or was revoked, or it belongs to another server.");
    }
    if let (Some(_), Some(roles)) = (member(problem, "key_name"), problem.members.get("roles").and_then(serde_json::Value::as_array)) {
        let roles: Vec<&str> = roles.iter().filter_map(serde_json::Value::as_str).collect();
        let _ = writeln!(text, "  Roles that may: {}.", roles.join(", "));
    }
    // The detail of a problem with one field may repeat the message of the field.
    for fault in problem.errors.iter().filter(|fault| fault.to_string() != problem.detail) {
        let _ = writeln!(text, "  {fault}");
    }
    if let Some(next) = next_step(problem.code) {
        let _ = writeln!(text, "  {next}");
    }
    if problem.status >= 500
        && let Some(request) = &problem.request_id
    {
        let _ = writeln!(text, "  See request {request} in the server log.");
    }
}

/// What to do next on the command line; the server's answer does not know its flags and variables.
const NEXT_STEPS: &[(Code, &str)] = &[
    (
        Code::Unauthenticated,
        "Set RIPCORD_KEY or pass --key. An admin creates a key with `ripcord keys create NAME --role ROLE`; a server prints its first admin key once.",
    ),
    (
        Code::EnvironmentNotFound,
        "`ripcord env list` shows the environments; name one with --env or RIPCORD_ENV.",
    ),
    (
        Code::ReasonRequired,
        "Nothing was changed. Give a reason with --reason \"…\"; it is recorded in the audit log.",
    ),
    (Code::OtherOwner, "Remove it from the files, or take it over with --adopt."),
];

fn next_step(code: Code) -> Option<&'static str> {
    NEXT_STEPS.iter().find(|(of, _)| *of == code).map(|(_, step)| *step)
}

#[cfg(test)]
mod tests;
