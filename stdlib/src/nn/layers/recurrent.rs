//! Recurrent networks: RNN, LSTM, GRU and their cells.

use flambeau_runtime::torch::{Tensor, sizes};
use std::sync::Arc;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function, Results, convert};
use rhai::Dynamic;

use super::super::class::{Call, Class, Forward, constructors, value};
use super::super::factory::Factory;
use super::super::init;
use super::super::module::{Module, State};
use crate::functional::common::device;

const STACK: Class = Class {
    inputs: &["input", "hx?"],
    repr: "*input_size, *hidden_size, proj_size?0, num_layers?1, bias?True, batch_first?False, \
           dropout?0|0.0, bidirectional?False",
    ..Class::LAYER
};
const CELL: Class = Class {
    inputs: &["input", "hx?"],
    repr: "*input_size, *hidden_size, bias?True, nonlinearity?tanh",
    ..Class::LAYER
};

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.RNN(int input_size, int hidden_size, int num_layers=1, str nonlinearity='tanh', bool bias=True, bool batch_first=False, float dropout=0.0, bool bidirectional=False, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Elman network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh). Input (L, N, input_size), \
              or (N, L, input_size) with batch_first, or (L, input_size); gives [output, h_n]. \
              Parameters `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, …",
        example: "let rnn = nn.RNN(10, 20, 2);\nlet r = rnn(torch.randn([5, 3, 10]));\nr[0].shape",
        build: |module, args| stack(module, args, 1),
        forward: Forward::Native(run),
        ..STACK
    },
    Class {
        schema: "nn.LSTM(int input_size, int hidden_size, int num_layers=1, bool bias=True, bool batch_first=False, float dropout=0.0, bool bidirectional=False, int proj_size=0, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Long short-term memory: Hochreiter and Schmidhuber (1997). Gives [output, [h_n, c_n]]; \
              `hx` is [h_0, c_0].",
        example: "let rnn = nn.LSTM(10, 20, 2);\nlet r = rnn(torch.randn([5, 3, 10]));\nr[1][0].shape",
        build: |module, args| stack(module, args, 4),
        forward: Forward::Native(run_lstm),
        ..STACK
    },
    Class {
        schema: "nn.GRU(int input_size, int hidden_size, int num_layers=1, bool bias=True, bool batch_first=False, float dropout=0.0, bool bidirectional=False, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Gated recurrent unit: Cho et al. (2014). Gives [output, h_n].",
        example: "let rnn = nn.GRU(10, 20, 2);\nlet r = rnn(torch.randn([5, 3, 10]));\nr[1].shape",
        build: |module, args| stack(module, args, 3),
        forward: Forward::Native(run),
        ..STACK
    },
    Class {
        schema: "nn.RNNCell(int input_size, int hidden_size, bool bias=True, str nonlinearity='tanh', Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "One step of an Elman network: (N, input_size) and (N, hidden_size) to (N, hidden_size).",
        example: "nn.RNNCell(10, 20)(torch.randn([3, 10]), torch.randn([3, 20])).shape",
        build: |module, args| cell(module, args, 1),
        forward: Forward::Native(|call| {
            let relu = match call.state().text("nonlinearity")?.as_str() {
                "tanh" => false,
                "relu" => true,
                other => return Err(Error::value(format!("Unknown nonlinearity: {other}"))),
            };
            step(call, |x, h, w| {
                let (ih, hh, b_ih, b_hh) = w;
                if relu {
                    x.f_rnn_relu_cell(h, ih, hh, b_ih, b_hh)
                } else {
                    x.f_rnn_tanh_cell(h, ih, hh, b_ih, b_hh)
                }
            })
        }),
        ..CELL
    },
    Class {
        schema: "nn.LSTMCell(int input_size, int hidden_size, bool bias=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "One step of an LSTM; `hx` is [h, c], and so is the result.",
        example: "nn.LSTMCell(10, 20)(torch.randn([3, 10]))[0].shape",
        build: |module, args| cell(module, args, 4),
        forward: Forward::Native(step_lstm),
        ..CELL
    },
    Class {
        schema: "nn.GRUCell(int input_size, int hidden_size, bool bias=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "One step of a GRU.",
        example: "nn.GRUCell(10, 20)(torch.randn([3, 10]), torch.randn([3, 20])).shape",
        build: |module, args| cell(module, args, 3),
        forward: Forward::Native(|call| {
            step(call, |x, h, (ih, hh, b_ih, b_hh)| x.f_gru_cell(h, ih, hh, b_ih, b_hh))
        }),
        ..CELL
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

/// Parameters of a stack of layers with `gates` gates, started from U(-√k, √k), k = 1 / hidden_size.
fn stack(module: &Module, args: &mut Args<'_>, gates: i64) -> Result<()> {
    let (inputs, hidden) = (args.int(0)?, args.int(1)?);
    let (layers, bias, bidirectional, proj) = {
        let state = module.state();
        let dropout = state.float("dropout")?;
        if !(0.0..=1.0).contains(&dropout) {
            return Err(Error::value(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed",
            ));
        }
        let proj = if state.is_none("proj_size") { 0 } else { state.int("proj_size")? };
        (state.int("num_layers")?, state.bool("bias")?, state.bool("bidirectional")?, proj)
    };
    for (name, size) in [("input_size", inputs), ("hidden_size", hidden), ("num_layers", layers)] {
        if size <= 0 {
            return Err(Error::value(format!("{name} must be greater than zero")));
        }
    }
    if proj < 0 {
        return Err(Error::value(
            "proj_size should be a positive integer or zero to disable projections",
        ));
    }
    if proj >= hidden {
        return Err(Error::value("proj_size has to be smaller than hidden_size"));
    }
    let mode = match module.name() {
        "RNN" => match module.state().text("nonlinearity")?.as_str() {
            "tanh" => "RNN_TANH",
            "relu" => "RNN_RELU",
            other => {
                return Err(Error::value(format!(
                    "Unknown nonlinearity '{other}'. Select from 'tanh' or 'relu'."
                )));
            }
        },
        "GRU" => "GRU",
        _ => "LSTM",
    };
    module.put("mode", mode)?;
    module.put("proj_size", proj)?;
    let factory = Factory::of(args)?;
    let directions: &[&str] = if bidirectional { &["", "_reverse"] } else { &[""] };
    let out = if proj > 0 { proj } else { hidden };
    for layer in 0..layers {
        let width = if layer == 0 { inputs } else { out * directions.len() as i64 };
        for direction in directions {
            let mut shapes = vec![
                ("weight_ih", vec![gates * hidden, width]),
                ("weight_hh", vec![gates * hidden, out]),
            ];
            if bias {
                shapes.push(("bias_ih", vec![gates * hidden]));
                shapes.push(("bias_hh", vec![gates * hidden]));
            }
            if proj > 0 {
                shapes.push(("weight_hr", vec![proj, hidden]));
            }
            for (kind, shape) in shapes {
                let name = format!("{kind}_l{layer}{direction}");
                module.put_parameter(&name, Some(factory.parameter(&shape)?))?;
            }
        }
    }
    start(module, hidden)
}

fn start(module: &Module, hidden: i64) -> Result<()> {
    let bound = if hidden > 0 { 1.0 / (hidden as f64).sqrt() } else { 0.0 };
    for parameter in module.parameters() {
        init::uniform(&parameter, -bound, bound)?;
    }
    Ok(())
}

fn cell(module: &Module, args: &mut Args<'_>, gates: i64) -> Result<()> {
    let (inputs, hidden) = (args.int(0)?, args.int(1)?);
    let factory = Factory::of(args)?;
    module.put_parameter("weight_ih", Some(factory.parameter(&[gates * hidden, inputs])?))?;
    module.put_parameter("weight_hh", Some(factory.parameter(&[gates * hidden, hidden])?))?;
    for name in ["bias_ih", "bias_hh"] {
        let bias = if args.bool(2)? { Some(factory.parameter(&[gates * hidden])?) } else { None };
        module.put_parameter(name, bias)?;
    }
    start(module, hidden)
}

/// What a stack reads from its settings on each call.
struct Stack {
    weights: Vec<Tensor>,
    bias: bool,
    layers: i64,
    dropout: f64,
    bidirectional: bool,
    batch_first: bool,
    hidden: i64,
    out: i64,
}

impl Stack {
    fn read(state: &State) -> Result<Self> {
        let own = |name: &str| name.starts_with("weight_") || name.starts_with("bias_");
        let parameters = state.parameters.iter().filter(|(name, _)| own(name));
        let weights = parameters.filter_map(|(_, tensor)| tensor.clone()).collect();
        let hidden = state.int("hidden_size")?;
        let proj = state.int("proj_size")?;
        Ok(Stack {
            weights,
            bias: state.bool("bias")?,
            layers: state.int("num_layers")?,
            dropout: state.float("dropout")?,
            bidirectional: state.bool("bidirectional")?,
            batch_first: state.bool("batch_first")?,
            hidden,
            out: if proj > 0 { proj } else { hidden },
        })
    }

    /// The input with a batch dimension, and where that was added.
    fn batched(&self, call: &Call<'_>) -> Result<(tch::Tensor, Option<i64>)> {
        let input = call.tensor(0)?;
        let name = call.module.name();
        let added = match input.dim() {
            3 => None,
            2 => Some(if self.batch_first { 0 } else { 1 }),
            dims => {
                return Err(Error::value(format!(
                    "{name}: Expected input to be 2D or 3D, got {dims}D instead"
                )));
            }
        };
        if let Some(weight) = self.weights.first()
            && weight.dtype() != input.dtype()
        {
            return Err(Error::value(format!(
                "RNN input dtype ({}) does not match weight dtype ({})",
                input.dtype(),
                weight.dtype()
            ))
            .help("convert the input or the model with .to(dtype)"));
        }
        let size = call.state().int("input_size")?;
        let found = sizes(&input).last().copied().unwrap_or(0);
        if found != size {
            return Err(Error::shape(format!(
                "input.size(-1) must be equal to input_size. Expected {size}, got {found}"
            )));
        }
        Ok((if let Some(dim) = added { input.f_unsqueeze(dim)? } else { input.tch() }, added))
    }

    /// The starting state: the one given, checked, or zeros.
    fn start(
        &self,
        given: Option<&Tensor>,
        input: &tch::Tensor,
        single: bool,
        width: i64,
        label: &str,
    ) -> Result<tch::Tensor> {
        let batch = sizes(input)[usize::from(!self.batch_first)];
        let directions = if self.bidirectional { 2 } else { 1 };
        let expected = [self.layers * directions, batch, width];
        let Some(given) = given else {
            return Ok(tch::Tensor::f_zeros(expected, (input.f_kind()?, device(input)?))?);
        };
        let dims = given.dim();
        let (kind, wanted) = if single { ("unbatched 2-D", 2) } else { ("batched 3-D", 3) };
        if dims != wanted {
            return Err(Error::shape(format!(
                "For {kind} input, {label} should also be {wanted}-D but got {dims}-D tensor"
            )));
        }
        let start = if single { given.f_unsqueeze(1)? } else { given.tch() };
        if sizes(&start) != expected {
            return Err(Error::shape(format!(
                "Expected {label} size {expected:?}, got {:?}",
                sizes(&start)
            )));
        }
        Ok(start)
    }
}

/// Two results, by position and by name.
fn results(call: &Call<'_>, output: tch::Tensor, hidden: Dynamic) -> Dynamic {
    Dynamic::from(Results {
        name: call.module.name().into(),
        names: Arc::from(["output".to_owned(), "hidden".to_owned()]),
        values: vec![value(output), hidden],
    })
}

fn run(call: &Call<'_>) -> Result<Dynamic> {
    let state = call.state();
    let s = Stack::read(&state)?;
    let (input, added) = s.batched(call)?;
    let hx = s.start(call.opt_tensor(1)?.as_ref(), &input, added.is_some(), s.out, "hx")?;
    let training = call.module.training();
    let w: Vec<&tch::Tensor> = s.weights.iter().map(AsRef::as_ref).collect();
    let (n, p, two, first) = (s.layers, s.dropout, s.bidirectional, s.batch_first);
    let (output, hidden) = match state.text("mode")?.as_str() {
        "GRU" => input.f_gru(&hx, &w, s.bias, n, p, training, two, first)?,
        "RNN_RELU" => input.f_rnn_relu(&hx, &w, s.bias, n, p, training, two, first)?,
        _ => input.f_rnn_tanh(&hx, &w, s.bias, n, p, training, two, first)?,
    };
    match added {
        None => Ok(results(call, output, value(hidden))),
        Some(dim) => Ok(results(call, output.f_squeeze_dim(dim)?, value(hidden.f_squeeze_dim(1)?))),
    }
}

/// The pair [h, c], or `None` for `()`.
fn pair(call: &Call<'_>, i: usize) -> Result<Option<(Tensor, Tensor)>> {
    if call.value(i).is_unit() {
        return Ok(None);
    }
    let tensors = convert::tensors(call.value(i)).unwrap_or_default();
    match <[Tensor; 2]>::try_from(tensors) {
        Ok([h, c]) => Ok(Some((h, c))),
        Err(_) => Err(call.mismatch(i, "[h, c], two tensors")),
    }
}

fn run_lstm(call: &Call<'_>) -> Result<Dynamic> {
    let state = call.state();
    let s = Stack::read(&state)?;
    let (input, added) = s.batched(call)?;
    let given = pair(call, 1)?;
    let (h, c) = given.as_ref().map_or((None, None), |(h, c)| (Some(h), Some(c)));
    let single = added.is_some();
    let h = s.start(h, &input, single, s.out, "hidden[0]")?;
    let c = s.start(c, &input, single, s.hidden, "hidden[1]")?;
    let training = call.module.training();
    let w: Vec<&tch::Tensor> = s.weights.iter().map(AsRef::as_ref).collect();
    let (n, p, two, first) = (s.layers, s.dropout, s.bidirectional, s.batch_first);
    let (output, h, c) = input.f_lstm(&[&h, &c], &w, s.bias, n, p, training, two, first)?;
    let (output, h, c) = match added {
        None => (output, h, c),
        Some(dim) => (output.f_squeeze_dim(dim)?, h.f_squeeze_dim(1)?, c.f_squeeze_dim(1)?),
    };
    Ok(results(call, output, Dynamic::from_array(vec![value(h), value(c)])))
}

type Weights<'a> =
    (&'a tch::Tensor, &'a tch::Tensor, Option<&'a tch::Tensor>, Option<&'a tch::Tensor>);

fn cell_weights(state: &State) -> Result<Weights<'_>> {
    Ok((
        state.parameter("weight_ih")?,
        state.parameter("weight_hh")?,
        state.opt_parameter("bias_ih").map(AsRef::as_ref),
        state.opt_parameter("bias_hh").map(AsRef::as_ref),
    ))
}

/// A tensor of a cell with a batch dimension; whether it had none.
fn cell_input(call: &Call<'_>, tensor: &Tensor, label: &str) -> Result<(tch::Tensor, bool)> {
    match tensor.dim() {
        1 => Ok((tensor.f_unsqueeze(0)?, true)),
        2 => Ok((tensor.tch(), false)),
        dims => Err(Error::value(format!(
            "{}: Expected {label} to be 1D or 2D, got {dims}D instead",
            call.module.name()
        ))),
    }
}

fn step(
    call: &Call<'_>,
    run: impl Fn(&tch::Tensor, &tch::Tensor, Weights<'_>) -> Result<tch::Tensor, tch::TchError>,
) -> Result<Dynamic> {
    let state = call.state();
    let (input, single) = cell_input(call, &*call.tensor(0)?, "input")?;
    let hx = match call.opt_tensor(1)? {
        Some(hx) => cell_input(call, &hx, "hidden")?.0,
        None => zeros(&state, &input)?,
    };
    let out = run(&input, &hx, cell_weights(&state)?)?;
    Ok(value(if single { out.f_squeeze_dim(0)? } else { out }))
}

fn zeros(state: &State, input: &tch::Tensor) -> Result<tch::Tensor> {
    let shape = [sizes(input)[0], state.int("hidden_size")?];
    Ok(tch::Tensor::f_zeros(shape, (input.f_kind()?, device(input)?))?)
}

fn step_lstm(call: &Call<'_>) -> Result<Dynamic> {
    let state = call.state();
    let (input, single) = cell_input(call, &*call.tensor(0)?, "input")?;
    let (h, c) = match pair(call, 1)? {
        Some((h, c)) => (cell_input(call, &h, "hx[0]")?.0, cell_input(call, &c, "hx[1]")?.0),
        None => (zeros(&state, &input)?, zeros(&state, &input)?),
    };
    let (ih, hh, b_ih, b_hh) = cell_weights(&state)?;
    let (h, c) = input.f_lstm_cell(&[&h, &c], ih, hh, b_ih, b_hh)?;
    let (h, c) = if single { (h.f_squeeze_dim(0)?, c.f_squeeze_dim(0)?) } else { (h, c) };
    Ok(Dynamic::from_array(vec![value(h), value(c)]))
}
