//! The parser's events → one value.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use granit_parser::{Event, Marker, Parser, Placement, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::comments::Comments;
use super::scalar;

/// Nodes of a file, at most.
const NODES: usize = 10_000_000;
/// Nodes that aliases repeat, at most: a few lines can otherwise stand for more than any memory holds.
const REPEATED: usize = 1_000_000;
/// Comments in a row, at most.
const COMMENTS: usize = 100_000;
/// The prefix of the tags that the core schema has.
const CORE: &str = "tag:yaml.org,2002:";

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Problem {
    at: Marker,
    text: String,
}

impl Problem {
    fn new(at: Marker, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at line {} column {}: {}", self.at.line(), self.at.col() + 1, self.text)
    }
}

/// Reads the one document of a file; documents without content are skipped, and a file without any is null.
pub(super) fn read(text: &str) -> Result<(Value, Comments), Problem> {
    let options = granit_parser::options! {
        emit_comments: true,
        max_buffered_comment_events: COMMENTS,
    };
    let mut builder = Builder::default();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| Problem::new(*error.marker(), error.info()))?;
        builder.take(event, span)?;
    }
    Ok((builder.document.unwrap_or(Value::Null), builder.comments))
}

/// A list or an object that is being read.
enum Open {
    List(Vec<Value>),
    Object {
        members: Map<String, Value>,
        key: Option<String>,
        /// The member that was read last.
        last: String,
        /// What `<<` brings in: members that are not stated.
        merged: Map<String, Value>,
    },
}

struct Frame {
    open: Open,
    anchor: usize,
    /// The nodes that were read before it.
    before: usize,
}

#[derive(Default)]
struct Builder {
    frames: Vec<Frame>,
    anchors: HashMap<usize, (Value, usize)>,
    nodes: usize,
    repeated: usize,
    document: Option<Value>,
    /// Where the content of the document begins.
    began: Option<Marker>,
    /// Comments above what comes next.
    above: Vec<String>,
    comments: Comments,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        // A node with a tag begins there.
        let at = span.tag_span().map_or(span.start, |tag| tag.start);
        match event {
            Event::Comment(text, placement) => self.comment(text.trim(), placement),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), at)?,
            Event::SequenceStart(_, anchor, tag) => self.open(Open::List(Vec::new()), anchor, tag.as_deref(), at)?,
            Event::MappingStart(_, anchor, tag) => {
                let object = Open::Object {
                    members: Map::new(),
                    key: None,
                    last: String::new(),
                    merged: Map::new(),
                };
                self.open(object, anchor, tag.as_deref(), at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at)?,
            Event::Alias(anchor) => self.alias(anchor, at)?,
            Event::UnresolvedAlias(name) => return Err(Problem::new(at, format!("*{name} refers to nothing"))),
            Event::DocumentEnd => {
                self.anchors.clear();
                self.above.clear();
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::Anchor(..) | _ => {}
        }
        Ok(())
    }

    fn count(&mut self, at: Marker) -> Result<(), Problem> {
        self.nodes += 1;
        if self.frames.is_empty() {
            self.began = Some(at);
        }
        if self.nodes > NODES {
            return Err(Problem::new(at, format!("the file has more than {NODES} values")));
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, at: Marker) -> Result<(), Problem> {
        self.count(at)?;
        let value = match tag {
            // Every name of a member is a text, however it is written.
            None if self.awaits_key() => Ok(Value::String(text.to_owned())),
            _ => typed(text, style, tag),
        };
        let value = value.map_err(|problem| Problem::new(at, problem))?;
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), 1));
        }
        self.put(value, style == ScalarStyle::Plain, at)
    }

    fn open(&mut self, open: Open, anchor: usize, tag: Option<&Tag>, at: Marker) -> Result<(), Problem> {
        self.count(at)?;
        if self.awaits_key() {
            return Err(Problem::new(at, "the name of a member must be a text"));
        }
        let fits = match open {
            Open::List(_) => "seq",
            Open::Object { .. } => "map",
        };
        if let Some(tag) = tag.filter(|tag| !is_core(tag, fits)) {
            return Err(Problem::new(at, refused(tag)));
        }
        self.frames.push(Frame {
            open,
            anchor,
            before: self.nodes,
        });
        Ok(())
    }

    fn close(&mut self, at: Marker) -> Result<(), Problem> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let value = match frame.open {
            Open::List(items) => Value::Array(items),
            Open::Object { mut members, merged, .. } => {
                for (name, value) in merged {
                    members.entry(name).or_insert(value);
                }
                Value::Object(members)
            }
        };
        if frame.anchor > 0 {
            self.anchors.insert(frame.anchor, (value.clone(), self.nodes - frame.before + 1));
        }
        self.put(value, false, at)
    }

    fn alias(&mut self, anchor: usize, at: Marker) -> Result<(), Problem> {
        let Some((value, nodes)) = self.anchors.get(&anchor) else {
            return Err(Problem::new(at, "an alias within what it refers to"));
        };
        self.repeated += nodes;
        self.nodes += nodes;
        if self.repeated > REPEATED {
            return Err(Problem::new(at, format!("aliases repeat more than {REPEATED} values")));
        }
        let value = value.clone();
        self.put(value, false, at)
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.frames.last(),
            Some(Frame {
                open: Open::Object { key: None, .. },
                ..
            })
        )
    }

    /// Puts a value where it belongs: into the list or the object that is open, or it is the document.
    fn put(&mut self, value: Value, is_plain: bool, at: Marker) -> Result<(), Problem> {
        let Some(frame) = self.frames.last_mut() else {
            return self.end_document(value, at);
        };
        match &mut frame.open {
            Open::List(items) => {
                items.push(value);
                self.above.clear();
            }
            Open::Object { members, key, last, merged } => match key.take() {
                Some(name) if name == MERGE => merge(merged, value).map_err(|problem| Problem::new(at, problem))?,
                Some(name) => {
                    last.clone_from(&name);
                    members.insert(name, value);
                }
                None => {
                    let Value::String(name) = value else {
                        return Err(Problem::new(at, "the name of a member must be a text"));
                    };
                    if members.contains_key(&name) {
                        return Err(Problem::new(at, format!("the member {name:?} appears twice; keep one")));
                    }
                    *key = Some(if is_plain && name == "<<" { MERGE.to_owned() } else { name });
                    self.note_above();
                }
            },
        }
        Ok(())
    }

    fn end_document(&mut self, value: Value, at: Marker) -> Result<(), Problem> {
        if value.is_null() {
            return Ok(());
        }
        if self.document.is_some() {
            let at = self.began.unwrap_or(at);
            return Err(Problem::new(at, "a second document begins; put each document into a file of its own"));
        }
        self.document = Some(value);
        Ok(())
    }

    fn comment(&mut self, text: &str, placement: Placement) {
        if text.is_empty() {
            return;
        }
        match placement {
            Placement::Above => self.above.push(text.to_owned()),
            Placement::Right => {
                let mut path = self.path();
                if let Some(Open::Object { key: None, last, .. }) = self.frames.last().map(|frame| &frame.open)
                    && !last.is_empty()
                {
                    path.push(last.clone());
                }
                if !path.is_empty() {
                    let known = self.comments.entry(path).or_default();
                    if !known.is_empty() {
                        known.push('\n');
                    }
                    known.push_str(text);
                }
            }
            Placement::Free | Placement::Last | _ => {}
        }
    }

    fn note_above(&mut self) {
        if self.above.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.above).join("\n");
        self.comments.insert(self.path(), text);
    }

    /// Where reading has come to.
    fn path(&self) -> Vec<String> {
        let part = |frame: &Frame| match &frame.open {
            Open::List(items) => Some(items.len().to_string()),
            Open::Object { key, .. } => key.clone(),
        };
        self.frames.iter().filter_map(part).collect()
    }
}

