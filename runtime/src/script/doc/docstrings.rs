//! Descriptions of libtorch's operators: read on first use from the docstrings of the user's own torch
//! package, which is the one that is loaded. Nothing of them is kept here.
//!
//! The files are Python, and only their calls of `add_docstr` are read, as text. A file that is not there
//! or is written otherwise gives no descriptions and nothing else.

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;

/// Files of the torch package with docstrings, and the namespace that they describe.
const FILES: &[(&str, &str)] = &[
    ("_torch_docs.py", "torch"),
    ("_tensor_docs.py", "Tensor"),
    ("linalg/__init__.py", "torch.linalg"),
    ("fft/__init__.py", "torch.fft"),
    ("special/__init__.py", "torch.special"),
    ("sparse/__init__.py", "torch.sparse"),
    ("nn/functional.py", "torch.nn.functional"),
];

/// Prefixes of operator names that their namespace says already.
const PREFIXES: &[&str] = &["linalg_", "fft_", "special_", "sparse_"];

fn known() -> &'static HashMap<String, String> {
    static KNOWN: OnceLock<HashMap<String, String>> = OnceLock::new();
    KNOWN.get_or_init(|| match crate::torch::package_folder() {
        Some(folder) => read_all(&folder),
        None => HashMap::new(),
    })
}

/// All names that have a description, with its text as it is written there.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    known().iter().map(|(name, text)| (name.as_str(), text.as_str()))
}

/// The description of `name` (`torch.argsort`, `Tensor.abs`), without roles and other marks of its markup.
pub(super) fn description(name: &str) -> Option<String> {
    let known = known();
    let text = known.get(name)?;
    // `See :func:`torch.sum`.` leads on.
    let short = name.rsplit('.').next().unwrap_or(name);
    let there = if name.starts_with("Tensor.") && text.contains("See :func:`torch.") {
        known.get(&format!("torch.{short}"))
    } else {
        None
    };
    Some(plain(there.unwrap_or(text)))
}

fn read_all(folder: &Path) -> HashMap<String, String> {
    let mut all = HashMap::new();
    let mut shared = HashMap::new();
    for (file, namespace) in FILES {
        let Ok(code) = std::fs::read_to_string(folder.join(file)) else { continue };
        // The later files use parts of the first.
        shared.extend(shared_parts(&code));
        for (target, text) in docstrings(&code, &shared) {
            let short = target.rsplit('.').next().unwrap_or(&target);
            let short =
                PREFIXES.iter().find_map(|prefix| short.strip_prefix(prefix)).unwrap_or(short);
            all.entry(format!("{namespace}.{short}")).or_insert(text);
        }
    }
    all
}

/// The targets and texts of all `add_docstr(target, """text""")`.
fn docstrings(code: &str, shared: &HashMap<String, String>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("add_docstr") {
        rest = &rest[at + "add_docstr".len()..];
        let call = rest.strip_prefix("_all").unwrap_or(rest);
        let Some((target, after)) = call.strip_prefix('(').and_then(|call| call.split_once(','))
        else {
            continue;
        };
        let Some((mut text, mut tail)) = triple_quoted(after) else { continue };
        while let Some((more, end)) = tail.trim_start().strip_prefix('+').and_then(triple_quoted) {
            text.push_str(&more);
            tail = end;
        }
        if tail.trim_start().starts_with(".format(") {
            text = filled(&text, shared);
        }
        rest = tail;
        found.push((target.trim().trim_matches('"').to_owned(), text));
    }
    found
}

/// The content of a triple-quoted string at the start of `code`, and what follows it.
fn triple_quoted(code: &str) -> Option<(String, &str)> {
    let code = code.trim_start().trim_start_matches(['r', 'R', 'f']);
    let code = code.strip_prefix("\"\"\"")?;
    let end = code.find("\"\"\"")?;
    Some((code[..end].to_owned(), &code[end + 3..]))
}

