//! A module as a tree with the number of parameters of each branch, for the end of a cell.

use std::collections::HashMap;
use std::rc::Rc;

use flambeau_runtime::error::Result;
use flambeau_runtime::script::{Bundle, Members, Part, State, convert, escaped};
use flambeau_runtime::torch::numel;
use rhai::Dynamic;

use super::module::Module;

/// The least that is left of a line beside its number.
const LABEL: usize = 16;

/// What a parameter adds: elements, bytes, whether it is trained.
#[derive(Clone, Copy)]
struct Size {
    elements: usize,
    bytes: usize,
    trained: bool,
}

/// A branch.
struct Node {
    /// The class with its settings.
    label: String,
    children: Vec<(String, Node)>,
    /// Its own parameters and those below, each once: a weight may be shared.
    parameters: HashMap<i64, Size>,
}

/// A line of the text.
struct Line {
    text: String,
    elements: usize,
}

/// The tree as lines of at most `width` columns; the last says what there is in all.
fn text(root: &Node, width: usize) -> String {
    let mut lines = vec![Line { text: root.label.clone(), elements: root.elements() }];
    branches(root, "", &mut lines);
    let numbers: Vec<String> = lines.iter().map(|line| counted(line.elements)).collect();
    let digits = numbers.iter().map(String::len).max().unwrap_or(0);
    let widest = lines.iter().map(|line| line.text.chars().count()).max().unwrap_or(0);
    let room = widest.min(width.saturating_sub(digits + 2)).max(LABEL);
    let mut text = String::new();
    for (line, number) in lines.iter().zip(&numbers) {
        let label = cut(&line.text, room);
        let number = if line.elements == 0 { "" } else { number.as_str() };
        let shown = format!("{label:room$}  {number:>digits$}");
        text.push_str(shown.trim_end());
        text.push('\n');
    }
    text.push_str(&total(root));
    text
}

/// The tree as text of the session's width, and as HTML for a notebook.
///
/// # Errors
/// What the language raises that made the module.
pub(crate) fn bundle(module: &Module, state: &State) -> Result<Bundle> {
    let root = node(module)?;
    let mut bundle = vec![("text/plain".to_owned(), text(&root, state.width.get()))];
    if state.is_notebook() {
        let html = format!("{}<p>{}</p>", html("", &root, true), escaped(&total(&root)));
        bundle.push(("text/html".to_owned(), html));
    }
    Ok(bundle)
}

/// A branch that opens and closes; only the first is open.
fn html(name: &str, node: &Node, open: bool) -> String {
    let name = if name.is_empty() { String::new() } else { format!("({}) ", escaped(name)) };
    let elements = match node.elements() {
        0 => String::new(),
        elements => format!(" <small>{}</small>", counted(elements)),
    };
    let line = format!("{name}<code>{}</code>{elements}", escaped(&node.label));
    if node.children.is_empty() {
        return format!("<div style=\"margin-left:1.1em\">{line}</div>");
    }
    let children: String =
        node.children.iter().map(|(name, child)| html(name, child, false)).collect();
    let open = if open { " open" } else { "" };
    format!(
        "<details{open}><summary>{line}</summary><div style=\"margin-left:1.1em\">{children}</div></details>"
    )
}

impl Node {
    fn elements(&self) -> usize {
        self.parameters.values().map(|size| size.elements).sum()
    }

    /// Whether both would be drawn alike.
    fn is_like(&self, other: &Node) -> bool {
        self.label == other.label
            && self.elements() == other.elements()
            && self.children.len() == other.children.len()
            && self
                .children
                .iter()
                .zip(&other.children)
                .all(|((name, a), (other, b))| name == other && a.is_like(b))
    }
}

fn node(module: &dyn Members) -> Result<Node> {
    let mut parameters = HashMap::new();
    for (_, value) in module.items(Part::Parameter)? {
        if let Some(tensor) = convert::tensor(&value) {
            let elements = numel(&tensor);
            let bytes = elements * tensor.dtype().itemsize();
            let trained = tensor.requires_grad();
            parameters.insert(tensor.identity(), Size { elements, bytes, trained });
        }
    }
    let mut children = Vec::new();
    for (name, value) in module.items(Part::Child)? {
        let Some(child) = members(&value) else { continue };
        let child = node(child.as_ref())?;
        parameters.extend(child.parameters.iter().map(|(id, size)| (*id, *size)));
        children.push((name, child));
    }
    let shown = module.display();
    let label = match children.is_empty() && !shown.contains('\n') {
        true => shown,
        false => module.name(),
    };
    Ok(Node { label, children, parameters })
}

fn members(value: &Dynamic) -> Option<Rc<dyn Members>> {
    let module = value.read_lock::<Module>()?;
    Some(Rc::new(module.clone()))
}

/// The lines below a node; neighbours that look alike become one.
fn branches(node: &Node, lead: &str, lines: &mut Vec<Line>) {
    let mut start = 0;
    while let Some((name, first)) = node.children.get(start) {
        let same = node.children[start + 1..].iter().take_while(|(_, next)| next.is_like(first));
        let end = start + 1 + same.count();
        let last = end == node.children.len();
        let (turn, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let (named, times) = match end - start {
            1 => (name.clone(), String::new()),
            n => (format!("{name}–{}", node.children[end - 1].0), format!("{n} × ")),
        };
        let elements = node.children[start..end].iter().map(|(_, child)| child.elements()).sum();
        let text = format!("{lead}{turn}{named}: {times}{}", first.label);
        lines.push(Line { text, elements });
        branches(first, &format!("{lead}{below}"), lines);
        start = end;
    }
}

/// The last line.
fn total(root: &Node) -> String {
    let sizes = || root.parameters.values();
    let elements = root.elements();
    let trained: usize = sizes().filter(|size| size.trained).map(|size| size.elements).sum();
    let bytes: usize = sizes().map(|size| size.bytes).sum();
    let trainable = match trained {
        all if all == elements => String::new(),
        some => format!(" ({} trainable)", counted(some)),
    };
    format!("{} parameters{trainable}, {}", counted(elements), in_bytes(bytes))
}

/// The first characters of a text that is too long, and a sign that it goes on.
fn cut(text: &str, room: usize) -> String {
    match text.char_indices().nth(room) {
        Some(_) => text.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// A number with its digits in threes.
fn counted(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn in_bytes(bytes: usize) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.into_iter().find(|(size, _)| bytes as f64 >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", bytes as f64 / size),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(counted(0), "0");
        assert_eq!(counted(1234567), "1,234,567");
        assert_eq!(counted(123456), "123,456");
        assert_eq!(in_bytes(512), "512 B");
        assert_eq!(in_bytes(4_000_000), "4.0 MB");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
