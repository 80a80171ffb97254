//! What runs and sweeps have written, for scripts and notebooks: `runs`.

use std::rc::Rc;

use flambeau_experiments::curves::Axis;
use flambeau_experiments::picture::{CURVES, Picture};
use flambeau_experiments::{Sweep, Table, sweep};
use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{
    Args, Context, Event, Function, Library, ObjectType, Property, convert,
};
use rhai::Dynamic;

mod object;

use object::Runs;

use crate::io::files;

/// What this shelf declares.
pub const LIBRARY: Library = Library {
    functions: FUNCTIONS,
    properties: PROPERTIES,
    constants: &[],
    types: &[ObjectType::of::<Runs>],
};

const FUNCTIONS: &[Function] = &[
    Function {
        schema: "runs.read(str out) -> Runs",
        doc: "Reads what a sweep or a run has written into its folder, or all sweeps and runs directly in a folder. The \
              value shows itself as a table with a row for each trial: what varies, how far it is, and what it \
              reported or logged last.",
        example: "fs.mkdir(\"runs/doc/one\");\n\
                  json.write(#{format: 1, script: \"exp.rhai\", params: #{lr: 0.1}}, \"runs/doc/one/config.json\");\n\
                  fs.write_text(\"runs/doc/one/metrics.jsonl\", `{\"step\": 1, \"loss\": 0.5}\n`);\n\
                  runs.read(\"runs/doc/one\")",
        call: |args| {
            let path = args.str(0)?;
            Ok(Dynamic::from(Runs(Rc::new(read(args.ctx(), &path)?))))
        },
    },
    Function {
        schema: "runs.plot(Any out, str? path=None, *, str? metric=None, str x='step', bool log=False, float \
                 smooth=0.0, str[] by=[], int top=10, str title='', int width=760, int height=460) -> None",
        doc: "Draws learning curves as SVG, as `plot.line` does: one for each group of trials that differ only in their \
              seeds, with a band of one standard deviation around the mean. `out` is a folder or what `runs.read` gave. \
              `metric` is by default that of the sweep, or the first that was logged; `x` is \"step\" or \"time\" \
              (seconds); `log` makes its axis logarithmic; `smooth` (0 to below 1) is the weight of TensorBoard's moving \
              average; `by` names the parameters that group trials; of more than `top` curves the best are drawn.",
        example: "fs.mkdir(\"runs/doc/one\");\n\
                  json.write(#{format: 1, script: \"exp.rhai\", params: #{lr: 0.1}}, \"runs/doc/one/config.json\");\n\
                  fs.write_text(\"runs/doc/one/metrics.jsonl\", `{\"step\": 1, \"loss\": 0.5}\n{\"step\": 2, \"loss\": 0.4}\n`);\n\
                  runs.plot(\"runs/doc/one\", \"runs/doc/loss.svg\", metric: \"loss\")",
        call: plot,
    },
    Function {
        schema: "Runs.metrics(Runs self, int trial, *, str? sweep=None) -> Table",
        doc: "What a trial logged as a table, a row for each record: `m.loss` is a tensor. Values that a record has not \
              are nan. `sweep` is the name of its folder, where several were read.",
        example: "fs.mkdir(\"runs/doc/one\");\n\
                  json.write(#{format: 1, script: \"exp.rhai\", params: #{lr: 0.1}}, \"runs/doc/one/config.json\");\n\
                  fs.write_text(\"runs/doc/one/metrics.jsonl\", `{\"step\": 1, \"loss\": 0.5}\n`);\n\
                  runs.read(\"runs/doc/one\").metrics(1).loss",
        call: |args| {
            let runs = args.object::<Runs>(0)?;
            runs.metrics(args.int(1)?, args.opt_str(2)?.as_deref(), args.ctx())
        },
    },
    Function {
        schema: "Runs.best(Runs self, str? metric=None) -> Map",
        doc: "The trial with the best value of a metric, as one of `trials`. The greatest is the best unless the sweep \
              was asked to minimise it or its name says that it is a loss or an error. Trials with nan are none.",
        example: "fs.mkdir(\"runs/doc/one\");\n\
                  json.write(#{format: 1, script: \"exp.rhai\", params: #{lr: 0.1}}, \"runs/doc/one/config.json\");\n\
                  fs.write_text(\"runs/doc/one/metrics.jsonl\", `{\"step\": 1, \"loss\": 0.5}\n`);\n\
                  runs.read(\"runs/doc/one\").best(\"loss\").params",
        call: |args| {
            let runs = args.object::<Runs>(0)?;
            runs.best(args.opt_str(1)?.as_deref())
        },
    },
    Function {
        schema: "Runs.compare(Runs self, *, str[] by=[], str[] metrics=[]) -> Table",
        doc: "A row for each group of trials that differ only in their seeds, the best first: the parameters that vary, \
              `n` trials that count (not those that failed; those that run only where none has ended), and of each metric the mean and, as `NAME_std`, the \
              standard deviation of the sample. `by` names the parameters that group trials.",
        example: "fs.mkdir(\"runs/doc/one\");\n\
                  json.write(#{format: 1, script: \"exp.rhai\", params: #{lr: 0.1}}, \"runs/doc/one/config.json\");\n\
                  fs.write_text(\"runs/doc/one/metrics.jsonl\", `{\"step\": 1, \"loss\": 0.5}\n`);\n\
                  runs.read(\"runs/doc/one\").compare(by: [\"lr\"])",
        call: |args| {
            let runs = args.object::<Runs>(0)?;
            runs.compare(&texts(args, 1)?, &texts(args, 2)?, args.ctx())
        },
    },
];

