//! Multi-head attention: Vaswani et al. (2017).

use std::sync::Arc;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Context, Function, Results};
use flambeau_runtime::torch::Tensor;
use rhai::{Dynamic, Map};

use super::super::class::{self, Call, Class, Forward, constructors};
use super::super::factory::Factory;
use super::super::init;
use super::super::module::Module;
use super::super::tensors;

pub(crate) const CLASSES: &[Class] = &[Class {
    schema: "nn.MultiheadAttention(int embed_dim, int num_heads, float dropout=0.0, bool bias=True, bool add_bias_kv=False, bool add_zero_attn=False, int? kdim=None, int? vdim=None, bool batch_first=False, Device? device=None, ScalarType? dtype=None) -> Module",
    doc: "Attention of queries (L, N, E) over keys and values (S, N, E), with batch_first (N, L, E), \
          or without a batch. Gives [output, weights]; weights are () with need_weights: false. In \
          masks, true (or -inf) shuts a position out. Parameters `in_proj_weight` (3E, E), \
          `in_proj_bias`, `out_proj.weight`, `out_proj.bias`.",
    example: "let mha = nn.MultiheadAttention(8, 2);\nlet x = torch.randn([5, 3, 8]);\nlet r = mha(x, x, x);\nr[0].shape",
    build,
    inputs: &[
        "query",
        "key",
        "value",
        "key_padding_mask?",
        "need_weights?",
        "attn_mask?",
        "average_attn_weights?",
        "is_causal?",
    ],
    forward: Forward::Native(attend),
    ..Class::LAYER
}];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

fn build(module: &Module, args: &mut Args<'_>) -> Result<()> {
    let (embed, heads, bias) = (args.int(0)?, args.int(1)?, args.bool(3)?);
    if embed <= 0 || heads <= 0 {
        return Err(Error::value(format!(
            "embed_dim and num_heads must be greater than 0, got embed_dim={embed} and \
             num_heads={heads} instead"
        )));
    }
    if embed % heads != 0 {
        return Err(Error::value(format!(
            "embed_dim ({embed}) must be divisible by num_heads ({heads})"
        )));
    }
    let kdim = args.opt_int(6)?.unwrap_or(embed);
    let vdim = args.opt_int(7)?.unwrap_or(embed);
    let same = kdim == embed && vdim == embed;
    for (name, number) in [("kdim", kdim), ("vdim", vdim), ("head_dim", embed / heads)] {
        module.put(name, number)?;
    }
    module.put("_qkv_same_embed_dim", same)?;
    let factory = Factory::of(args)?;
    let separate = [
        ("q_proj_weight", [embed, embed]),
        ("k_proj_weight", [embed, kdim]),
        ("v_proj_weight", [embed, vdim]),
    ];
    let mut weights = Vec::new();
    if same {
        let weight = factory.parameter(&[3 * embed, embed])?;
        weights.push(weight.clone());
        module.put_parameter("in_proj_weight", Some(weight))?;
        for (name, _) in separate {
            module.put_parameter(name, None)?;
        }
    } else {
        for (name, shape) in separate {
            let weight = factory.parameter(&shape)?;
            weights.push(weight.clone());
            module.put_parameter(name, Some(weight))?;
        }
        module.put_parameter("in_proj_weight", None)?;
    }
    let in_bias = if bias { Some(factory.parameter(&[3 * embed])?) } else { None };
    module.put_parameter("in_proj_bias", in_bias.clone())?;
    let out = project(&factory, embed, bias)?;
    module.put_module("out_proj", out.clone())?;
    let mut extra = Vec::new();
    for name in ["bias_k", "bias_v"] {
        if args.bool(4)? {
            let parameter = factory.parameter(&[1, 1, embed])?;
            extra.push(parameter.clone());
            module.put_parameter(name, Some(parameter))?;
        } else {
            module.put(name, Dynamic::UNIT)?;
        }
    }
    // PyTorch draws in this order: out_proj (above), the input projections, bias_k, bias_v.
    for weight in &weights {
        init::xavier_uniform(weight)?;
    }
    if let Some(in_bias) = &in_bias {
        init::constant(in_bias, 0.0)?;
        if let Some(out_bias) = out.state().opt_parameter("bias") {
            init::constant(out_bias, 0.0)?;
        }
    }
    for parameter in &extra {
        let std = init::xavier_std(parameter, 1.0)?;
        init::normal(parameter, 0.0, std)?;
    }
    Ok(())
}

