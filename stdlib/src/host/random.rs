//! Random numbers for scripts: `random`, apart from torch's generators. The same seed gives what
//! Python's `random` gives.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function, convert};
use rhai::{Array, Dynamic, Map};

use super::mt19937::Mt19937;

thread_local! {
    /// A session stays on one thread, so this is its generator.
    static GENERATOR: RefCell<Mt19937> = RefCell::new(Mt19937::new(unpredictable()));
}

/// A seed from the system's randomness, by way of the keys of a hash map.
fn unpredictable() -> i64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    RandomState::new().hash_one(time.map_or(0, |time| time.as_nanos())) as i64
}

fn with<R>(f: impl FnOnce(&mut Mt19937) -> R) -> R {
    GENERATOR.with(|generator| f(&mut generator.borrow_mut()))
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "random.seed(int? a=None) -> None",
        doc: "Starts the numbers of `random` from a seed (without one: from the system's \
              randomness). They are those of Python's `random`; torch has its own: \
              `torch.manual_seed`.",
        example: "random.seed(0);\nrandom.random()",
        call: |args| {
            let seed = args.opt_int(0)?.unwrap_or_else(unpredictable);
            with(|random| *random = Mt19937::new(seed));
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "random.getstate() -> Map",
        doc: "Where the numbers of `random` are: for `random.setstate`.",
        example: "let state = random.getstate();\n\
                  let a = random.random();\n\
                  random.setstate(state);\n\
                  a == random.random()",
        call: |_| Ok(state().into()),
    },
    Function {
        schema: "random.setstate(Map state) -> None",
        doc: "Goes back to where the numbers of `random` were.",
        example: "random.setstate(random.getstate())",
        call: |args| {
            let state = args.map(0)?;
            set_state(&state)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "random.random() -> float",
        doc: "A float from 0 (included) to 1 (not included).",
        example: "random.random()",
        call: |_| Ok(with(Mt19937::float).into()),
    },
    Function {
        schema: "random.uniform(float a, float b) -> float",
        doc: "A float from `a` to `b`.",
        example: "random.uniform(-1, 1)",
        call: |args| {
            let (a, b) = (args.float(0)?, args.float(1)?);
            Ok((a + (b - a) * with(Mt19937::float)).into())
        },
    },
    Function {
        schema: "random.gauss(float mu=0.0, float sigma=1.0) -> float",
        doc: "A number from the normal distribution.",
        example: "random.gauss(0, 1)",
        call: |args| {
            let (mu, sigma) = (args.float(0)?, args.float(1)?);
            Ok((mu + with(Mt19937::normal) * sigma).into())
        },
    },
    Function {
        schema: "random.randint(int a, int b) -> int",
        doc: "An integer from `a` to `b`, both included.",
        example: "random.randint(1, 6)",
        call: |args| {
            let (a, b) = (args.int(0)?, args.int(1)?);
            between(a, b, || format!("randint(): empty range from {a} to {b}"))
        },
    },
    Function {
        schema: "random.randrange(int start, int? stop=None) -> int",
        doc: "An integer from `start` (0 where only one number is given) to `stop`, not included.",
        example: "random.randrange(10)",
        call: |args| {
            let (start, stop) = match args.opt_int(1)? {
                Some(stop) => (args.int(0)?, stop),
                None => (0, args.int(0)?),
            };
            let empty = || format!("randrange(): empty range from {start} to {stop}");
            between(start, stop.checked_sub(1).ok_or_else(|| Error::value(empty()))?, empty)
        },
    },
    Function {
        schema: "random.choice(Any seq) -> Any",
        doc: "One item of an array or range.",
        example: "random.choice([\"red\", \"green\", \"blue\"])",
        call: |args| {
            let items = items(args, 0)?;
            if items.is_empty() {
                return Err(Error::index("choice(): the array is empty"));
            }
            let i = with(|random| random.below(items.len() as u64));
            Ok(items[i as usize].clone())
        },
    },
    Function {
        schema: "random.choices(Any population, Any? weights=None, *, int k=1) -> Any[]",
        doc: "`k` items, drawn with replacement, by weight where weights are given.",
        example: "random.choices([\"head\", \"tail\"], [0.9, 0.1], k: 5)",
        call: choices,
    },
    Function {
        schema: "random.sample(Any population, int k) -> Any[]",
        doc: "`k` different items in random order.",
        example: "random.sample(0..100, 3)",
        call: sample,
    },
    Function {
        schema: "random.shuffle(Any x) -> Any[]",
        doc: "The items in random order, as a new array: arrays are values in scripts, so the \
              given one stays as it is.",
        example: "let deck = random.shuffle(0..52);\nlen(deck)",
        call: |args| {
            let mut items = items(args, 0)?;
            with(|random| {
                for i in (1..items.len()).rev() {
                    let j = random.below(i as u64 + 1) as usize;
                    items.swap(i, j);
                }
            });
            Ok(items.into())
        },
    },
    Function {
        schema: "random.getrandbits(int k) -> int",
        doc: "An integer of `k` random bits, at most 63.",
        example: "random.getrandbits(8)",
        call: |args| match args.int(0)? {
            0 => Ok(0.into()),
            k @ 1..=63 => Ok((with(|random| random.bits(k as u32)) as i64).into()),
            _ => Err(args.mismatch(0, "0 to 63")),
        },
    },
];

/// Where the numbers are.
pub(crate) fn state() -> Map {
    let (words, gauss) = with(|random| (random.words(), random.gauss_next));
    let mut map = Map::new();
    map.insert("words".into(), convert::from_ints(&words));
    map.insert("gauss_next".into(), gauss.map_or(Dynamic::UNIT, Dynamic::from));
    map
}

/// Goes back to where the numbers were.
///
/// # Errors
/// A `ValueError` for what [`state`] did not give.
pub(crate) fn set_state(state: &Map) -> Result<()> {
    let words = state.get("words").and_then(convert::ints);
    let gauss = state.get("gauss_next").and_then(convert::float);
    let random = words.and_then(|words| Mt19937::from_words(&words, gauss));
    let random = random.ok_or_else(|| {
        Error::value("random.setstate(): this is no state of random")
            .help("take it from random.getstate()")
    })?;
    with(|held| *held = random);
    Ok(())
}

fn between(a: i64, b: i64, empty: impl Fn() -> String) -> Result<Dynamic> {
    // The width of i64's whole range needs one bit more than there is.
    let width = i128::from(b) - i128::from(a) + 1;
    match u64::try_from(width) {
        Ok(width) if width > 0 => Ok(a.wrapping_add(with(|r| r.below(width)) as i64).into()),
        Ok(_) | Err(_) if width <= 0 => Err(Error::value(empty())),
        _ => Ok((with(|random| random.bits(64)) as i64).into()),
    }
}

fn items(args: &Args<'_>, i: usize) -> Result<Array> {
    convert::items(args.get(i)).ok_or_else(|| args.mismatch(i, "an array or a range"))
}

fn choices(args: &mut Args<'_>) -> Result<Dynamic> {
    let items = items(args, 0)?;
    let k = args.int(2)?;
    if items.is_empty() {
        return Err(Error::index("choices(): the array is empty"));
    }
    if args.is_none(1) {
        let n = items.len() as f64;
        let pick = |_| items[(with(Mt19937::float) * n) as usize].clone();
        return Ok((0..k).map(pick).collect::<Array>().into());
    }
    let weights = args.floats(1)?;
    if weights.len() != items.len() {
        return Err(Error::value("choices(): the number of weights does not match the population"));
    }
    let mut total = 0.0;
    let sums = weights.iter().map(|weight| {
        total += weight;
        total
    });
    let sums: Vec<f64> = sums.collect();
    if !(total > 0.0 && total.is_finite()) {
        return Err(Error::value("choices(): the total of the weights must be greater than zero"));
    }
    let pick = |_| {
        let at = with(Mt19937::float) * total;
        items[sums.partition_point(|&sum| sum <= at).min(items.len() - 1)].clone()
    };
    Ok((0..k).map(pick).collect::<Array>().into())
}

fn sample(args: &mut Args<'_>) -> Result<Dynamic> {
    let mut pool = items(args, 0)?;
    let n = pool.len();
    let k = usize::try_from(args.int(1)?)
        .ok()
        .filter(|&k| k <= n)
        .ok_or_else(|| Error::value("sample(): larger sample than population or is negative"))?;
    // Python takes a set of indices where that is smaller than a copy of the population; the
    // numbers that are drawn differ, so the rule is kept.
    let mut set_size = 21.0;
    if k > 5 {
        set_size += 4f64.powf((k as f64 * 3.0).log(4.0).ceil());
    }
    let mut picked = Array::with_capacity(k);
    with(|random| {
        if n as f64 <= set_size {
            for i in 0..k {
                let j = random.below((n - i) as u64) as usize;
                picked.push(pool[j].clone());
                pool[j] = pool[n - i - 1].clone();
            }
        } else {
            let mut seen = HashSet::new();
            while seen.len() < k {
                let j = random.below(n as u64) as usize;
                if seen.insert(j) {
                    picked.push(pool[j].clone());
                }
            }
        }
    });
    Ok(picked.into())
}
