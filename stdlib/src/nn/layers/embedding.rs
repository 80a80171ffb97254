//! Embedding tables.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::torch::{Tensor, sizes};
use rhai::Dynamic;

use super::super::class::{self, Call, Class, Forward, constructors, value};
use super::super::factory::Factory;
use super::super::init;
use super::super::module::Module;
use super::super::tensors;
use crate::functional::numbers::WithNumber;

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.Embedding(int num_embeddings, int embedding_dim, int? padding_idx=None, float? max_norm=None, float norm_type=2.0, bool scale_grad_by_freq=False, bool sparse=False, Tensor? _weight=None, bool _freeze=False, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "A table: indices (*) to vectors (*, embedding_dim). Parameter `weight` from N(0, 1); \
              the row `padding_idx` starts as zeros and gets no gradient.",
        example: "let m = nn.Embedding(10, 3);\nm(torch.tensor([[1, 2, 4, 5], [4, 3, 2, 9]])).shape",
        build: |module, args| {
            let padding = padding_index(args, 2)?;
            module.put("padding_idx", padding.map_or(Dynamic::UNIT, Dynamic::from_int))?;
            table(module, args, 7, !args.bool(8)?, padding)
        },
        forward: Forward::Native(embed),
        repr: "*num_embeddings, *embedding_dim, padding_idx?None, max_norm?None, norm_type?2.0|2, \
               scale_grad_by_freq?False, sparse?False",
        ..Class::LAYER
    },
    Class {
        schema: "nn.EmbeddingBag(int num_embeddings, int embedding_dim, float? max_norm=None, float norm_type=2.0, bool scale_grad_by_freq=False, str mode='mean', bool sparse=False, Tensor? _weight=None, bool include_last_offset=False, int? padding_idx=None, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Sums, means or maxima of bags of embeddings without the vectors in between.",
        example: "let m = nn.EmbeddingBag(10, 3, mode: \"sum\");\nm(torch.tensor([1, 2, 4, 5, 4, 3]), torch.tensor([0, 4])).shape",
        build: |module, args| {
            let padding = padding_index(args, 9)?;
            module.put("padding_idx", padding.map_or(Dynamic::UNIT, Dynamic::from_int))?;
            table(module, args, 7, true, padding)
        },
        inputs: &["input", "offsets?", "per_sample_weights?"],
        forward: Forward::Native(embed_bags),
        repr: "*num_embeddings, *embedding_dim, max_norm?None, norm_type?2.0|2, \
               scale_grad_by_freq?False, mode!r, padding_idx?None",
        ..Class::LAYER
    },
];

const TABLES: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

pub(crate) const FUNCTIONS: &[Function] = &[
    TABLES[0],
    TABLES[1],
    Function {
        schema: "nn.Embedding.from_pretrained(Tensor embeddings, bool freeze=True, int? padding_idx=None, float? max_norm=None, float norm_type=2.0, bool scale_grad_by_freq=False, bool sparse=False) -> Module",
        doc: "An Embedding whose table is the given matrix; frozen unless freeze: false.",
        example: "nn.Embedding.from_pretrained(torch.randn([2, 3]))(torch.tensor([1]))",
        call: |args| {
            let settings = ["padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse"];
            pretrained(args, "nn.Embedding", !args.bool(1)?, &settings)
        },
    },
    Function {
        schema: "nn.EmbeddingBag.from_pretrained(Tensor embeddings, bool freeze=True, float? max_norm=None, float norm_type=2.0, bool scale_grad_by_freq=False, str mode='mean', bool sparse=False, bool include_last_offset=False, int? padding_idx=None) -> Module",
        doc: "An EmbeddingBag whose table is the given matrix; frozen unless freeze: false.",
        example: "nn.EmbeddingBag.from_pretrained(torch.randn([2, 3]))(torch.tensor([[1, 0]]))",
        call: |args| {
            let settings = [
                "max_norm",
                "norm_type",
                "scale_grad_by_freq",
                "mode",
                "sparse",
                "include_last_offset",
                "padding_idx",
            ];
            pretrained(args, "nn.EmbeddingBag", !args.bool(1)?, &settings)
        },
    },
];

