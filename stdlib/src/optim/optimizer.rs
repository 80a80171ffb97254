//! `Optimizer`: parameter groups, their state, and the step over them.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use flambeau_runtime::script::{Context, Object, convert};
use flambeau_runtime::torch::{grad_enabled, grad_fn_name, set_grad, set_grad_enabled};
use flambeau_runtime::{Error, Result};
use rhai::{Dynamic, Map};

use super::algorithm::{Algorithm, Work};
use super::foreach;
use super::group::{GroupData, ParamGroup};
use super::lbfgs::Lbfgs;
use super::lists::{Bucket, Choice, ParamState, prepare, real};
use super::params::{items_of, named, same};
use super::values::Values;

/// How parameters are updated.
pub(crate) enum Method {
    /// By lists, one step at a time.
    Lists(&'static dyn Algorithm),
    /// By repeated evaluation of a closure.
    Lbfgs(Lbfgs),
}

/// What is remembered about a group: state by parameter, and the lists prepared from it.
#[derive(Default)]
pub(crate) struct Memory {
    pub states: Vec<ParamState>,
    pub buckets: Vec<Bucket>,
    /// Which parameters the buckets hold.
    pub present: Vec<bool>,
    pub choice: Choice,
}

impl Memory {
    /// Forgets the lists, after the state was changed from outside.
    pub(crate) fn unprepare(&mut self) {
        self.buckets.clear();
        self.present.clear();
    }
}

pub(crate) struct OptimizerData {
    pub method: Method,
    pub defaults: Values,
    pub groups: RefCell<Vec<ParamGroup>>,
    pub memories: RefCell<Vec<Memory>>,
    /// Whether a step was made since a scheduler last asked.
    pub stepped: Cell<bool>,
}

/// An optimiser; a clone is the same optimiser.
#[derive(Clone)]
pub struct Optimizer(pub(crate) Rc<OptimizerData>);

/// Records gradients, or not, until dropped.
pub(crate) struct GradMode(bool);

impl GradMode {
    pub(crate) fn set(on: bool) -> GradMode {
        let before = grad_enabled();
        set_grad_enabled(on);
        GradMode(before)
    }
}

impl Drop for GradMode {
    fn drop(&mut self) {
        set_grad_enabled(self.0);
    }
}

impl Optimizer {
    /// An optimiser over `params`: tensors, (name, tensor) pairs, or maps with `params` and settings.
    ///
    /// # Errors
    /// A `TypeError` or `ValueError` for what cannot be optimised.
    pub(crate) fn new(
        method: Method,
        params: &Dynamic,
        defaults: Values,
        ctx: &Context<'_>,
    ) -> Result<Optimizer> {
        let optimizer = Optimizer(Rc::new(OptimizerData {
            method,
            defaults,
            groups: RefCell::default(),
            memories: RefCell::default(),
            stepped: Cell::new(false),
        }));
        let items = items_of(params, ctx)?;
        if items.is_empty() {
            return Err(Error::value("optimizer got an empty parameter list"));
        }
        if items[0].is::<Map>() {
            for item in items {
                let found = convert::type_name(&item);
                let group = item.try_cast::<Map>().ok_or_else(|| {
                    Error::type_(format!("param_group must be a map, but got {found}"))
                })?;
                optimizer.add_group(group, ctx)?;
            }
        } else {
            let mut group = Map::new();
            group.insert("params".into(), Dynamic::from_array(items));
            optimizer.add_group(group, ctx)?;
        }
        optimizer.prime()?;
        Ok(optimizer)
    }

    /// PyTorch's class name.
    pub(crate) fn name(&self) -> &'static str {
        match &self.0.method {
            Method::Lists(algorithm) => algorithm.name(),
            Method::Lbfgs(_) => "LBFGS",
        }
    }

