//! Pictures as pixels: SVG is drawn, other kinds are decoded.

use std::io::Cursor;
use std::sync::{Arc, OnceLock};

use image::imageops::FilterType;
use image::{ImageFormat, ImageReader, Limits, RgbaImage};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

use super::bytes;

/// More pixels than this in a row or a column are not drawn.
const LARGEST: u32 = 8192;

/// A picture.
pub struct Raster(RgbaImage);

impl Raster {
    /// Reads a picture of this MIME type; `None` for one that is broken or too large.
    pub fn read(mime: &str, data: &str) -> Option<Raster> {
        let bytes = bytes(mime, data)?;
        let format = match mime {
            "image/svg+xml" => return Raster::drawn(&bytes, 1.0),
            "image/jpeg" => ImageFormat::Jpeg,
            _ => ImageFormat::Png,
        };
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut limits = Limits::default();
        limits.max_image_width = Some(LARGEST);
        limits.max_image_height = Some(LARGEST);
        reader.limits(limits);
        Some(Raster(reader.decode().ok()?.to_rgba8()))
    }

    /// Draws SVG with every length `scale` times as long; `None` for what is none or too large.
    pub fn drawn(svg: &[u8], scale: f32) -> Option<Raster> {
        let options = Options { fontdb: fonts(), ..Options::default() };
        let tree = Tree::from_data(svg, &options).ok()?;
        let size = tree.size().to_int_size().scale_by(scale)?;
        if size.width() > LARGEST || size.height() > LARGEST {
            return None;
        }
        let mut pixmap = Pixmap::new(size.width(), size.height())?;
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
        let pixels = pixmap.pixels().iter().flat_map(|pixel| {
            let color = pixel.demultiply();
            [color.red(), color.green(), color.blue(), color.alpha()]
        });
        RgbaImage::from_raw(size.width(), size.height(), pixels.collect()).map(Raster)
    }

    /// The pixels.
    pub fn pixels(&self) -> &RgbaImage {
        &self.0
    }

    /// The same, made smaller where it has more columns or rows than these.
    pub fn fitting(&self, (width, height): (u32, u32)) -> Raster {
        let (w, h) = self.0.dimensions();
        let scale = (f64::from(width) / f64::from(w)).min(f64::from(height) / f64::from(h));
        if scale >= 1.0 {
            return Raster(self.0.clone());
        }
        let scaled = |size: u32| ((f64::from(size) * scale) as u32).max(1);
        Raster(image::imageops::resize(&self.0, scaled(w), scaled(h), FilterType::Triangle))
    }

    /// As PNG.
    pub fn png(&self) -> Option<Vec<u8>> {
        let mut png = Vec::new();
        self.0.write_to(&mut Cursor::new(&mut png), ImageFormat::Png).ok()?;
        Some(png)
    }
}

/// The fonts of this machine, looked for once.
fn fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        // Charts ask for any font without serifs: the first that there is.
        let first = fonts.faces().find_map(|face| Some(face.families.first()?.0.clone()));
        let common = ["DejaVu Sans", "Liberation Sans", "Noto Sans", "Arial"];
        let has = |name: &str| fonts.faces().any(|face| face.families.iter().any(|f| f.0 == name));
        let family = common.into_iter().find(|name| has(name)).map(str::to_owned).or(first);
        if let Some(family) = family {
            fonts.set_sans_serif_family(family);
        }
        Arc::new(fonts)
    });
    fonts.clone()
}
