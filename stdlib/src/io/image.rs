//! Pictures as tensors: PNG and JPEG.

use flambeau_runtime::torch::{Dtype, Tensor, sizes};
use std::io::Cursor;
use std::path::Path;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Function, convert};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ColorType, DynamicImage, ExtendedColorType, ImageEncoder, ImageReader};
use rhai::Dynamic;

use super::files;
use super::raw::RawTensor;
use crate::functional::numbers::WithNumber;

const UINT16: Dtype = Dtype(27);

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "data.read_image(str path, str mode='unchanged') -> Tensor",
        doc: "Reads a PNG or JPEG picture into a uint8 tensor of shape [channels, height, width], \
              as torchvision.io.read_image does: 1 channel for grey, 2 for grey with alpha, 3 for \
              colour, 4 for colour with alpha (16-bit pictures: uint16). `mode` converts: \
              \"gray\", \"gray_alpha\", \"rgb\" or \"rgb_alpha\".",
        example: "fs.mkdir(\"runs/doc\");\n\
                  data.write_image(torch.zeros([3, 4, 5], dtype: torch.uint8), \
                  \"runs/doc/black.png\");\n\
                  data.read_image(\"runs/doc/black.png\").shape",
        call: |args| {
            let path = args.ctx().readable(&args.str(0)?)?;
            let image = decode(&path, &files::read(&path)?)?;
            let image = match args.str(1)?.to_lowercase().as_str() {
                "unchanged" => image,
                "gray" | "grey" => DynamicImage::ImageLuma8(image.to_luma8()),
                "gray_alpha" | "grey_alpha" => DynamicImage::ImageLumaA8(image.to_luma_alpha8()),
                "rgb" => DynamicImage::ImageRgb8(image.to_rgb8()),
                "rgb_alpha" | "rgba" => DynamicImage::ImageRgba8(image.to_rgba8()),
                other => {
                    return Err(Error::value(format!("read_image(): unknown mode '{other}'"))
                        .help("modes are unchanged, gray, gray_alpha, rgb and rgb_alpha"));
                }
            };
            let tensor = channels_last(image)?.into_tensor(args.ctx())?;
            Ok(Dynamic::from(Tensor::from(tensor.f_permute([2, 0, 1])?.f_contiguous()?)))
        },
    },
    Function {
        schema: "data.write_image(Tensor tensor, str path, *, int quality=75) -> None",
        doc: "Writes a picture of shape [channels, height, width] or [height, width] as PNG or \
              JPEG, by the end of the name. uint8 is written as it is; floats are taken as 0 to 1 \
              and clamped. PNG takes 1 to 4 channels, JPEG 1 or 3; `quality` (1 to 100) is \
              JPEG's.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  let ramp = torch.linspace(0, 1, 64).expand([3, 32, 64]);\n\
                  data.write_image(ramp, \"runs/doc/ramp.png\")",
        call: |args| {
            let path = args.ctx().writable(&args.str(1)?)?;
            let quality = u8::try_from(args.int(2)?).ok().filter(|q| (1..=100).contains(q));
            let quality = quality.ok_or_else(|| args.mismatch(2, "1 to 100"))?;
            write(&args.tensor(0)?, &path, quality)?;
            Ok(Dynamic::UNIT)
        },
    },
];

fn decode(path: &Path, bytes: &[u8]) -> Result<DynamicImage> {
    if bytes.is_empty() {
        return Err(Error::io(path, "the file is empty"));
    }
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| files::explain(path, &error))?;
    if reader.format().is_none() {
        return Err(Error::io(path, "is neither a PNG nor a JPEG picture"));
    }
    reader.decode().map_err(|error| match error {
        image::ImageError::Unsupported(_) => {
            Error::io(path, format!("cannot be read: PNG and JPEG are ({error})"))
        }
        image::ImageError::Limits(error) => {
            Error::io(path, format!("claims to be too large a picture: {error}"))
        }
        error => Error::io(path, format!("is damaged or truncated: {error}")),
    })
}

/// The picture's elements with shape [height, width, channels].
fn channels_last(image: DynamicImage) -> Result<RawTensor> {
    let image = match image.color() {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => image,
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16 => image,
        _ => DynamicImage::ImageRgb8(image.to_rgb8()),
    };
    let channels = i64::from(image.color().channel_count());
    let dtype =
        if image.color().bytes_per_pixel() as i64 == channels { Dtype::UINT8 } else { UINT16 };
    let shape = vec![i64::from(image.height()), i64::from(image.width()), channels];
    Ok(RawTensor { dtype, shape, bytes: image.into_bytes() })
}

