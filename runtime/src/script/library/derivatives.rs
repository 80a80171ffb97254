//! `torch.autograd.functional`: Jacobians and Hessians of closures, and a check of gradients by differences.

use rhai::{Array, Dynamic};

use crate::error::{Error, Kind, Result};
use crate::script::context::Context;
use crate::script::convert;
use crate::script::function::{Args, Function};
use crate::torch::autograd::{Mode, ModeGuard};
use crate::torch::{NativeArgument, NativeOperator, Tensor, shim};

/// A tensor, or several: results have the form of what was given.
struct Tensors {
    list: Vec<Tensor>,
    several: bool,
}

impl Tensors {
    fn read(value: &Dynamic, what: &str) -> Result<Tensors> {
        let several = !value.is::<Tensor>();
        match convert::tensors(value) {
            Some(list) => Ok(Tensors { list, several }),
            None => Err(Error::type_(format!(
                "{what} must be a tensor or an array of tensors, not {}",
                convert::type_name(value)
            ))),
        }
    }

    /// Calls the closure with these tensors.
    fn call(&self, function: &Dynamic, ctx: &Context<'_>) -> Result<Tensors> {
        let args = self.list.iter().cloned().map(Dynamic::from).collect();
        Tensors::read(&ctx.call(function, args)?, "what the closure gives")
    }

    /// Fresh leaves with the same elements; views of the tensors where their graph goes on.
    fn leaves(&self, keep_graph: bool) -> Result<Tensors> {
        let fresh = |tensor: &Tensor| -> Result<Tensor> {
            if keep_graph && tensor.requires_grad() {
                return Ok(Tensor::from(tensor.f_view_as(tensor)?));
            }
            Ok(Tensor::from(tensor.f_detach()?.f_requires_grad_(true)?))
        };
        let list = self.list.iter().map(fresh).collect::<Result<_>>()?;
        Ok(Tensors { list, several: self.several })
    }
}

fn wrap(mut list: Array, several: bool) -> Dynamic {
    if several { Dynamic::from_array(list) } else { list.pop().unwrap_or_default() }
}

/// The gradients of one element for all inputs; zeros where it does not depend on one.
fn gradients(element: &tch::Tensor, inputs: &Tensors, create: bool) -> Result<Vec<tch::Tensor>> {
    let refs: Vec<&tch::Tensor> = inputs.list.iter().map(AsRef::as_ref).collect();
    let found = if element.requires_grad() {
        let options = shim::GradOptions { retain: true, create, allow_unused: true };
        shim::grad(&[element], &[None], &refs, options)?
    } else {
        refs.iter().map(|_| None).collect()
    };
    found
        .into_iter()
        .zip(&refs)
        .map(|(grad, input)| grad.map_or_else(|| Ok(input.f_zeros_like()?), Ok))
        .collect()
}

/// For each output, for each input: the derivatives, of shape `[*output, *input]`.
fn jacobians(outputs: &Tensors, inputs: &Tensors, create: bool) -> Result<Vec<Vec<Tensor>>> {
    let mut all = Vec::new();
    for output in &outputs.list {
        let flat = output.f_reshape([-1])?;
        let mut rows: Vec<Vec<tch::Tensor>> = inputs.list.iter().map(|_| Vec::new()).collect();
        for i in 0..shim::sizes(&flat)[0] {
            let grads = gradients(&flat.f_select(0, i)?, inputs, create)?;
            rows.iter_mut().zip(grads).for_each(|(row, grad)| row.push(grad));
        }
        let mut of_output = Vec::new();
        for (row, input) in rows.iter().zip(&inputs.list) {
            let mut shape = shim::sizes(output);
            shape.extend(shim::sizes(input));
            of_output.push(Tensor::from(match row.is_empty() {
                true => output.f_new_zeros(&shape, (output.f_kind()?, output.device()))?,
                false => tch::Tensor::f_stack(row, 0)?.f_reshape(&shape)?,
            }));
        }
        all.push(of_output);
    }
    Ok(all)
}

/// Nested arrays of derivatives, where there are several outputs or inputs.
fn nested(rows: Vec<Vec<Tensor>>, outputs_several: bool, inputs_several: bool) -> Dynamic {
    let rows = rows
        .into_iter()
        .map(|row| wrap(row.into_iter().map(Dynamic::from).collect(), inputs_several))
        .collect();
    wrap(rows, outputs_several)
}

fn jacobian(args: &mut Args<'_>) -> Result<Dynamic> {
    let function = args.callable(0)?;
    let create = args.bool(2)?;
    let _guard = ModeGuard::enter(Mode::EnableGrad);
    let inputs = Tensors::read(args.get(1), "inputs")?.leaves(create)?;
    let outputs = inputs.call(&function, args.ctx())?;
    let rows = jacobians(&outputs, &inputs, create)?;
    Ok(nested(rows, outputs.several, inputs.several))
}

fn hessian(args: &mut Args<'_>) -> Result<Dynamic> {
    let function = args.callable(0)?;
    let create = args.bool(2)?;
    let _guard = ModeGuard::enter(Mode::EnableGrad);
    let inputs = Tensors::read(args.get(1), "inputs")?.leaves(create)?;
    let output = inputs.call(&function, args.ctx())?;
    let one = match output.list.as_slice() {
        [one] if shim::sizes(one).iter().product::<i64>() == 1 => one.f_reshape([0i64; 0])?,
        _ => {
            let message = "hessian() needs a closure that gives one number";
            return Err(Error::new(Kind::Runtime, message));
        }
    };
    let first = gradients(&one, &inputs, true)?.into_iter().map(Tensor::from).collect();
    let first = Tensors { list: first, several: inputs.several };
    let rows = jacobians(&first, &inputs, create)?;
    Ok(nested(rows, inputs.several, inputs.several))
}

