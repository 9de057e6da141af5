//! The configuration file: `$XDG_CONFIG_HOME/ripcord/config.toml`, else `~/.config/ripcord/config.toml`.
//!
//! ```toml
//! default_profile = "prod"
//!
//! [profiles.prod]
//! server = ["https://flags-1.example.com", "https://flags-2.example.com"]
//! key_file = "~/.config/ripcord/prod.key"
//! environment = "production"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ripcord_proto::EnvironmentKey;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};

use super::exit::Failure;

/// What the file holds.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    default_profile: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// A named set of defaults for `--server`, `--key-file`, `--env` and `--ca-cert`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Servers in the order in which they are tried; may be one text.
    #[serde(default, deserialize_with = "one_or_more")]
    pub(crate) server: Vec<String>,
    /// A file that holds the key.
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) environment: Option<EnvironmentKey>,
    /// Certificates that are trusted beside the system's.
    pub(crate) ca_cert: Option<PathBuf>,
}

/// The profile selected by `--profile` or `RIPCORD_PROFILE`, else the default profile; none if there is no file.
pub(crate) fn profile(name: Option<&str>) -> Result<Option<Profile>, Failure> {
    let Some(path) = path() else {
        return name.map_or(Ok(None), |name| {
            Err(Failure::Usage(format!("there is no profile {name}: neither XDG_CONFIG_HOME nor HOME is set")))
        });
    };
    let config = match std::fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Config::default(),
        Err(error) => return Err(Failure::Usage(format!("{}: {error}", path.display()))),
    };
    choose(config, name, &path)
}

fn choose(mut config: Config, name: Option<&str>, path: &Path) -> Result<Option<Profile>, Failure> {
    let (name, field) = match (name, config.default_profile) {
        (Some(name), _) => (name.to_owned(), "--profile or RIPCORD_PROFILE"),
        (None, Some(name)) => (name, "default_profile"),
        (None, None) => return Ok(None),
    };
    if let Some(profile) = config.profiles.remove(&name) {
        Ok(Some(Profile {
            key_file: profile.key_file.map(at_home),
            ca_cert: profile.ca_cert.map(at_home),
            ..profile
        }))
    } else {
        let names: Vec<_> = config.profiles.keys().map(String::as_str).collect();
        let known = if names.is_empty() {
            format!("add [profiles.{name}] to {}", path.display())
        } else {
            format!("{} has {}", path.display(), names.join(", "))
        };
        Err(Failure::Usage(format!("{field} names the profile {name}, which does not exist; {known}")))
    }
}

fn parse(path: &Path, text: &str) -> Result<Config, Failure> {
    toml::from_str(text).map_err(|error| Failure::Usage(at(path, text, &error)))
}

/// `FILE:LINE: what is wrong`.
pub(crate) fn at(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map(|before| before.bytes().filter(|byte| *byte == b'\n').count() + 1);
    let line = line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{}{line}: {}", path.display(), error.message())
}

/// The text of a key file: one line.
pub(crate) fn key(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("the key file {} cannot be read: {error}", path.display())))?;
    let key = text.trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(Failure::Usage(format!("the key file {} must hold one key and nothing else", path.display())));
    }
    Ok(key.to_owned())
}

fn path() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(config.join("ripcord/config.toml"))
}

/// A path that begins with `~/` is in the home folder.
fn at_home(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        (_, _) => path,
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMore;
    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an address, or a list of addresses")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = items.next_element()? {
                all.push(item);
            }
            if all.is_empty() {
                return Err(A::Error::custom("server must name at least one address"));
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(OneOrMore)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
default_profile = \"prod\"

[profiles.prod]
server = [\"https://a.example\", \"https://b.example\"]
key_file = \"/run/secrets/key\"
environment = \"production\"

[profiles.local]
server = \"http://127.0.0.1:8016\"
";

    fn chosen(text: &str, name: Option<&str>) -> Result<Option<Profile>, String> {
        let path = Path::new("config.toml");
        let config = parse(path, text).map_err(|failure| failure.to_string())?;
        choose(config, name, path).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_default_profile_holds_unless_another_is_named() {
        let default = chosen(FILE, None).unwrap().unwrap();
        assert_eq!(default.server, ["https://a.example", "https://b.example"]);
        assert_eq!(default.environment.unwrap().as_str(), "production");
        let local = chosen(FILE, Some("local")).unwrap().unwrap();
        assert_eq!(
            (local.server.as_slice(), local.key_file),
            (["http://127.0.0.1:8016".to_owned()].as_slice(), None)
        );
        assert_eq!(chosen("", None), Ok(None));
    }

    #[test]
    fn an_error_names_the_file_the_line_and_the_field() {
        let error = chosen("[profiles.prod]\nserverr = \"x\"\n", None).unwrap_err();
        assert!(error.starts_with("config.toml:2: unknown field `serverr`"), "{error}");
        let error = chosen("[profiles.prod]\n\nserver = 8016\n", None).unwrap_err();
        assert!(
            error.starts_with("config.toml:3: ") && error.contains("an address, or a list of addresses"),
            "{error}"
        );
        let error = chosen("[profiles.prod]\nenvironment = \"No Way\"\n", None).unwrap_err();
        assert!(error.starts_with("config.toml:2: "), "{error}");
        let error = chosen(FILE, Some("staging")).unwrap_err();
        assert!(
            error.contains("the profile staging, which does not exist; config.toml has local, prod"),
            "{error}"
        );
    }
}