const PROPERTIES: &[Property] = &[Property {
    name: "Runs.trials",
    doc: "The trials as an array of maps: trial, params, state, result, step, metrics (what was logged last), error, \
          attempts, started, ended (seconds since 1970) and folder.",
    get: |value, _| {
        let runs = value.read_lock::<Runs>().ok_or_else(|| Error::type_("expected runs"))?;
        Ok(runs.trials())
    },
    set: None,
}];

/// The sweeps in a folder, if the sandbox lets the script read all that belongs to them.
fn read(ctx: &Context<'_>, path: &str) -> Result<Vec<Sweep>> {
    let folder = ctx.readable(path)?;
    for file in sweep::files(&folder) {
        let file = file.to_str().ok_or_else(|| Error::io(&file, "the name is no text"))?;
        ctx.readable(file)?;
    }
    Sweep::find(&folder).map_err(error)
}

/// An error about runs as scripts see it.
fn error(error: flambeau_experiments::Error) -> Error {
    use flambeau_experiments::Error as Cause;
    let text = error.to_string();
    match error {
        Cause::Name(_) => Error::key(text),
        Cause::Parameter(_) | Cause::Picture(_) => Error::value(text),
        Cause::NoRun(_) => Error::new(Kind::Io, text)
            .help("`flambeau run SCRIPT --out FOLDER` and `flambeau sweep` make one"),
        _ => Error::new(Kind::Io, text),
    }
}

fn texts(args: &Args<'_>, i: usize) -> Result<Vec<String>> {
    let wrong = || args.mismatch(i, "a list of names");
    let items = convert::items(args.get(i)).ok_or_else(wrong)?;
    items.iter().map(|item| convert::string(item).ok_or_else(wrong)).collect()
}

fn plot(args: &mut Args<'_>) -> Result<Dynamic> {
    let path = args.opt_str(1)?.map(|path| args.ctx().writable(&path)).transpose()?;
    if let Some(path) = &path
        && path.extension().is_none_or(|suffix| !suffix.eq_ignore_ascii_case("svg"))
    {
        let shown = path.display().to_string();
        return Err(Error::value(format!(
            "charts are written as SVG: the name must end in .svg, not {shown:?}"
        )));
    }
    let sweeps = match args.get(0).read_lock::<Runs>().map(|runs| runs.0.clone()) {
        Some(sweeps) => sweeps,
        None => Rc::new(read(args.ctx(), &args.str(0)?)?),
    };
    let mut table = Table::of(&sweeps);
    let metric = match args.opt_str(2)? {
        Some(metric) => metric,
        None => table.curve_metric().map_err(error)?,
    };
    let axis = match args.str(3)?.as_str() {
        "step" => Axis::Step,
        "time" => Axis::Time,
        _ => return Err(args.mismatch(3, "\"step\" or \"time\"")),
    };
    let smooth = args.float(5)?;
    if !(0.0..1.0).contains(&smooth) {
        return Err(args.mismatch(5, "0 to below 1"));
    }
    let size = |i: usize| {
        let size = u32::try_from(args.int(i)?).ok().filter(|size| (120..=8000).contains(size));
        size.ok_or_else(|| args.mismatch(i, "120 to 8000 pixels"))
    };
    let top = usize::try_from(args.int(7)?).ok().filter(|&top| top > 0);
    let picture = Picture {
        axis,
        smooth,
        log: args.bool(4)?,
        by: texts(args, 6)?,
        top: top.unwrap_or(CURVES),
        title: args.str(8)?,
        size: (size(9)?, size(10)?),
        ..Picture::of(&metric)
    };
    let svg = picture.svg(&mut table).map_err(error)?;
    if let Some(path) = &path {
        files::write_bytes(path, svg.as_bytes())?;
    }
    let text = match &path {
        Some(path) => format!("[{metric}: {}]", path.display()),
        None => format!("[{metric}]"),
    };
    args.ctx().emit(Event::Display(
        vec![("image/svg+xml".to_owned(), svg), ("text/plain".to_owned(), text)].into(),
    ));
    Ok(Dynamic::UNIT)
}
