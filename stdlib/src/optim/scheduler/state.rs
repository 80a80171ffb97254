//! `state_dict` and `load_state_dict` of schedulers, with the keys of PyTorch's.

use flambeau_runtime::script::convert;
use flambeau_runtime::{Error, Result};
use rhai::{Array, Dynamic, Map};

use super::cyclic::{Cyclic, Scale};
use super::one_cycle::{OneCycle, Phase};
use super::{Rule, Scheduler};
use crate::optim::values::number;

/// Writes keys and values into a map.
struct Writer(Map);

impl Writer {
    fn put(&mut self, name: &str, value: Dynamic) {
        self.0.insert(name.into(), value);
    }

    fn float(&mut self, name: &str, value: f64) {
        self.put(name, Dynamic::from_float(value));
    }

    fn int(&mut self, name: &str, value: i64) {
        self.put(name, Dynamic::from_int(value));
    }

    fn bool(&mut self, name: &str, value: bool) {
        self.put(name, Dynamic::from_bool(value));
    }

    fn str(&mut self, name: &str, value: &str) {
        self.put(name, value.to_owned().into());
    }

    fn floats(&mut self, name: &str, values: &[f64]) {
        let list = values.iter().copied().map(Dynamic::from_float).collect();
        self.put(name, Dynamic::from_array(list));
    }
}

fn nothing(n: usize) -> Dynamic {
    Dynamic::from_array(vec![Dynamic::UNIT; n])
}

/// `scheduler.state_dict()`.
pub(crate) fn state_map(scheduler: &Scheduler) -> Result<Map> {
    let progress = scheduler.0.progress.borrow();
    let mut w = Writer(Map::new());
    w.floats("_last_lr", &progress.last_lr);
    let rule = scheduler.0.rule.borrow();
    if !matches!(&*rule, Rule::Chained(_)) {
        w.int("last_epoch", progress.last_epoch);
    }
    if !matches!(&*rule, Rule::Chained(_) | Rule::Sequential { .. } | Rule::Plateau(_)) {
        w.floats("base_lrs", &progress.base_lrs);
        w.int("_step_count", progress.step_count);
        w.bool("_get_lr_called_within_step", false);
        w.bool("_is_initial", false);
    }
    match &*rule {
        Rule::Lambda(closures) | Rule::Multiplicative(closures) => {
            w.put("lr_lambdas", nothing(closures.len()));
        }
        Rule::Step { step_size, gamma } => {
            w.int("step_size", *step_size);
            w.float("gamma", *gamma);
        }
        Rule::MultiStep { milestones, gamma } => {
            let mut counts = Map::new();
            for milestone in milestones {
                let n = milestones.iter().filter(|other| *other == milestone).count();
                counts.insert(milestone.to_string().into(), Dynamic::from_int(n as i64));
            }
            w.put("milestones", Dynamic::from_map(counts));
            w.float("gamma", *gamma);
        }
        Rule::Constant { factor, total_iters } => {
            w.float("factor", *factor);
            w.int("total_iters", *total_iters);
        }
        Rule::Linear { start_factor, end_factor, total_iters } => {
            w.float("start_factor", *start_factor);
            w.float("end_factor", *end_factor);
            w.int("total_iters", *total_iters);
        }
        Rule::Exponential { gamma } => w.float("gamma", *gamma),
        Rule::Polynomial { total_iters, power } => {
            w.int("total_iters", *total_iters);
            w.float("power", *power);
        }
        Rule::Cosine { t_max, eta_min } => {
            w.int("T_max", *t_max);
            w.float("eta_min", *eta_min);
        }
        Rule::WarmRestarts(rule) => {
            w.int("T_0", rule.t_0);
            w.int("T_i", rule.t_i);
            w.int("T_mult", rule.t_mult);
            w.float("eta_min", rule.eta_min);
            w.put("T_cur", whole(rule.t_cur));
        }
        Rule::Cyclic(rule) => write_cyclic(&mut w, rule),
        Rule::OneCycle(rule) => write_one_cycle(&mut w, rule),
        Rule::Plateau(rule) => {
            w.str("mode", if rule.minimise { "min" } else { "max" });
            w.float("factor", rule.factor);
            w.int("patience", rule.patience);
            w.float("threshold", rule.threshold);
            w.str("threshold_mode", if rule.relative { "rel" } else { "abs" });
            w.int("cooldown", rule.cooldown);
            w.int("cooldown_counter", rule.cooldown_counter);
            w.floats("min_lrs", &rule.min_lrs);
            let least = rule.default_min_lr.map_or(Dynamic::UNIT, Dynamic::from_float);
            w.put("default_min_lr", least);
            w.float("eps", rule.eps);
            w.float("best", rule.best);
            w.float("mode_worse", rule.worst());
            w.int("num_bad_epochs", rule.num_bad_epochs);
        }
        Rule::Sequential { schedulers, milestones } => {
            w.put("_schedulers", nested(schedulers)?);
            w.put("_milestones", convert::from_ints(milestones));
        }
        Rule::Chained(schedulers) => w.put("_schedulers", nested(schedulers)?),
    }
    Ok(w.0)
}

