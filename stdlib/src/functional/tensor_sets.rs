//! Unique elements, with the results that were asked for.

use flambeau_runtime::Result;
use flambeau_runtime::script::{Args, Function};
use rhai::Dynamic;

use super::common::{value, values};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.unique(Tensor input, bool sorted=True, bool return_inverse=False, bool return_counts=False, int? dim=None) -> Any",
        doc: "The unique elements (or slices along `dim`); with `return_inverse` and `return_counts` a list \
              that also holds where each element went and how often each occurs.",
        example: "torch.unique(torch.tensor([3, 1, 3]), return_counts: true)",
        call: unique,
    },
    Function {
        schema: "Tensor.unique(Tensor self, bool sorted=True, bool return_inverse=False, bool return_counts=False, int? dim=None) -> Any",
        doc: "The unique elements, as torch.unique.",
        example: "torch.tensor([3, 1, 3]).unique()",
        call: unique,
    },
    Function {
        schema: "torch.unique_consecutive(Tensor input, bool return_inverse=False, bool return_counts=False, int? dim=None) -> Any",
        doc: "The elements without those that equal the one before; further results as torch.unique.",
        example: "torch.unique_consecutive(torch.tensor([1, 1, 2, 1]))",
        call: unique_consecutive,
    },
    Function {
        schema: "Tensor.unique_consecutive(Tensor self, bool return_inverse=False, bool return_counts=False, int? dim=None) -> Any",
        doc: "The elements without those that equal the one before.",
        example: "torch.tensor([1, 1, 2, 1]).unique_consecutive()",
        call: unique_consecutive,
    },
];

fn unique(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, sorted) = (args.tensor(0)?, args.bool(1)?);
    let (inverse, counts) = (args.bool(2)?, args.bool(3)?);
    let found = match args.opt_int(4)? {
        Some(dim) => x.f_unique_dim(dim, sorted, inverse, counts)?,
        None => x.f_internal_unique2(sorted, inverse, counts)?,
    };
    Ok(asked(found, inverse, counts))
}

fn unique_consecutive(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, inverse, counts) = (args.tensor(0)?, args.bool(1)?, args.bool(2)?);
    let found = x.f_unique_consecutive(inverse, counts, args.opt_int(3)?)?;
    Ok(asked(found, inverse, counts))
}

/// The elements alone, or a list with what was asked for.
fn asked(
    (elements, places, numbers): (tch::Tensor, tch::Tensor, tch::Tensor),
    inverse: bool,
    counts: bool,
) -> Dynamic {
    if !inverse && !counts {
        return value(elements);
    }
    let places = inverse.then_some(places);
    let numbers = counts.then_some(numbers);
    values([Some(elements), places, numbers].into_iter().flatten())
}
