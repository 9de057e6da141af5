//! Pages of lists: `?after=` names the last item of the previous page.

use ripcord_proto::rest::list::Page;

use crate::http::query::PageQuery;

/// A page of a list that is sorted by id, newest first.
pub(super) fn newest_first<T, V>(
    items: impl Iterator<Item = T>,
    id: impl for<'t> Fn(&'t T) -> &'t str,
    view: impl FnMut(T) -> V,
    query: &PageQuery,
    is_stale: bool,
) -> Page<V> {
    let after = query.after.as_deref();
    let rest = items.filter(|item| after.is_none_or(|after| id(item) < after));
    take(rest, |item| id(item).to_owned(), view, query, is_stale)
}

/// A page of a list that is sorted by name.
pub(super) fn by_name<T, V>(
    items: impl Iterator<Item = T>,
    name: impl for<'t> Fn(&'t T) -> &'t str,
    view: impl FnMut(T) -> V,
    query: &PageQuery,
    is_stale: bool,
) -> Page<V> {
    let after = query.after.as_deref();
    let rest = items.filter(|item| after.is_none_or(|after| name(item) > after));
    take(rest, |item| name(item).to_owned(), view, query, is_stale)
}

/// A page of a list in any order: the items after the one that `?after=` names.
pub(super) fn listed<T, V>(items: &[T], name: impl Fn(&T) -> String, view: impl FnMut(&T) -> V, query: &PageQuery, is_stale: bool) -> Page<V> {
    let after = query.after.as_deref();
    let from = after.map_or(0, |after| {
        items.iter().position(|item| name(item) == after).map_or(items.len(), |place| place + 1)
    });
    take(items.iter().skip(from), |item| name(item), view, query, is_stale)
}

fn take<T, V>(mut rest: impl Iterator<Item = T>, name: impl Fn(&T) -> String, view: impl FnMut(T) -> V, query: &PageQuery, is_stale: bool) -> Page<V> {
    let shown: Vec<T> = rest.by_ref().take(query.limit.get()).collect();
    let next = rest.next().and(shown.last()).map(name);
    Page {
        items: shown.into_iter().map(view).collect(),
        next,
        stale: is_stale,
    }
}
