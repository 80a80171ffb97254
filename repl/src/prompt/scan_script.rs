//! What a script consists of, as far as an editor must know.

use super::scan::{Kind, Open, Scan, Scanner};

/// The words of the language.
const KEYWORDS: &[&str] = &[
    "as", "break", "catch", "const", "continue", "do", "else", "export", "false", "fn", "for",
    "global", "if", "import", "in", "let", "loop", "no_grad", "private", "return", "switch",
    "this", "throw", "true", "try", "until", "while", "with",
];

/// Reads a whole text.
pub fn scan(text: &str) -> Scan {
    Scanner::run(text, step)
}

fn step(scanner: &mut Scanner<'_>) {
    if scanner.scan.open.last() == Some(&Open::Template) {
        return template(scanner);
    }
    let rest = scanner.rest();
    let Some(first) = rest.chars().next() else { return };
    let second = rest[first.len_utf8()..].chars().next();
    match (first, second) {
        (c, _) if c.is_whitespace() => scanner.at += c.len_utf8(),
        ('/', Some('/')) => {
            let length = rest.find('\n').unwrap_or(rest.len());
            scanner.take(Kind::Comment, length);
        }
        ('/', Some('*')) => block_comment(scanner),
        ('"', _) => string(scanner),
        ('\'', _) => {
            let length = character(rest);
            scanner.take(if length > 1 { Kind::Text } else { Kind::Sign }, length);
        }
        ('`', _) => {
            scanner.push(Open::Template);
            scanner.take(Kind::Text, 1);
        }
        ('#', Some('"' | '#')) => raw_string(scanner),
        ('#', Some('{')) => {
            scanner.push(Open::Bracket('{'));
            scanner.take(Kind::Bracket, 2);
        }
        ('(' | '[' | '{', _) => {
            scanner.push(Open::Bracket(first));
            scanner.take(Kind::Bracket, 1);
        }
        (')' | ']' | '}', _) => scanner.close(first),
        (c, _) if c.is_ascii_digit() => {
            let length = number(rest);
            scanner.take(Kind::Number, length);
        }
        (c, _) if c.is_alphabetic() || c == '_' => scanner.word(KEYWORDS),
        (c, _) => scanner.take(Kind::Sign, c.len_utf8()),
    }
}

/// Text between back-ticks, up to its end or to `${`.
fn template(scanner: &mut Scanner<'_>) {
    let rest = scanner.rest();
    let end = rest.find('`');
    let code = rest.find("${");
    match (end, code) {
        (Some(end), code) if code.is_none_or(|code| end < code) => {
            let doubled = rest[end + 1..].starts_with('`');
            scanner.take(Kind::Text, end + 1 + usize::from(doubled));
            if !doubled {
                scanner.pop();
            }
        }
        (_, Some(code)) => {
            if code > 0 {
                scanner.take(Kind::Text, code);
            }
            scanner.push(Open::Interpolation);
            scanner.take(Kind::Bracket, 2);
        }
        _ => scanner.take(Kind::Text, scanner.text.len() - scanner.at),
    }
}

