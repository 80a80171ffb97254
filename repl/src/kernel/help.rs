//! Help as clients show it: their pages and tooltips break lines anywhere in a word, or not at all.

/// How long a line may be, in characters; PyTorch's own descriptions keep below.
const LONGEST: usize = 88;

/// The text with lines that are too long broken between words; what goes on is indented as the line is, and that of a
/// signature once more.
pub fn lines(text: &str) -> String {
    let mut broken = String::with_capacity(text.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            broken.push('\n');
        }
        break_line(line, &mut broken);
    }
    broken
}

fn break_line(line: &str, broken: &mut String) {
    if line.chars().count() <= LONGEST {
        return broken.push_str(line);
    }
    let margin = &line[..line.len() - line.trim_start().len()];
    let further = if is_signature(line) { "    " } else { "" };
    broken.push_str(margin);
    let (start, mut used) = (margin.chars().count(), margin.chars().count());
    for (i, word) in line.trim_start().split(' ').enumerate() {
        let long = word.chars().count();
        if i > 0 && used + 1 + long > LONGEST && used > start {
            broken.push('\n');
            broken.push_str(margin);
            broken.push_str(further);
            used = start + further.len();
        } else if i > 0 {
            broken.push(' ');
            used += 1;
        }
        broken.push_str(word);
        used += long;
    }
}

/// Whether a line is `name(arguments) -> type`, rather than a sentence.
fn is_signature(line: &str) -> bool {
    let name = line.trim_start().split('(').next().unwrap_or_default();
    !name.contains(' ') && line.contains(") -> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words() {
        let text = format!("short\n\n  {}end", "word ".repeat(30));
        let shown = lines(&text);
        assert!(shown.lines().all(|line| line.chars().count() <= LONGEST), "{shown}");
        assert!(shown.starts_with("short\n\n  word word"), "{shown}");
        assert!(shown.lines().skip(2).all(|line| line.starts_with("  word")), "{shown}");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&shown), words(&text));
    }

    #[test]
    fn a_signature_goes_on_indented_and_a_long_word_stays_whole() {
        let shown = lines(&format!("f({}int z) -> int", "int argument, ".repeat(8)));
        assert!(shown.contains("\n    int"), "{shown}");
        assert_eq!(lines(&"x".repeat(200)), "x".repeat(200));
    }
}
