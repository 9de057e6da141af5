//! One source file: what it declares, what it imports, how long it is.

use std::collections::BTreeSet;
use std::path::Path;

use crate::graph::Scope;
use crate::lexer::{self, Token};

/// A `use` of one name.
#[derive(Debug, Clone)]
pub struct Import {
    /// The segments of its path; the last is the name, or `*`.
    pub path: Vec<String>,
    /// What the file calls it.
    pub name: String,
    /// Whether it is there for others, too: `pub use`.
    pub is_public: bool,
}

/// A source file.
#[derive(Debug)]
pub struct Source {
    /// Its module, below the crate's root: `["store", "redis"]`.
    pub module: Vec<String>,
    /// Modules that it declares.
    pub children: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Paths that stand in its code and begin with `crate`, `super`, `self` or a module of its own.
    pub paths: Vec<Vec<String>>,
    /// Types and traits that it defines at its top level, or at that of a module within the file.
    pub types: Vec<String>,
    /// Names in its code, outside of `use`.
    pub words: BTreeSet<String>,
    /// Lines before its tests.
    pub lines: usize,
    tokens: Vec<Token>,
}

impl Source {
    pub fn parse(module: Vec<String>, text: &str, scope: Scope) -> Self {
        let tokens = match scope {
            Scope::Product => lexer::tokens(text),
            Scope::WithTests => lexer::all_tokens(text),
        };
        let children = (0..tokens.len())
            .filter(|&at| tokens[at] == "mod" && tokens.get(at + 2).is_some_and(|token| token == ";"))
            .map(|at| tokens[at + 1].clone())
            .collect();
        let mut source = Self {
            module,
            children,
            imports: Vec::new(),
            paths: Vec::new(),
            types: types(&tokens),
            words: BTreeSet::new(),
            lines: lines_before_tests(text),
            tokens: Vec::new(),
        };
        source.read(&tokens);
        source.tokens = tokens;
        source
    }

    fn read(&mut self, tokens: &[Token]) {
        let mut at = 0;
        while at < tokens.len() {
            if tokens[at] == "use" {
                let end = at + tokens[at..].iter().position(|token| token == ";").unwrap_or(0);
                let is_public = at > 0 && (tokens[at - 1] == "pub" || tokens[at - 1] == ")");
                // `impl … + use<'a>` captures lifetimes; it imports nothing.
                if tokens.get(at + 1).is_some_and(|token| token != "<") {
                    self.tree(&tokens[at + 1..end], &[], is_public);
                    at = end;
                }
                at += 1;
                continue;
            }
            // `pub(in crate::room)` says who may see an item; it imports nothing.
            let is_visibility = at > 2 && tokens[at - 1] == "in" && tokens[at - 2] == "(" && tokens[at - 3] == "pub";
            let is_start = is_name(&tokens[at]) && !is_visibility && (at == 0 || !["::", "."].contains(&tokens[at - 1].as_str()));
            let is_local = ["crate", "super", "self"].contains(&tokens[at].as_str()) || self.children.contains(&tokens[at]);
            if is_start && is_local && tokens.get(at + 1).is_some_and(|token| token == "::") {
                let mut path = vec![tokens[at].clone()];
                while tokens.get(at + 1).is_some_and(|token| token == "::") && tokens.get(at + 2).is_some_and(|token| is_name(token)) {
                    path.push(tokens[at + 2].clone());
                    at += 2;
                }
                self.paths.push(path);
            } else if is_name(&tokens[at]) {
                self.words.insert(tokens[at].clone());
            }
            at += 1;
        }
    }

    /// Takes a use tree apart.
    fn tree(&mut self, tokens: &[Token], prefix: &[String], is_public: bool) {
        let mut path = prefix.to_vec();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token.as_str() {
                "::" => {}
                "{" => {
                    for member in members(&tokens[at + 1..]) {
                        self.tree(member, &path, is_public);
                    }
                    return;
                }
                "as" => {
                    let name = tokens.get(at + 1).cloned().unwrap_or_default();
                    self.imports.push(Import { path, name, is_public });
                    return;
                }
                // `keys::{self}` is the module itself.
                "self" if !path.is_empty() => {}
                _ => path.push(token.clone()),
            }
            at += 1;
        }
        if let Some(name) = path.last().cloned() {
            self.imports.push(Import { path, name, is_public });
        }
    }

    /// The first line of `text` where a word stands as a whole, if its code has it at all.
    pub fn has(&self, word: &str) -> bool {
        let wanted: Vec<&str> = word.split("::").collect();
        self.tokens.iter().enumerate().any(|(at, _)| {
            wanted.iter().enumerate().all(|(index, part)| {
                self.tokens.get(at + 2 * index).is_some_and(|token| token == part) && (index == 0 || self.tokens[at + 2 * index - 1] == "::")
            })
        })
    }

    pub fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    pub fn name(&self) -> String {
        if self.module.is_empty() { "lib".to_owned() } else { self.module.join("/") }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The members of a group whose opening brace was just read.
fn members(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 0 => {
                found.push(&tokens[start..at]);
                break;
            }
            "}" => depth -= 1,
            "," if depth == 0 => {
                found.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|member| !member.is_empty());
    found
}

fn types(tokens: &[Token]) -> Vec<String> {
    // Of each open bracket, whether it is the brace of a module.
    let (mut open, mut found) = (Vec::<bool>::new(), Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let depth = open.iter().filter(|is_module| !**is_module).count();
        match token.as_str() {
            "{" | "(" | "[" => open.push(token == "{" && at > 1 && tokens[at - 2] == "mod"),
            "}" | ")" | "]" => drop(open.pop()),
            "struct" | "enum" | "trait" | "type" | "union" if depth == 0 => {
                found.extend(tokens.get(at + 1).filter(|name| is_name(name)).cloned());
            }
            _ => {}
        }
    }
    found
}

fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines
        .iter()
        .zip(lines.iter().skip(1))
        .position(|(attribute, item)| *attribute == "#[cfg(test)]" && item.starts_with("mod ") && item.ends_with('{'));
    tests.unwrap_or(lines.len())
}

/// The text of a source file.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a source file is readable")
}
