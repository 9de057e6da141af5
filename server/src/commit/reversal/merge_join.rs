//! Two sorted tables side by side.

use std::cmp::Ordering;
use std::sync::Arc;

use ripcord_proto::table::{Entity, Entry, Table};

/// An entry of the one and of the other table under one key; at least one of them is there.
type Joined<'a, M> = (Option<&'a Arc<Entry<M>>>, Option<&'a Arc<Entry<M>>>);

/// The entries of both tables by key, in one pass.
pub(super) fn join<'a, M: Entity>(one: &'a Table<M>, other: &'a Table<M>) -> impl Iterator<Item = Joined<'a, M>> {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (one.peek(), other.peek()) {
            (Some(left), Some(right)) => left.key().cmp(right.key()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        Some(match order {
            Ordering::Less => (one.next(), None),
            Ordering::Greater => (None, other.next()),
            Ordering::Equal => (one.next(), other.next()),
        })
    })
}
