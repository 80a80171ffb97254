//! Commands that measure.

use flambeau_protocol::Language;

use crate::problem::Problem;

use super::Front;

/// How many times `:timeit` measures.
const RUNS: usize = 7;
/// How long one measurement takes at least, in seconds.
const LONG_ENOUGH: f64 = 0.2;
/// No operation takes less, in seconds.
const LEAST: f64 = 1e-10;
/// More loops than this are never needed.
const MOST_LOOPS: u64 = 1_000_000_000;

/// `:time EXPR`
pub fn time(front: &mut dyn Front, code: &str) -> Result<(), Problem> {
    let done = front.evaluate(front.language(), code)?;
    if done.error.is_none() {
        front.say(&format!("took {}", seconds(done.seconds)));
    }
    Ok(())
}

/// `:timeit EXPR`, as IPython's: the number of loops is chosen so that a measurement takes long enough.
pub fn timeit(front: &mut dyn Front, code: &str) -> Result<(), Problem> {
    let code = code.trim_end_matches(';');
    let mut loops = 1;
    loop {
        let Some(took) = measure(front, code, loops)? else { return Ok(()) };
        if took < loops as f64 * LEAST && loops >= MOST_LOOPS {
            front.say("nothing is left to be timed: what is constant is not computed in the loop");
            return Ok(());
        }
        if took >= LONG_ENOUGH || loops >= MOST_LOOPS {
            break;
        }
        loops *= 10;
    }
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let Some(took) = measure(front, code, loops)? else { return Ok(()) };
        times.push(took / loops as f64);
    }
    front.say(&summary(&times, loops));
    Ok(())
}

/// Seconds for so many loops; `None` where the code fails, which has been shown then.
fn measure(front: &mut dyn Front, code: &str, loops: u64) -> Result<Option<f64>, Problem> {
    let language = front.language();
    let code = match language {
        Language::Rhai => format!("for _loop in 0..{loops} {{\n{code};\n}}"),
        // As Python's own module does; its names are those of the cells.
        Language::Python => {
            let code = format!("{code:?}");
            format!("__import__('timeit').Timer({code}, globals=globals()).timeit({loops})")
        }
    };
    let done = front.evaluate_named("<timeit>", &code, None, language)?;
    if done.error.is_some() {
        front.show(&done);
        return Ok(None);
    }
    Ok(Some(done.seconds))
}

/// Mean, standard deviation of the runs, best.
fn summary(times: &[f64], loops: u64) -> String {
    let runs = times.len() as f64;
    let mean = times.iter().sum::<f64>() / runs;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / runs;
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    format!(
        "{} ± {} per loop, best {} ({} runs of {loops} loops each)",
        seconds(mean),
        seconds(variance.sqrt()),
        seconds(best),
        times.len()
    )
}

/// A duration with three digits in its natural unit.
pub(super) fn seconds(value: f64) -> String {
    let units = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")];
    let (scale, unit) =
        units.into_iter().find(|(scale, _)| value >= *scale).unwrap_or((1e-9, "ns"));
    let value = value / scale;
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        assert_eq!(seconds(1.5), "1.50 s");
        assert_eq!(seconds(0.0123), "12.3 ms");
        assert_eq!(seconds(4.567e-7), "457 ns");
        assert_eq!(seconds(0.0), "0.00 ns");
    }

    #[test]
    fn the_summary_tells_of_the_runs() {
        let text = summary(&[1.0, 3.0], 10);
        assert_eq!(text, "2.00 s ± 1.00 s per loop, best 1.00 s (2 runs of 10 loops each)");
    }
}
