//! The fenced blocks of a Markdown page.

/// One fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the opening fence, such as `rhai error`.
    pub tag: String,
    /// The text between the fences, without the last line break.
    pub text: String,
    /// The line of the opening fence, counted from 1.
    pub line: usize,
    /// The line of the closing fence.
    pub end: usize,
}

/// All fenced blocks of `page`, in order.
///
/// # Panics
/// When a block is not closed.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(tag) = line.strip_prefix("```") else { continue };
        let mut text = Vec::new();
        let end = loop {
            let (end, line) = lines.next().unwrap_or_else(|| panic!("line {}: not closed", at + 1));
            if line == "```" {
                break end;
            }
            text.push(line);
        };
        let (tag, text) = (tag.trim().to_owned(), text.join("\n"));
        found.push(Block { tag, text, line: at + 1, end: end + 1 });
    }
    found
}

/// Whether only empty lines lie between two blocks.
pub fn adjacent(page: &str, first: &Block, second: &Block) -> bool {
    page.lines().take(second.line - 1).skip(first.end).all(|line| line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_tags_texts_and_lines() {
        let page = "a\n```rhai error\nx\ny\n```\n\n```text\nz\n```\nwords\n```sh\n```\n";
        let found = blocks(page);
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].tag.as_str(), found[0].text.as_str()), ("rhai error", "x\ny"));
        assert_eq!((found[0].line, found[0].end), (2, 5));
        assert!(adjacent(page, &found[0], &found[1]));
        assert!(!adjacent(page, &found[1], &found[2]));
    }
}
