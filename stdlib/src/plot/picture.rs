//! Tensors as pictures: `plot.image`.

use flambeau_runtime::torch::{Dtype, Tensor, numel, sizes};
use std::io::Cursor;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Bundle, Event, viridis};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use rhai::Dynamic;

use super::base64;
use crate::functional::numbers::WithNumber;
use crate::io::{files, image as pictures};

/// Smaller pictures are enlarged by a whole factor, so that single elements are seen.
const LEAST_SIDE: u32 = 256;

/// A picture.
pub(crate) struct Picture {
    /// The file.
    pub png: Vec<u8>,
    width: u32,
    height: u32,
}

impl Picture {
    /// What stands for it in a text.
    pub fn text(&self) -> String {
        format!("[picture, {} x {}]", self.width, self.height)
    }
}

/// `plot.image(tensor, path, cmap, scale)`.
pub(crate) fn image(args: &mut Args<'_>) -> Result<Dynamic> {
    let path = args.opt_str(1)?.map(|path| args.ctx().writable(&path)).transpose()?;
    let picture = png(&args.tensor(0)?, &args.str(2)?, args.opt_int(3)?)?;
    if let Some(path) = &path {
        if path.extension().is_none_or(|suffix| !suffix.eq_ignore_ascii_case("png")) {
            return Err(Error::value(format!(
                "image(): the name must end in .png, not {:?}",
                path.display().to_string()
            )));
        }
        files::write_bytes(path, &picture.png)?;
    }
    let bundle: Bundle = vec![
        ("image/png".to_owned(), base64::encode(&picture.png)),
        ("text/plain".to_owned(), picture.text()),
    ];
    args.ctx().emit(Event::Display(bundle.into()));
    Ok(Dynamic::UNIT)
}

/// The picture of a tensor in the colours of `cmap`, enlarged by `scale`.
///
/// # Errors
/// For a tensor that is none, and for other names and factors than there are.
pub(crate) fn png(tensor: &Tensor, cmap: &str, scale: Option<i64>) -> Result<Picture> {
    let colours = match cmap {
        "viridis" => true,
        "gray" | "grey" => false,
        other => {
            return Err(Error::value(format!("image(): unknown cmap '{other}'"))
                .help("colour maps are viridis and gray"));
        }
    };
    let (width, height, channels, bytes) = rgb(tensor, colours)?;
    let scale = match scale {
        None => (LEAST_SIDE / width.max(height)).max(1),
        Some(scale) => {
            let fits = u32::try_from(scale).ok().filter(|scale| (1..=64).contains(scale));
            fits.ok_or_else(|| {
                Error::value(format!("image(): scale must be 1 to 64, not {scale}"))
            })?
        }
    };
    let color = match channels {
        1 => ExtendedColorType::L8,
        2 => ExtendedColorType::La8,
        3 => ExtendedColorType::Rgb8,
        4 => ExtendedColorType::Rgba8,
        _ => {
            return Err(Error::shape(format!(
                "image(): a picture has 1 to 4 channels, not {}",
                tensor.describe()
            ))
            .help(
                "a picture is [channels, height, width]; x.permute([2, 0, 1]) puts channels first",
            ));
        }
    };
    let bytes = enlarged(&bytes, width as usize, channels as usize, scale as usize);
    let (width, height) = (width * scale, height * scale);
    let mut png = Vec::new();
    PngEncoder::new(Cursor::new(&mut png))
        .write_image(&bytes, width, height, color)
        .map_err(|error| Error::value(format!("image(): {error}")))?;
    Ok(Picture { png, width, height })
}

/// Width, height, channels and bytes. A matrix of numbers is spread from its least to its greatest.
fn rgb(tensor: &Tensor, colours: bool) -> Result<(u32, u32, u32, Vec<u8>)> {
    let single = tensor.dim() == 2 || (tensor.dim() == 3 && sizes(tensor)[0] == 1);
    if !single || tensor.dtype() == Dtype::UINT8 && !colours {
        return pictures::pixels(tensor);
    }
    let values = tensor.f_detach()?.f_to_kind(tch::Kind::Double)?;
    if numel(&values) == 0 {
        return pictures::pixels(tensor);
    }
    let finite = values.f_masked_select(&values.f_isfinite()?)?;
    let (low, high) = match numel(&finite) {
        0 => (0.0, 1.0),
        _ => (f64::try_from(&finite.f_min()?)?, f64::try_from(&finite.f_max()?)?),
    };
    let width = if high > low { high - low } else { 1.0 };
    let unit = values.add_number(-low)?.div_number(width)?.f_nan_to_num(0.0, 1.0, 0.0)?;
    if !colours {
        return pictures::pixels(&unit.into());
    }
    let flat = unit.f_to_device(tch::Device::Cpu)?.f_flatten(0, -1)?;
    let unit = Vec::<f64>::try_from(&flat)?;
    let size = sizes(tensor);
    let [height, width] = size[size.len() - 2..] else {
        return Err(Error::shape("a picture has two or three dimensions"));
    };
    let fits =
        |size: i64| u32::try_from(size).map_err(|_| Error::shape("the picture is too large"));
    Ok((fits(width)?, fits(height)?, 3, unit.into_iter().flat_map(viridis).collect()))
}

/// Every pixel `scale` times in both directions.
fn enlarged(bytes: &[u8], width: usize, channels: usize, scale: usize) -> Vec<u8> {
    if scale == 1 {
        return bytes.to_vec();
    }
    let mut out = Vec::with_capacity(bytes.len() * scale * scale);
    for row in bytes.chunks_exact(width * channels) {
        let wide: Vec<u8> = row.chunks_exact(channels).flat_map(|p| p.repeat(scale)).collect();
        (0..scale).for_each(|_| out.extend_from_slice(&wide));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_repeated() {
        assert_eq!(
            enlarged(&[1, 2, 3, 4], 2, 1, 2),
            [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]
        );
        assert_eq!(enlarged(&[1, 2], 1, 2, 2), [1, 2, 1, 2, 1, 2, 1, 2]);
    }
}
