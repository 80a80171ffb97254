//! Distances between vectors.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::Function;

use super::super::class::{self, Class, Forward, constructors, value};
use super::super::module::Module;

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.PairwiseDistance(float p=2.0, float eps=1e-06, bool keepdim=False) -> Module",
        doc: "The p-norm of x1 - x2 + eps over the last dimension.",
        example: "nn.PairwiseDistance()(torch.randn([3, 5]), torch.randn([3, 5]))",
        build: |module, args| {
            let mut state = module.state_mut()?;
            // PyTorch keeps it under this name.
            let p = args.get(0).clone();
            let _ = state.attributes.remove("p");
            state.attributes.set("norm", p);
            Ok(())
        },
        inputs: &["x1", "x2"],
        forward: Forward::Native(|call| {
            let state = call.state();
            let (norm, eps) = (state.float("norm")?, state.float("eps")?);
            let (x1, x2) = (call.tensor(0)?, call.tensor(1)?);
            let keep = state.bool("keepdim")?;
            Ok(value(tch::Tensor::f_pairwise_distance(&x1, &x2, norm, eps, keep)?))
        }),
        ..Class::LAYER
    },
    Class {
        schema: "nn.CosineSimilarity(int dim=1, float eps=1e-08) -> Module",
        doc: "x1 · x2 / max(‖x1‖ ‖x2‖, eps) along `dim`.",
        example: "nn.CosineSimilarity()(torch.randn([3, 5]), torch.randn([3, 5]))",
        inputs: &["x1", "x2"],
        forward: Forward::Native(|call| {
            let state = call.state();
            let (dim, eps) = (state.int("dim")?, state.float("eps")?);
            let (x1, x2) = (call.tensor(0)?, call.tensor(1)?);
            Ok(value(tch::Tensor::f_cosine_similarity(&x1, &x2, dim, eps)?))
        }),
        ..Class::LAYER
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

/// `nn.PairwiseDistance()`.
pub(crate) fn pairwise() -> Result<Module> {
    let name = "nn.PairwiseDistance";
    let class = class::find(name).ok_or_else(|| Error::name(name))?;
    let module = Module::new(class, class.name());
    module.put("norm", 2.0)?;
    module.put("eps", 1e-6)?;
    module.put("keepdim", false)?;
    Ok(module)
}
