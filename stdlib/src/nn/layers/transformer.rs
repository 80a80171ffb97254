//! Transformer layers and stacks: Vaswani et al. (2017).

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Context, Function};
use flambeau_runtime::torch::{Dtype, Tensor, grad_enabled, sizes};
use rhai::{Dynamic, Map};

use super::super::class::{self, Call, Class, Forward, constructors};
use super::super::factory::Factory;
use super::super::init;
use super::super::module::Module;
use super::transformer_layer::{self, make};
use crate::functional::common::device;
use crate::functional::numbers::WithNumber;

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.TransformerEncoderLayer(int d_model, int nhead, int dim_feedforward=2048, float dropout=0.1, Any activation='relu', float layer_norm_eps=1e-05, bool batch_first=False, bool norm_first=False, bool bias=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Self-attention and a feed-forward network, each with a residual and a layer norm. \
              `activation` is 'relu', 'gelu', a closure or a module.",
        example: "let layer = nn.TransformerEncoderLayer(8, 2, 16);\nlayer(torch.randn([10, 3, 8])).shape",
        build: |module, args| transformer_layer::build(module, args, false),
        inputs: &["src", "src_mask?", "src_key_padding_mask?", "is_causal?"],
        forward: Forward::Native(transformer_layer::encode),
        ..Class::LAYER
    },
    Class {
        schema: "nn.TransformerDecoderLayer(int d_model, int nhead, int dim_feedforward=2048, float dropout=0.1, Any activation='relu', float layer_norm_eps=1e-05, bool batch_first=False, bool norm_first=False, bool bias=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Self-attention, attention over the encoder's memory and a feed-forward network, each \
              with a residual and a layer norm.",
        example: "let layer = nn.TransformerDecoderLayer(8, 2, 16);\nlayer(torch.randn([4, 3, 8]), torch.randn([10, 3, 8])).shape",
        build: |module, args| transformer_layer::build(module, args, true),
        inputs: &[
            "tgt",
            "memory",
            "tgt_mask?",
            "memory_mask?",
            "tgt_key_padding_mask?",
            "memory_key_padding_mask?",
            "tgt_is_causal?",
            "memory_is_causal?",
        ],
        forward: Forward::Native(transformer_layer::decode),
        ..Class::LAYER
    },
    Class {
        schema: "nn.TransformerEncoder(Module encoder_layer, int num_layers, Module? norm=None, bool enable_nested_tensor=True, bool mask_check=True) -> Module",
        doc: "num_layers copies of a layer, one after another.",
        example: "let layer = nn.TransformerEncoderLayer(8, 2, 16);\nnn.TransformerEncoder(layer, 2)(torch.randn([10, 3, 8])).shape",
        build: stack,
        inputs: &["src", "mask?", "src_key_padding_mask?", "is_causal?"],
        forward: Forward::Native(encode),
        ..Class::LAYER
    },
    Class {
        schema: "nn.TransformerDecoder(Module decoder_layer, int num_layers, Module? norm=None) -> Module",
        doc: "num_layers copies of a layer, one after another.",
        example: "let layer = nn.TransformerDecoderLayer(8, 2, 16);\nnn.TransformerDecoder(layer, 2)(torch.randn([4, 3, 8]), torch.randn([10, 3, 8])).shape",
        build: stack,
        inputs: &[
            "tgt",
            "memory",
            "tgt_mask?",
            "memory_mask?",
            "tgt_key_padding_mask?",
            "memory_key_padding_mask?",
            "tgt_is_causal?",
            "memory_is_causal?",
        ],
        forward: Forward::Native(decode),
        ..Class::LAYER
    },
    Class {
        schema: "nn.Transformer(int d_model=512, int nhead=8, int num_encoder_layers=6, int num_decoder_layers=6, int dim_feedforward=2048, float dropout=0.1, Any activation='relu', Module? custom_encoder=None, Module? custom_decoder=None, float layer_norm_eps=1e-05, bool batch_first=False, bool norm_first=False, bool bias=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "An encoder and a decoder: source (S, N, E) and target (T, N, E) to (T, N, E).",
        example: "let model = nn.Transformer(d_model: 8, nhead: 2, num_encoder_layers: 1, num_decoder_layers: 1, dim_feedforward: 16);\nmodel(torch.randn([10, 3, 8]), torch.randn([4, 3, 8])).shape",
        build: transformer,
        inputs: &[
            "src",
            "tgt",
            "src_mask?",
            "tgt_mask?",
            "memory_mask?",
            "src_key_padding_mask?",
            "tgt_key_padding_mask?",
            "memory_key_padding_mask?",
            "src_is_causal?",
            "tgt_is_causal?",
            "memory_is_causal?",
        ],
        forward: Forward::Native(transform),
        ..Class::LAYER
    },
];

