//! What conditions can see while one flag is evaluated, and how they are combined.

use ripcord_proto::condition as source;
use ripcord_proto::key::SegmentKey;

use super::budget::Budget;
use super::compile::Compiled;
use super::condition::Condition;
use super::context::Context;
use super::decision::Truth;
use super::flag::CompiledFlag;
use super::since_contact::SinceContact;

/// One evaluation as its conditions see it.
pub(super) struct Scope<'s> {
    pub(super) compiled: &'s Compiled,
    pub(super) context: &'s Context<'s>,
    pub(super) flag: &'s CompiledFlag,
    pub(super) since_contact: SinceContact,
    pub(super) budget: &'s Budget,
}

impl Scope<'_> {
    fn segment(&self, key: &SegmentKey) -> Truth {
        match self.compiled.segment(key).map(|segment| &segment.condition) {
            Some(Ok(condition)) => self.budget.descend(|| condition.holds(self)).unwrap_or(Truth::Failed),
            Some(Err(_)) | None => Truth::Unreadable,
        }
    }

    /// Passes a segment's condition, as it was written, to `visit`. `None` if it cannot be read or the budget is used up.
    pub(super) fn visit_segment<T>(&self, key: &SegmentKey, visit: impl FnOnce(&source::Condition, &Self) -> T) -> Option<T> {
        let segment = self.compiled.segment(key)?.entry.value().ok()?;
        self.budget.descend(|| visit(&segment.when, self))
    }
}

impl Condition {
    /// Whether the condition holds.
    #[inline]
    pub(super) fn holds(&self, scope: &Scope<'_>) -> Truth {
        match self {
            Self::Attribute { path, test } => Truth::from(test.holds(path.find(scope.context))),
            Self::All(_) | Self::Any(_) | Self::Not(_) | Self::Segment(_) | Self::JsonLogic(_) => self.holds_combined(scope),
        }
    }

    /// Apart from [`Self::holds`], so that the usual case, a test of one attribute, can be inlined.
    fn holds_combined(&self, scope: &Scope<'_>) -> Truth {
        let first_other_than = |neutral: Truth, items: &[Self]| items.iter().map(|item| item.holds(scope)).find(|truth| *truth != neutral).unwrap_or(neutral);
        match self {
            Self::All(items) => first_other_than(Truth::True, items),
            Self::Any(items) => first_other_than(Truth::False, items),
            Self::Not(inner) => !inner.holds(scope),
            Self::Segment(key) => scope.segment(key),
            Self::JsonLogic(program) => program.is_truthy(scope.context, scope.flag.key().as_str(), scope.budget),
            Self::Attribute { path, test } => Truth::from(test.holds(path.find(scope.context))),
        }
    }
}
