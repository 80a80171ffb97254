//! Clocks: `time`.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function};
use rhai::Dynamic;

/// How long a sleep goes on before it looks whether the user pressed Ctrl-C.
const SLICE: Duration = Duration::from_millis(10);

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "time.now() -> float",
        doc: "Seconds since 1 January 1970 (UTC).",
        example: "time.now() > 1.7e9",
        call: now,
    },
    Function {
        schema: "time.time() -> float",
        doc: "Seconds since 1 January 1970 (UTC), by Python's name.",
        example: "time.time() > 1.7e9",
        call: now,
    },
    Function {
        schema: "time.perf_counter() -> float",
        doc: "Seconds of a clock that never goes back, to measure how long something takes.",
        example: "let start = time.perf_counter();\n\
                  torch.randn([100, 100]).sum();\n\
                  time.perf_counter() - start < 10.0",
        call: counter,
    },
    Function {
        schema: "time.monotonic() -> float",
        doc: "The same clock as `time.perf_counter`.",
        example: "time.monotonic() >= 0.0",
        call: counter,
    },
    Function {
        schema: "time.sleep(float seconds) -> None",
        doc: "Waits; Ctrl-C ends it.",
        example: "time.sleep(0.01)",
        call: sleep,
    },
    Function {
        schema: "time.iso(float? seconds=None) -> str",
        doc: "A point in time (now by default, otherwise in seconds since 1970) as ISO 8601 in \
              UTC, such as 2026-01-31T23:59:59Z: for names of runs and logs.",
        example: "time.iso(0.0)",
        call: |args| {
            let seconds = args.opt_float(0)?.unwrap_or_else(flambeau_experiments::now);
            // Years 0 to 9999.
            if !(-62_167_219_200.0..253_402_300_800.0).contains(&seconds) {
                return Err(Error::value(format!("time.iso(): {seconds} seconds is no date")));
            }
            Ok(iso(seconds.floor() as i64).into())
        },
    },
];

fn now(_: &mut Args<'_>) -> Result<Dynamic> {
    Ok(flambeau_experiments::now().into())
}

fn counter(_: &mut Args<'_>) -> Result<Dynamic> {
    static START: OnceLock<Instant> = OnceLock::new();
    Ok(START.get_or_init(Instant::now).elapsed().as_secs_f64().into())
}

fn sleep(args: &mut Args<'_>) -> Result<Dynamic> {
    let seconds = args.float(0)?;
    let length = Duration::try_from_secs_f64(seconds).map_err(|_| {
        Error::value(format!("sleep(): the length must be 0 seconds or more, not {seconds}"))
    })?;
    let start = Instant::now();
    loop {
        args.ctx().check()?;
        match length.checked_sub(start.elapsed()) {
            Some(left) if !left.is_zero() => std::thread::sleep(left.min(SLICE)),
            _ => return Ok(Dynamic::UNIT),
        }
    }
}

/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn iso(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

#[cfg(test)]
mod tests {
    use super::iso;

    #[test]
    fn dates_are_right() {
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(iso(1_767_225_599), "2025-12-31T23:59:59Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59Z");
        assert_eq!(iso(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
