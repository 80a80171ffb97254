//! L-BFGS (Liu & Nocedal, 1989): a quasi-Newton method with a closure that evaluates the loss.

use flambeau_runtime::torch::numel;
use std::cell::RefCell;

use flambeau_runtime::script::{Context, convert};
use flambeau_runtime::torch::Tensor as Handle;
use flambeau_runtime::{Error, Result};
use rhai::{Array, Dynamic, Map};
use tch::Tensor;

use super::foreach::add_one_;
use super::line_search::strong_wolfe;
use super::lists::real;
use super::optimizer::{GradMode, Optimizer};
use super::rounded::Rounded;
use super::values::number;
use crate::functional::common::{copy, device};
use crate::functional::numbers::WithNumber;

/// `optim.LBFGS`: one state for all parameters.
#[derive(Default)]
pub(crate) struct Lbfgs(RefCell<State>);

/// What is remembered between steps.
#[derive(Default)]
struct State {
    evaluations: i64,
    iterations: i64,
    /// Direction, step size, and the pairs of gradient and position differences.
    direction: Option<Tensor>,
    t: Option<Rounded>,
    grads: Vec<Tensor>,
    moves: Vec<Tensor>,
    ro: Vec<Rounded>,
    diagonal: Option<Rounded>,
    previous_grad: Option<Tensor>,
    previous_loss: Option<Rounded>,
}

impl State {
    fn again(&self) -> State {
        let list = |list: &[Tensor]| list.iter().map(Tensor::shallow_clone).collect();
        State {
            direction: self.direction.as_ref().map(Tensor::shallow_clone),
            grads: list(&self.grads),
            moves: list(&self.moves),
            ro: self.ro.clone(),
            previous_grad: self.previous_grad.as_ref().map(Tensor::shallow_clone),
            ..*self
        }
    }
}

/// The element of a tensor that has one.
fn element(tensor: &Tensor) -> Result<Rounded> {
    Ok(Rounded { value: tensor.f_double_value(&[])?, single: tensor.f_kind()? == tch::Kind::Float })
}

/// The inner product of two vectors.
pub(crate) fn dot(a: &Tensor, b: &Tensor) -> Result<Rounded> {
    element(&a.f_dot(b)?)
}

/// The largest magnitude of a vector's elements.
pub(crate) fn largest(vector: &Tensor) -> Result<Rounded> {
    element(&vector.f_abs()?.f_max()?)
}

/// The parameters, read and moved as one vector.
struct Parameters(Vec<Tensor>);

impl Parameters {
    fn grad(&self) -> Result<Tensor> {
        let mut parts = Vec::with_capacity(self.0.len());
        for param in &self.0 {
            let grad = param.f_grad()?;
            let flat = if !grad.defined() {
                let options = (param.f_kind()?, device(param)?);
                Tensor::f_zeros([numel(param) as i64], options)?
            } else if grad.is_sparse() {
                grad.f_to_dense(None, false)?.f_reshape([-1i64])?
            } else {
                grad.f_reshape([-1i64])?
            };
            parts.push(real(&flat, flat.is_complex())?.f_reshape([-1i64])?);
        }
        Ok(Tensor::f_cat(&parts, 0)?)
    }

