//! Charts with two axes, drawn as SVG: those of scripts, and the curves of runs.

use std::borrow::Cow;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

pub mod style;

use style::{FONT, tick_label};

/// What a letter and a line of the legend take, in pixels.
const LEGEND: (f64, f64) = (7.2, 17.0);

/// What stands in a chart, apart from its axes.
pub enum Marks {
    /// A line through the points; a point that is not finite leaves a gap.
    Line(Vec<(f64, f64)>),
    /// A dot at every point.
    Points(Vec<(f64, f64)>),
    /// A bar from `x0` to `x1` of height `y`.
    Bars(Vec<(f64, f64, f64)>),
    /// A line through points `x, y` in a band from `low` to `high`: `(x, y, low, high)`; a point that is not finite
    /// leaves a gap.
    Band(Vec<(f64, f64, f64, f64)>),
}

impl Marks {
    /// The points of a line, or of the line in a band.
    fn line(&self) -> Cow<'_, [(f64, f64)]> {
        match self {
            Marks::Line(points) => points.into(),
            Marks::Band(points) => points.iter().map(|&(x, y, ..)| (x, y)).collect(),
            Marks::Points(_) | Marks::Bars(_) => Cow::default(),
        }
    }
}

/// One series of a chart.
pub struct Series {
    /// What the legend says; empty for none.
    pub name: String,
    /// What is drawn.
    pub marks: Marks,
}

/// A chart: its texts, its size in pixels and its series.
pub struct Chart {
    /// Above it; empty for none.
    pub title: String,
    /// Below the horizontal axis; empty for none.
    pub xlabel: String,
    /// Beside the vertical axis; empty for none.
    pub ylabel: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Whether the horizontal axis is logarithmic.
    pub log_x: bool,
    /// Whether the vertical axis is logarithmic.
    pub log_y: bool,
    /// What is drawn, the first at the back.
    pub series: Vec<Series>,
}

impl Chart {
    /// The picture as SVG.
    ///
    /// # Errors
    /// In words: that nothing can be drawn, or what the drawing reports.
    pub fn svg(&self) -> Result<String, String> {
        let (x, y) = self.ranges()?;
        let mut svg = String::new();
        {
            let root =
                SVGBackend::with_string(&mut svg, (self.width, self.height)).into_drawing_area();
            let drawn = match (self.log_x, self.log_y) {
                (false, false) => self.draw(&root, x.0..x.1, y.0..y.1),
                (true, false) => self.draw(&root, (x.0..x.1).log_scale(), y.0..y.1),
                (false, true) => self.draw(&root, x.0..x.1, (y.0..y.1).log_scale()),
                (true, true) => self.draw(&root, (x.0..x.1).log_scale(), (y.0..y.1).log_scale()),
            };
            drawn.and_then(|()| root.present().map_err(|error| error.to_string()))?;
        }
        Ok(svg)
    }

    /// The limits of both axes: what is drawn, and a little room around it.
    fn ranges(&self) -> Result<(Range, Range), String> {
        let (mut xs, mut ys) = (Extent::default(), Extent::default());
        for series in &self.series {
            match &series.marks {
                Marks::Line(points) | Marks::Points(points) => {
                    for &(x, y) in points.iter().filter(|&point| self.visible(point)) {
                        xs.include(x);
                        ys.include(y);
                    }
                }
                Marks::Band(points) => {
                    for &(x, y, low, high) in points {
                        for y in [y, low, high] {
                            if self.visible(&(x, y)) {
                                xs.include(x);
                                ys.include(y);
                            }
                        }
                    }
                }
                Marks::Bars(bars) => {
                    for &(x0, x1, y) in bars {
                        xs.include(x0);
                        xs.include(x1);
                        // A logarithmic axis has no zero, and no bar of that height.
                        if !self.log_y {
                            ys.include(y);
                            ys.include(0.0);
                        } else if y > 0.0 {
                            ys.include(y);
                        }
                    }
                }
            }
        }
        let bars = self.series.iter().any(|series| matches!(series.marks, Marks::Bars(_)));
        let nothing = || {
            let positive = if self.log_x || self.log_y { " and positive" } else { "" };
            format!("there is nothing to draw: no value is finite{positive}")
        };
        let x = xs.padded(self.log_x, if bars { 0.0 } else { 0.02 }).ok_or_else(nothing)?;
        let mut y = ys.padded(self.log_y, 0.06).ok_or_else(nothing)?;
        if bars && self.log_y {
            // The lowest bar is seen to stand on something.
            y.0 /= 2.0;
        }
        if bars && !self.log_y {
            // Bars stand on the axis.
            y.0 = y.0.max(0.0);
        }
        Ok((x, y))
    }

    fn visible(&self, &(x, y): &(f64, f64)) -> bool {
        x.is_finite() && y.is_finite() && (!self.log_x || x > 0.0) && (!self.log_y || y > 0.0)
    }

