//! Which name may have been meant.

/// The name among `names` that is most similar to `text`, if it is similar enough to be what was meant.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.into_iter().map(|name| (strsim::osa_distance(text, name), name));
    let (distance, name) = near.min_by_key(|(distance, _)| *distance)?;
    let length = name.chars().count();
    (distance <= 1 + length / 3 && distance * 2 <= length).then_some(name)
}