/// An operator between a tensor and a number. tch's own take its `Scalar`, whose destructor panics
/// when the operator fails.
fn with_number(operator: &str, x: &tch::Tensor, number: f64) -> Result<tch::Tensor> {
    let operator = NativeOperator::find(operator, "Scalar")?;
    let mut results = operator.call(&[NativeArgument::Tensor(x), NativeArgument::Float(number)])?;
    results.pop().ok_or_else(|| Error::type_("an operator gave no tensor"))
}

/// The derivatives of the outputs for the elements of one input, by central differences.
fn differences(
    inputs: &Tensors,
    which: usize,
    eps: f64,
    mut run: impl FnMut(&Tensors) -> Result<Tensors>,
) -> Result<Vec<tch::Tensor>> {
    let _guard = ModeGuard::enter(Mode::NoGrad);
    let shape = shim::sizes(&inputs.list[which]);
    let mut columns: Vec<Vec<tch::Tensor>> = Vec::new();
    for i in 0..shape.iter().product() {
        let mut moved = |by: f64| -> Result<Tensors> {
            let mut list = inputs.list.clone();
            let flat = list[which].f_detach_copy()?.f_reshape([-1])?;
            let _ = with_number("add_", &flat.f_select(0, i)?, by)?;
            list[which] = Tensor::from(flat.f_reshape(&shape)?);
            run(&Tensors { list, several: inputs.several })
        };
        let (up, down) = (moved(eps)?, moved(-eps)?);
        columns.resize_with(up.list.len(), Vec::new);
        for ((up, down), column) in up.list.iter().zip(&down.list).zip(&mut columns) {
            column.push(with_number("div", &up.f_sub(down)?, 2.0 * eps)?.f_reshape([-1])?);
        }
    }
    columns.iter().map(|column| Ok(tch::Tensor::f_stack(column, 1)?)).collect()
}

fn gradcheck(args: &mut Args<'_>) -> Result<Dynamic> {
    let function = args.callable(0)?;
    let (eps, atol, rtol) = (args.float(2)?, args.float(3)?, args.float(4)?);
    let inputs = Tensors::read(args.get(1), "inputs")?;
    if !inputs.list.iter().any(|input| input.requires_grad()) {
        return Err(Error::value("gradcheck() needs an input that requires grad"));
    }
    let _guard = ModeGuard::enter(Mode::EnableGrad);
    let outputs = inputs.call(&function, args.ctx())?;
    let analytic = jacobians(&outputs, &inputs, false)?;
    for (which, input) in inputs.list.iter().enumerate().filter(|(_, x)| x.requires_grad()) {
        let numeric = differences(&inputs, which, eps, |moved| moved.call(&function, args.ctx()))?;
        for (o, numeric) in numeric.iter().enumerate() {
            let analytic = analytic[o][which].f_reshape(shim::sizes(numeric))?;
            if numeric.f_allclose(&analytic, rtol, atol, false)? {
                continue;
            }
            if !args.bool(5)? {
                return Ok(Dynamic::FALSE);
            }
            let far = numeric.f_sub(&analytic)?.f_abs()?.f_max()?.f_double_value(&[])?;
            return Err(Error::new(
                Kind::Runtime,
                format!(
                    "the gradient of output {o} for input {which} ({}) is off by up to {far}",
                    input.describe()
                ),
            )
            .help("inputs should be float64; is the closure smooth there?"));
        }
    }
    Ok(Dynamic::TRUE)
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.autograd.functional.jacobian(Function func, Any inputs, bool create_graph=False) -> Any",
        doc: "The derivatives of all outputs of a closure for all inputs: of shape `[*output, *input]`, in \
              arrays where there are several. \
              <https://pytorch.org/docs/stable/generated/torch.autograd.functional.jacobian.html>",
        example: "let x = torch.tensor([1.0, 2.0]);\nprint(torch.autograd.functional.jacobian(|x| x * x, x));",
        call: jacobian,
    },
    Function {
        schema: "torch.autograd.functional.hessian(Function func, Any inputs, bool create_graph=False) -> Any",
        doc: "The second derivatives of a closure that gives one number. \
              <https://pytorch.org/docs/stable/generated/torch.autograd.functional.hessian.html>",
        example: "let x = torch.tensor([1.0, 2.0]);\nprint(torch.autograd.functional.hessian(|x| (x * x * x).sum(), x));",
        call: hessian,
    },
    Function {
        schema: "torch.autograd.gradcheck(Function func, Any inputs, float eps=1e-06, float atol=1e-05, \
                 float rtol=0.001, bool raise_exception=True) -> bool",
        doc: "Compares the gradients of a closure with central differences, for inputs in float64 that \
              require grad. <https://pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html>",
        example: "let x = torch.tensor([1.0, 2.0], dtype: torch.float64, requires_grad: true);\nprint(torch.autograd.gradcheck(|x| x.sin(), x));",
        call: gradcheck,
    },
];