    /// Whether both are the same optimiser.
    pub(crate) fn same(&self, other: &Optimizer) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn groups(&self) -> Ref<'_, Vec<ParamGroup>> {
        self.0.groups.borrow()
    }

    /// `add_param_group`.
    pub(crate) fn add_group(&self, mut group: Map, ctx: &Context<'_>) -> Result<()> {
        let params = group.remove("params").ok_or_else(|| {
            Error::key("a parameter group needs 'params'").help("#{params: [w, b], lr: 0.1}")
        })?;
        let items = match convert::tensor(&params) {
            Some(one) => vec![Dynamic::from(one)],
            None => items_of(&params, ctx)?,
        };
        let (params, names) = named(&items)?;
        for param in &params {
            if param.requires_grad() && grad_fn_name(param).is_some() {
                return Err(Error::value("can't optimize a non-leaf Tensor").help(
                    "give the optimizer the tensor that was made with requires_grad, not one computed \
                     from it",
                ));
            }
        }
        for known in self.groups().iter() {
            let known = known.data();
            if known.names.is_some() != names.is_some() {
                let text = if names.is_some() { "with names" } else { "without names" };
                return Err(Error::value(format!(
                    "all optimizer param groups should be with/without names. cannot add param group \
                     {text} to the optimizer"
                )));
            }
            if known.params.iter().any(|a| params.iter().any(|b| same(a, b))) {
                return Err(Error::value(
                    "some parameters appear in more than one parameter group",
                ));
            }
        }
        let mut values: Values =
            group.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        for (name, value) in self.0.defaults.iter() {
            values.set_default(name, value);
        }
        let states = params.iter().map(|_| ParamState::default()).collect();
        self.0.memories.borrow_mut().push(Memory { states, ..Memory::default() });
        self.0.groups.borrow_mut().push(ParamGroup::new(GroupData { params, names, values }));
        Ok(())
    }

    /// Makes the state that PyTorch makes at once.
    fn prime(&self) -> Result<()> {
        let Method::Lists(algorithm) = &self.0.method else { return Ok(()) };
        let _mode = GradMode::set(false);
        for (group, memory) in self.groups().iter().zip(self.0.memories.borrow_mut().iter_mut()) {
            let data = group.data();
            let choice = choice_of(*algorithm, &data.values)?;
            let all: Vec<usize> = (0..data.params.len()).collect();
            let slots = algorithm.slots().len();
            // Only what primes keeps its lists: the others make state at their first gradient.
            let mut states: Vec<ParamState> = all.iter().map(|_| ParamState::default()).collect();
            let mut buckets = prepare(&data.params, &mut states, &all, slots, choice)?;
            let mut primed = false;
            for bucket in &mut buckets {
                let mut work = Work { bucket, states: &mut states };
                primed |= algorithm.prime(&data.values, &mut work)?;
            }
            if primed {
                let present = vec![true; all.len()];
                *memory = Memory { states, buckets, present, choice };
            }
        }
        Ok(())
    }

    /// One step, with gradients as they are or as the closure leaves them.
    pub(crate) fn step(&self, closure: Option<&Dynamic>, ctx: &Context<'_>) -> Result<Dynamic> {
        self.0.stepped.set(true);
        let algorithm = match &self.0.method {
            Method::Lists(algorithm) => *algorithm,
            Method::Lbfgs(method) => return method.step(self, closure, ctx),
        };
        let loss = match closure {
            None => Dynamic::UNIT,
            Some(closure) => {
                let _mode = GradMode::set(true);
                ctx.call(closure, Vec::new())?
            }
        };
        let _mode = GradMode::set(false);
        let mut memories = self.0.memories.borrow_mut();
        for (group, memory) in self.groups().iter().zip(memories.iter_mut()) {
            step_group(algorithm, &group.data(), memory)?;
        }
        Ok(loss)
    }

    /// `zero_grad`.
    pub(crate) fn zero_grad(&self, set_to_none: bool) -> Result<()> {
        let mut grads = Vec::new();
        for group in self.groups().iter() {
            for param in &group.data().params {
                let mut grad = param.f_grad()?;
                if !grad.defined() {
                    continue;
                }
                if set_to_none {
                    set_grad(param, None)?;
                    continue;
                }
                let mut grad = grad.f_detach_()?;
                if grad.is_sparse() {
                    let _ = grad.f_zero_()?;
                } else {
                    grads.push(grad);
                }
            }
        }
        if grads.is_empty() {
            return Ok(());
        }
        let _mode = GradMode::set(false);
        foreach::zero_(&grads)
    }
}

