//! `ripcord flags usages`: finds flag keys in a source tree.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use ignore::overrides::OverrideBuilder;
use ignore::{Walk, WalkBuilder};
use ripcord_proto::FlagKey;
use ripcord_proto::rest::flags::FlagView;

use crate::answer::Answer;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Paint, count, print, print_data};

/// Bytes of a file that is looked into, at most: what is larger is data.
const FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Files that are looked into, at most.
const FILES: usize = 500_000;
/// Usages that are shown, at most.
const USAGES: usize = 20_000;
/// Bytes at a file's beginning in which a zero byte marks a binary file.
const HEAD: usize = 8 * 1024;

/// Find flag keys in a source tree
///
/// Hidden files, binary files and files that .gitignore names are skipped. Only whole keys count: checkout is not found in
/// checkout-v2.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord flags usages src/
  ripcord flags usages . --flag checkout-v2
  ripcord flags usages . --exclude 'flags/*' --exclude '*.md'")]
pub(super) struct Usages {
    /// The folder
    directory: PathBuf,
    /// Only this flag; repeat or separate with commas
    #[arg(long = "flag", value_name = "FLAG", value_delimiter = ',')]
    flags: Vec<FlagKey>,
    /// Skip files that match this pattern, as in .gitignore; repeat for several
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
}

/// What was found.
#[derive(Debug, Default, serde::Serialize)]
struct Found {
    usages: BTreeMap<FlagKey, Vec<Usage>>,
    /// Flags whose key was not found.
    unused: Vec<FlagKey>,
    /// Files that were looked into.
    files: usize,
    /// Whether there were more usages than shown.
    truncated: bool,
}

/// A place.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
struct Usage {
    file: String,
    line: usize,
}

pub(super) async fn run(call: &Context, command: Usages) -> Result<Exit, Failure> {
    let keys = if command.flags.is_empty() {
        let flags: Answer<Vec<FlagView>> = call.client.list(&call.path(&["flags"]), usize::MAX).await?;
        flags.value.into_iter().map(|view| view.key).collect()
    } else {
        command.flags
    };
    let found = search(&command.directory, &command.exclude, &keys)?;
    match call.output.format() {
        Format::Json => print_data(&serde_json::to_string(&found).unwrap_or_default()),
        Format::Text => print(&describe(&found, call.output.paint())),
    }
    Ok(Exit::Done)
}

fn walk(directory: &Path, exclude: &[String]) -> Result<Walk, Failure> {
    if !directory.is_dir() {
        return Err(Failure::Local(format!("{} is not a folder.", directory.display())));
    }
    let mut overrides = OverrideBuilder::new(directory);
    for pattern in exclude {
        overrides
            .add(&format!("!{pattern}"))
            .map_err(|error| Failure::Usage(format!("--exclude {pattern}: {error}.")))?;
    }
    let overrides = overrides.build().map_err(|error| Failure::Usage(format!("--exclude: {error}.")))?;
    let mut builder = WalkBuilder::new(directory);
    builder
        .overrides(overrides)
        .require_git(false)
        .max_filesize(Some(FILE_BYTES))
        .sort_by_file_name(std::cmp::Ord::cmp);
    Ok(builder.build())
}

fn search(directory: &Path, exclude: &[String], keys: &[FlagKey]) -> Result<Found, Failure> {
    let by_text: HashMap<&str, &FlagKey> = keys.iter().map(|key| (key.as_str(), key)).collect();
    let mut found = Found::default();
    let mut told = 0;
    // An unreadable folder does not hide what the others contain.
    for entry in walk(directory, exclude)?.flatten() {
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        if found.files == FILES || told >= USAGES {
            found.truncated = true;
            break;
        }
        found.files += 1;
        let name = entry.path().display().to_string();
        for (line, key) in places(entry.path(), &by_text).unwrap_or_default() {
            told += 1;
            found.usages.entry(key.clone()).or_default().push(Usage { file: name.clone(), line });
        }
    }
    found.unused = keys.iter().filter(|key| !found.usages.contains_key(*key)).cloned().collect();
    Ok(found)
}

