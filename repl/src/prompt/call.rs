//! The call around the cursor, in two lines below the cell: its signature, cut to the width of the terminal around
//! the argument that is typed, and what it does.

use std::ops::Range;

use flambeau_protocol::Signature;

/// What stands below the cell, and where in it the argument that is typed stands.
pub struct Below {
    pub text: String,
    pub active: Option<Range<usize>>,
}

/// The lines for a terminal of so many columns.
pub fn below(call: &Signature, columns: usize) -> Below {
    let room = columns.saturating_sub(1).max(8);
    let (mut text, active) = window(&call.text, call.active, room);
    if let Some(help) = &call.help {
        text.push('\n');
        text.push_str(&beginning(help, room));
    }
    Below { text, active }
}

/// The part of a signature that fits: its beginning, or its name and what begins with the active argument.
fn window(
    text: &str,
    active: Option<(usize, usize)>,
    room: usize,
) -> (String, Option<Range<usize>>) {
    let active = active.filter(|(start, end)| text.get(*start..*end).is_some());
    let columns = |text: &str| text.chars().count();
    let fits = active.is_none_or(|(_, end)| columns(&text[..end]) < room);
    if fits {
        return (beginning(text, room), active.map(|(start, end)| start..end));
    }
    let (start, end) = active.unwrap_or_default();
    let name = text.find('(').map_or(0, |open| open + 1);
    let head = format!("{}…, ", &text[..name]);
    let left = room.saturating_sub(columns(&head));
    let rest = beginning(&text[start..], left);
    let shown = head.len()..head.len() + (end - start).min(rest.trim_end_matches('…').len());
    (format!("{head}{rest}"), Some(shown))
}

/// As many characters as there is room for.
fn beginning(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "sum(dim: int[1]?, keepdim: bool = False, *, dtype: ScalarType? = None) -> Tensor";

    fn call(part: &str) -> Signature {
        let start = TEXT.find(part).expect("a part");
        let active = Some((start, start + part.len()));
        Signature { text: TEXT.to_owned(), active, help: Some("Adds up.".to_owned()) }
    }

    fn shown(part: &str, columns: usize) -> (String, String) {
        let below = below(&call(part), columns);
        let active = below.active.map(|range| below.text[range].to_owned());
        (below.text, active.unwrap_or_default())
    }

    #[test]
    fn what_fits_is_shown_whole() {
        let (text, active) = shown("keepdim: bool = False", 100);
        assert_eq!(text, format!("{TEXT}\nAdds up."));
        assert_eq!(active, "keepdim: bool = False");
    }

    #[test]
    fn the_active_argument_is_always_seen() {
        let (text, active) = shown("dtype: ScalarType? = None", 50);
        assert_eq!(text, "sum(…, dtype: ScalarType? = None) -> Tensor\nAdds up.");
        assert_eq!(active, "dtype: ScalarType? = None");
        let (text, active) = shown("dim: int[1]?", 40);
        assert_eq!(text, "sum(dim: int[1]?, keepdim: bool = Fals…\nAdds up.");
        assert_eq!(active, "dim: int[1]?");
        let (text, active) = shown("dtype: ScalarType? = None", 20);
        assert_eq!(text, "sum(…, dtype: Scal…\nAdds up.");
        assert_eq!(active, "dtype: Scal");
    }
}