/// Epochs are whole unless a restart was reached by a jump.
fn whole(x: f64) -> Dynamic {
    if x.fract() == 0.0 { Dynamic::from_int(x as i64) } else { Dynamic::from_float(x) }
}

fn nested(schedulers: &[Scheduler]) -> Result<Dynamic> {
    let maps: Result<Array> =
        schedulers.iter().map(|scheduler| Ok(Dynamic::from_map(state_map(scheduler)?))).collect();
    Ok(Dynamic::from_array(maps?))
}

fn write_cyclic(w: &mut Writer, rule: &Cyclic) {
    w.floats("base_lrs", &rule.base_lrs);
    w.floats("max_lrs", &rule.max_lrs);
    w.float("total_size", rule.total_size);
    w.float("step_ratio", rule.step_ratio);
    w.str("mode", &rule.mode);
    w.float("gamma", rule.gamma);
    w.str("scale_mode", if rule.by_cycle { "cycle" } else { "iterations" });
    w.put("_scale_fn_custom", Dynamic::UNIT);
    w.bool("cycle_momentum", rule.momentum.is_some());
    if let Some((least, most)) = &rule.momentum {
        w.bool("use_beta1", rule.use_beta1);
        w.floats("base_momentums", least);
        w.floats("max_momentums", most);
    }
}

fn write_one_cycle(w: &mut Writer, rule: &OneCycle) {
    w.int("total_steps", rule.total_steps);
    w.str("_anneal_func_type", if rule.cosine { "cos" } else { "linear" });
    w.bool("cycle_momentum", rule.cycle_momentum);
    if rule.cycle_momentum {
        w.bool("use_beta1", rule.use_beta1);
    }
    let phases = rule.phases.iter().map(|phase| {
        let mut map = Writer(Map::new());
        map.float("end_step", phase.end_step);
        map.str("start_lr", phase.start_lr);
        map.str("end_lr", phase.end_lr);
        map.str("start_momentum", phase.start_momentum);
        map.str("end_momentum", phase.end_momentum);
        Dynamic::from_map(map.0)
    });
    w.put("_schedule_phases", Dynamic::from_array(phases.collect()));
}

/// Reads values by key; keys that are not there leave what is.
struct Reader<'a>(&'a Map);