const TABLES: [Function; CLASSES.len()] = constructors::<{ CLASSES.len() }>(CLASSES);

pub(crate) const FUNCTIONS: &[Function] = &[
    TABLES[0],
    TABLES[1],
    TABLES[2],
    TABLES[3],
    TABLES[4],
    Function {
        schema: "nn.Transformer.generate_square_subsequent_mask(int sz, Device? device=None, ScalarType? dtype=None) -> Tensor",
        doc: "The causal mask (sz, sz): -inf above the diagonal, 0 elsewhere.",
        example: "nn.Transformer.generate_square_subsequent_mask(3)",
        call: |args| {
            let size = args.int(0)?;
            let mask = Factory::of(args)?.full(&[size, size], f64::NEG_INFINITY)?;
            Ok(Dynamic::from(Tensor::from(mask.f_triu(1)?)))
        },
    },
];

/// `layers`: independent copies of a layer.
fn stack(module: &Module, args: &mut Args<'_>) -> Result<()> {
    let layer = args.object::<Module>(0)?;
    let class = class::find("nn.ModuleList").ok_or_else(|| Error::name("nn.ModuleList"))?;
    let layers = Module::new(class, class.name());
    for i in 0..args.int(1)? {
        args.ctx().check()?;
        layers.put_module(&i.to_string(), layer.deep_copy()?)?;
    }
    module.put_module("layers", layers)?;
    let norm = if args.is_none(2) { None } else { Some(args.object::<Module>(2)?) };
    let mut state = module.state_mut()?;
    let _ = state.attributes.remove("encoder_layer");
    let _ = state.attributes.remove("decoder_layer");
    if let Some(norm) = norm {
        let _ = state.attributes.remove("norm");
        state.modules.set("norm", Some(norm));
    }
    Ok(())
}

fn encode(call: &Call<'_>) -> Result<Dynamic> {
    let src = call.tensor(0)?.clone();
    let layers = call.state().module("layers")?.items();
    let batch_first = batch_first(&layers);
    let length = sequence_length(&src, batch_first);
    let causal = causal_mask(call.opt_tensor(1)?, call.value(3), length, &src)?;
    let padded = padding_to_clear(call, &layers, &src)?;
    let mut x = src;
    for layer in &layers {
        let named = [
            ("src_mask", call.value(1).clone()),
            ("src_key_padding_mask", call.value(2).clone()),
            ("is_causal", Dynamic::from_bool(causal)),
        ];
        x = call_with(layer, vec![Dynamic::from(x)], named, call.ctx)?;
    }
    if let Some(padded) = padded {
        x = x.masked_fill_number(&padded.f_unsqueeze(-1)?, 0.0)?.into();
    }
    norm(call, x)
}

fn decode(call: &Call<'_>) -> Result<Dynamic> {
    let tgt = call.tensor(0)?.clone();
    let layers = call.state().module("layers")?.items();
    let length = sequence_length(&tgt, batch_first(&layers));
    let causal = causal_mask(call.opt_tensor(2)?, call.value(6), length, &tgt)?;
    let mut x = tgt;
    for layer in &layers {
        let named = [
            ("tgt_mask", call.value(2).clone()),
            ("memory_mask", call.value(3).clone()),
            ("tgt_key_padding_mask", call.value(4).clone()),
            ("memory_key_padding_mask", call.value(5).clone()),
            ("tgt_is_causal", Dynamic::from_bool(causal)),
            ("memory_is_causal", Dynamic::from_bool(call.bool_or(7, false)?)),
        ];
        x = call_with(layer, vec![Dynamic::from(x), call.value(1).clone()], named, call.ctx)?;
    }
    norm(call, x)
}

