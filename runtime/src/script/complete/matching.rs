//! Which names a word may stand for.

/// Keeps the names that begin with `word` whatever the case, those that begin exactly so first; where there
/// are none, the names that hold its letters in order. Names that begin with `_` want it typed.
pub fn matching<T>(word: &str, items: Vec<T>, name: impl Fn(&T) -> &str) -> Vec<T> {
    let lower = word.to_lowercase();
    let mut prefixed: Vec<(bool, T)> = Vec::new();
    let mut scattered = Vec::new();
    for item in items {
        let known = name(&item);
        if known.starts_with('_') && !word.starts_with('_') {
            continue;
        }
        if known.starts_with(word) {
            prefixed.push((false, item));
        } else if known.to_lowercase().starts_with(&lower) {
            prefixed.push((true, item));
        } else if let Some(spread) = spread(&known.to_lowercase(), &lower) {
            scattered.push((spread, item));
        }
    }
    if prefixed.is_empty() {
        scattered.sort_by_key(|(spread, _)| *spread);
        return scattered.into_iter().map(|(_, item)| item).collect();
    }
    prefixed.sort_by_key(|(other_case, _)| *other_case);
    prefixed.into_iter().map(|(_, item)| item).collect()
}

/// Where the letters of `word` end that stand in `name` in their order; names that begin otherwise come later.
fn spread(name: &str, word: &str) -> Option<(bool, usize)> {
    // One letter would be in most names.
    if word.chars().count() < 2 {
        return None;
    }
    let mut letters = name.chars().enumerate();
    let mut last = 0;
    for wanted in word.chars() {
        (last, _) = letters.find(|(_, found)| *found == wanted)?;
    }
    Some((name.chars().next() != word.chars().next(), last))
}

#[cfg(test)]
mod tests {
    use super::matching;

    fn found(word: &str, names: &[&'static str]) -> Vec<&'static str> {
        matching(word, names.to_vec(), |name| name)
    }

    #[test]
    fn prefixes_come_before_all_else() {
        let names = ["linalg", "Linear", "relu", "_lin", "logical_in"];
        assert_eq!(found("lin", &names), ["linalg", "Linear"]);
        assert_eq!(found("Lin", &names), ["Linear", "linalg"]);
        assert_eq!(found("_l", &names), ["_lin"]);
    }

    #[test]
    fn letters_in_order_are_the_last_resort() {
        assert_eq!(found("crent", &["cross_entropy", "conv2d"]), ["cross_entropy"]);
        let names = ["batch_norm_with_counts", "conv_transpose", "cts", "counts"];
        assert_eq!(found("cnt", &names), ["counts", "conv_transpose", "batch_norm_with_counts"]);
        assert_eq!(found("z", &["size"]), [""; 0]);
    }

    #[test]
    fn an_empty_word_takes_all_but_the_private() {
        assert_eq!(found("", &["a", "_b"]), ["a"]);
    }
}
