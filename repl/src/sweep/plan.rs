//! Which trials a sweep has.

use flambeau_experiments::Map;
use flambeau_experiments::sweep::SEED;
use serde_json::Value;

use super::options::Settings;
use super::problem::SweepProblem;
use super::values::{Draw, default, draw, list, value};

/// More trials are a mistake.
const MOST: usize = 1_000_000;

/// The parameters of all trials, in the order in which they are begun: those of the grid vary last first, seeds fastest.
///
/// # Errors
/// Names that the script does not declare, values of another kind, ranges without values.
pub fn plan(settings: &Settings, declared: &Map) -> Result<Vec<Map>, SweepProblem> {
    let mut fixed = Map::new();
    for (name, text) in &settings.fixed {
        fixed.insert(name.clone(), value(name, text, default(name, declared)?)?);
    }
    let mut axes: Vec<(&str, Vec<Value>)> = Vec::new();
    for (name, text) in &settings.grid {
        axes.push((name, list(name, text, default(name, declared)?)?));
    }
    let mut draws: Vec<(&str, Draw)> = Vec::new();
    for (name, text) in &settings.random {
        draws.push((name, draw(name, text, default(name, declared)?)?));
    }
    let seeds = match &settings.seeds {
        None => vec![None],
        Some(text) => seeds(text, declared, settings)?.into_iter().map(Some).collect(),
    };
    let count = axes
        .iter()
        .try_fold(settings.trials * seeds.len(), |n, (_, values)| n.checked_mul(values.len()));
    if count.is_none_or(|count| count > MOST) {
        return Err(SweepProblem::Wrong(format!("these are more than {MOST} trials")));
    }
    let mut random = fastrand::Rng::with_seed(settings.draw_seed);
    let mut trials = Vec::new();
    for _ in 0..settings.trials {
        let mut base = fixed.clone();
        for (name, draw) in &draws {
            base.insert((*name).to_owned(), draw.next(&mut random));
        }
        let mut combined = vec![base];
        for (name, values) in &axes {
            let with = |base: &Map| -> Vec<Map> {
                let one = |value: &Value| {
                    let mut params = base.clone();
                    params.insert((*name).to_owned(), value.clone());
                    params
                };
                values.iter().map(one).collect()
            };
            combined = combined.iter().flat_map(with).collect();
        }
        for params in combined {
            for seed in &seeds {
                let mut params = params.clone();
                if let Some(seed) = seed {
                    params.insert(SEED.to_owned(), seed.clone());
                }
                trials.push(params);
            }
        }
    }
    Ok(trials)
}

/// `5` is `0..5`.
fn seeds(text: &str, declared: &Map, settings: &Settings) -> Result<Vec<Value>, SweepProblem> {
    let given = settings.fixed.iter().chain(&settings.grid).chain(&settings.random);
    if given.into_iter().any(|(name, _)| name == SEED) {
        return Err(SweepProblem::Twice(SEED.to_owned()));
    }
    let default = default(SEED, declared)?;
    match text.trim().parse::<u32>() {
        Ok(count) => list(SEED, &format!("0..{count}"), default),
        Err(_) => list(SEED, text, default),
    }
}

/// The names that a sweep varies.
pub fn varied(settings: &Settings) -> Vec<String> {
    let names = settings.grid.iter().chain(&settings.random).map(|(name, _)| name.clone());
    names.chain(settings.seeds.as_ref().map(|_| SEED.to_owned())).collect()
}
