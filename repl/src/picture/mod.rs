//! Pictures in the terminal: by its own protocol where it has one, elsewhere as a file and a preview of blocks.

mod blocks;
mod protocol;
mod raster;
mod terminal;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flambeau_protocol::Bundle;

use raster::Raster;
pub use terminal::size;
use terminal::{Method, method};

/// What a picture is called in a bundle and in a file, the best for a file first.
const KINDS: &[(&str, &str)] =
    &[("image/svg+xml", "svg"), ("image/png", "png"), ("image/jpeg", "jpg")];

/// How pictures are shown in this session.
pub struct Pictures {
    method: Method,
    /// How many have been saved.
    saved: AtomicUsize,
}

impl Pictures {
    /// For the terminal of this process, which has colours or not.
    pub fn new(colored: bool) -> Pictures {
        Pictures { method: method(colored), saved: AtomicUsize::new(0) }
    }

    /// What shows the picture in a bundle; `None` where there is none, or none that can be read.
    pub fn draw(&self, bundle: &Bundle) -> Option<String> {
        let (mime, data) = best(bundle)?;
        // The libraries that read pictures take whatever a script hands over.
        let drawn = std::panic::catch_unwind(|| self.shown(mime, data));
        drawn.ok().flatten()
    }

    fn shown(&self, mime: &str, data: &str) -> Option<String> {
        let terminal = size();
        let raster = Raster::read(mime, data)?;
        let fitting = raster.fitting(terminal.pixels());
        match self.method {
            Method::Kitty => Some(protocol::kitty(&fitting.png()?)),
            Method::Iterm => Some(protocol::iterm(&fitting.png()?)),
            Method::Sixel => protocol::sixel(fitting.pixels()),
            Method::Blocks(colors) => {
                let path = self.save(mime, data);
                let preview = blocks::preview(raster.pixels(), terminal, colors);
                Some(format!("{preview}{}", path.map(|path| told(&path)).unwrap_or_default()))
            }
            Method::File => self.save(mime, data).map(|path| told(&path)),
        }
    }

    /// Writes the picture into a file of its own.
    fn save(&self, mime: &str, data: &str) -> Option<PathBuf> {
        let (_, suffix) = KINDS.iter().find(|(kind, _)| *kind == mime)?;
        let bytes = bytes(mime, data)?;
        let folder = std::env::temp_dir().join(format!("flambeau-{}", std::process::id()));
        std::fs::create_dir_all(&folder).ok()?;
        let number = self.saved.fetch_add(1, Ordering::Relaxed) + 1;
        let path = folder.join(format!("picture-{number}.{suffix}"));
        std::fs::write(&path, bytes).ok()?;
        Some(path)
    }
}

/// A picture of SVG as PNG, every length `scale` times as long.
pub fn png(svg: &str, scale: f32) -> Option<Vec<u8>> {
    // The libraries that read pictures take whatever is handed over.
    std::panic::catch_unwind(|| Raster::drawn(svg.as_bytes(), scale)?.png()).ok().flatten()
}

fn told(path: &std::path::Path) -> String {
    format!("picture: {}\n", path.display())
}

/// The first kind of picture that is there.
fn best(bundle: &Bundle) -> Option<(&'static str, &str)> {
    KINDS.iter().find_map(|(kind, _)| {
        let (_, data) = bundle.iter().find(|(mime, _)| mime == kind)?;
        Some((*kind, data.as_str()))
    })
}

/// A picture's own bytes: SVG is text, other kinds are in base64.
fn bytes(mime: &str, data: &str) -> Option<Vec<u8>> {
    if mime == "image/svg+xml" {
        return Some(data.as_bytes().to_vec());
    }
    let plain: String = data.chars().filter(|c| !c.is_whitespace()).collect();
    BASE64_STANDARD.decode(plain).ok()
}
