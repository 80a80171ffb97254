//! Progress bars, as tqdm's: what they look like is the front end's affair, which gets events.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{
    Args, Context, Event, Function, Items, Object, Progress as Report, Property, convert,
};
use rhai::Dynamic;

use super::iteration;

/// The least time between two events of one bar; the first and the last are always sent.
const INTERVAL: Duration = Duration::from_millis(100);

/// A progress bar; a clone is the same bar.
#[derive(Clone)]
pub struct Progress(Rc<RefCell<Bar>>);

struct Bar {
    id: u64,
    iterable: Dynamic,
    desc: String,
    total: Option<u64>,
    done: u64,
    postfix: String,
    started: Instant,
    sent: Option<Instant>,
    /// Began and has not ended.
    running: bool,
    disabled: bool,
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "progress(Any iterable=None, str? desc=None, int? total=None, *, bool \
                 disable=False) -> Progress",
        doc: "Shows how far a loop is: `for x in progress(items) { … }` loops over the same \
              items.\n\n\
              `iterable` is anything that can be looped over; `total` is its length where that is \
              not known. Keep the bar in a variable to say more while it runs: \
              `bar.set_postfix(loss: 0.3)`. Without an iterable it is moved by `bar.update(n)` \
              and ended by `bar.close()`. A terminal shows a bar; elsewhere a line is written \
              every few seconds.",
        example: "let bar = progress(0..3, desc: \"steps\");\n\
                  for i in bar { bar.set_postfix(loss: 1.0 / (i + 1)); }",
        call: progress,
    },
    Function {
        schema: "Progress.set_postfix(Progress self, Any ordered=None, *, **Any kwargs) -> None",
        doc: "Sets what stands behind the bar: `bar.set_postfix(loss: 0.3, lr: 0.001)`. Numbers \
              are shown with three digits, as in tqdm.",
        example: "let bar = progress(0..3);\n\
                  for i in bar { bar.set_postfix(step: i, name: \"warm-up\"); }",
        call: |args| {
            let mut parts = Vec::new();
            for i in [1, 2] {
                for (name, value) in args.map(i)? {
                    parts.push(format!("{name}={}", postfix_value(&value, args.ctx())));
                }
            }
            change(args, |bar| bar.postfix = parts.join(", "))
        },
    },
    Function {
        schema: "Progress.set_postfix_str(Progress self, str s) -> None",
        doc: "Sets the text behind the bar.",
        example: "let bar = progress(0..3);\n\
                  for i in bar { bar.set_postfix_str(`step ${i}`); }",
        call: |args| {
            let text = args.str(1)?;
            change(args, |bar| bar.postfix = text)
        },
    },
    Function {
        schema: "Progress.set_description(Progress self, str? desc=None) -> None",
        doc: "Sets the label before the bar.",
        example: "let bar = progress(0..3);\n\
                  for i in bar { bar.set_description(`part ${i}`); }",
        call: |args| {
            let text = args.opt_str(1)?.unwrap_or_default();
            change(args, |bar| bar.desc = text)
        },
    },
    Function {
        schema: "Progress.update(Progress self, int n=1) -> None",
        doc: "Moves a bar by `n` steps: for loops that are no `for`.",
        example: "let bar = progress(total: 10);\n\
                  while bar.n < bar.total { bar.update(5); }\n\
                  bar.close()",
        call: |args| {
            let n = args.int(1)?;
            let done = u64::try_from(n).map_err(|_| args.mismatch(1, "0 or more"))?;
            args.object::<Progress>(0)?.begin(args.ctx());
            change(args, |bar| bar.done = bar.done.saturating_add(done))
        },
    },
    Function {
        schema: "Progress.close(Progress self) -> None",
        doc: "Ends a bar that is moved by hand.",
        example: "let bar = progress(total: 10);\n\
                  bar.update(10);\n\
                  bar.close()",
        call: |args| {
            args.object::<Progress>(0)?.end(args.ctx());
            Ok(Dynamic::UNIT)
        },
    },
];

pub(crate) const PROPERTIES: &[Property] = &[
    Property {
        name: "Progress.n",
        doc: "Steps done.",
        get: |value, _| read(value, |bar| Dynamic::from_int(bar.done as i64)),
        set: None,
    },
    Property {
        name: "Progress.total",
        doc: "Steps in all, or () where that is not known.",
        get: |value, _| {
            read(value, |bar| bar.total.map_or(Dynamic::UNIT, |n| Dynamic::from_int(n as i64)))
        },
        set: None,
    },
    Property {
        name: "Progress.desc",
        doc: "The label.",
        get: |value, _| read(value, |bar| bar.desc.clone().into()),
        set: None,
    },
    Property {
        name: "Progress.elapsed",
        doc: "Seconds since the bar began.",
        get: |value, _| read(value, |bar| bar.started.elapsed().as_secs_f64().into()),
        set: None,
    },
];

fn read(value: &Dynamic, get: impl FnOnce(&Bar) -> Dynamic) -> Result<Dynamic> {
    let bar = value.read_lock::<Progress>().ok_or_else(|| Error::type_("expected a Progress"))?;
    let bar = bar.0.borrow();
    Ok(get(&bar))
}

/// Changes the bar that is argument 0, and shows it where it runs.
fn change(args: &Args<'_>, change: impl FnOnce(&mut Bar)) -> Result<Dynamic> {
    let progress = args.object::<Progress>(0)?;
    change(&mut progress.0.borrow_mut());
    progress.show(args.ctx(), false);
    Ok(Dynamic::UNIT)
}

/// Numbers as tqdm formats them, `{:.3g}`; other values as they print.
fn postfix_value(value: &Dynamic, ctx: &Context<'_>) -> String {
    if let Ok(int) = value.as_int() {
        return int.to_string();
    }
    match convert::float(value) {
        Some(number) => three_digits(number),
        None => ctx.display(value),
    }
}

