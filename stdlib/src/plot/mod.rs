//! Charts and pictures: `plot`. A call writes a file where it is given a path, and shows the
//! picture to the front end in any case.

use flambeau_experiments::chart::{Chart, Marks, Series, style};
use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Event, Function, Library, convert};
use rhai::Dynamic;

pub(crate) mod base64;
pub(crate) mod picture;
mod values;

use crate::io::files;

/// What this shelf declares.
pub const LIBRARY: Library =
    Library { functions: FUNCTIONS, properties: &[], constants: &[], types: &[] };

const FUNCTIONS: &[Function] = &[
    Function {
        schema: "plot.line(Any y, str? path=None, *, Any? x=None, str title='', str xlabel='', \
                 str ylabel='', int width=720, int height=432, bool log_x=False, bool \
                 log_y=False) -> None",
        doc: "Draws lines as SVG. `y` is a tensor or an array of numbers, or a map of them by \
              name, which the legend shows; `x` holds their places (0, 1, 2, … by default). A \
              pair [x, y] of lists stands for a series with places of its own. Values that are \
              not finite leave a gap.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  let x = torch.linspace(0, 6, 100);\n\
                  plot.line(#{sin: x.sin(), cos: x.cos()}, \"runs/doc/waves.svg\", x: x, title: \
                  \"Waves\")",
        call: |args| {
            let x = match args.get(2) {
                value if value.is_unit() => None,
                value => Some(values::numbers(value, "x")?),
            };
            let mut series = Vec::new();
            for (name, value) in values::named(args.get(0)) {
                let points = values::points(&name, &value, x.as_deref())?;
                series.push(Series { name, marks: Marks::Line(points) });
            }
            draw(args, series, Texts { first: 3, log_x: Some(8), log_y: Some(9) }, 1)
        },
    },
    Function {
        schema: "plot.scatter(Any x, Any y, str? path=None, *, Any? labels=None, str title='', \
                 str xlabel='', str ylabel='', int width=560, int height=480, bool log_x=False, \
                 bool log_y=False) -> None",
        doc: "Draws points as SVG. `labels` (integers or texts, one per point) groups them by \
              colour.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  let x = torch.randn([100]);\n\
                  plot.scatter(x, x + 0.3 * torch.randn([100]), \"runs/doc/points.svg\")",
        call: scatter,
    },
    Function {
        schema: "plot.hist(Any values, str? path=None, *, int bins=30, bool density=False, str \
                 title='', str xlabel='', str ylabel='', int width=720, int height=432, bool \
                 log_y=False) -> None",
        doc: "Draws a histogram of numbers as SVG, or of a map of them by name over one another. \
              `density` makes the area of each 1.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  plot.hist(torch.randn([1000]), \"runs/doc/normal.svg\", bins: 20)",
        call: hist,
    },
    Function {
        schema: "plot.image(Tensor tensor, str? path=None, str cmap='viridis', *, int? \
                 scale=None) -> None",
        doc: "Shows a tensor as a picture (PNG): [channels, height, width] as `data.write_image` \
              takes it; a matrix [height, width] in the colours of `cmap` (viridis or gray), from \
              its least value to its greatest. Small ones are enlarged by `scale`.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  plot.image(torch.rand([8, 8]), \"runs/doc/noise.png\")",
        call: picture::image,
    },
];

/// Where the texts and sizes of a chart stand in a schema: title, xlabel, ylabel, width and height
/// follow one another from `first`.
struct Texts {
    first: usize,
    log_x: Option<usize>,
    log_y: Option<usize>,
}

fn draw(args: &mut Args<'_>, series: Vec<Series>, texts: Texts, path: usize) -> Result<Dynamic> {
    let path = args.opt_str(path)?.map(|path| args.ctx().writable(&path)).transpose()?;
    if let Some(path) = &path
        && path.extension().is_none_or(|suffix| !suffix.eq_ignore_ascii_case("svg"))
    {
        let shown = path.display().to_string();
        return Err(Error::value(format!(
            "charts are written as SVG: the name must end in .svg, not {shown:?}"
        )));
    }
    let size = |i: usize| {
        let size = u32::try_from(args.int(i)?).ok().filter(|size| (120..=8000).contains(size));
        size.ok_or_else(|| args.mismatch(i, "120 to 8000 pixels"))
    };
    let flag = |i: Option<usize>| i.map_or(Ok(false), |i| args.bool(i));
    let first = texts.first;
    let chart = Chart {
        title: args.str(first)?,
        xlabel: args.str(first + 1)?,
        ylabel: args.str(first + 2)?,
        width: size(first + 3)?,
        height: size(first + 4)?,
        log_x: flag(texts.log_x)?,
        log_y: flag(texts.log_y)?,
        series,
    };
    let name = args.schema().short_name();
    let svg = chart.svg().map_err(|cause| Error::value(format!("{name}(): {cause}")))?;
    if let Some(path) = &path {
        files::write_bytes(path, svg.as_bytes())?;
    }
    let title = if chart.title.is_empty() { "chart" } else { &chart.title };
    let text = match &path {
        Some(path) => format!("[{title}: {}]", path.display()),
        None => format!("[{title}]"),
    };
    args.ctx().emit(Event::Display(
        vec![("image/svg+xml".to_owned(), svg), ("text/plain".to_owned(), text)].into(),
    ));
    Ok(Dynamic::UNIT)
}