/// The lines of a text file that contain keys; none for a binary file.
fn places<'k>(path: &Path, keys: &HashMap<&str, &'k FlagKey>) -> std::io::Result<Vec<(usize, &'k FlagKey)>> {
    let mut file = BufReader::with_capacity(HEAD, std::fs::File::open(path)?);
    if file.fill_buf()?.contains(&0) {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut places = Vec::new();
    for (index, line) in text.lines().enumerate() {
        places.extend(keys_in(line, keys).into_iter().map(|key| (index + 1, key)));
    }
    Ok(places)
}

/// The keys in a line, each once. A word consists of the characters of a key; `flags/checkout.enabled` also holds its parts.
fn keys_in<'k>(line: &str, keys: &HashMap<&str, &'k FlagKey>) -> Vec<&'k FlagKey> {
    let mut found = Vec::new();
    for word in line.split(|character: char| !character.is_alphanumeric() && !matches!(character, '.' | '_' | '-' | ':' | '/')) {
        let word = word.trim_matches(|character: char| !character.is_alphanumeric());
        let parts = word.split(['.', ':', '/']).filter(|part| *part != word);
        for candidate in std::iter::once(word).chain(parts) {
            if let Some(key) = keys.get(candidate)
                && !found.contains(key)
            {
                found.push(*key);
            }
        }
    }
    found
}

fn describe(found: &Found, paint: Paint) -> String {
    let mut text = String::new();
    for (key, usages) in &found.usages {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", paint.strong(key.as_str()));
        for usage in usages {
            let _ = writeln!(text, "  {}:{}", usage.file, usage.line);
        }
    }
    if !found.unused.is_empty() {
        let keys: Vec<_> = found.unused.iter().map(FlagKey::as_str).collect();
        let _ = writeln!(text, "{} {}", paint.warn("Not found:"), keys.join(", "));
    }
    let files = count(found.files, "file", "files");
    let flags = count(found.usages.len(), "flag", "flags");
    let _ = write!(text, "Searched {files}; {flags} found.");
    if found.truncated {
        text.push_str(" There are more usages than shown: search a smaller folder, or for one --flag.");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_it_stands_whole() {
        let keys: Vec<FlagKey> = ["checkout", "checkout-v2", "team:search/new", "app.theme"]
            .map(|key| FlagKey::new(key).unwrap())
            .into();
        let by_text: HashMap<&str, &FlagKey> = keys.iter().map(|key| (key.as_str(), key)).collect();
        let found = |line: &str| keys_in(line, &by_text).into_iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found("client.boolean(\"checkout-v2\", &context, false)"), ["checkout-v2"]);
        assert_eq!(found("flags/checkout.enabled, 'checkout'."), ["checkout"]);
        assert_eq!(found("'team:search/new' -> app.theme"), ["team:search/new", "app.theme"]);
        assert!(found("my_checkout checkouts precheckout").is_empty());
    }

    #[test]
    fn ignored_hidden_and_binary_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("src/main.rs", b"first\nflag(\"checkout\")\n");
        write("built/main.js", b"checkout");
        write(".hidden/x", b"checkout");
        write("image.png", b"checkout\0");
        write("notes.md", b"checkout");
        write(".gitignore", b"built/\n");
        let keys = ["checkout", "gone"].map(|key| FlagKey::new(key).unwrap());
        let found = search(folder.path(), &["*.md".to_owned()], &keys).unwrap();
        let usages = &found.usages[&FlagKey::new("checkout").unwrap()];
        assert_eq!(usages.len(), 1, "{usages:?}");
        assert!(usages[0].file.ends_with("src/main.rs") && usages[0].line == 2);
        assert_eq!(found.unused, [FlagKey::new("gone").unwrap()]);
    }

    #[test]
    fn a_pattern_that_is_none_is_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        assert!(search(folder.path(), &["[".to_owned()], &[]).is_err());
        assert!(search(Path::new("/no/such/folder"), &[], &[]).is_err());
    }
}