/// C's `%.3g`, and the exponent without padding: 0.0012, 1.5e-05 → 1.5e-5.
fn three_digits(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return if number == 0.0 { "0".to_owned() } else { number.to_string().to_lowercase() };
    }
    // The exponent after rounding to three digits: 9.999 is 10.
    let rounded = format!("{number:.2e}");
    let exponent: i32 = rounded.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..3).contains(&exponent) {
        trim(&format!("{number:.*}", (2 - exponent).max(0) as usize))
    } else {
        let (digits, _) = rounded.split_once('e').unwrap_or((&rounded, ""));
        format!("{}e{exponent}", trim(digits))
    }
}

fn progress(args: &mut Args<'_>) -> Result<Dynamic> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let iterable = args.take(0);
    let known = iteration::length(&iterable).map(|length| length as u64);
    let total = match args.opt_int(2)? {
        Some(total) => Some(u64::try_from(total).map_err(|_| args.mismatch(2, "0 or more"))?),
        None => known,
    };
    let manual = iterable.is_unit();
    let bar = Progress(Rc::new(RefCell::new(Bar {
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        iterable,
        desc: args.opt_str(1)?.unwrap_or_default(),
        total,
        done: 0,
        postfix: String::new(),
        started: Instant::now(),
        sent: None,
        running: false,
        disabled: args.bool(3)?,
    })));
    if manual {
        bar.begin(args.ctx());
    }
    Ok(Dynamic::from(bar))
}

impl Bar {
    fn report(&self, finished: bool) -> Event {
        Event::Progress(Report {
            id: self.id,
            desc: self.desc.clone(),
            done: self.done,
            total: self.total,
            postfix: self.postfix.clone(),
            seconds: self.started.elapsed().as_secs_f64(),
            finished,
        })
    }
}

impl Progress {
    /// Starts the clock, unless it runs.
    fn begin(&self, ctx: &Context<'_>) {
        {
            let mut bar = self.0.borrow_mut();
            if bar.running {
                return;
            }
            bar.running = true;
            bar.done = 0;
            bar.started = Instant::now();
            bar.sent = None;
        }
        self.show(ctx, true);
    }

    /// Sends the state, unless the last time was a moment ago.
    fn show(&self, ctx: &Context<'_>, at_once: bool) {
        let event = {
            let mut bar = self.0.borrow_mut();
            let due = bar.sent.is_none_or(|sent| sent.elapsed() >= INTERVAL);
            if bar.disabled || !bar.running || !(at_once || due) {
                return;
            }
            bar.sent = Some(Instant::now());
            bar.report(false)
        };
        ctx.emit(event);
    }

    /// Sends the last state.
    fn end(&self, ctx: &Context<'_>) {
        let event = {
            let mut bar = self.0.borrow_mut();
            if !std::mem::take(&mut bar.running) || bar.disabled {
                return;
            }
            bar.report(true)
        };
        ctx.emit(event);
    }
}

/// The loop over a bar: counts a step when the next one is asked for.
struct Steps {
    progress: Progress,
    items: Items,
    /// A step is under way.
    inside: bool,
}

impl Iterator for Steps {
    type Item = Result<Dynamic>;

    fn next(&mut self) -> Option<Self::Item> {
        let shown = Context::current(|ctx| {
            if std::mem::take(&mut self.inside) {
                self.progress.0.borrow_mut().done += 1;
                self.progress.show(ctx, false);
            }
            Ok(())
        });
        if let Err(error) = shown {
            return Some(Err(error));
        }
        let item = self.items.next()?;
        self.inside = item.is_ok();
        Some(item)
    }
}

impl Drop for Steps {
    /// The loop has ended: after its last item, by `break`, or by an error.
    fn drop(&mut self) {
        let _ = Context::current(|ctx| {
            self.progress.end(ctx);
            Ok(())
        });
    }
}

impl Object for Progress {
    const TYPE: &'static str = "Progress";

    fn display(&self) -> String {
        let bar = self.0.borrow();
        let total = bar.total.map_or("?".to_owned(), |total| total.to_string());
        let label = if bar.desc.is_empty() { String::new() } else { format!("{}: ", bar.desc) };
        format!("Progress({label}{}/{total})", bar.done)
    }

    fn length(&self) -> Option<usize> {
        self.0.borrow().total.and_then(|total| usize::try_from(total).ok())
    }

    fn iterate(&self) -> Option<Result<Items>> {
        let iterable = self.0.borrow().iterable.clone();
        if iterable.is_unit() {
            return Some(Err(Error::type_("this bar has nothing to loop over")
                .help("give it something: progress(items); or move it with bar.update(n)")));
        }
        Some(iteration::items(&iterable).and_then(|items| {
            // A loop over the same bar begins anew.
            self.0.borrow_mut().running = false;
            Context::current(|ctx| {
                self.begin(ctx);
                Ok(())
            })?;
            Ok(Box::new(Steps { progress: self.clone(), items, inside: false }) as Items)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::three_digits;

    #[test]
    fn numbers_are_short_as_in_tqdm() {
        let cases = [
            (0.3, "0.3"),
            (0.31234, "0.312"),
            (1.0, "1"),
            (12.345, "12.3"),
            (123.45, "123"),
            (1234.5, "1.23e3"),
            (0.001, "0.001"),
            (0.00012345, "0.000123"),
            (0.000012, "1.2e-5"),
            (-2.5, "-2.5"),
            (9.999, "10"),
            (999.9, "1e3"),
            (0.0, "0"),
            (f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
        ];
        for (number, expected) in cases {
            assert_eq!(three_digits(number), expected, "{number}");
        }
    }
}
