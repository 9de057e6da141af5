//! Several servers run on this machine, and the caller named none: a kill is asked about, and must not wait for ever; everything else
//! is refused, since it would change the wrong server as easily as the right one.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _};

use super::caller::From;
use super::exit::Failure;
use super::output::note;
use super::target::Target;

/// What a command is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It kills: it is never refused.
    Kill,
    Other,
}

/// The target with its server settled.
pub(crate) fn settled(target: Target, purpose: Purpose) -> Result<Target, Failure> {
    if target.rivals.is_empty() || target.server_from != From::Local {
        return Ok(target);
    }
    match purpose {
        Purpose::Other => Err(Failure::Usage(format!(
            "several servers run on this machine; name one with --server or RIPCORD_SERVER\n{}",
            listed(&target)
        ))),
        Purpose::Kill if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() => {
            note(&format!(
                "Several servers run on this machine:\n{}\nKill on which? (1 = the one that has run longest)",
                listed(&target)
            ));
            let mut line = String::new();
            // Whoever cannot be asked kills on the older one.
            let _ = std::io::stdin().lock().read_line(&mut line);
            chosen(target, line.trim())
        }
        Purpose::Kill => {
            note(&format!(
                "Several servers run on this machine:\n{}\nKilling on the one that has run longest: {}. Name another one with --server.",
                listed(&target),
                target.server
            ));
            Ok(target)
        }
    }
}

/// The servers with their numbers, the one that has run longest first.
fn listed(target: &Target) -> String {
    let mut text = format!("  1  {}", target.server);
    for (index, rival) in target.rivals.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {}  {} (data in {})", index + 2, rival.address, rival.data_dir.display());
    }
    text
}

fn chosen(target: Target, answer: &str) -> Result<Target, Failure> {
    let number: usize = match answer {
        "" => 1,
        answer => answer
            .parse()
            .map_err(|_| Failure::Usage(format!("{answer:?} is not a number of the list; nothing was killed")))?,
    };
    let Some(index) = number.checked_sub(2) else { return Ok(target) };
    let rival = target.rivals.get(index).cloned();
    let rival = rival.ok_or_else(|| Failure::Usage(format!("the list has no {number}; nothing was killed")))?;
    let key = match target.key_from {
        From::Local => rival.key,
        From::CommandLine | From::Variable(_) | From::Profile | From::Default => target.key,
    };
    Ok(Target {
        server: rival.address,
        key,
        rivals: Vec::new(),
        ..target
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::Announced;

    fn two() -> Target {
        Target {
            server: "http://127.0.0.1:8016".to_owned(),
            alternatives: Vec::new(),
            server_from: From::Local,
            key: Some("rc_admin_old".to_owned()),
            key_from: From::Local,
            actor: None,
            ca_cert: None,
            rivals: vec![Announced {
                address: "http://127.0.0.1:9000".to_owned(),
                key: Some("rc_admin_new".to_owned()),
                data_dir: "/data/two".into(),
                demo: false,
            }],
        }
    }

    #[test]
    fn everything_but_a_kill_is_refused_and_told_of_both() {
        let refused = settled(two(), Purpose::Other).unwrap_err().to_string();
        assert!(refused.contains("8016") && refused.contains("9000"), "{refused}");
        let named = Target {
            server_from: From::CommandLine,
            ..two()
        };
        assert!(settled(named, Purpose::Other).is_ok());
    }

    #[test]
    fn who_is_asked_chooses_by_number_and_gets_its_key() {
        assert_eq!(chosen(two(), "").unwrap().server, "http://127.0.0.1:8016");
        let other = chosen(two(), "2").unwrap();
        assert_eq!((other.server.as_str(), other.key.as_deref()), ("http://127.0.0.1:9000", Some("rc_admin_new")));
        for wrong in ["3", "x"] {
            assert!(chosen(two(), wrong).is_err(), "{wrong}");
        }
    }
}