impl Reader<'_> {
    fn float(&self, name: &str, into: &mut f64) -> Result<()> {
        match self.0.get(name).filter(|value| !value.is_unit()) {
            None => Ok(()),
            Some(value) => {
                *into = number(value).ok_or_else(|| wrong(name, "a number"))?;
                Ok(())
            }
        }
    }

    fn int(&self, name: &str, into: &mut i64) -> Result<()> {
        let mut float = *into as f64;
        self.float(name, &mut float)?;
        *into = float as i64;
        Ok(())
    }

    fn bool(&self, name: &str, into: &mut bool) -> Result<()> {
        if let Some(value) = self.0.get(name) {
            *into = value.as_bool().map_err(|_| wrong(name, "a bool"))?;
        }
        Ok(())
    }

    fn floats(&self, name: &str, into: &mut Vec<f64>) -> Result<()> {
        if let Some(value) = self.0.get(name) {
            let list = convert::items(value).ok_or_else(|| wrong(name, "a list"))?;
            let numbers: Option<Vec<f64>> = list.iter().map(number).collect();
            *into = numbers.ok_or_else(|| wrong(name, "a list of numbers"))?;
        }
        Ok(())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(convert::string)
    }
}

fn wrong(name: &str, expected: &str) -> Error {
    Error::type_(format!("'{name}' of a scheduler's state dict must be {expected}"))
}

/// `scheduler.load_state_dict(map)`.
///
/// # Errors
/// A `TypeError` for values of the wrong type, a `ValueError` for another number of schedulers.
pub(crate) fn load(scheduler: &Scheduler, map: &Map) -> Result<()> {
    let r = Reader(map);
    let mut progress = scheduler.0.progress.borrow().clone();
    r.floats("base_lrs", &mut progress.base_lrs)?;
    r.floats("_last_lr", &mut progress.last_lr)?;
    r.int("last_epoch", &mut progress.last_epoch)?;
    r.int("_step_count", &mut progress.step_count)?;
    match &mut *scheduler.0.rule.borrow_mut() {
        Rule::Lambda(_) | Rule::Multiplicative(_) => {}
        Rule::Step { step_size, gamma } => {
            r.int("step_size", step_size)?;
            r.float("gamma", gamma)?;
        }
        Rule::MultiStep { milestones, gamma } => {
            read_milestones(map, milestones)?;
            r.float("gamma", gamma)?;
        }
        Rule::Constant { factor, total_iters } => {
            r.float("factor", factor)?;
            r.int("total_iters", total_iters)?;
        }
        Rule::Linear { start_factor, end_factor, total_iters } => {
            r.float("start_factor", start_factor)?;
            r.float("end_factor", end_factor)?;
            r.int("total_iters", total_iters)?;
        }
        Rule::Exponential { gamma } => r.float("gamma", gamma)?,
        Rule::Polynomial { total_iters, power } => {
            r.int("total_iters", total_iters)?;
            r.float("power", power)?;
        }
        Rule::Cosine { t_max, eta_min } => {
            r.int("T_max", t_max)?;
            r.float("eta_min", eta_min)?;
        }
        Rule::WarmRestarts(rule) => {
            r.int("T_0", &mut rule.t_0)?;
            r.int("T_i", &mut rule.t_i)?;
            r.int("T_mult", &mut rule.t_mult)?;
            r.float("eta_min", &mut rule.eta_min)?;
            r.float("T_cur", &mut rule.t_cur)?;
        }
        Rule::Cyclic(rule) => read_cyclic(&r, rule)?,
        Rule::OneCycle(rule) => read_one_cycle(&r, rule)?,
        Rule::Plateau(rule) => {
            if let Some(mode) = r.text("mode") {
                rule.minimise = mode == "min";
            }
            if let Some(mode) = r.text("threshold_mode") {
                rule.relative = mode == "rel";
            }
            r.float("factor", &mut rule.factor)?;
            r.int("patience", &mut rule.patience)?;
            r.float("threshold", &mut rule.threshold)?;
            r.int("cooldown", &mut rule.cooldown)?;
            r.int("cooldown_counter", &mut rule.cooldown_counter)?;
            r.floats("min_lrs", &mut rule.min_lrs)?;
            r.float("eps", &mut rule.eps)?;
            r.float("best", &mut rule.best)?;
            r.int("num_bad_epochs", &mut rule.num_bad_epochs)?;
        }
        Rule::Sequential { schedulers, milestones } => {
            if let Some(list) = map.get("_milestones").and_then(convert::ints) {
                *milestones = list;
            }
            read_nested(map, schedulers)?;
        }
        Rule::Chained(schedulers) => read_nested(map, schedulers)?,
    }
    *scheduler.0.progress.borrow_mut() = progress;
    Ok(())
}

