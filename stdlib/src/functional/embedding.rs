//! Look-ups in tables of vectors.

use flambeau_runtime::error::Kind;
use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::torch::{Tensor, numel};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::common::{device, shape, sizes, value};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.nn.functional.embedding(Tensor input, Tensor weight, int? padding_idx=None, float? max_norm=None, float norm_type=2.0, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
        doc: "The rows of `weight` (V, D) at the indices of `input`. Row `padding_idx` gets no gradient; \
              rows longer than `max_norm` are shortened in place.",
        example: "F.embedding(torch.tensor([0, 2]), torch.randn([3, 4]))",
        call: embedding,
    },
    Function {
        schema: "torch.nn.functional.embedding_bag(Tensor input, Tensor weight, Tensor? offsets=None, float? max_norm=None, float norm_type=2, bool scale_grad_by_freq=False, str mode='mean', bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int? padding_idx=None) -> Tensor",
        doc: "The sum, mean or max of the rows of each bag: the rows of a 2-dimensional `input`, or what \
              lies between `offsets` of a 1-dimensional one.",
        example: "F.embedding_bag(torch.tensor([[0, 2], [1, 1]]), torch.randn([3, 4]), mode: \"sum\")",
        call: embedding_bag,
    },
];

fn renorm(weight: &Tensor, input: &tch::Tensor, max_norm: f64, norm_type: f64) -> Result<()> {
    let _ = tch::no_grad(|| weight.f_detach()?.f_embedding_renorm_(input, max_norm, norm_type))?;
    Ok(())
}

fn embedding(args: &mut Args<'_>) -> Result<Dynamic> {
    let (mut input, weight) = (args.tensor(0)?, args.tensor(1)?);
    let rows = sizes(&weight).first().copied().unwrap_or(0);
    let padding = match args.opt_int(2)? {
        None => -1,
        Some(i) if i >= rows || i < -rows => {
            return Err(Error::index("Padding_idx must be within num_embeddings")
                .help(format!("padding_idx is {i}, the weight has {rows} rows")));
        }
        Some(i) => i.rem_euclid(rows),
    };
    if let Some(max_norm) = args.opt_float(3)? {
        input = Tensor::from(input.f_contiguous()?);
        renorm(&weight, &input, max_norm, args.float(4)?)?;
    }
    let (by_frequency, sparse) = (args.bool(5)?, args.bool(6)?);
    Ok(value(tch::Tensor::f_embedding(&weight, &input, padding, by_frequency, sparse)?))
}

/// The length of the bags of a 2-dimensional input.
fn bag_of(input: &tch::Tensor) -> usize {
    sizes(input).get(1).and_then(|n| usize::try_from(*n).ok()).unwrap_or(1)
}

fn embedding_bag(args: &mut Args<'_>) -> Result<Dynamic> {
    let (input, weight) = (args.tensor(0)?, args.tensor(1)?);
    let (by_frequency, sparse) = (args.bool(5)?, args.bool(7)?);
    let samples = args.opt_tensor(8)?;
    if let Some(samples) = &samples
        && sizes(samples) != sizes(&input)
    {
        return Err(Error::shape(format!(
            "embedding_bag: If per_sample_weights ({}) is not None, then it must have the same shape \
             as the input ({})",
            shape(samples),
            shape(&input)
        )));
    }
    if weight.dim() != 2 {
        return Err(Error::shape(format!(
            "weight has to be a 2D Tensor, but got Tensor of dimension {}",
            weight.dim()
        )));
    }
    let offsets = args.opt_tensor(2)?;
    let mut include_last = args.bool(9)?;
    let (input, offsets, samples) = match (input.dim(), offsets) {
        (2, None) => {
            include_last = false;
            let (n, bag) = (numel(&input), bag_of(&input));
            let starts: Vec<i64> = (0..n as i64).step_by(bag.max(1)).collect();
            let offsets = tch::Tensor::f_from_slice(&starts)?
                .f_to_kind(input.f_kind()?)?
                .f_to_device(device(&input)?)?;
            let samples = samples.map(|samples| samples.f_reshape([-1i64])).transpose()?;
            (input.f_reshape([-1i64])?, offsets, samples)
        }
        (2, Some(_)) => {
            return Err(Error::value(
                "if input is 2D, then offsets has to be None, as input is treated as a mini-batch of \
                 fixed length sequences",
            ));
        }
        (1, Some(offsets)) if offsets.dim() == 1 => {
            (input.into_tch(), offsets.into_tch(), samples.map(Tensor::into_tch))
        }
        (1, _) => return Err(Error::value("offsets has to be a 1D Tensor")),
        (n, _) => {
            return Err(Error::shape(format!(
                "input has to be 1D or 2D Tensor, but got Tensor of dimension {n}"
            )));
        }
    };
    let mode = args.str(6)?;
    let mode = match mode.as_str() {
        "sum" => 0,
        "mean" => 1,
        "max" if by_frequency => {
            return Err(Error::value(
                "max mode does not support scaling the gradient by the frequency",
            ));
        }
        "max" if sparse => return Err(Error::value("max mode does not support sparse weights")),
        "max" => 2,
        _ => return Err(Error::value("mode has to be one of sum, mean or max")),
    };
    if let Some(max_norm) = args.opt_float(3)? {
        renorm(&weight, &input, max_norm, args.float(4)?)?;
    }
    if samples.is_some() && mode != 0 {
        return Err(Error::new(
            Kind::NotImplemented,
            "embedding_bag: per_sample_weights is only supported for mode='sum'",
        ));
    }
    let (bags, ..) = tch::Tensor::f_embedding_bag_padding_idx(
        &weight,
        &input,
        &offsets,
        by_frequency,
        mode,
        sparse,
        samples.as_ref(),
        include_last,
        args.opt_int(10)?,
    )?;
    Ok(value(bags))
}
