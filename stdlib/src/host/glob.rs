//! Paths that fit a pattern, by Python's rules for `glob.glob(pattern, recursive=True)`.

use std::path::Path;

use flambeau_runtime::error::Result;
use flambeau_runtime::script::Context;

/// The existing paths that fit `pattern`, sorted, written the way the pattern is.
///
/// # Errors
/// A `PermissionError` where the sandbox denies to list a folder; folders that the system does not
/// let read, or that are not there, hold nothing.
pub(crate) fn glob(pattern: &str, ctx: &Context<'_>) -> Result<Vec<String>> {
    let (base, rest) = match pattern.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", pattern),
    };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let mut found = Vec::new();
    walk(base, &parts, ctx, &mut found)?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(base: &str, parts: &[&str], ctx: &Context<'_>, found: &mut Vec<String>) -> Result<()> {
    ctx.check()?;
    let Some((part, rest)) = parts.split_first() else {
        if !base.is_empty() {
            found.push(base.to_owned());
        }
        return Ok(());
    };
    if !part.contains(['*', '?', '[']) {
        let path = join(base, part);
        return if ctx.readable(&path)?.exists() { walk(&path, rest, ctx, found) } else { Ok(()) };
    }
    let folder = ctx.readable(if base.is_empty() { "." } else { base })?;
    if *part == "**" {
        // No folder at all, or one more; links are not followed, or a cycle would never end.
        walk(base, rest, ctx, found)?;
        for name in names(&folder) {
            let inner = folder.join(&name);
            let is_folder = inner.symlink_metadata().is_ok_and(|data| data.is_dir());
            if !name.starts_with('.') && is_folder {
                walk(&join(base, &name), parts, ctx, found)?;
            } else if !name.starts_with('.') && rest.is_empty() {
                found.push(join(base, &name));
            }
        }
        return Ok(());
    }
    for name in names(&folder) {
        let hidden = name.starts_with('.') && !part.starts_with('.');
        if !hidden && matches(part, &name) {
            let path = join(base, &name);
            if rest.is_empty() || folder.join(&name).is_dir() {
                walk(&path, rest, ctx, found)?;
            }
        }
    }
    Ok(())
}

fn join(base: &str, name: &str) -> String {
    if base.is_empty() || base.ends_with('/') {
        format!("{base}{name}")
    } else {
        format!("{base}/{name}")
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Whether a name fits a pattern of `*`, `?` and `[…]`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // Where to go on after the last star, if what followed it did not fit.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => one_of(&pattern, p, name[n]),
            Some(&c) if c == name[n] => Some(p + 1),
            _ => None,
        };
        match (step, star) {
            (Some(next), _) => {
                p = next;
                n += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// The position behind the `[…]` at `p` if `c` is in it. Without a `]` the bracket stands for
/// itself.
fn one_of(pattern: &[char], p: usize, c: char) -> Option<usize> {
    let negated = pattern.get(p + 1) == Some(&'!');
    let start = p + 1 + usize::from(negated);
    // A `]` right at the start is a member.
    let Some(end) = (start + 1..pattern.len()).find(|&i| pattern[i] == ']') else {
        return (c == '[').then_some(p + 1);
    };
    let set = &pattern[start..end];
    let mut i = 0;
    let mut inside = false;
    while i < set.len() {
        if i + 2 < set.len() && set[i + 1] == '-' {
            inside |= (set[i]..=set[i + 2]).contains(&c);
            i += 3;
        } else {
            inside |= set[i] == c;
            i += 1;
        }
    }
    (inside != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_fit_as_in_python() {
        let fits = [
            ("*.csv", "a.csv"),
            ("a*b*c", "a-b-b-c"),
            ("python3.*", "python3.11"),
            ("?", "ä"),
            ("[ab]x", "bx"),
            ("[!ab]x", "cx"),
            ("[a-c]", "b"),
            ("[]]", "]"),
            ("[", "["),
            ("*", ""),
        ];
        for (pattern, name) in fits {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*.csv", "a.csv.gz"), ("?", ""), ("[ab]", "c"), ("[!a]", "a"), ("a", "ab")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