fn read_milestones(map: &Map, milestones: &mut Vec<i64>) -> Result<()> {
    let Some(value) = map.get("milestones") else { return Ok(()) };
    let expected = || wrong("milestones", "a map of counts");
    let counts = value.read_lock::<Map>().ok_or_else(expected)?;
    let mut list = Vec::new();
    for (epoch, count) in counts.iter() {
        let epoch: i64 = epoch.parse().map_err(|_| expected())?;
        let count = count.as_int().map_err(|_| expected())?;
        list.extend(std::iter::repeat_n(epoch, usize::try_from(count).unwrap_or(0)));
    }
    list.sort_unstable();
    *milestones = list;
    Ok(())
}

fn read_cyclic(r: &Reader<'_>, rule: &mut Cyclic) -> Result<()> {
    r.floats("base_lrs", &mut rule.base_lrs)?;
    r.floats("max_lrs", &mut rule.max_lrs)?;
    r.float("total_size", &mut rule.total_size)?;
    r.float("step_ratio", &mut rule.step_ratio)?;
    r.float("gamma", &mut rule.gamma)?;
    if let Some(mode) = r.text("mode") {
        if !matches!(rule.scale, Scale::Own(_)) {
            rule.scale = match mode.as_str() {
                "triangular2" => Scale::Triangular2,
                "exp_range" => Scale::ExpRange,
                _ => Scale::Triangular,
            };
        }
        rule.mode = mode;
    }
    if let Some(mode) = r.text("scale_mode") {
        rule.by_cycle = mode == "cycle";
    }
    r.bool("use_beta1", &mut rule.use_beta1)?;
    if let Some((least, most)) = &mut rule.momentum {
        r.floats("base_momentums", least)?;
        r.floats("max_momentums", most)?;
    }
    Ok(())
}

fn read_one_cycle(r: &Reader<'_>, rule: &mut OneCycle) -> Result<()> {
    r.int("total_steps", &mut rule.total_steps)?;
    r.bool("cycle_momentum", &mut rule.cycle_momentum)?;
    r.bool("use_beta1", &mut rule.use_beta1)?;
    if let Some(strategy) = r.text("_anneal_func_type") {
        rule.cosine = strategy == "cos";
    }
    let Some(saved) = r.0.get("_schedule_phases").and_then(convert::items) else { return Ok(()) };
    // The settings between which a phase runs follow from their number; only the ends are numbers.
    let mut phases: Vec<Phase> = super::one_cycle::phases(rule.total_steps, 0.3, saved.len() == 3);
    for (phase, saved) in phases.iter_mut().zip(&saved) {
        let saved = saved.read_lock::<Map>().ok_or_else(|| wrong("_schedule_phases", "maps"))?;
        Reader(&saved).float("end_step", &mut phase.end_step)?;
    }
    rule.phases = phases;
    Ok(())
}

fn read_nested(map: &Map, schedulers: &[Scheduler]) -> Result<()> {
    let Some(saved) = map.get("_schedulers").and_then(convert::items) else { return Ok(()) };
    if saved.len() != schedulers.len() {
        return Err(Error::value(format!(
            "the state dict has {} schedulers, this scheduler {}",
            saved.len(),
            schedulers.len()
        )));
    }
    for (scheduler, saved) in schedulers.iter().zip(&saved) {
        let saved = saved.read_lock::<Map>().ok_or_else(|| wrong("_schedulers", "maps"))?;
        load(scheduler, &saved)?;
    }
    Ok(())
}
