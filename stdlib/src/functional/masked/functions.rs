//! What scripts find under `torch.masked`.

use flambeau_runtime::script::Function;

use super::{Identity, arg, normalizations, op, reductions};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.masked.sum(Tensor input, int[1]? dim=None, *, bool? keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The sum of the elements where `mask` is true; 0 where there is none.",
        example: "torch.masked.sum(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: reductions::sum,
    },
    Function {
        schema: "torch.masked.prod(Tensor input, int[1]? dim=None, *, bool? keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The product of the elements where `mask` is true; 1 where there is none.",
        example: "torch.masked.prod(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: reductions::prod,
    },
    Function {
        schema: "torch.masked.amax(Tensor input, int[1]? dim=None, *, bool? keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The greatest of the elements where `mask` is true; the lowest of the dtype where there is none.",
        example: "torch.masked.amax(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: reductions::amax,
    },
    Function {
        schema: "torch.masked.amin(Tensor input, int[1]? dim=None, *, bool? keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The least of the elements where `mask` is true; the highest of the dtype where there is none.",
        example: "torch.masked.amin(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: reductions::amin,
    },
    Function {
        schema: "torch.masked.argmax(Tensor input, int? dim=None, *, bool? keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The index of the greatest of the elements where `mask` is true, in the input's dtype.",
        example: "torch.masked.argmax(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: |args| reductions::argument(args, "argmax", Identity::Lowest),
    },
    Function {
        schema: "torch.masked.argmin(Tensor input, int? dim=None, *, bool? keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The index of the least of the elements where `mask` is true, in the input's dtype.",
        example: "torch.masked.argmin(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: |args| reductions::argument(args, "argmin", Identity::Highest),
    },
    Function {
        schema: "torch.masked.mean(Tensor input, int[1]? dim=None, *, bool? keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The mean of the elements where `mask` is true; nan where there is none.",
        example: "torch.masked.mean(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: reductions::mean,
    },
    Function {
        schema: "torch.masked.median(Tensor input, int dim=-1, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The median of the elements where `mask` is true along one dimension, the lower of two; nan where there is none.",
        example: "torch.masked.median(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: reductions::median,
    },
    Function {
        schema: "torch.masked.logsumexp(Tensor input, int[1]? dim=None, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The logarithm of the sum of the exponentials of the elements where `mask` is true.",
        example: "torch.masked.logsumexp(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: reductions::logsumexp,
    },
    Function {
        schema: "torch.masked.norm(Tensor input, float? ord=2.0, int[1]? dim=None, *, bool? keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The norm of order `ord` of the elements where `mask` is true.",
        example: "torch.masked.norm(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: reductions::norm,
    },
    Function {
        schema: "torch.masked.var(Tensor input, int[1]? dim=None, bool? unbiased=None, *, float? correction=None, bool? keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The variance of the elements where `mask` is true. Divided is by their number less `correction`, which is 1, or 0 with \
              `unbiased: false`.",
        example: "torch.masked.var(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: |args| Ok(arg(&reductions::variance(args)?)),
    },
    Function {
        schema: "torch.masked.std(Tensor input, int[1]? dim=None, bool? unbiased=None, *, float? correction=None, bool? keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The standard deviation of the elements where `mask` is true. Divided is by their number less `correction`, which is 1, or 0 with \
              `unbiased: false`.",
        example: "torch.masked.std(torch.tensor([1.0, 2.0, 4.0]), mask: torch.tensor([true, false, true]))",
        call: |args| {
            let variance = reductions::variance(args)?;
            Ok(arg(&op(args.ctx(), "sqrt", [arg(&variance)], [])?))
        },
    },
    Function {
        schema: "torch.masked.cumsum(Tensor input, int dim, *, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The cumulative sum of the elements where `mask` is true; the others count as 0.",
        example: "torch.masked.cumsum(torch.tensor([1.0, 2.0, 4.0]), 0, mask: torch.tensor([true, false, true]))",
        call: |args| normalizations::cumulative(args, "cumsum", Identity::Zero),
    },
    Function {
        schema: "torch.masked.cumprod(Tensor input, int dim, *, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The cumulative product of the elements where `mask` is true; the others count as 1.",
        example: "torch.masked.cumprod(torch.tensor([1.0, 2.0, 4.0]), 0, mask: torch.tensor([true, false, true]))",
        call: |args| normalizations::cumulative(args, "cumprod", Identity::One),
    },
    Function {
        schema: "torch.masked.softmax(Tensor input, int dim, *, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The softmax of the elements where `mask` is true; the others become 0.",
        example: "torch.masked.softmax(torch.tensor([1.0, 2.0, 4.0]), 0, mask: torch.tensor([true, false, true]))",
        call: |args| normalizations::soft(args, "softmax", false),
    },
    Function {
        schema: "torch.masked.log_softmax(Tensor input, int dim, *, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The logarithm of the softmax of the elements where `mask` is true; the others become -inf.",
        example: "torch.masked.log_softmax(torch.tensor([1.0, 2.0, 4.0]), 0, mask: torch.tensor([true, false, true]))",
        call: |args| normalizations::soft(args, "log_softmax", false),
    },
    Function {
        schema: "torch.masked.softmin(Tensor input, int dim, *, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The softmax of the negatives of the elements where `mask` is true; the others become 0.",
        example: "torch.masked.softmin(torch.tensor([1.0, 2.0, 4.0]), 0, mask: torch.tensor([true, false, true]))",
        call: |args| normalizations::soft(args, "softmax", true),
    },
    Function {
        schema: "torch.masked.normalize(Tensor input, float ord, int dim, *, float eps=1e-12, ScalarType? dtype=None, Tensor? mask=None) -> Tensor",
        doc: "The elements where `mask` is true over their norm of order `ord`, at least `eps`; the others \
              become 0.",
        example: "torch.masked.normalize(torch.tensor([3.0, 2.0, 4.0]), 2.0, 0, mask: torch.tensor([true, false, true]))",
        call: normalizations::normalize,
    },
    Function {
        schema: "torch.masked.logaddexp(Tensor input, Tensor other, *, ScalarType? dtype=None, Tensor? input_mask=None, Tensor? other_mask=None) -> Tensor",
        doc: "The logarithm of the sum of the exponentials of two tensors; what a mask leaves out counts as \
              -inf.",
        example: "torch.masked.logaddexp(torch.zeros([3]), torch.ones([3]), other_mask: torch.tensor([true, false, true]))",
        call: normalizations::logaddexp,
    },
];