fn call_with<const N: usize>(
    layer: &Module,
    mut args: Vec<Dynamic>,
    named: [(&str, Dynamic); N],
    ctx: &Context<'_>,
) -> Result<Tensor> {
    let keywords: Map = named.into_iter().map(|(name, value)| (name.into(), value)).collect();
    args.push(Dynamic::from_map(keywords));
    let out = layer.call(args, ctx)?;
    out.try_cast::<Tensor>()
        .ok_or_else(|| Error::type_(format!("{} must give a Tensor here", layer.name())))
}

fn norm(call: &Call<'_>, x: Tensor) -> Result<Dynamic> {
    let norm = call.state().modules.get("norm").cloned().flatten();
    Ok(Dynamic::from(match norm {
        Some(norm) => norm.call_tensor(x, call.ctx)?,
        None => x,
    }))
}

fn batch_first(layers: &[Module]) -> bool {
    let Some(layer) = layers.first() else { return false };
    let attention = layer.state().module("self_attn");
    attention.is_ok_and(|module| module.state().bool("batch_first").unwrap_or(false))
}

fn sequence_length(x: &Tensor, batch_first: bool) -> i64 {
    let shape = sizes(x);
    let dim = usize::from(shape.len() == 3 && batch_first);
    shape.get(dim).copied().unwrap_or(0)
}

/// Whether the mask is the causal one, which attention can then leave out.
fn causal_mask(mask: Option<Tensor>, hint: &Dynamic, length: i64, like: &Tensor) -> Result<bool> {
    if let Ok(hint) = hint.as_bool() {
        return Ok(hint);
    }
    let Some(mask) = mask else { return Ok(false) };
    if sizes(&mask) != [length, length] {
        return Ok(false);
    }
    let mask = if mask.dtype() == Dtype::BOOL {
        let zeros = tch::Tensor::f_zeros([length, length], (like.f_kind()?, device(&mask)?))?;
        zeros.masked_fill_number(&mask, f64::NEG_INFINITY)?
    } else {
        mask.into_tch()
    };
    Ok(mask.f_equal(&subsequent_mask(length, (mask.f_kind()?, device(&mask)?))?)?)
}

fn subsequent_mask(size: i64, options: (tch::Kind, tch::Device)) -> Result<tch::Tensor> {
    let zeros = tch::Tensor::f_zeros([size, size], options)?;
    Ok(zeros.fill_number_(f64::NEG_INFINITY)?.f_triu(1)?)
}

/// In evaluation PyTorch runs padded batches as nested tensors, which leaves zeros at the padding.
/// The positions to clear, under the same conditions.
fn padding_to_clear(call: &Call<'_>, layers: &[Module], src: &Tensor) -> Result<Option<Tensor>> {
    let Some(padding) = call.opt_tensor(2)? else { return Ok(None) };
    let Some(layer) = layers.first() else { return Ok(None) };
    let wanted = call.state().bool("enable_nested_tensor")?
        && layer.name() == "TransformerEncoderLayer"
        && !layer.training()
        && src.dim() == 3
        && call.value(1).is_unit()
        && supports_nested(layer)?;
    let tracked = || grad_enabled() && layer.parameters().iter().any(|p| p.requires_grad());
    if !wanted || tracked() || grad_enabled() && src.requires_grad() {
        return Ok(None);
    }
    let padded =
        if padding.dtype() == Dtype::BOOL { padding } else { padding.ne_number(0.0)?.into() };
    let kept = Dynamic::from(Tensor::from(padded.f_logical_not()?));
    let args = vec![call.value(0).clone(), kept];
    let aligned = call.ctx.op("_nested_tensor_from_mask_left_aligned", args)?;
    Ok(aligned.as_bool().unwrap_or(false).then_some(padded))
}