fn write(tensor: &Tensor, path: &Path, quality: u8) -> Result<()> {
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    let jpeg = match suffix.to_lowercase().as_str() {
        "png" => false,
        "jpg" | "jpeg" => true,
        _ => {
            return Err(Error::value(format!(
                "write_image(): the name must end in .png, .jpg or .jpeg, not '{suffix}'"
            )));
        }
    };
    let (width, height, channels, bytes) = pixels(tensor)?;
    let color = match (channels, jpeg) {
        (1, _) => ExtendedColorType::L8,
        (3, _) => ExtendedColorType::Rgb8,
        (2, false) => ExtendedColorType::La8,
        (4, false) => ExtendedColorType::Rgba8,
        _ => {
            let takes = if jpeg { "JPEG takes 1 or 3" } else { "PNG takes 1 to 4" };
            return Err(Error::shape(format!(
                "write_image(): {takes} channels, not {channels} ({})",
                tensor.describe()
            ))
            .help(
                "a picture is [channels, height, width]; x.permute([2, 0, 1]) puts channels first",
            ));
        }
    };
    let mut encoded = Vec::new();
    let result = if jpeg {
        JpegEncoder::new_with_quality(&mut encoded, quality)
            .write_image(&bytes, width, height, color)
    } else {
        PngEncoder::new(&mut encoded).write_image(&bytes, width, height, color)
    };
    result.map_err(|error| Error::value(format!("write_image(): {error}")))?;
    files::write(path, |out| out.write_all(&encoded).map_err(|error| files::explain(path, &error)))
}

/// Width, height, channels and the bytes, pixel by pixel.
pub(crate) fn pixels(tensor: &Tensor) -> Result<(u32, u32, u32, Vec<u8>)> {
    let shape = sizes(tensor);
    let picture = match shape.len() {
        2 => tensor.f_unsqueeze(0)?,
        3 => tensor.tch(),
        _ => {
            return Err(Error::shape(format!(
                "a picture is [channels, height, width] or [height, width], not {}",
                tensor.describe()
            ))
            .help("a batch is written one by one: x[0]"));
        }
    };
    let dtype = tensor.dtype();
    let bytes = if dtype.is_floating_point() {
        // As torchvision.utils.save_image: rounded, so that 1.0 is 255 and 0.5 is 128.
        let scaled = picture.f_detach()?.f_to_kind(tch::Kind::Float)?.mul_number(255.0)?;
        scaled.add_number(0.5)?.clamp_number(0.0, 255.0)?.f_to_kind(tch::Kind::Uint8)?
    } else if dtype == Dtype::UINT8 {
        picture
    } else if dtype == Dtype::BOOL {
        picture.f_to_kind(tch::Kind::Uint8)?.mul_number(255)?
    } else {
        return Err(Error::type_(format!(
            "a picture is uint8, bool, or floats from 0 to 1, not {}",
            convert::type_name(&Dynamic::from(tensor.clone()))
        )));
    };
    let size = sizes(&bytes);
    let [channels, height, width] = size[..] else {
        return Err(Error::shape("a picture has three dimensions"));
    };
    if height == 0 || width == 0 {
        return Err(Error::shape(format!("the picture {} has no pixels", tensor.describe())));
    }
    let fits = |size: i64| {
        u32::try_from(size)
            .map_err(|_| Error::shape(format!("the picture {} is too large", tensor.describe())))
    };
    let raw = RawTensor::of(&bytes.f_permute([1, 2, 0])?.into())?;
    Ok((fits(width)?, fits(height)?, fits(channels)?, raw.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_pictures_say_what_is_wrong() {
        let mut png = Vec::new();
        let pixels = vec![7; 64 * 64 * 3];
        PngEncoder::new(&mut png)
            .write_image(&pixels, 64, 64, ExtendedColorType::Rgb8)
            .expect("a picture");
        let mut jpeg = Vec::new();
        JpegEncoder::new(&mut jpeg)
            .write_image(&pixels, 64, 64, ExtendedColorType::Rgb8)
            .expect("a picture");
        // A header that promises more pixels than any machine holds.
        let mut huge = png.clone();
        huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        let path = Path::new("x.png");
        let cases: &[(&[u8], &str)] = &[
            (b"", "the file is empty"),
            (b"hello, I am text", "is neither a PNG nor a JPEG"),
            (&png[..png.len() / 2], "is damaged or truncated"),
            (&png[..9], "is damaged or truncated"),
            (&jpeg[..20], "is damaged or truncated"),
            (&huge, "x.png: "),
            (b"GIF89a\x01\x00\x01\x00", "PNG and JPEG are"),
        ];
        for (bytes, expected) in cases {
            let error = decode(path, bytes).expect_err(expected);
            assert!(error.message.contains(expected), "{error} should say {expected}");
        }
        assert_eq!(decode(path, &png).expect("a picture").width(), 64);
    }
}
