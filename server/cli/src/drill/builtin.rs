//! The built-in scenarios, in the same file format as users' own.

use ripcord_proto::scenario::Scenario;

use crate::exit::Failure;

/// The files, in the order in which to run them.
const FILES: [(&str, &str); 9] = [
    ("happy-path", include_str!("builtin/happy-path.yaml")),
    ("straggler", include_str!("builtin/straggler.yaml")),
    ("failing-check", include_str!("builtin/failing-check.yaml")),
    ("one-way-door", include_str!("builtin/one-way-door.yaml")),
    ("concurrent-edits", include_str!("builtin/concurrent-edits.yaml")),
    ("lost-connections", include_str!("builtin/lost-connections.yaml")),
    ("slow-readers", include_str!("builtin/slow-readers.yaml")),
    ("node-killed", include_str!("builtin/node-killed.yaml")),
    ("store-outage", include_str!("builtin/store-outage.yaml")),
];

pub(super) fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.into_iter()
}

/// The scenario with this name.
pub(super) fn scenario(name: &str) -> Result<Scenario, Failure> {
    let Some((name, file)) = files().find(|(known, _)| *known == name) else {
        let known: Vec<_> = files().map(|(name, _)| name).collect();
        return Err(Failure::Usage(format!(
            "No built-in scenario is called {name:?}; choose from {}.",
            known.join(", ")
        )));
    };
    Scenario::parse(file).map_err(|faults| Failure::File {
        file: format!("the built-in scenario {name}"),
        faults,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_scenario_is_valid_is_called_as_its_file_and_says_what_it_is_about() {
        for (name, _) in files() {
            let scenario = scenario(name).unwrap();
            assert_eq!(scenario.name, name);
            assert!(scenario.about.is_some(), "{name}");
        }
        assert!(scenario("nonsense").is_err());
    }
}
