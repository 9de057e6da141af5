//! Which file of a crate imports which: paths are followed through modules and re-exports to the file that defines the name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::lexer;
use crate::source::{self, Source};

/// What is read of a crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What is compiled into the product.
    Product,
    /// Its unit tests, too.
    WithTests,
}

/// The files of a crate, by module.
pub struct Crate {
    pub files: BTreeMap<Vec<String>, Source>,
}

impl Crate {
    /// Reads the crate whose root file lies in `folder`.
    pub fn read(folder: &Path, root: &str, scope: Scope) -> Self {
        let mut files = BTreeMap::new();
        let mut waiting = vec![(Vec::new(), folder.join(root))];
        while let Some((module, path)) = waiting.pop() {
            let text = source::read(&path);
            let parsed = Source::parse(module.clone(), &text, scope);
            let left_out = match scope {
                Scope::Product => lexer::test_modules(&text),
                Scope::WithTests => Vec::new(),
            };
            let below = if module.is_empty() {
                folder.to_owned()
            } else {
                folder.join(module.join("/"))
            };
            for child in parsed.children.iter().filter(|child| !left_out.contains(child)) {
                let path = [below.join(format!("{child}.rs")), below.join(child).join("mod.rs")]
                    .into_iter()
                    .find(|path| path.is_file());
                if let Some(path) = path {
                    let mut module = module.clone();
                    module.push(child.clone());
                    waiting.push((module, path));
                }
            }
            files.insert(module, parsed);
        }
        Self { files }
    }

    /// The modules that each module imports, a facade's plain re-exports of its children aside.
    pub fn imports(&self) -> BTreeMap<&[String], BTreeSet<&[String]>> {
        let mut found = BTreeMap::new();
        for (module, file) in &self.files {
            let mut targets = BTreeSet::new();
            for import in &file.imports {
                let is_passed_on = import.is_public && !file.words.contains(&import.name);
                let Some(target) = self.resolve(module, &import.path, 0) else { continue };
                if !(is_passed_on && target.starts_with(module)) {
                    targets.insert(target);
                }
            }
            targets.extend(file.paths.iter().filter_map(|path| self.resolve(module, path, 0)));
            targets.remove(module.as_slice());
            found.insert(module.as_slice(), targets);
        }
        found
    }

    /// Groups of files of which each imports every other, directly or by way of others of the group.
    pub fn circles(&self) -> Vec<String> {
        let imports = self.imports();
        let reached: BTreeMap<&[String], BTreeSet<&[String]>> = imports.keys().map(|module| (*module, reached_from(module, &imports))).collect();
        let mut circles = BTreeSet::new();
        for (module, forth) in &reached {
            let back = |other: &&&[String]| reached.get(**other).is_some_and(|reached| reached.contains(module));
            let members: Vec<String> = forth.iter().filter(back).map(|member| self.files[*member].name()).collect();
            if members.len() > 1 {
                circles.insert(members.join(" <-> "));
            }
        }
        circles.into_iter().collect()
    }

    /// The file that defines what `path` names, as seen from `module`; `None` for what other crates define.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<&[String]> {
        let first = path.first()?;
        let mut at: Vec<String> = match first.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => module.to_vec(),
            _ if self.has_child(module, first) => module.to_vec(),
            _ => return None,
        };
        for (index, segment) in path.iter().enumerate() {
            match segment.as_str() {
                "crate" | "self" => continue,
                "super" => {
                    at.pop();
                    continue;
                }
                _ => {}
            }
            if self.has_child(&at, segment) {
                at.push(segment.clone());
                continue;
            }
            if depth < 8
                && let Some(found) = self.passed_on(&at, path, index, depth)
            {
                return Some(found);
            }
            break;
        }
        self.files.get_key_value(&at).map(|(module, _)| module.as_slice())
    }

    fn has_child(&self, module: &[String], name: &str) -> bool {
        let mut child = module.to_vec();
        child.push(name.to_owned());
        self.files.contains_key(&child)
    }

    /// Where `path[index]` comes from if the module `at` only imports it.
    fn passed_on(&self, at: &[String], path: &[String], index: usize, depth: usize) -> Option<&[String]> {
        let file = self.files.get(at)?;
        let segment = &path[index];
        let named = file
            .imports
            .iter()
            .find(|import| import.name == *segment && import.path.last().is_some_and(|last| last != "*"));
        if let Some(import) = named {
            let mut whole = import.path.clone();
            whole.extend_from_slice(&path[index + 1..]);
            return self.resolve(at, &whole, depth + 1);
        }
        None
    }
}

/// All modules that `start` imports, directly or by way of others.
fn reached_from<'a>(start: &'a [String], imports: &BTreeMap<&'a [String], BTreeSet<&'a [String]>>) -> BTreeSet<&'a [String]> {
    let (mut reached, mut waiting) = (BTreeSet::new(), vec![start]);
    while let Some(module) = waiting.pop() {
        for target in imports.get(module).into_iter().flatten() {
            if reached.insert(*target) {
                waiting.push(target);
            }
        }
    }
    reached
}
