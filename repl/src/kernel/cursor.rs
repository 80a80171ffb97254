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

/// The dotted name at the cursor, else that of the call whose arguments it stands in.
pub fn name_at(text: &str, cursor: usize) -> Option<&str> {
    let here = around(text, cursor);
    if !here.is_empty() {
        return Some(here);
    }
    let mut depth = 0;
    for (at, c) in text[..cursor].char_indices().rev() {
        match c {
            ')' | ']' | '}' => depth += 1,
            '(' if depth == 0 => {
                let name = around(text, at);
                return (!name.is_empty()).then_some(name);
            }
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
        assert_eq!(name_at("torch.sum(x)", 8), Some("torch.sum"));
        assert_eq!(name_at("torch.sum(x)", 3), Some("torch"));
        assert_eq!(name_at("f(a, g(1), ", 11), Some("f"));
        assert_eq!(name_at("f(1); ", 6), None);
        assert_eq!(name_at("", 0), None);
    }
}
