//! Text that is longer than the screen, cut with a line that says so.

use unicode_width::UnicodeWidthStr;

/// Lines that the prompt, the cell and the notice take.
const BESIDE: usize = 4;
/// The least that is shown, however low the terminal is.
const LEAST: usize = 6;

/// The text, or as many of its lines as fit into a terminal of this size and a line that says how many are
/// left and that `all` shows them.
pub fn cut(text: &str, columns: usize, rows: usize, all: &str) -> String {
    let room = rows.saturating_sub(BESIDE).max(LEAST);
    let columns = columns.max(1);
    let mut used = 0;
    for (i, (start, line)) in lines(text).enumerate() {
        // A line that is longer than the terminal is wide takes several.
        let takes = line.width().max(1).div_ceil(columns);
        if used + takes <= room {
            used += takes;
            continue;
        }
        let left = text[start..].lines().count();
        if i == 0 {
            let shown: String = line.chars().take(columns * (room - 1)).collect();
            return format!("{shown}\n… more; {all} shows all");
        }
        let s = if left == 1 { "" } else { "s" };
        return format!(
            "{}\n… {left} more line{s}; {all} shows all",
            text[..start].trim_end_matches('\n')
        );
    }
    text.to_owned()
}

/// Whether a text needs no more than the screen.
pub fn fits(text: &str, columns: usize, rows: usize) -> bool {
    cut(text, columns, rows, "") == text
}

/// Lines with where they begin.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line.trim_end_matches('\n'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_alone() {
        let text = "a\n".repeat(20);
        assert_eq!(cut(&text, 80, 24, "x"), text);
        assert_eq!(cut("", 80, 24, "x"), "");
    }

    #[test]
    fn more_lines_than_fit_are_counted() {
        let text: String = (0..30).map(|i| format!("{i}\n")).collect();
        let shown = cut(&text, 80, 24, "print(_)");
        assert!(shown.starts_with("0\n1\n") && shown.contains("\n19\n… 10 more lines;"), "{shown}");
        assert!(shown.ends_with("print(_) shows all"), "{shown}");
    }

    #[test]
    fn long_lines_take_several() {
        let text = format!("{}\n", "é".repeat(100)).repeat(10);
        let shown = cut(&text, 20, 24, "x");
        assert_eq!(shown.lines().count(), 5, "{shown}");
        let one = cut(&"a".repeat(100_000), 20, 24, "x");
        assert_eq!(one.lines().next().map(str::len), Some(380));
    }
}
