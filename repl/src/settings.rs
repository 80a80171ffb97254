//! The user's settings for the prompt: `config.toml` in the program's folder, each with a default.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::source::reason;

/// The file's name.
const FILE: &str = "config.toml";
/// What is run before the first prompt.
const STARTUP: &str = "startup.rhai";

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub editor: Editor,
    pub display: Display,
    pub session: Session,
}

/// How is typed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Editor {
    pub mode: EditMode,
    /// How many cells are kept across sessions.
    pub history: usize,
    /// Whether an earlier cell that begins alike is suggested.
    pub hints: bool,
}

/// Whose keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditMode {
    #[default]
    Emacs,
    Vi,
}

/// How things look.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Display {
    pub color: When,
    pub theme: Theme,
    /// Digits behind the point of a tensor's numbers.
    pub precision: Option<u8>,
    /// Tensors with more elements are shown by their edges.
    pub threshold: Option<u32>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    #[default]
    Auto,
    Always,
    Never,
}

/// Which colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    #[default]
    Terminal,
    Dark,
    Light,
}

/// What a session begins with.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// Whether `startup.rhai` is run.
    pub startup: bool,
}

impl Default for Editor {
    fn default() -> Self {
        Editor { mode: EditMode::default(), history: 100_000, hints: true }
    }
}

impl Default for Session {
    fn default() -> Self {
        Session { startup: true }
    }
}

impl Display {
    /// What sets the session's part of it; empty where nothing differs from the default.
    pub fn code(&self) -> String {
        let precision = self.precision.map(|digits| format!("precision: {digits}"));
        let threshold = self.threshold.map(|count| format!("threshold: {count}"));
        let options: Vec<String> = precision.into_iter().chain(threshold).collect();
        match options.is_empty() {
            true => String::new(),
            false => format!("torch.set_printoptions({});", options.join(", ")),
        }
    }
}

/// What the file of a new user says: every setting with its default, commented out.
pub const COMMENTED: &str = "\
# Settings of the prompt. A line without # in front of it counts.

[editor]
# mode = \"emacs\"        # or \"vi\"
# history = 100000      # how many cells are kept across sessions
# hints = true          # suggest an earlier cell that begins alike

[display]
# color = \"auto\"        # \"always\", \"never\"; --color and $NO_COLOR count more
# theme = \"terminal\"    # the terminal's own colours, or \"dark\" or \"light\" by its background
# precision = 4         # digits behind the point of a tensor's numbers
# threshold = 1000      # tensors with more elements are shown by their edges

[session]
# startup = true        # run startup.rhai, beside this file, before the first prompt
";

/// `$XDG_CONFIG_HOME/flambeau`, by default `~/.config/flambeau`
/// (<https://specifications.freedesktop.org/basedir-spec/latest/>).
pub fn folder() -> Option<PathBuf> {
    let absolute = |name| {
        let folder = std::env::var_os(name).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("flambeau"))
}

/// Where the settings are, if anywhere.
pub fn file() -> Option<PathBuf> {
    Some(folder()?.join(FILE))
}

/// Where the startup script would be, if it is there.
pub fn startup() -> Option<PathBuf> {
    Some(folder()?.join(STARTUP)).filter(|path| path.is_file())
}

/// The settings, and what is wrong with them; then the defaults hold.
pub fn read() -> (Settings, Option<String>) {
    let Some(path) = file() else { return (Settings::default(), None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => match parse(&text) {
            Ok(settings) => (settings, None),
            Err(cause) => {
                let cause = format!("{}:{cause}; the defaults hold", path.display());
                (Settings::default(), Some(cause))
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (Settings::default(), None),
        Err(error) => {
            let cause = format!("cannot read {}: {}", path.display(), reason(&error));
            (Settings::default(), Some(cause))
        }
    }
}

/// Writes the commented default; nothing that is there is overwritten.
///
/// # Errors
/// What the system says.
pub fn write_default(path: &Path) -> std::io::Result<()> {
    use std::io::Write;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(COMMENTED.as_bytes())
}

/// Reads a text; what is wrong begins with the line.
fn parse(text: &str) -> Result<Settings, String> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or("").matches('\n').count() + 1;
        let message = error.message().trim();
        format!(
            "{line}: {message}{}",
            near(message).map(|n| format!("; did you mean {n}?")).unwrap_or_default()
        )
    })
}

/// Of the names that a message lists, the one that is like the first, which is unknown.
fn near(message: &str) -> Option<String> {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    let best = names.map(|name| (strsim::damerau_levenshtein(unknown, name), name)).min()?;
    (best.0 <= 1 + unknown.len() / 4).then(|| best.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_default_is_the_default() {
        assert_eq!(parse(COMMENTED), Ok(Settings::default()));
        // Without the marks it says the same, but for what is absent by default.
        let open: String = COMMENTED
            .lines()
            .skip(1)
            .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line)))
            .collect();
        let display = Display { precision: Some(4), threshold: Some(1000), ..Display::default() };
        assert_eq!(parse(&open), Ok(Settings { display, ..Settings::default() }));
    }

    #[test]
    fn mistakes_are_told_with_line_and_near_name() {
        let wrong = |text: &str| parse(text).expect_err("a mistake");
        let message = wrong("[editor]\nmod = \"vi\"\n");
        assert!(message.starts_with("2: unknown field `mod`"), "{message}");
        assert!(message.ends_with("did you mean mode?"), "{message}");
        let message = wrong("[editor]\n\nmode = \"vim\"\n");
        assert!(message.starts_with("3: ") && message.ends_with("did you mean vi?"), "{message}");
        assert!(wrong("[display]\nprecision = \"4\"\n").starts_with("2: invalid type"));
        assert!(wrong("[display\n").starts_with("1: "));
    }

    #[test]
    fn only_what_differs_is_set_in_the_session() {
        assert_eq!(Display::default().code(), "");
        let display = Display { precision: Some(2), ..Display::default() };
        assert_eq!(display.code(), "torch.set_printoptions(precision: 2);");
    }
}
