//! A terminal's screen as SVG: what the README shows.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// Sizes of a character in the picture.
const WIDTH: f64 = 7.0;
const HEIGHT: f64 = 17.0;
/// What stands around the text.
const MARGIN: f64 = 18.0;
const HEAD: f64 = 36.0;

/// The sixteen colours, on a dark ground.
const COLORS: [&str; 16] = [
    "#484f58", "#ff7b72", "#7ee787", "#f2a65a", "#79c0ff", "#d2a8ff", "#76e3ea", "#d8dee9",
    "#6e7681", "#ffa198", "#a5f0b0", "#f8c994", "#a5d6ff", "#e2c5ff", "#b3f0f5", "#ffffff",
];
const GROUND: &str = "#161b22";
const TEXT: &str = "#d8dee9";

/// The screen up to its last line that is not empty; `label` says what is to be seen.
pub fn svg(screen: &Screen, label: &str) -> String {
    let (rows, columns) = screen.size();
    let text = screen.contents();
    let used = text.trim_end().lines().count().clamp(1, usize::from(rows.get()));
    let width = MARGIN.mul_add(2.0, f64::from(columns.get()) * WIDTH);
    let height = HEAD + MARGIN + used as f64 * HEIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"{}\">\n<style>\n  text {{ font: 11.6px ui-monospace, \
         \"DejaVu Sans Mono\", Menlo, Consolas, monospace; fill: {TEXT}; white-space: pre }}\n</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"{GROUND}\"/>\n",
        escaped(label)
    );
    for (x, color) in [(20, "#ff5f57"), (38, "#febc2e"), (56, "#28c840")] {
        // What is written to is a string; so everywhere here.
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"18\" r=\"5.5\" fill=\"{color}\"/>");
    }
    for row in 0..used as u16 {
        line(screen, row, &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

/// One line: what is behind the characters, then runs of characters that look alike.
fn line(screen: &Screen, row: u16, svg: &mut String) {
    let columns = screen.size().1.get();
    let top = HEAD + f64::from(row) * HEIGHT;
    let x = |column: u16| MARGIN + f64::from(column) * WIDTH;
    let mut column = 0;
    while column < columns {
        let Some(cell) = screen.cell(row, column) else { break };
        let style = style(cell);
        let mut end = column;
        let mut text = String::new();
        while let Some(next) = screen.cell(row, end).filter(|next| self::style(next) == style) {
            text.push_str(if next.has_contents() { next.contents() } else { " " });
            end += 1 + u16::from(next.is_wide());
        }
        let wide = f64::from(end - column) * WIDTH;
        if let Some(behind) = &style.behind {
            let _ = writeln!(
                svg,
                "<rect x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{HEIGHT}\" fill=\"{behind}\"/>",
                x(column),
                wide + 0.3
            );
        }
        if text.chars().all(|c| c == '▀') {
            let color = style.color.as_deref().unwrap_or(TEXT);
            let _ = writeln!(
                svg,
                "<rect x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"{color}\"/>",
                x(column),
                wide + 0.3,
                HEIGHT / 2.0
            );
        } else if !text.trim().is_empty() {
            let color =
                style.color.map(|color| format!(" fill=\"{color}\" style=\"fill:{color}\""));
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" textLength=\"{wide}\"{}{} xml:space=\"preserve\">{}</text>",
                x(column),
                top + 12.5,
                color.unwrap_or_default(),
                style.weight,
                escaped(&text)
            );
        }
        column = end.max(column + 1);
    }
}

#[derive(PartialEq)]
struct Style {
    color: Option<String>,
    behind: Option<String>,
    weight: &'static str,
}

fn style(cell: &Cell) -> Style {
    let (mut color, mut behind) = (name(cell.fgcolor()), name(cell.bgcolor()));
    if cell.inverse() {
        (color, behind) =
            (behind.or_else(|| Some(GROUND.to_owned())), color.or_else(|| Some(TEXT.to_owned())));
    }
    let weight = match (cell.bold(), cell.dim()) {
        (true, _) => " font-weight=\"bold\"",
        (_, true) => " opacity=\"0.55\"",
        _ => "",
    };
    Style { color, behind, weight }
}

fn name(color: Color) -> Option<String> {
    match color {
        Color::Default => None,
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        Color::Idx(i @ 0..16) => Some(COLORS[usize::from(i)].to_owned()),
        Color::Idx(i @ 16..232) => {
            let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let i = i - 16;
            Some(format!("#{:02x}{:02x}{:02x}", step(i / 36), step(i / 6 % 6), step(i % 6)))
        }
        Color::Idx(i) => {
            let gray = 8 + 10 * (i - 232);
            Some(format!("#{gray:02x}{gray:02x}{gray:02x}"))
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
