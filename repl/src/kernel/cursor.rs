//! Places in a text: clients count characters, the engine bytes.

/// The byte at which a character begins; the end for one beyond it.
pub fn byte_at(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(at, _)| at)
}

/// The number of the character that begins at a byte.
pub fn character_at(text: &str, byte: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < byte).count()
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

/// What help may be wanted of: the dotted name at the cursor, and that of the call whose arguments it stands in. The
/// name of an argument is only the call's.
pub fn names_at(text: &str, cursor: usize) -> (Option<&str>, Option<&str>) {
    let behind = text[cursor..].trim_start_matches(is_part).trim_start();
    let argument = behind.starts_with(':') && !behind.starts_with("::");
    (named(around(text, cursor)).filter(|_| !argument), called(text, cursor))
}

/// A number is no name.
fn named(text: &str) -> Option<&str> {
    Some(text).filter(|text| text.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

fn called(text: &str, cursor: usize) -> Option<&str> {
    let mut depth = 0;
    for (at, c) in text[..cursor].char_indices().rev() {
        match c {
            ')' | ']' | '}' => depth += 1,
            // One without a name is a bracket of an expression.
            '(' if depth == 0 => {
                if let Some(name) = named(around(text, at)) {
                    return Some(name);
                }
            }
            '[' | '{' if depth == 0 => {}
            '(' | '[' | '{' => depth -= 1,
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn around(text: &str, cursor: usize) -> &str {
    let before = text[..cursor].chars().rev().take_while(|c| is_part(*c)).map(char::len_utf8);
    let start = cursor - before.sum::<usize>();
    let after = text[cursor..].chars().take_while(|c| is_part(*c) && *c != '.');
    let end = cursor + after.map(char::len_utf8).sum::<usize>();
    text[start..end].trim_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_and_bytes_are_counted_into_each_other() {
        let text = "π = 3; 🔥";
        for character in 0..=text.chars().count() {
            assert_eq!(character_at(text, byte_at(text, character)), character);
        }
        assert_eq!(byte_at(text, 99), text.len());
    }

    #[test]
    fn names_are_found_at_and_around_the_cursor() {
        assert_eq!(names_at("torch.sum(x)", 8), (Some("torch.sum"), None));
        assert_eq!(names_at("torch.sum(x)", 3), (Some("torch"), None));
        assert_eq!(names_at("f(a, g(1), ", 11), (None, Some("f")));
        assert_eq!(names_at("f(3", 3), (None, Some("f")));
        assert_eq!(names_at("x.sum(dim: 1)", 9), (None, Some("x.sum")));
        assert_eq!(names_at("f(x, d", 6), (Some("d"), Some("f")));
        assert_eq!(names_at("torch.zeros([2, ", 16), (None, Some("torch.zeros")));
        assert_eq!(names_at("f((1 + ", 7), (None, Some("f")));
        assert_eq!(names_at("f(1); ", 6), (None, None));
        assert_eq!(names_at("", 0), (None, None));
    }
}
