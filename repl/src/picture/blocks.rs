//! A preview of blocks: each character shows two pixels, one above the other.

use std::fmt::Write;

use image::imageops::FilterType;
use image::{Rgba, RgbaImage};

use super::terminal::{Colors, Size};

/// Previews are no wider than this, however wide the terminal is.
const WIDEST: u32 = 100;
/// Lines that the prompt and what stands around the picture take.
const BESIDE: u32 = 6;

/// The picture in lines of upper halves of blocks.
pub fn preview(pixels: &RgbaImage, terminal: Size, colors: Colors) -> String {
    let room = (
        u32::from(terminal.columns).saturating_sub(1).clamp(1, WIDEST),
        u32::from(terminal.rows).saturating_sub(BESIDE).max(4) * 2,
    );
    let (width, height) = pixels.dimensions();
    let scale = (f64::from(room.0) / f64::from(width)).min(f64::from(room.1) / f64::from(height));
    let scaled = |size: u32| ((f64::from(size) * scale.min(1.0)).round() as u32).max(1);
    let small =
        image::imageops::resize(pixels, scaled(width), scaled(height), FilterType::Triangle);
    let mut text = String::new();
    for y in (0..small.height()).step_by(2) {
        let mut last = None;
        for x in 0..small.width() {
            let upper = on_white(small.get_pixel(x, y));
            let lower = small.get_pixel_checked(x, y + 1).map(on_white);
            if last != Some((upper, lower)) {
                text.push_str(&color(upper, "38", colors));
                match lower {
                    Some(lower) => text.push_str(&color(lower, "48", colors)),
                    None => text.push_str("\x1b[49m"),
                }
                last = Some((upper, lower));
            }
            text.push('▀');
        }
        text.push_str("\x1b[0m\n");
    }
    text
}

/// A colour over white, which is what charts are drawn upon.
fn on_white(pixel: &Rgba<u8>) -> [u8; 3] {
    let [red, green, blue, alpha] = pixel.0.map(u32::from);
    [red, green, blue].map(|c| ((c * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}

/// The sequence that sets a colour; `place` is 38 for the characters and 48 for what is behind them.
fn color(rgb: [u8; 3], place: &str, colors: Colors) -> String {
    let mut text = String::new();
    let [red, green, blue] = rgb;
    // What is written to is a string.
    let _ = match colors {
        Colors::All => write!(text, "\x1b[{place};2;{red};{green};{blue}m"),
        Colors::Palette => write!(text, "\x1b[{place};5;{}m", of_palette(rgb)),
    };
    text
}

/// The nearest of xterm's 256 colours: the cube of six steps in each direction, or a gray.
fn of_palette(rgb: [u8; 3]) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let distance = |other: [u8; 3]| -> u32 {
        rgb.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let nearest = |c: u8| (0..6u8).min_by_key(|i| c.abs_diff(STEPS[*i as usize])).unwrap_or(0);
    let [r, g, b] = rgb.map(nearest);
    let in_cube = [r, g, b].map(|i| STEPS[i as usize]);
    let mean = rgb.iter().map(|c| u32::from(*c)).sum::<u32>() / 3;
    let gray = (mean.saturating_sub(3) / 10).min(23) as u8;
    if distance([8 + 10 * gray; 3]) < distance(in_cube) {
        232 + gray
    } else {
        16 + 36 * r + 6 * g + b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_are_shown_pixel_by_pixel() {
        let pixels = RgbaImage::from_fn(2, 3, |x, y| match (x, y) {
            (0, 0) => Rgba([255, 0, 0, 255]),
            (1, 1) => Rgba([0, 0, 255, 255]),
            _ => Rgba([0, 0, 0, 0]),
        });
        let size = Size { columns: 80, rows: 24, pixels: None };
        let lines = preview(&pixels, size, Colors::All);
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[0],
            "\x1b[38;2;255;0;0m\x1b[48;2;255;255;255m▀\x1b[38;2;255;255;255m\x1b[48;2;0;0;255m▀\x1b[0m"
        );
        assert_eq!(lines[1], "\x1b[38;2;255;255;255m\x1b[49m▀▀\x1b[0m");
    }

    #[test]
    fn the_palette_has_the_plain_colours_and_grays() {
        assert_eq!(of_palette([255, 0, 0]), 196);
        assert_eq!(of_palette([255, 255, 255]), 231);
        assert_eq!(of_palette([0, 0, 0]), 16);
        assert_eq!(of_palette([128, 128, 128]), 244);
    }
}