/// Comments may hold comments.
fn block_comment(scanner: &mut Scanner<'_>) {
    let bytes = scanner.rest().as_bytes();
    let (mut depth, mut i) = (0usize, 0);
    while i < bytes.len() {
        match &bytes[i..] {
            [b'/', b'*', ..] => (depth, i) = (depth + 1, i + 2),
            [b'*', b'/', ..] => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    if depth > 0 {
        scanner.push(Open::Comment);
    }
    scanner.take(Kind::Comment, i);
}

/// `"…"` ends with its line, unless that ends with a backslash.
fn string(scanner: &mut Scanner<'_>) {
    let mut escaped = false;
    let mut continued = false;
    let mut length = scanner.rest().len();
    for (i, c) in scanner.rest().char_indices().skip(1) {
        if escaped {
            (escaped, continued) = (false, c == '\n');
            continue;
        }
        match c {
            '\\' => escaped = true,
            '"' => {
                length = i + 1;
                continued = false;
                break;
            }
            '\n' => {
                length = i;
                continued = false;
                break;
            }
            _ => {}
        }
    }
    if continued && scanner.at + length == scanner.text.len() {
        scanner.push(Open::Continued);
    }
    scanner.take(Kind::Text, length);
}

/// `#"…"#`, with any number of `#`.
fn raw_string(scanner: &mut Scanner<'_>) {
    let rest = scanner.rest();
    let hashes = rest.bytes().take_while(|&byte| byte == b'#').count();
    if !rest[hashes..].starts_with('"') {
        return scanner.take(Kind::Sign, hashes);
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    match rest[hashes + 1..].find(&closing) {
        Some(end) => scanner.take(Kind::Text, hashes + 1 + end + closing.len()),
        None => {
            scanner.push(Open::RawText);
            scanner.take(Kind::Text, scanner.text.len() - scanner.at);
        }
    }
}

/// The length of a character in single quotes; 1 where there is none.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            let end = text[1..].find(['\'', '\n']).filter(|end| text[1 + end..].starts_with('\''));
            end.map_or(1, |end| end + 2)
        }
        Some((_, c)) if c != '\'' => match chars.next() {
            Some((i, '\'')) => i + 1,
            _ => 1,
        },
        _ => 1,
    }
}

/// The length of a number: `12`, `0xff`, `1_000`, `1.5e-3`, and not the `..` of a range.
fn number(text: &str) -> usize {
    let mut length = 0;
    let mut previous = ' ';
    for (i, c) in text.char_indices() {
        let sign =
            matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !text.starts_with("0x");
        let behind = text[i + c.len_utf8()..].chars().next();
        let point = c == '.' && behind.is_none_or(|next| next.is_ascii_digit());
        if !(c.is_alphanumeric() || c == '_' || sign || point) {
            break;
        }
        length = i + c.len_utf8();
        previous = c;
    }
    length.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Vec<Open> {
        scan(text).open
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        for text in
            ["\"(\"", "'('", "`[{`", "#\"(\"#", "// (", "/* ( /* [ */ */", "'\\''", "\"\\\"(\""]
        {
            assert_eq!(open(text), [], "{text}");
        }
    }

    #[test]
    fn what_is_open_is_told_from_the_outside_in() {
        use Open::*;
        assert_eq!(open("f([#{ a: 1"), [Bracket('('), Bracket('['), Bracket('{')]);
        assert_eq!(open("`a ${ b(`c"), [Template, Interpolation, Bracket('('), Template]);
        assert_eq!(open("/* /* */"), [Comment]);
        assert_eq!(open("##\"a\"#"), [RawText]);
        assert_eq!(open("\"a \\\n"), [Continued]);
        assert_eq!(open("\"a"), []);
    }

    #[test]
    fn ranges_are_not_numbers_with_points() {
        let kinds = |text: &str| -> Vec<(Kind, String)> {
            let tokens = scan(text).tokens;
            tokens.iter().map(|t| (t.kind, text[t.start..t.end].to_owned())).collect()
        };
        assert_eq!(kinds("0..10").len(), 4);
        assert_eq!(kinds("1.5e-3"), [(Kind::Number, "1.5e-3".to_owned())]);
        assert_eq!(kinds("let")[0].0, Kind::Keyword);
        assert_eq!(kinds("letter")[0].0, Kind::Word);
    }

    #[test]
    fn tokens_never_split_a_character() {
        for text in ["é(\"ü", "`ß${", "'é'", "#\"ö", "/*ä", "\"\\ö", "1é.", "😀'😀"] {
            for token in scan(text).tokens {
                assert!(text.is_char_boundary(token.start) && text.is_char_boundary(token.end));
            }
        }
    }

    #[test]
    fn pairs_belong_together() {
        assert_eq!(scan("f([1])").pairs, [(2, 4), (1, 5)]);
        assert!(scan("(]").mismatched);
    }
}