fn scatter(args: &mut Args<'_>) -> Result<Dynamic> {
    let x = values::numbers(args.get(0), "x")?;
    let y = values::numbers(args.get(1), "y")?;
    let points = values::pairs(&x, &y, "scatter()")?;
    let texts = Texts { first: 4, log_x: Some(9), log_y: Some(10) };
    if args.is_none(3) {
        return draw(
            args,
            vec![Series { name: String::new(), marks: Marks::Points(points) }],
            texts,
            2,
        );
    }
    let labels: Vec<String> = match convert::tensor(args.get(3)) {
        Some(_) => {
            let numbers = values::numbers(args.get(3), "labels")?;
            numbers.iter().map(|&label| style::tick_label(label)).collect()
        }
        None => {
            let items =
                convert::items(args.get(3)).ok_or_else(|| args.mismatch(3, "a list of labels"))?;
            items.iter().map(ToString::to_string).collect()
        }
    };
    if labels.len() != points.len() {
        return Err(Error::value(format!(
            "scatter(): {} labels for {} points",
            labels.len(),
            points.len()
        )));
    }
    let mut names: Vec<&String> = labels.iter().collect();
    // Numbers in their order, 2 before 10; texts by letter.
    names.sort_by(|a, b| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    });
    names.dedup();
    let group = |name: &String| {
        let own = labels.iter().zip(&points).filter(|(label, _)| *label == name);
        let points = own.map(|(_, &point)| point).collect();
        Series { name: name.clone(), marks: Marks::Points(points) }
    };
    let series = names.into_iter().map(group).collect();
    draw(args, series, texts, 2)
}

fn hist(args: &mut Args<'_>) -> Result<Dynamic> {
    let bins = usize::try_from(args.int(2)?).ok().filter(|bins| (1..=1000).contains(bins));
    let bins = bins.ok_or_else(|| args.mismatch(2, "1 to 1000"))?;
    let density = args.bool(3)?;
    let mut groups = Vec::new();
    for (name, value) in values::named(args.get(0)) {
        let mut numbers = values::numbers(&value, "the values")?;
        numbers.retain(|number| number.is_finite());
        groups.push((name, numbers));
    }
    // All groups share their bins, so that bars can be compared.
    let all = || groups.iter().flat_map(|(_, numbers)| numbers.iter().copied());
    let low = all().fold(f64::INFINITY, f64::min);
    let high = all().fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return Err(Error::value("hist(): there is nothing to draw: no value is finite"));
    }
    // As NumPy: numbers that are all the same stand in the middle of one unit; of more, where a unit
    // or a bin is less than a float of this size tells apart.
    let least = low.abs().max(high.abs()) * 1e-9;
    let (low, high) = match high - low {
        span if span > least => (low, high),
        _ => (low - least.max(0.5), high + least.max(0.5)),
    };
    let width = (high - low) / bins as f64;
    let series = groups.into_iter().map(|(name, numbers)| {
        let mut counts = vec![0usize; bins];
        for number in &numbers {
            counts[(((number - low) / width) as usize).min(bins - 1)] += 1;
        }
        let unit = if density { 1.0 / (numbers.len().max(1) as f64 * width) } else { 1.0 };
        let bars = counts.iter().enumerate().map(|(i, &count)| {
            let start = low + i as f64 * width;
            (start, start + width, count as f64 * unit)
        });
        Series { name, marks: Marks::Bars(bars.collect()) }
    });
    let series = series.collect();
    draw(args, series, Texts { first: 4, log_x: None, log_y: Some(9) }, 1)
}