/// The padding row, counted from the front.
fn padding_index(args: &Args<'_>, at: usize) -> Result<Option<i64>> {
    let (rows, index) = (args.int(0)?, args.opt_int(at)?);
    match index {
        None => Ok(None),
        Some(index) if (-rows..rows).contains(&index) => {
            Ok(Some(if index < 0 { rows + index } else { index }))
        }
        Some(index) => Err(Error::value(format!(
            "Padding_idx must be within num_embeddings ({rows}), not {index}"
        ))),
    }
}

/// The parameter `weight`: as given, or drawn from N(0, 1) with a row of zeros for padding.
fn table(
    module: &Module,
    args: &Args<'_>,
    given: usize,
    requires_grad: bool,
    padding: Option<i64>,
) -> Result<()> {
    let shape = [args.int(0)?, args.int(1)?];
    if let Some(weight) = args.opt_tensor(given)? {
        if sizes(&weight) != shape {
            return Err(Error::shape(format!(
                "Shape of weight {:?} does not match num_embeddings and embedding_dim {shape:?}",
                sizes(&weight)
            )));
        }
        return module.put_parameter("weight", Some(tensors::parameter(&weight, requires_grad)?));
    }
    let weight = Factory::of(args)?.empty(&shape)?;
    init::normal(&weight, 0.0, 1.0)?;
    if let Some(row) = padding {
        let _ = weight.f_select(0, row)?.fill_number_(0.0)?;
    }
    module.put_parameter("weight", Some(tensors::parameter(&weight, requires_grad)?))
}

fn pretrained(
    args: &Args<'_>,
    name: &str,
    requires_grad: bool,
    settings: &[&str],
) -> Result<Dynamic> {
    let weight = args.tensor(0)?;
    let shape = sizes(&weight);
    let [rows, columns] = shape.as_slice() else {
        return Err(Error::value("Embeddings parameter is expected to be 2-dimensional"));
    };
    let class = class::find(name).ok_or_else(|| Error::name(name.to_owned()))?;
    let module = Module::new(class, class.name());
    module.put("num_embeddings", *rows)?;
    module.put("embedding_dim", *columns)?;
    for setting in settings {
        if let Some(i) = args.schema().position(setting) {
            module.put(setting, args.get(i).clone())?;
        }
    }
    module.put_parameter("weight", Some(tensors::parameter(&weight, requires_grad)?))?;
    Ok(module.to_dynamic())
}

/// Scales the rows that are looked up down to `max_norm`, in place and outside the graph.
fn renorm(weight: &Tensor, indices: &tch::Tensor, max_norm: f64, norm_type: f64) -> Result<()> {
    let indices = indices.f_contiguous()?;
    let _ = tch::no_grad(|| weight.tch().f_embedding_renorm_(&indices, max_norm, norm_type))?;
    Ok(())
}

fn embed(call: &Call<'_>) -> Result<Dynamic> {
    let state = call.state();
    let input = call.tensor(0)?;
    let weight = state.parameter("weight")?;
    let padding = state.opt_int("padding_idx")?.unwrap_or(-1);
    if let Some(max_norm) = state.opt_float("max_norm")? {
        renorm(weight, &input, max_norm, state.float("norm_type")?)?;
    }
    let (scale, sparse) = (state.bool("scale_grad_by_freq")?, state.bool("sparse")?);
    Ok(value(tch::Tensor::f_embedding(weight, &input, padding, scale, sparse)?))
}

fn embed_bags(call: &Call<'_>) -> Result<Dynamic> {
    let state = call.state();
    let weight = state.parameter("weight")?;
    let names = [
        "max_norm",
        "norm_type",
        "scale_grad_by_freq",
        "mode",
        "sparse",
        "include_last_offset",
        "padding_idx",
    ];
    let mut keywords: rhai::Map =
        names.iter().map(|name| ((*name).into(), state.read(call.module, name))).collect();
    keywords.insert("offsets".into(), call.value(1).clone());
    keywords.insert("per_sample_weights".into(), call.value(2).clone());
    let args =
        vec![call.value(0).clone(), Dynamic::from(weight.clone()), Dynamic::from_map(keywords)];
    drop(state);
    call.ctx.function("torch.nn.functional.embedding_bag", args)
}