/// Descriptions of arguments that many docstrings share, by name: `parse_kwargs("""…""")` and
/// `"name": """…"""`.
fn shared_parts(code: &str) -> HashMap<String, String> {
    let mut parts = HashMap::new();
    for piece in code.split("parse_kwargs(").skip(1) {
        let Some((text, _)) = triple_quoted(piece) else { continue };
        let mut name = String::new();
        for line in text.lines() {
            match line.strip_prefix("    ") {
                Some(start) if !start.starts_with(' ') && !start.is_empty() => {
                    name = start.split(' ').next().unwrap_or_default().to_owned();
                    parts.entry(name.clone()).or_insert_with(|| start.to_owned());
                }
                Some(more) if !name.is_empty() => {
                    if let Some(part) = parts.get_mut(&name) {
                        part.push_str("\n    ");
                        part.push_str(more);
                    }
                }
                _ => {}
            }
        }
    }
    let mut rest = code;
    while let Some(at) = rest.find("\": \"\"\"") {
        let name = rest[..at].rsplit('"').next().unwrap_or_default();
        let after = &rest[at + 3..];
        match triple_quoted(after) {
            Some((text, tail)) => {
                parts.entry(name.to_owned()).or_insert_with(|| text.trim().to_owned());
                rest = tail;
            }
            None => rest = after,
        }
    }
    parts
}

/// `text` with `{name}` replaced, as `str.format` does.
fn filled(text: &str, parts: &HashMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (name, part) in parts {
        text = text.replace(&format!("{{{name}}}"), part);
    }
    text.replace("{{", "{").replace("}}", "}")
}

/// A docstring as plain text: without its signature line, roles, double backticks and directives.
fn plain(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut signature = true;
    for line in text.trim().lines() {
        let trimmed = line.trim();
        if signature && (trimmed.contains("->") || trimmed.is_empty()) {
            continue;
        }
        signature = false;
        if [".. image::", ".. _", ":noindex:"].iter().any(|mark| trimmed.starts_with(mark)) {
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let line = match trimmed.strip_prefix(".. ") {
            Some(directive) => match directive.split_once("::") {
                Some(("math" | "code-block", _)) => continue,
                Some((word, more)) => {
                    let mut letters = word.chars();
                    let first = letters.next().map(|c| c.to_ascii_uppercase());
                    let word: String = first.into_iter().chain(letters).collect();
                    format!("{indent}{word}:{more}")
                }
                None => line.to_owned(),
            },
            None => line.replace("::", ":"),
        };
        lines.push(without_roles(&line).trim_end().to_owned());
    }
    let mut out = lines.join("\n");
    while out.contains("\n\n\n") {
        out = out.replace("\n\n\n", "\n\n");
    }
    out
}

/// `:func:`~torch.sum`` becomes `torch.sum`, ```x``` becomes `x`.
fn without_roles(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        let before = &rest[..at];
        // The role in front: `:attr:`.
        let kept = match before.strip_suffix(':').and_then(|b| b.rfind(':').map(|colon| (b, colon)))
        {
            Some((b, colon))
                if b[colon + 1..].chars().all(|c| c.is_alphanumeric() || c == ':')
                    && colon + 1 < b.len() =>
            {
                &before[..colon]
            }
            _ => before,
        };
        out.push_str(kept);
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.replace("~torch.", "torch.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    #[test]
    fn calls_are_read_with_their_shared_parts() {
        let code = "common = parse_kwargs(\n    \"\"\"\n    input (Tensor): the input.\n    dim (int): the\n        dimension.\n\"\"\"\n)\nadd_docstr(\n    torch.sum,\n    r\"\"\"\nsum(input) -> Tensor\n\nAdds :attr:`x` to ``{{}}``.\n\nArgs:\n    {input}\n    {dim}\n\nExample::\n\n    >>> 1\n\"\"\".format(**common),\n)\nadd_docstr_all(\"abs\", r\"\"\"\nabs() -> Tensor\n\nSee :func:`torch.abs`\n\"\"\")";
        let found = docstrings(code, &shared_parts(code));
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0, "torch.sum");
        assert_eq!(
            plain(&found[0].1),
            "Adds x to {}.\n\nArgs:\n    input (Tensor): the input.\n    dim (int): the\n        dimension.\n\nExample:\n\n    >>> 1"
        );
        assert_eq!(found[1].0, "abs");
        assert_eq!(plain(&found[1].1), "See torch.abs");
    }

    #[test]
    fn what_is_no_docstring_is_left_alone() {
        for code in ["add_docstr(", "add_docstr(x, y)", "add_docstr(x, \"\"\"never ends"] {
            assert!(docstrings(code, &HashMap::new()).is_empty());
        }
    }

    #[test]
    fn the_installed_torch_describes_its_operators() {
        for name in ["torch.argsort", "torch.linalg.svd", "torch.fft.rfft", "torch.special.erf"] {
            let text = description(name).expect(name);
            assert!(
                text.len() > 40 && !text.contains(":attr:") && !text.contains("{input}"),
                "{text}"
            );
        }
        assert!(description("Tensor.sum").expect("sum").starts_with("Returns the sum"));
    }
}