/// The output projection: a Linear under the name that PyTorch prints for it.
fn project(factory: &Factory<'_>, embed: i64, bias: bool) -> Result<Module> {
    let class = class::find("nn.Linear").ok_or_else(|| Error::name("nn.Linear"))?;
    let module = Module::new(class, "NonDynamicallyQuantizableLinear");
    module.put("in_features", embed)?;
    module.put("out_features", embed)?;
    let weight = factory.parameter(&[embed, embed])?;
    let bias = if bias { Some(factory.parameter(&[embed])?) } else { None };
    init::linear_layer(&weight, bias.as_ref())?;
    module.put_parameter("weight", Some(weight))?;
    module.put_parameter("bias", bias)?;
    Ok(module)
}

fn attend(call: &Call<'_>) -> Result<Dynamic> {
    let inputs = [call.tensor(0)?.clone(), call.tensor(1)?.clone(), call.tensor(2)?.clone()];
    let masks = Masks { attention: call.value(5).clone(), padding: call.value(3).clone() };
    let need_weights = call.bool_or(4, true)?;
    let average = call.bool_or(6, true)?;
    let causal = call.bool_or(7, false)?;
    let (output, weights) =
        run(call.module, inputs, masks, (need_weights, average, causal), call.ctx)?;
    Ok(Dynamic::from(Results {
        name: call.module.name().into(),
        names: Arc::from(["attn_output".to_owned(), "attn_output_weights".to_owned()]),
        values: vec![Dynamic::from(output), weights],
    }))
}

/// The masks of one attention; `()` for none.
pub(crate) struct Masks {
    pub attention: Dynamic,
    pub padding: Dynamic,
}

/// Attention of `module` over query, key and value; weights are `()` unless asked for.
pub(crate) fn run(
    module: &Module,
    [query, key, value_]: [Tensor; 3],
    masks: Masks,
    (need_weights, average, causal): (bool, bool, bool),
    ctx: &Context<'_>,
) -> Result<(Tensor, Dynamic)> {
    let state = module.state();
    let swap = state.bool("batch_first")? && query.dim() == 3;
    // The same tensor stays the same: self-attention then projects once.
    let (same_query, same_key) = (tensors::same(&query, &key), tensors::same(&key, &value_));
    let flip = |tensor: &Tensor| -> Result<Tensor> {
        Ok(if swap { tensor.f_transpose(0, 1)?.into() } else { tensor.clone() })
    };
    let value_ = flip(&value_)?;
    let key = if same_key { value_.clone() } else { flip(&key)? };
    let query = if same_query && same_key { key.clone() } else { flip(&query)? };
    let read = |name: &str| state.read(module, name);
    let out = state.module("out_proj")?;
    let (out_weight, out_bias) = {
        let state = out.state();
        (state.read(&out, "weight"), state.read(&out, "bias"))
    };
    let separate = !state.bool("_qkv_same_embed_dim")?;
    let mut keywords: Map = [
        ("training", Dynamic::from_bool(module.training())),
        ("key_padding_mask", masks.padding),
        ("need_weights", Dynamic::from_bool(need_weights)),
        ("attn_mask", masks.attention),
        ("use_separate_proj_weight", Dynamic::from_bool(separate)),
        ("average_attn_weights", Dynamic::from_bool(average)),
        ("is_causal", Dynamic::from_bool(causal)),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value))
    .collect();
    if separate {
        for name in ["q_proj_weight", "k_proj_weight", "v_proj_weight"] {
            keywords.insert(name.into(), read(name));
        }
    }
    let args = vec![
        Dynamic::from(query),
        Dynamic::from(key),
        Dynamic::from(value_),
        read("embed_dim"),
        read("num_heads"),
        read("in_proj_weight"),
        read("in_proj_bias"),
        read("bias_k"),
        read("bias_v"),
        read("add_zero_attn"),
        read("dropout"),
        out_weight,
        out_bias,
        Dynamic::from_map(keywords),
    ];
    drop(state);
    let result = ctx.function("torch.nn.functional.multi_head_attention_forward", args)?;
    let mut parts =
        flambeau_runtime::script::convert::items(&result).unwrap_or_default().into_iter();
    let output = parts.next().and_then(|value| value.try_cast::<Tensor>());
    let output = output.ok_or_else(|| Error::type_("attention gave no tensor"))?;
    let output = if swap { Tensor::from(output.f_transpose(0, 1)?) } else { output };
    Ok((output, parts.next().unwrap_or_default()))
}
