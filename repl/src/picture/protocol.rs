//! The protocols by which terminals show pictures.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use icy_sixel::SixelImage;
use image::RgbaImage;

/// How many characters of data a message of kitty's protocol holds.
const CHUNK: usize = 4096;

/// Kitty's protocol (<https://sw.kovidgoyal.net/kitty/graphics-protocol/>): PNG in messages, no answer wanted.
pub fn kitty(png: &[u8]) -> String {
    let data = BASE64_STANDARD.encode(png);
    let mut text = String::with_capacity(data.len() + data.len() / CHUNK * 16 + 64);
    let mut rest = data.as_str();
    let mut keys = "a=T,f=100,q=2,";
    while !rest.is_empty() || !keys.is_empty() {
        let (part, next) = rest.split_at(rest.len().min(CHUNK));
        let more = u8::from(!next.is_empty());
        text.push_str(&format!("\x1b_G{keys}m={more};{part}\x1b\\"));
        (rest, keys) = (next, "");
    }
    text.push('\n');
    text
}

/// iTerm2's protocol (<https://iterm2.com/documentation-images.html>): a file within the text.
pub fn iterm(png: &[u8]) -> String {
    let data = BASE64_STANDARD.encode(png);
    format!("\x1b]1337;File=inline=1;size={};preserveAspectRatio=1:{data}\x07\n", png.len())
}

/// Sixel, the protocol of the VT340: 256 colours, six rows at a time.
pub fn sixel(pixels: &RgbaImage) -> Option<String> {
    let (width, height) = (pixels.width() as usize, pixels.height() as usize);
    let picture = SixelImage::try_from_rgba(pixels.as_raw().clone(), width, height).ok()?;
    let text = picture.encode().ok()?;
    Some(format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::super::raster::Raster;
    use super::*;
    use image::Rgba;

    /// Four quarters of plain colours, large enough for several messages.
    fn picture() -> RgbaImage {
        let mut seed = 1u32;
        RgbaImage::from_fn(96, 60, |x, y| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 29) as u8;
            match (x < 48, y < 30) {
                (true, true) => Rgba([200 + noise, 20, 20, 255]),
                (false, true) => Rgba([20, 180, 20 + noise, 255]),
                (true, false) => Rgba([30, 30 + noise, 210, 255]),
                (false, false) => Rgba([240, 230, 40, 255]),
            }
        })
    }

    fn png(pixels: &RgbaImage) -> Vec<u8> {
        let mut png = std::io::Cursor::new(Vec::new());
        pixels.write_to(&mut png, image::ImageFormat::Png).expect("a picture");
        png.into_inner()
    }

    #[test]
    fn kittys_messages_hold_the_same_picture() {
        let text = kitty(&png(&picture()));
        let messages: Vec<&str> = text.trim_end().split_terminator("\x1b\\").collect();
        assert!(messages.len() > 1);
        let mut data = String::new();
        for (i, message) in messages.iter().enumerate() {
            let body = message.strip_prefix("\x1b_G").expect("a message");
            let (keys, part) = body.split_once(';').expect("data");
            assert!(part.len() <= CHUNK);
            assert_eq!(keys.ends_with("m=1"), i + 1 < messages.len());
            data.push_str(part);
        }
        let back = Raster::read("image/png", &data).expect("a picture");
        assert_eq!(*back.pixels(), picture());
    }

    #[test]
    fn iterms_file_holds_the_same_picture() {
        let text = iterm(&png(&picture()));
        let (head, data) = text.trim_end().split_once(':').expect("data");
        assert!(head.starts_with("\x1b]1337;File=inline=1;"));
        let data = data.strip_suffix('\x07').expect("an end");
        assert_eq!(*Raster::read("image/png", data).expect("a picture").pixels(), picture());
    }

    #[test]
    fn sixels_show_the_same_picture_in_fewer_colours() {
        let text = sixel(&picture()).expect("sixels");
        let back = SixelImage::decode(text.trim_end().as_bytes()).expect("sixels");
        assert_eq!((back.width, back.height), (96, 60));
        let shown = RgbaImage::from_raw(96, 60, back.pixels).expect("pixels");
        // Sixel says colours in percent, and a palette has 256: each channel is off by a few steps at most.
        for (a, b) in shown.pixels().zip(picture().pixels()) {
            for (a, b) in a.0.iter().zip(b.0) {
                assert!(a.abs_diff(b) <= 8, "{a} {b}");
            }
        }
    }
}