    fn draw<X, Y>(
        &self,
        root: &DrawingArea<SVGBackend<'_>, Shift>,
        x: X,
        y: Y,
    ) -> Result<(), String>
    where
        X: AsRangedCoord<Value = f64>,
        Y: AsRangedCoord<Value = f64>,
        X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let failed = |error: DrawingAreaErrorKind<_>| -> String { format!("{error}") };
        root.fill(&WHITE).map_err(failed)?;
        let mut builder = ChartBuilder::on(root);
        builder
            .margin_top(if self.title.is_empty() { 16 } else { 10 })
            .margin_right(24)
            .margin_bottom(10)
            .margin_left(10)
            .x_label_area_size(if self.xlabel.is_empty() { 28 } else { 48 })
            .y_label_area_size(if self.ylabel.is_empty() { 52 } else { 68 });
        if !self.title.is_empty() {
            builder.caption(&self.title, (FONT, 19).into_font().color(&style::TEXT));
        }
        let mut chart = builder.build_cartesian_2d(x, y).map_err(failed)?;
        let label = (FONT, 14).into_font().color(&style::TEXT);
        let format = |value: &f64| tick_label(*value);
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(TRANSPARENT)
            .bold_line_style(style::GRID)
            .axis_style(style::AXIS)
            .label_style((FONT, 13).into_font().color(&style::TEXT))
            .axis_desc_style(label)
            .x_desc(&self.xlabel)
            .y_desc(&self.ylabel)
            .x_labels((self.width / 90).clamp(3, 12) as usize)
            .y_labels((self.height / 50).clamp(3, 12) as usize)
            .x_label_formatter(&format)
            .y_label_formatter(&format);
        if self.series.iter().any(|series| matches!(series.marks, Marks::Bars(_))) {
            mesh.disable_x_mesh();
        }
        mesh.draw().map_err(failed)?;
        // Bands lie behind all lines.
        for (i, series) in self.series.iter().enumerate() {
            let Marks::Band(points) = &series.marks else { continue };
            let style = style::color(i).mix(0.16).filled();
            for outline in self.outlines(points) {
                chart.draw_series([Polygon::new(outline, style)]).map_err(failed)?;
            }
        }
        for (i, series) in self.series.iter().enumerate() {
            let color = style::color(i);
            let drawn = match &series.marks {
                Marks::Line(_) | Marks::Band(_) => {
                    let points = &series.marks.line();
                    let stroke = color.stroke_width(2);
                    let mut first = None;
                    for piece in points.split(|point| !self.visible(point)) {
                        let line = style::thinned(piece, self.width as usize);
                        let handle = match (line.as_slice(), i >= style::COLORS) {
                            ([], _) => continue,
                            ([one], _) => chart.draw_series([Circle::new(*one, 3, color.filled())]),
                            // Colours come back after the last one: dashes tell them apart.
                            (_, true) => {
                                chart.draw_series(DashedLineSeries::new(line, 7, 4, stroke))
                            }
                            (_, false) => chart.draw_series([PathElement::new(line, stroke)]),
                        };
                        let handle = handle.map_err(failed)?;
                        if first.is_none() {
                            first = Some(());
                            if !series.name.is_empty() {
                                let gap = if i >= style::COLORS { 4 } else { 0 };
                                handle.label(&series.name).legend(move |at| {
                                    EmptyElement::at(at)
                                        + PathElement::new(vec![(0, 0), (11 - gap / 2, 0)], stroke)
                                        + PathElement::new(vec![(11 + gap / 2, 0), (22, 0)], stroke)
                                });
                            }
                        }
                    }
                    continue;
                }
                Marks::Points(points) => {
                    let dots = points.iter().filter(|&point| self.visible(point));
                    let style = color.mix(0.75).filled();
                    chart.draw_series(dots.map(move |&point| Circle::new(point, 3, style)))
                }
                Marks::Bars(bars) => {
                    let several = self.series.len() > 1;
                    let style = color.mix(if several { 0.55 } else { 0.85 }).filled();
                    // A logarithmic axis has no zero to stand on: there bars begin where it does.
                    let base = match self.ranges() {
                        Ok((_, (low, _))) if self.log_y => low,
                        _ => 0.0,
                    };
                    let bars = bars.iter().filter(|(.., y)| *y > 0.0);
                    chart.draw_series(bars.map(move |&(x0, x1, y)| {
                        let mut bar = Rectangle::new([(x0, base), (x1, y)], style);
                        bar.set_margin(0, 0, 0, 1);
                        bar
                    }))
                }
            };
            let handle = drawn.map_err(failed)?;
            if !series.name.is_empty() {
                let color = color.mix(0.75).filled();
                handle
                    .label(&series.name)
                    .legend(move |(x, y)| Rectangle::new([(x + 5, y - 5), (x + 16, y + 5)], color));
            }
        }
        if self.series.iter().any(|series| !series.name.is_empty()) {
            chart
                .configure_series_labels()
                .position(self.legend_position())
                .background_style(WHITE.mix(0.85))
                .border_style(style::GRID)
                .label_font((FONT, 13).into_font().color(&style::TEXT))
                .legend_area_size(28)
                .margin(10)
                .draw()
                .map_err(failed)?;
        }
        Ok(())
    }

    /// The outlines of a band, one for each piece without gaps.
    fn outlines(&self, points: &[(f64, f64, f64, f64)]) -> Vec<Vec<(f64, f64)>> {
        let floor = match self.ranges() {
            Ok((_, (low, _))) if self.log_y => low,
            _ => f64::NEG_INFINITY,
        };
        let gap = |&(x, y, low, high): &(f64, f64, f64, f64)| {
            !(self.visible(&(x, y)) && low.is_finite() && high.is_finite())
        };
        let pieces = points.split(gap).filter(|piece| piece.len() > 1);
        let outline = |piece: &[(f64, f64, f64, f64)]| -> Vec<(f64, f64)> {
            let upper = piece.iter().map(|&(x, _, _, high)| (x, high));
            let lower = piece.iter().rev().map(|&(x, _, low, _)| (x, low.max(floor)));
            upper.chain(lower).collect()
        };
        pieces.map(outline).collect()
    }

    /// Where the fewest marks are under the legend; where that is nowhere, losses fall and accuracies rise.
    fn legend_position(&self) -> SeriesLabelPosition {
        use SeriesLabelPosition as Position;
        let Ok((xs, ys)) = self.ranges() else { return Position::UpperRight };
        let scale = |value: f64, (low, high): (f64, f64), log: bool| {
            if log { (value / low).ln() / (high / low).ln() } else { (value - low) / (high - low) }
        };
        // Its size as a share of what the axes enclose, from what its font takes.
        let longest = self.series.iter().map(|series| series.name.chars().count()).max();
        let wide = (LEGEND.0 * longest.unwrap_or(0) as f64 + 70.0)
            / f64::from(self.width.saturating_sub(100).max(1));
        let high = (LEGEND.1 * self.series.len() as f64 + 30.0)
            / f64::from(self.height.saturating_sub(70).max(1));
        let (left, right) = (0.0..=wide, 1.0 - wide..=1.0);
        let (below, above) = (0.0..=high, 1.0 - high..=1.0);
        let middle = |size: f64| 0.5 - size / 2.0..=0.5 + size / 2.0;
        let places = [
            (Position::UpperRight, &right, &above),
            (Position::UpperLeft, &left, &above),
            (Position::LowerRight, &right, &below),
            (Position::LowerLeft, &left, &below),
            (Position::MiddleRight, &right, &middle(high)),
            (Position::MiddleLeft, &left, &middle(high)),
        ];
        let mut marks = [0usize; 6];
        let mut count = |x: f64, y: f64| {
            let (x, y) = (scale(x, xs, self.log_x), scale(y, ys, self.log_y));
            for (marks, (_, across, along)) in marks.iter_mut().zip(&places) {
                *marks += usize::from(across.contains(&x) && along.contains(&y));
            }
        };
        for series in &self.series {
            match &series.marks {
                Marks::Line(points) | Marks::Points(points) => {
                    points.iter().filter(|&p| self.visible(p)).for_each(|&(x, y)| count(x, y));
                }
                Marks::Band(points) => {
                    let shown = points.iter().filter(|&&(x, y, ..)| self.visible(&(x, y)));
                    shown.for_each(|&(x, y, low, high)| {
                        [y, low, high].into_iter().for_each(|y| count(x, y));
                    });
                }
                Marks::Bars(bars) => bars.iter().for_each(|&(x0, x1, y)| count((x0 + x1) / 2.0, y)),
            }
        }
        let best = places.into_iter().zip(marks).min_by_key(|(_, marks)| *marks);
        best.map_or(Position::UpperRight, |((position, ..), _)| position)
    }
}

/// Where an axis begins and ends.
type Range = (f64, f64);

/// The least and the greatest of some numbers.
struct Extent {
    low: f64,
    high: f64,
}

impl Default for Extent {
    fn default() -> Self {
        Extent { low: f64::INFINITY, high: f64::NEG_INFINITY }
    }
}

impl Extent {
    fn include(&mut self, value: f64) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }

    /// With room on both sides; `None` for no numbers.
    fn padded(&self, log: bool, share: f64) -> Option<Range> {
        if !(self.low.is_finite() && self.high.is_finite()) {
            return None;
        }
        if log {
            let ratio = (self.high / self.low).max(1.2).powf(share.max(0.01));
            return Some((self.low / ratio, self.high * ratio));
        }
        let width = self.high - self.low;
        // Less than this, floats of this size hardly tell apart, nor can an axis.
        let least = self.low.abs().max(self.high.abs()) * 1e-9;
        // A flat line still needs an axis with a width.
        let room = if width > least && width.is_finite() {
            width * share
        } else {
            (self.low.abs() * 0.1).max(0.5)
        };
        Some((self.low - room, self.high + room))
    }
}