/// The key `<<` while its value is read: no text of a file can be this one, since YAML allows no such character.
const MERGE: &str = "\u{0}<<";

/// What `<<` may bring in: an object, or a list of them of which the earlier ones count first.
fn merge(merged: &mut Map<String, Value>, value: Value) -> Result<(), String> {
    let objects = match value {
        Value::Array(items) => items,
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => vec![other],
    };
    for object in objects {
        let Value::Object(members) = object else {
            return Err("\"<<\" must hold an object, or a list of objects".to_owned());
        };
        for (name, value) in members {
            merged.entry(name).or_insert(value);
        }
    }
    Ok(())
}

fn is_core(tag: &Tag, suffix: &str) -> bool {
    format!("{}{}", tag.handle(), tag.suffix()) == format!("{CORE}{suffix}")
}

fn refused(tag: &Tag) -> String {
    let whole = format!("{}{}", tag.handle(), tag.suffix());
    let written = whole
        .strip_prefix(CORE)
        .map_or_else(|| Cow::Borrowed(whole.as_str()), |suffix| Cow::Owned(format!("!!{suffix}")));
    format!("the tag {written} says nothing here; remove it")
}

/// The value of a scalar: by its tag, else text if it is quoted, else by the core schema.
fn typed(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return match style {
            ScalarStyle::Plain => scalar::plain(text),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted | ScalarStyle::Literal | ScalarStyle::Folded => Ok(Value::String(text.to_owned())),
        };
    };
    // The tag `!` alone means: a text.
    if is_core(tag, "str") || (tag.handle().is_empty() && tag.suffix() == "!") || (tag.handle() == "!" && tag.suffix().is_empty()) {
        return Ok(Value::String(text.to_owned()));
    }
    let value = scalar::plain(text)?;
    let fits = match &value {
        Value::Null => is_core(tag, "null"),
        Value::Bool(_) => is_core(tag, "bool"),
        Value::Number(number) => is_core(tag, "float") || (is_core(tag, "int") && !number.is_f64()),
        Value::String(_) | Value::Array(_) | Value::Object(_) => false,
    };
    if fits { Ok(value) } else { Err(refused(tag)) }
}
