//! What the terminal can show, told by what it says of itself in the environment. It is not asked by escape
//! sequences: an answer that comes late, over a slow line, would end up in the text that is typed.

use rustix::termios::tcgetwinsize;

/// Pixels of a character where the terminal does not say.
const CHARACTER: (u32, u32) = (9, 18);

/// How many colours there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// 24 bits.
    All,
    /// xterm's 256.
    Palette,
}

/// How pictures are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Kitty,
    Iterm,
    Sixel,
    Blocks(Colors),
    /// A file, and nothing but its name on the terminal.
    File,
}

/// The terminal's size.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub columns: u16,
    pub rows: u16,
    /// Width and height in pixels, where the terminal says.
    pub pixels: Option<(u32, u32)>,
}

impl Size {
    /// Room for a picture in pixels: all columns, and most lines.
    pub fn pixels(&self) -> (u32, u32) {
        let (columns, rows) = (u32::from(self.columns), u32::from(self.rows));
        let (width, height) = self.pixels.unwrap_or((columns * CHARACTER.0, rows * CHARACTER.1));
        (width.max(1), (height * 4 / 5).max(1))
    }
}

/// The size of the terminal that standard output is; 80 columns and 24 lines where it is none.
pub fn size() -> Size {
    let found = tcgetwinsize(std::io::stdout()).ok();
    let known = found.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    match known {
        Some(size) => {
            let pixels = (u32::from(size.ws_xpixel), u32::from(size.ws_ypixel));
            let pixels = (pixels.0 > 0 && pixels.1 > 0).then_some(pixels);
            Size { columns: size.ws_col, rows: size.ws_row, pixels }
        }
        None => Size { columns: 80, rows: 24, pixels: None },
    }
}

/// How this terminal shows pictures. `$FLAMBEAU_GRAPHICS` overrules what is found: `kitty`, `iterm2`, `sixel`,
/// `blocks` or `none`.
pub fn method(colored: bool) -> Method {
    from(|name| std::env::var(name).ok().filter(|value| !value.is_empty()), colored)
}

fn from(variable: impl Fn(&str) -> Option<String>, colored: bool) -> Method {
    let term = variable("TERM").unwrap_or_default();
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    let depth = variable("COLORTERM").unwrap_or_default();
    let all = matches!(depth.as_str(), "truecolor" | "24bit") || term.ends_with("-direct");
    let blocks = Method::Blocks(if all { Colors::All } else { Colors::Palette });
    match variable("FLAMBEAU_GRAPHICS").as_deref() {
        Some("kitty") => return Method::Kitty,
        Some("iterm2") => return Method::Iterm,
        Some("sixel") => return Method::Sixel,
        Some("blocks") => return blocks,
        Some("none") => return Method::File,
        _ => {}
    }
    if !colored || term == "dumb" {
        return Method::File;
    }
    // What runs within another program says what that one's outer terminal can, which is not passed on.
    if variable("TMUX").is_some() || term.starts_with("screen") || term.starts_with("tmux") {
        return blocks;
    }
    if term == "xterm-kitty" || term == "xterm-ghostty" || variable("KITTY_WINDOW_ID").is_some() {
        return Method::Kitty;
    }
    match program.as_str() {
        "ghostty" => return Method::Kitty,
        "iTerm.app" | "WezTerm" | "mintty" => return Method::Iterm,
        _ => {}
    }
    if variable("LC_TERMINAL").is_some_and(|name| name == "iTerm2") {
        return Method::Iterm;
    }
    if ["foot", "mlterm", "contour"].iter().any(|name| term.starts_with(name)) {
        return Method::Sixel;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Method {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        from(find, true)
    }

    #[test]
    fn terminals_are_known_by_what_they_set() {
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Method::Kitty);
        assert_eq!(of(&[("TERM_PROGRAM", "WezTerm"), ("TERM", "xterm-256color")]), Method::Iterm);
        assert_eq!(of(&[("TERM", "foot")]), Method::Sixel);
        assert_eq!(of(&[("TERM", "xterm-256color")]), Method::Blocks(Colors::Palette));
        assert_eq!(
            of(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]),
            Method::Blocks(Colors::All)
        );
        assert_eq!(of(&[("TERM", "dumb")]), Method::File);
    }

    #[test]
    fn a_multiplexer_shows_what_it_can_itself() {
        let inside = [("TERM", "tmux-256color"), ("TMUX", "/tmp/x"), ("KITTY_WINDOW_ID", "1")];
        assert_eq!(of(&inside), Method::Blocks(Colors::Palette));
    }

    #[test]
    fn the_user_has_the_last_word() {
        let said = [("TERM", "tmux-256color"), ("TMUX", "/tmp/x"), ("FLAMBEAU_GRAPHICS", "sixel")];
        assert_eq!(of(&said), Method::Sixel);
        assert_eq!(of(&[("TERM", "foot"), ("FLAMBEAU_GRAPHICS", "none")]), Method::File);
    }
}