    /// Adds `t * direction`.
    fn advance(&self, t: Rounded, direction: &Tensor) -> Result<()> {
        let mut offset = 0;
        for param in &self.0 {
            let param = real(param, param.is_complex())?;
            let length = numel(&param) as i64;
            let part = direction.f_narrow(0, offset, length)?.f_view_as(&param)?;
            add_one_(&param, &part, t.value)?;
            offset += length;
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<Tensor>> {
        self.0.iter().map(|param| copy(&param.f_detach()?)).collect()
    }

    fn restore(&self, saved: &[Tensor]) -> Result<()> {
        for (param, saved) in self.0.iter().zip(saved) {
            param.shallow_clone().f_copy_(saved)?;
        }
        Ok(())
    }
}

impl Lbfgs {
    /// One step: up to `max_iter` directions, each with as many evaluations as the line search takes.
    pub(crate) fn step(
        &self,
        optimizer: &Optimizer,
        closure: Option<&Dynamic>,
        ctx: &Context<'_>,
    ) -> Result<Dynamic> {
        let closure = closure.ok_or_else(|| {
            Error::type_("LBFGS.step() misses argument 'closure'")
                .help("opt.step(|| { opt.zero_grad(); let loss = …; loss.backward(); loss })")
        })?;
        let evaluate = || -> Result<(Dynamic, Rounded)> {
            let _mode = GradMode::set(true);
            let result = ctx.call(closure, Vec::new())?;
            let loss = number(&result).ok_or_else(|| {
                Error::type_(format!(
                    "the closure of LBFGS must give the loss, not {}",
                    convert::type_name(&result)
                ))
            })?;
            Ok((result, Rounded::float(loss)))
        };
        let (values, params) = {
            let groups = optimizer.groups();
            let data = groups[0].data();
            let params = data.params.iter().map(|param| param.shallow_clone()).collect();
            (data.values.clone(), Parameters(params))
        };
        let _mode = GradMode::set(false);
        let lr = Rounded::float(values.float("lr")?);
        let (max_iter, max_eval) = (values.int("max_iter")?, values.int("max_eval")?);
        let history = values.int("history_size")?;
        let (grad_tolerance, change_tolerance) =
            (values.float("tolerance_grad")?, values.float("tolerance_change")?);
        let search = match values.get("line_search_fn").and_then(convert::string) {
            None => false,
            Some(name) if name == "strong_wolfe" => true,
            Some(_) => return Err(Error::value("only 'strong_wolfe' is supported")),
        };
        let (result, mut loss) = evaluate()?;
        let mut state = self.0.borrow().again();
        let mut evaluations = 1;
        state.evaluations += 1;
        let mut grad = params.grad()?;
        if largest(&grad)? <= grad_tolerance {
            let mut own = self.0.borrow_mut();
            own.evaluations = state.evaluations;
            return Ok(result);
        }
        let mut iteration = 0;
        while iteration < max_iter {
            ctx.check()?;
            iteration += 1;
            state.iterations += 1;
            let direction = state.next_direction(&grad, history)?;
            state.previous_grad = Some(copy(&grad)?);
            state.previous_loss = Some(loss);
            let mut t = match state.iterations {
                1 => {
                    let total = element(&grad.f_abs()?.f_sum(None)?)?;
                    Rounded::float(1.0).min(Rounded::float(1.0) / total) * lr
                }
                _ => lr,
            };
            let slope = dot(&grad, &direction)?;
            state.direction = Some(direction.shallow_clone());
            state.t = Some(t);
            if slope > -change_tolerance {
                break;
            }
            let mut optimal = false;
            let mut used = 0;
            let before = loss;
            if search {
                let saved = params.save()?;
                let mut at = |t: Rounded| -> Result<(Rounded, Tensor)> {
                    params.advance(t, &direction)?;
                    let outcome = evaluate();
                    let grad = params.grad();
                    params.restore(&saved)?;
                    Ok((outcome?.1, grad?))
                };
                let start = (loss, &grad, slope);
                let found = strong_wolfe(&mut at, t, &direction, start, max_eval - evaluations)?;
                (loss, grad, t, used) = (found.loss, found.grad, found.t, found.evaluations);
                params.advance(t, &direction)?;
                optimal = largest(&grad)? <= grad_tolerance;
            } else {
                params.advance(t, &direction)?;
                if iteration != max_iter {
                    loss = evaluate()?.1;
                    grad = params.grad()?;
                    optimal = largest(&grad)? <= grad_tolerance;
                    used = 1;
                }
            }
            state.t = Some(t);
            evaluations += used;
            state.evaluations += used;
            let moved = element(&direction.mul_number(t.value)?.f_abs()?.f_max()?)?;
            if iteration == max_iter
                || evaluations >= max_eval
                || optimal
                || moved <= change_tolerance
                || (loss - before).abs() < change_tolerance
            {
                break;
            }
        }
        *self.0.borrow_mut() = state;
        Ok(result)
    }

    /// The state by PyTorch's names; `None` before the first step.
    pub(crate) fn state_map(&self) -> Option<Map> {
        let state = self.0.borrow();
        if state.evaluations == 0 {
            return None;
        }
        let tensor = |t: &Tensor| Dynamic::from(Handle::from(t.shallow_clone()));
        let rounded = |x: &Rounded| Dynamic::from_float(x.value);
        let list = |list: &[Tensor]| Dynamic::from_array(list.iter().map(tensor).collect());
        let mut map = Map::new();
        map.insert("func_evals".into(), Dynamic::from_int(state.evaluations));
        map.insert("n_iter".into(), Dynamic::from_int(state.iterations));
        if state.iterations > 0 {
            let optional = |t: &Option<Tensor>| t.as_ref().map_or(Dynamic::UNIT, tensor);
            let number = |x: &Option<Rounded>| x.as_ref().map_or(Dynamic::UNIT, rounded);
            map.insert("d".into(), optional(&state.direction));
            map.insert("t".into(), number(&state.t));
            map.insert("old_dirs".into(), list(&state.grads));
            map.insert("old_stps".into(), list(&state.moves));
            let ro: Array = state.ro.iter().map(rounded).collect();
            map.insert("ro".into(), Dynamic::from_array(ro));
            map.insert("H_diag".into(), number(&state.diagonal));
            map.insert("prev_flat_grad".into(), optional(&state.previous_grad));
            map.insert("prev_loss".into(), number(&state.previous_loss));
        }
        Some(map)
    }

    /// Takes over what [`Lbfgs::state_map`] or PyTorch wrote; nothing starts anew.
    pub(crate) fn load(&self, map: Option<&Map>) -> Result<()> {
        let mut state = State::default();
        if let Some(map) = map {
            let tensor = |name: &str| -> Result<Option<Tensor>> {
                map.get(name).and_then(convert::tensor).map(|t| copy(&t)).transpose()
            };
            let tensors = |name: &str| -> Result<Vec<Tensor>> {
                let list = map.get(name).and_then(convert::tensors).unwrap_or_default();
                list.iter().map(|t| copy(t)).collect()
            };
            state.direction = tensor("d")?;
            // Numbers that PyTorch keeps as tensors have the gradient's precision.
            let single = match &state.direction {
                Some(direction) => direction.f_kind()? == tch::Kind::Float,
                None => false,
            };
            let rounded = |value: &Dynamic| {
                number(value).map(|value| Rounded {
                    value,
                    single: single && f64::from(value as f32) == value,
                })
            };
            let counted = |name: &str| map.get(name).and_then(convert::int).unwrap_or(0);
            state.evaluations = counted("func_evals");
            state.iterations = counted("n_iter");
            state.t = map.get("t").and_then(rounded);
            state.grads = tensors("old_dirs")?;
            state.moves = tensors("old_stps")?;
            let ro = map.get("ro").and_then(convert::items).unwrap_or_default();
            state.ro = ro.iter().filter_map(rounded).collect();
            state.diagonal = map.get("H_diag").and_then(rounded);
            state.previous_grad = tensor("prev_flat_grad")?;
            state.previous_loss = map.get("prev_loss").and_then(number).map(Rounded::float);
            let pairs = state.grads.len();
            if state.moves.len() != pairs || state.ro.len() != pairs {
                return Err(Error::value(
                    "'old_dirs', 'old_stps' and 'ro' of the state dict differ in length",
                ));
            }
        }
        *self.0.borrow_mut() = state;
        Ok(())
    }
}

impl State {
    /// Minus the gradient through the approximate inverse Hessian (the two-loop recursion), after the
    /// last move was added to the history.
    fn next_direction(&mut self, grad: &Tensor, history: i64) -> Result<Tensor> {
        let (Some(direction), Some(t), Some(previous)) =
            (&self.direction, self.t, &self.previous_grad)
        else {
            self.diagonal = Some(Rounded::float(1.0));
            return Ok(grad.f_neg()?);
        };
        let y = grad.f_sub(previous)?;
        let s = direction.mul_number(t.value)?;
        let ys = dot(&y, &s)?;
        if ys > 1e-10 {
            if self.grads.len() as i64 >= history && !self.grads.is_empty() {
                drop((self.grads.remove(0), self.moves.remove(0), self.ro.remove(0)));
            }
            self.diagonal = Some(ys / dot(&y, &y)?);
            self.ro.push(Rounded::float(1.0) / ys);
            self.grads.push(y);
            self.moves.push(s);
        }
        let q = grad.f_neg()?;
        let mut al = vec![Rounded::float(0.0); self.grads.len()];
        for i in (0..self.grads.len()).rev() {
            al[i] = dot(&self.moves[i], &q)? * self.ro[i];
            add_one_(&q, &self.grads[i], -al[i].value)?;
        }
        let r = q.mul_number(self.diagonal.map_or(1.0, |x| x.value))?;
        for (i, al) in al.iter().enumerate() {
            let be = dot(&self.grads[i], &r)? * self.ro[i];
            add_one_(&r, &self.moves[i], (*al - be).value)?;
        }
        Ok(r)
    }
}
