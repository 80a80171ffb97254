//! A text in more than one language: a line `%%python` or `%%rhai` says what the lines behind it are written in.

use std::ops::Range;

use flambeau_protocol::Language;

/// The lines between two marks, by their place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub language: Language,
    pub range: Range<usize>,
    /// Whether a mark stands before it.
    pub marked: bool,
}

/// What one request evaluates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub language: Language,
    /// The lines before are empty, so that each line has the number that it has in the text.
    pub code: String,
}

/// The language that a line marks the beginning of.
pub fn mark(line: &str) -> Option<Language> {
    match line.trim_end() {
        "%%python" | "%%py" => Some(Language::Python),
        "%%rhai" => Some(Language::Rhai),
        _ => None,
    }
}

/// The line that marks the beginning of a language.
pub fn mark_of(language: Language) -> &'static str {
    match language {
        Language::Python => "%%python",
        Language::Rhai => "%%rhai",
    }
}

/// How long the lines are that a text begins with and that say to Quarto how to show it: `#|` is no script's, and in
/// Python a comment as it is. Source: <https://quarto.org/docs/reference/cells/cells-jupyter.html>.
pub fn options(text: &str) -> usize {
    let lines = text.split_inclusive('\n');
    lines.take_while(|line| line.starts_with("#|") || line.starts_with("//|")).map(str::len).sum()
}

/// The parts of a text that begins in `first`. No language has a line that reads like a mark, but for texts in
/// quotes over several lines.
pub fn spans(text: &str, first: Language) -> Vec<Span> {
    let mut at = if first == Language::Rhai { options(text) } else { 0 };
    let mut spans = vec![Span { language: first, range: at..text.len(), marked: false }];
    if !text.contains("%%") {
        return spans;
    }
    for line in text[at..].split_inclusive('\n') {
        if let Some(language) = mark(line) {
            if let Some(last) = spans.last_mut() {
                last.range.end = at;
            }
            let begin = at + line.len();
            spans.push(Span { language, range: begin..text.len(), marked: true });
        }
        at += line.len();
    }
    // Nothing stands before a mark in the first line.
    if spans.len() > 1 && spans[0].range.is_empty() {
        spans.remove(0);
    }
    spans
}

/// The parts of a text that begins in `first`, to be evaluated one by one; those without code are left out.
pub fn parts(text: &str, first: Language) -> Vec<Part> {
    let spans = spans(text, first);
    let full = spans.iter().filter(|span| !text[span.range.clone()].trim().is_empty());
    full.map(|span| part(text, span.range.clone(), span.language)).collect()
}

/// The lines of a text that lie in a range.
pub fn part(text: &str, range: Range<usize>, language: Language) -> Part {
    let before = text[..range.start].matches('\n').count();
    let code = format!("{}{}", "\n".repeat(before), &text[range]);
    Part { language, code }
}

/// What the report calls a part: the name of the whole where that is the first, so that no two are called the same.
pub fn name_of_part(whole: &str, index: usize) -> String {
    match index {
        0 => whole.to_owned(),
        _ => format!("{whole} (part {})", index + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(Language, String)> {
        parts(text, Language::Rhai).into_iter().map(|part| (part.language, part.code)).collect()
    }

    #[test]
    fn a_text_without_marks_is_one_part() {
        assert_eq!(of("1 % 2\n%% python"), [(Language::Rhai, "1 % 2\n%% python".to_owned())]);
    }

    #[test]
    fn lines_keep_their_numbers() {
        let found = of("let x = 1;\n%%python\ny = x\n%%rhai\ny");
        assert_eq!(
            found,
            [
                (Language::Rhai, "let x = 1;\n".to_owned()),
                (Language::Python, "\n\ny = x\n".to_owned()),
                (Language::Rhai, "\n\n\n\ny".to_owned()),
            ]
        );
    }

    #[test]
    fn options_at_the_head_of_a_cell_are_no_code() {
        let options = "#| label: fig-loss\n//| fig-cap: \"It's (a\"\n";
        assert_eq!(of(&format!("{options}x\n")), [(Language::Rhai, "\n\nx\n".to_owned())]);
        assert_eq!(of(&format!("{options}%%py\nx")), [(Language::Python, "\n\n\nx".to_owned())]);
        assert_eq!(of(options), []);
        // Elsewhere they are what they are to the language.
        assert_eq!(of("x\n#| y"), [(Language::Rhai, "x\n#| y".to_owned())]);
        assert_eq!(
            parts("#| y\nx", Language::Python)[0].code,
            "#| y\nx",
            "a comment of Python's stays one"
        );
    }

    #[test]
    fn a_mark_may_be_the_first_line() {
        assert_eq!(of("%%python\r\n1"), [(Language::Python, "\n1".to_owned())]);
        assert_eq!(of("%%python"), []);
    }
}
