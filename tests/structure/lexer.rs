//! Rust source as tokens: enough to see what a file declares and imports.

/// A name or a single punctuation character; `::` is one token.
pub type Token = String;

/// The tokens of `text` without comments, literals and everything that is compiled for tests only.
pub fn tokens(text: &str) -> Vec<Token> {
    without_tests(&all_tokens(text))
}

/// The tokens of `text` without comments and literals.
pub fn all_tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut found) = (0, Vec::new());
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        match c {
            '/' if next == Some('/') => at = position(&chars, at, |chars, at| chars[at] == '\n'),
            '/' if next == Some('*') => at = 2 + position(&chars, at + 2, |chars, at| chars[at] == '*' && chars.get(at + 1) == Some(&'/')),
            '"' => at = end_of_string(&chars, at + 1),
            '\'' => at = end_of_quote(&chars, at),
            _ if c.is_alphanumeric() || c == '_' => {
                let end = position(&chars, at, |chars, at| !(chars[at].is_alphanumeric() || chars[at] == '_'));
                let word: String = chars[at..end].iter().collect();
                at = match (word.as_str(), chars.get(end)) {
                    ("r" | "br", Some('"' | '#')) => end_of_raw_string(&chars, end),
                    ("b", Some('"')) => end_of_string(&chars, end + 1),
                    ("b", Some('\'')) => end_of_quote(&chars, end),
                    _ => {
                        found.push(word);
                        end
                    }
                };
            }
            ':' if next == Some(':') => {
                found.push("::".to_owned());
                at += 2;
            }
            _ => {
                if !c.is_whitespace() {
                    found.push(c.to_string());
                }
                at += 1;
            }
        }
    }
    found
}

/// The first position from `from` on that fits; the end of the text if none does.
fn position(chars: &[char], from: usize, fits: impl Fn(&[char], usize) -> bool) -> usize {
    (from..chars.len()).find(|&at| fits(chars, at)).unwrap_or(chars.len())
}

fn end_of_string(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn end_of_raw_string(chars: &[char], at: usize) -> usize {
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    // A raw identifier such as `r#type` is not a string.
    if chars.get(at + hashes) != Some(&'"') {
        return at + hashes;
    }
    let closes = |chars: &[char], at: usize| chars[at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    position(chars, at + hashes + 1, closes) + 1 + hashes
}

/// The end of a character literal, or of the quote of a lifetime.
fn end_of_quote(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        return 1 + position(chars, at + 3, |chars, at| chars[at] == '\'');
    }
    if chars.get(at + 2) == Some(&'\'') { at + 3 } else { at + 1 }
}

const TEST_ONLY: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let (mut at, mut kept) = (0, Vec::new());
    while at < tokens.len() {
        if starts(&tokens[at..], &TEST_ONLY) {
            at = end_of_item(tokens, at + TEST_ONLY.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The names of the modules that `text` declares for tests only.
pub fn test_modules(text: &str) -> Vec<String> {
    let tokens = all_tokens(text);
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        if starts(&tokens[at..], &TEST_ONLY) {
            let item = &tokens[at + TEST_ONLY.len()..];
            let declared = item.iter().position(|token| token == "mod").filter(|at| *at <= 5);
            found.extend(declared.and_then(|at| item.get(at + 1)).cloned());
        }
    }
    found
}

fn starts(tokens: &[Token], with: &[&str]) -> bool {
    tokens.len() >= with.len() && tokens.iter().zip(with).all(|(token, with)| token == with)
}

/// Where the item that begins at `at` ends: behind its semicolon, or behind its block.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0_usize;
    let is_use = tokens[at..].iter().take(5).any(|token| token == "use");
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token == "}" && !is_use {
                    return at;
                }
            }
            ";" if depth == 0 => return at,
            _ => {}
        }
    }
    at
}
