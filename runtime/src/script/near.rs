//! The nearest known name to one that is not known, for "did you mean".

/// The name nearest to `name`, if one is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        // Slips are rarer at the beginning of a word.
        .min_by_key(|(distance, candidate)| {
            let alike = name.chars().zip(candidate.chars()).take_while(|(a, b)| a == b).count();
            (*distance, std::cmp::Reverse(alike), candidate.len())
        })
        .map(|(_, candidate)| candidate)
}

/// Damerau–Levenshtein distance (optimal string alignment), case counted as half a change.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 4 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(!a[i - 1].eq_ignore_ascii_case(&b[j - 1]));
            let mut best =
                (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_nothing_else() {
        let names = ["relu", "softmax", "matmul", "sum"];
        assert_eq!(nearest("rleu", names), Some("relu"));
        assert_eq!(nearest("sofmax", names), Some("softmax"));
        assert_eq!(nearest("Matmul", names), Some("matmul"));
        assert_eq!(nearest("banana", names), None);
        assert_eq!(nearest("sun", ["sgn", "sin", "sum"]), Some("sum"));
    }
}