fn supports_nested(layer: &Module) -> Result<bool> {
    let state = layer.state();
    let attention = state.module("self_attn")?;
    let attention = attention.state();
    let (norm1, norm2) = (state.module("norm1")?, state.module("norm2")?);
    let activation = match state.modules.get("activation") {
        Some(Some(module)) => matches!(module.name(), "ReLU" | "GELU"),
        _ => state.is_text("activation", "relu") || state.is_text("activation", "gelu"),
    };
    Ok(!state.bool("norm_first")?
        && attention.bool("batch_first")?
        && attention.bool("_qkv_same_embed_dim")?
        && attention.opt_parameter("in_proj_bias").is_some()
        && attention.int("num_heads")? % 2 == 0
        && activation
        && norm1.state().float("eps")? == norm2.state().float("eps")?)
}

fn transformer(module: &Module, args: &mut Args<'_>) -> Result<()> {
    let at =
        |name: &str| args.schema().position(name).map_or(Dynamic::UNIT, |i| args.get(i).clone());
    for (side, count, custom) in [
        ("encoder", "num_encoder_layers", "custom_encoder"),
        ("decoder", "num_decoder_layers", "custom_decoder"),
    ] {
        if let Some(given) = at(custom).read_lock::<Module>() {
            module.put_module(side, given.clone())?;
            continue;
        }
        let title = if side == "encoder" { "Encoder" } else { "Decoder" };
        let settings = [
            "d_model",
            "nhead",
            "dim_feedforward",
            "dropout",
            "activation",
            "layer_norm_eps",
            "batch_first",
            "norm_first",
            "bias",
        ];
        let layer = settings.map(at).to_vec();
        let layer = make(args, &format!("nn.Transformer{title}Layer"), layer, &[])?;
        let named = [("eps", at("layer_norm_eps")), ("bias", at("bias"))];
        let norm = make(args, "nn.LayerNorm", vec![at("d_model")], &named)?;
        let positional = vec![layer.to_dynamic(), at(count), norm.to_dynamic()];
        module.put_module(side, make(args, &format!("nn.Transformer{title}"), positional, &[])?)?;
    }
    for parameter in module.parameters() {
        if parameter.dim() > 1 {
            init::xavier_uniform(&parameter)?;
        }
    }
    let mut state = module.state_mut()?;
    state.attributes.replace(Vec::new());
    for name in ["d_model", "nhead", "batch_first"] {
        state.attributes.set(name, at(name));
    }
    Ok(())
}

fn transform(call: &Call<'_>) -> Result<Dynamic> {
    let state = call.state();
    let (encoder, decoder) = (state.module("encoder")?, state.module("decoder")?);
    let (width, batch_first) = (state.int("d_model")?, state.bool("batch_first")?);
    drop(state);
    let (src, tgt) = (sizes(&**call.tensor(0)?), sizes(&**call.tensor(1)?));
    let batch = usize::from(!batch_first);
    if src.len() == 3 && src.get(batch) != tgt.get(batch) {
        return Err(Error::shape("the batch number of src and tgt must be equal"));
    }
    if src.last() != Some(&width) || tgt.last() != Some(&width) {
        return Err(Error::shape("the feature number of src and tgt must be equal to d_model"));
    }
    let named = [
        ("mask", call.value(2).clone()),
        ("src_key_padding_mask", call.value(5).clone()),
        ("is_causal", call.value(8).clone()),
    ];
    let memory = call_with(&encoder, vec![call.value(0).clone()], named, call.ctx)?;
    let named = [
        ("tgt_mask", call.value(3).clone()),
        ("memory_mask", call.value(4).clone()),
        ("tgt_key_padding_mask", call.value(6).clone()),
        ("memory_key_padding_mask", call.value(7).clone()),
        ("tgt_is_causal", call.value(9).clone()),
        ("memory_is_causal", Dynamic::from_bool(call.bool_or(10, false)?)),
    ];
    let args = vec![call.value(1).clone(), Dynamic::from(memory)];
    Ok(Dynamic::from(call_with(&decoder, args, named, call.ctx)?))
}