/// How this group's step is made.
fn choice_of(algorithm: &dyn Algorithm, values: &Values) -> Result<Choice> {
    let (fused, foreach) = (values.flag("fused")?, values.flag("foreach")?);
    if values.bool("differentiable")? {
        return Err(Error::new(
            flambeau_runtime::Kind::NotImplemented,
            "differentiable=True is not supported: the step is not recorded for autograd",
        ));
    }
    Ok(Choice {
        fused: match (fused, foreach) {
            (Some(fused), _) => Some(fused),
            (None, Some(_)) => Some(false),
            (None, None) => None,
        },
        capturable: values.bool("capturable")?,
        counts: algorithm.counts(),
        kernel: algorithm.kernel(),
    })
}

fn step_group(algorithm: &dyn Algorithm, data: &GroupData, memory: &mut Memory) -> Result<()> {
    let choice = choice_of(algorithm, &data.values)?;
    let mut grads: Vec<Option<tch::Tensor>> = Vec::with_capacity(data.params.len());
    for (i, param) in data.params.iter().enumerate() {
        let grad = param.f_grad()?;
        if !grad.defined() {
            grads.push(None);
        } else if grad.is_sparse() {
            algorithm.update_sparse(&data.values, param, &grad, &mut memory.states[i])?;
            grads.push(None);
        } else {
            grads.push(Some(grad));
        }
    }
    let unchanged = memory.choice == choice
        && memory.present.len() == grads.len()
        && memory.present.iter().zip(&grads).all(|(known, grad)| *known == grad.is_some());
    if !unchanged {
        let places: Vec<usize> = (0..grads.len()).filter(|&i| grads[i].is_some()).collect();
        let slots = algorithm.slots().len();
        memory.buckets = prepare(&data.params, &mut memory.states, &places, slots, choice)?;
        memory.present = grads.iter().map(Option::is_some).collect();
        memory.choice = choice;
    }
    for bucket in &mut memory.buckets {
        for &member in &bucket.members {
            if let Some(grad) = grads[member].take() {
                let grad = real(&grad, bucket.complex)?;
                // The kernels walk memory from start to end; what is contiguous stays as it is.
                bucket.grads.push(if bucket.fused { grad.f_contiguous()? } else { grad });
            }
        }
        let outcome =
            algorithm.update(&data.values, &mut Work { bucket, states: &mut memory.states });
        bucket.grads.clear();
        outcome?;
    }
    Ok(())
}

impl Object for Optimizer {
    const TYPE: &'static str = "Optimizer";

    fn display(&self) -> String {
        let mut text = format!("{} (\n", self.name());
        for (i, group) in self.groups().iter().enumerate() {
            text.push_str(&format!("Parameter Group {i}\n{}", group.lines()));
            if i + 1 < self.groups().len() {
                text.push('\n');
            }
        }
        text.push(')');
        text
    }

    fn attribute(&self, name: &str, _: &Context<'_>) -> Result<Option<Dynamic>> {
        Ok(match name {
            "param_groups" => Some(Dynamic::from_array(
                self.groups().iter().cloned().map(Dynamic::from).collect(),
            )),
            "defaults" => {
                let defaults = self.0.defaults.iter();
                Some(Dynamic::from_map(
                    defaults.map(|(name, value)| (name.into(), value.clone())).collect(),
                ))
            }
            "state" => Some(Dynamic::from(super::state::OptimizerState(self.clone()))),
            _ => None,
        })
    }

    fn set_attribute(&self, name: &str, value: Dynamic, _: &Context<'_>) -> Result<bool> {
        if name != "param_groups" {
            return Ok(false);
        }
        // `opt.param_groups[0].lr = x` ends by writing the list back: that must be the same groups.
        let groups = self.groups();
        let same = convert::items(&value).is_some_and(|items| {
            items.len() == groups.len()
                && items.iter().zip(groups.iter()).all(|(item, group)| {
                    item.read_lock::<ParamGroup>().is_some_and(|item| item.same(group))
                })
        });
        if same {
            return Ok(true);
        }
        Err(Error::value("param_groups cannot be replaced").help(
            "change settings of a group (opt.param_groups[0].lr = 0.1) or add one with \
             opt.add_param_group(#{params: …})",
        ))
    }

    fn attributes(&self) -> Vec<String> {
        ["param_groups", "defaults", "state"].map(str::to_owned).to_vec()
    }
}
