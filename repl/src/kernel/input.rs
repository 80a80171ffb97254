//! The cells of this session, for history.

use serde_json::{Value, json};

/// What was executed, oldest first.
#[derive(Default)]
pub struct Inputs {
    cells: Vec<(String, Option<String>)>,
}

impl Inputs {
    /// The number of the last cell.
    pub fn count(&self) -> usize {
        self.cells.len()
    }

    /// The next cell begins: its number.
    pub fn begin(&mut self, code: &str) -> usize {
        self.cells.push((code.to_owned(), None));
        self.cells.len()
    }

    /// What a cell came to.
    pub fn result(&mut self, number: usize, text: &str) {
        if let Some(cell) = number.checked_sub(1).and_then(|i| self.cells.get_mut(i)) {
            cell.1 = Some(text.to_owned());
        }
    }

    /// The answer to a `history_request`.
    pub fn history(&self, content: &Value) -> Value {
        let number = |name: &str| content[name].as_i64();
        let numbered = self.cells.iter().enumerate().map(|(i, cell)| (i + 1, cell));
        let mut found: Vec<(usize, &(String, Option<String>))> =
            match content["hist_access_type"].as_str() {
                // Only this session is known: 0, or none, or its own number 1.
                Some("range") if matches!(number("session"), None | Some(0 | 1)) => {
                    let start = number("start").unwrap_or(1).max(0);
                    let stop = number("stop").unwrap_or(i64::MAX);
                    let within =
                        |n: usize| (start..stop).contains(&i64::try_from(n).unwrap_or(i64::MAX));
                    numbered.filter(|(n, _)| within(*n)).collect()
                }
                Some("search") => {
                    let pattern = content["pattern"].as_str().unwrap_or("*");
                    numbered.filter(|(_, cell)| matches_glob(pattern, &cell.0)).collect()
                }
                Some("tail") => numbered.collect(),
                _ => Vec::new(),
            };
        if content["unique"] == true {
            let mut seen = std::collections::HashSet::new();
            let mut last = found.split_off(0);
            last.reverse();
            last.retain(|(_, cell)| seen.insert(&cell.0));
            last.reverse();
            found = last;
        }
        let most = match number("n").map(usize::try_from) {
            Some(Ok(most)) if content["hist_access_type"] != "range" => most,
            _ => usize::MAX,
        };
        let skipped = found.len().saturating_sub(most);
        let output = content["output"] == true;
        let entry = |(n, cell): &(usize, &(String, Option<String>))| match output {
            true => json!([1, n, [cell.0, cell.1]]),
            false => json!([1, n, cell.0]),
        };
        let history: Vec<Value> = found.iter().skip(skipped).map(entry).collect();
        json!({"status": "ok", "history": history})
    }
}

/// Whether a text is of a pattern in which `*` stands for anything and `?` for one character.
fn matches_glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(inputs: &Inputs, request: Value) -> Vec<String> {
        let answer = inputs.history(&request);
        let entries = answer["history"].as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry[2].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn history_is_what_was_asked_for() {
        let mut inputs = Inputs::default();
        for code in ["a = 1", "b", "a = 2", "b"] {
            inputs.begin(code);
        }
        inputs.result(2, "7");
        assert_eq!(cells(&inputs, json!({"hist_access_type": "tail", "n": 2})), ["a = 2", "b"]);
        let range = json!({"hist_access_type": "range", "session": 0, "start": 1, "stop": 3});
        assert_eq!(cells(&inputs, range), ["a = 1", "b"]);
        let search = json!({"hist_access_type": "search", "pattern": "a*", "n": 9});
        assert_eq!(cells(&inputs, search), ["a = 1", "a = 2"]);
        let unique = json!({"hist_access_type": "search", "pattern": "*", "unique": true});
        assert_eq!(cells(&inputs, unique), ["a = 1", "a = 2", "b"]);
        let output = inputs.history(&json!({"hist_access_type": "tail", "n": 3, "output": true}));
        assert_eq!(output["history"][0], json!([1, 2, ["b", "7"]]));
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("a?c", "abc", true),
            ("a*c", "abbbc", true),
            ("a", "ab", false),
            ("*b", "ab\n", false),
        ] {
            assert_eq!(matches_glob(pattern, text), is, "{pattern} {text}");
        }
    }
}
