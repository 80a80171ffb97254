//! Multi-head attention over projections given as tensors, step by step as PyTorch computes it.
//!
//! Source: Vaswani et al., "Attention Is All You Need" (2017), and
//! <https://pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html>.

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::torch::Tensor as Handle;
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;
use tch::Tensor;

use super::common::{device, shape, sizes, value};
use super::numbers::{WithNumber, baddbmm};
use super::projection::project;

pub(crate) const FUNCTIONS: &[Function] = &[Function {
    schema: "torch.nn.functional.multi_head_attention_forward(Tensor query, Tensor key, Tensor value, int embed_dim_to_check, int num_heads, Tensor? in_proj_weight, Tensor? in_proj_bias, Tensor? bias_k, Tensor? bias_v, bool add_zero_attn, float dropout_p, Tensor out_proj_weight, Tensor? out_proj_bias, bool training=True, Tensor? key_padding_mask=None, bool need_weights=True, Tensor? attn_mask=None, bool use_separate_proj_weight=False, Tensor? q_proj_weight=None, Tensor? k_proj_weight=None, Tensor? v_proj_weight=None, Tensor? static_k=None, Tensor? static_v=None, bool average_attn_weights=True, bool is_causal=False) -> Any",
    doc: "Multi-head attention of `query` (L, N, E) over `key` and `value` (S, N, E), or without the batch \
          dimension. Gives [output, weights]: output (L, N, E); weights (N, L, S) averaged over heads, \
          (N, heads, L, S) without `average_attn_weights`, () without `need_weights`.",
    example: "F.multi_head_attention_forward(torch.ones([2, 1, 4]), torch.ones([3, 1, 4]), torch.ones([3, 1, 4]), 4, 2, torch.ones([12, 4]), (), (), (), false, 0.0, torch.ones([4, 4]), ())",
    call: |args| {
        let attention = Attention::from_args(args)?;
        let (output, weights) = attend(&attention)?;
        let weights = weights.map_or(Dynamic::UNIT, value);
        Ok(Dynamic::from_array(vec![value(output), weights]))
    },
}];

/// The arguments of multi-head attention; shapes as in its documentation.
pub(crate) struct Attention {
    pub query: Tensor,
    pub key: Tensor,
    pub value: Tensor,
    pub embed_dim: i64,
    pub heads: i64,
    /// (3E, E): one weight for all three projections, unless `separate` is given.
    pub in_weight: Option<Tensor>,
    pub in_bias: Option<Tensor>,
    pub bias_k: Option<Tensor>,
    pub bias_v: Option<Tensor>,
    pub add_zero: bool,
    pub dropout: f64,
    pub out_weight: Tensor,
    pub out_bias: Option<Tensor>,
    pub training: bool,
    pub key_padding_mask: Option<Tensor>,
    pub need_weights: bool,
    pub mask: Option<Tensor>,
    /// The weights of query, key and value, where they are separate.
    pub separate: Option<[Tensor; 3]>,
    pub static_k: Option<Tensor>,
    pub static_v: Option<Tensor>,
    pub average: bool,
    pub causal: bool,
    /// Whether `query`, `key` and `value` were one and the same tensor, or the last two of them.
    pub same: Same,
}

/// Which of query, key and value are one tensor: decides how many products the projection takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Same {
    /// Self-attention.
    All,
    /// Encoder-decoder attention.
    KeyValue,
    /// Three tensors.
    None,
}

impl Same {
    /// Compares identities, as Python's `is` does.
    pub(crate) fn of(query: &Tensor, key: &Tensor, value: &Tensor) -> Same {
        let id = |t: &Tensor| Handle::from(t.shallow_clone()).identity();
        let same = |a: &Tensor, b: &Tensor| id(a) == id(b);
        match (same(key, value), same(query, key)) {
            (true, true) => Same::All,
            (true, false) => Same::KeyValue,
            _ => Same::None,
        }
    }
}

impl Attention {
    fn from_args(args: &Args<'_>) -> Result<Attention> {
        let tensor = |i| args.tensor(i).map(|t| t.into_tch());
        let optional = |i| args.opt_tensor(i).map(|t| t.map(|t| t.into_tch()));
        let separate = match args.bool(17)? {
            false => None,
            true => {
                let weight = |i: usize, name: &str| {
                    optional(i)?.ok_or_else(|| {
                        Error::value(format!(
                            "use_separate_proj_weight is True but {name}_proj_weight is None"
                        ))
                    })
                };
                Some([weight(18, "q")?, weight(19, "k")?, weight(20, "v")?])
            }
        };
        let (query, key, value) = (tensor(0)?, tensor(1)?, tensor(2)?);
        let same = Same::of(&query, &key, &value);
        Ok(Attention {
            query,
            key,
            value,
            embed_dim: args.int(3)?,
            heads: args.int(4)?,
            in_weight: optional(5)?,
            in_bias: optional(6)?,
            bias_k: optional(7)?,
            bias_v: optional(8)?,
            add_zero: args.bool(9)?,
            dropout: args.float(10)?,
            out_weight: tensor(11)?,
            out_bias: optional(12)?,
            training: args.bool(13)?,
            key_padding_mask: optional(14)?,
            need_weights: args.bool(15)?,
            mask: optional(16)?,
            separate,
            static_k: optional(21)?,
            static_v: optional(22)?,
            average: args.bool(23)?,
            causal: args.bool(24)?,
            same,
        })
    }
}

/// Computes attention: (output, weights where they are needed).
///
/// # Errors
/// A `ShapeError` or `ValueError` for arguments that do not fit together.
pub(crate) fn attend(a: &Attention) -> Result<(Tensor, Option<Tensor>)> {
    let batched = check_shapes(a)?;
    let lift = |t: &Tensor| -> Result<Tensor> {
        Ok(if batched { t.shallow_clone() } else { t.f_unsqueeze(1)? })
    };
    let (query, key, val) = (lift(&a.query)?, lift(&a.key)?, lift(&a.value)?);
    let mut padding = match &a.key_padding_mask {
        Some(mask) if !batched => Some(mask.f_unsqueeze(0)?),
        other => other.as_ref().map(Tensor::shallow_clone),
    };
    let [target, batch, embed] = sizes(&query)[..] else {
        return Err(Error::shape(format!("query must be a dense tensor, found {}", shape(&query))));
    };
    let kind = query.f_kind()?;
    padding = padding.map(|mask| additive(&mask, "key_padding_mask", kind)).transpose()?;
    if a.causal && a.mask.is_none() {
        return Err(Error::value(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method \
             `generate_square_subsequent_mask` to create this mask.",
        ));
    }
    let mut causal = a.causal;
    let mut mask = if causal && padding.is_none() && !a.need_weights {
        None
    } else {
        causal &= padding.is_none();
        a.mask.as_ref().map(|mask| additive(mask, "attn_mask", kind)).transpose()?
    };
    if embed != a.embed_dim {
        return Err(Error::shape(format!(
            "was expecting embedding dimension of {}, but got {embed}",
            a.embed_dim
        )));
    }
    let heads = a.heads;
    if heads <= 0 || embed % heads != 0 {
        return Err(Error::shape(format!("embed_dim {embed} not divisible by num_heads {heads}")));
    }
    let head = embed / heads;
    let (q, mut k, mut v) = project(a, &query, &key, &val, batched)?;
    if let Some(given) = mask {
        let (source, found) = (sizes(&key).first().copied().unwrap_or(0), sizes(&given));
        mask = Some(match found.as_slice() {
            [l, s] if *l == target && *s == source => given.f_unsqueeze(0)?,
            [n, l, s] if *n == batch * heads && *l == target && *s == source => given,
            [_, _] => {
                return Err(Error::shape(format!(
                    "The shape of the 2D attn_mask is {found:?}, but should be ({target}, {source})."
                )));
            }
            [_, _, _] => {
                return Err(Error::shape(format!(
                    "The shape of the 3D attn_mask is {found:?}, but should be ({}, {target}, \
                     {source}).",
                    batch * heads
                )));
            }
            _ => {
                return Err(Error::shape(format!(
                    "attn_mask's dimension {} is not supported",
                    found.len()
                )));
            }
        });
    }
    let widen = |mask: Option<Tensor>| -> Result<Option<Tensor>> {
        Ok(mask.map(|mask| mask.f_pad([0i64, 1], "constant", None)).transpose()?)
    };
    match (&a.bias_k, &a.bias_v) {
        (Some(bias_k), Some(bias_v)) => {
            if a.static_k.is_some() || a.static_v.is_some() {
                return Err(Error::value("bias cannot be added to static key or value."));
            }
            k = Tensor::f_cat(&[k, bias_k.f_repeat([1, batch, 1])?], 0)?;
            v = Tensor::f_cat(&[v, bias_v.f_repeat([1, batch, 1])?], 0)?;
            (mask, padding) = (widen(mask)?, widen(padding)?);
        }
        (None, None) => {}
        _ => return Err(Error::value("bias_k and bias_v must be given together")),
    }
    let split = |t: Tensor| -> Result<Tensor> {
        let length = sizes(&t)[0];
        Ok(t.f_contiguous()?.f_view([length, batch * heads, head])?.f_transpose(0, 1)?)
    };
    let q = split(q)?;
    let given = |t: &Tensor, name: &str| -> Result<Tensor> {
        let size = sizes(t);
        if size.len() != 3 || size[0] != batch * heads || size[2] != head {
            return Err(Error::shape(format!(
                "expecting static_{name} of shape ({}, length, {head}), but got {size:?}",
                batch * heads
            )));
        }
        Ok(t.shallow_clone())
    };
    k = match &a.static_k {
        None => split(k)?,
        Some(t) => given(t, "k")?,
    };
    v = match &a.static_v {
        None => split(v)?,
        Some(t) => given(t, "v")?,
    };
    if a.add_zero {
        let zeros = |t: &Tensor| -> Result<Tensor> {
            Ok(Tensor::f_zeros([batch * heads, 1, head], (t.f_kind()?, device(t)?))?)
        };
        (k, v) = (Tensor::f_cat(&[&k, &zeros(&k)?], 1)?, Tensor::f_cat(&[&v, &zeros(&v)?], 1)?);
        (mask, padding) = (widen(mask)?, widen(padding)?);
    }
    let source = sizes(&k)[1];
    if let Some(padding) = padding {
        if sizes(&padding) != [batch, source] {
            return Err(Error::shape(format!(
                "Expected key_padding_mask of shape ({batch}, {source}), but got {}",
                shape(&padding)
            )));
        }
        let spread = padding
            .f_view([batch, 1, 1, source])?
            .f_expand([-1, heads, -1, -1], false)?
            .f_reshape([batch * heads, 1, source])?;
        mask = Some(match mask {
            None => spread,
            Some(mask) => mask.f_add(&spread)?,
        });
    }
    let dropout = if a.training { a.dropout } else { 0.0 };
    let project_out = |heads_first: Tensor| -> Result<Tensor> {
        let flat = heads_first.f_contiguous()?.f_view([target * batch, embed])?;
        let out = flat.f_linear(&a.out_weight, a.out_bias.as_ref())?;
        let width = sizes(&out)[1];
        let out = out.f_view([target, batch, width])?;
        Ok(if batched { out } else { out.f_squeeze_dim(1)? })
    };
    if a.need_weights {
        let scaled = q.mul_number((1.0 / head as f64).sqrt())?;
        let keys = k.f_transpose(-2, -1)?;
        let scores = match mask {
            Some(mask) => baddbmm(&mask, &scaled, &keys)?,
            None => scaled.f_bmm(&keys)?,
        };
        let mut weights = scores.f_softmax(-1, None)?;
        if dropout > 0.0 {
            weights = weights.f_dropout(dropout, true)?;
        }
        let output = project_out(weights.f_bmm(&v)?.f_transpose(0, 1)?)?;
        weights = weights.f_view([batch, heads, target, source])?;
        if a.average {
            weights = weights.f_mean_dim([1i64].as_slice(), false, None)?;
        }
        if !batched {
            weights = weights.f_squeeze_dim(0)?;
        }
        return Ok((output, Some(weights)));
    }
    if let Some(given) = mask {
        mask = Some(match sizes(&given).first() {
            Some(1) => given.f_unsqueeze(0)?,
            _ => given.f_view([batch, heads, -1, source])?,
        });
    }
    let q = q.f_view([batch, heads, target, head])?;
    let k = k.f_view([batch, heads, source, head])?;
    let v = v.f_view([batch, heads, source, head])?;
    let attended = Tensor::f_scaled_dot_product_attention(
        &q,
        &k,
        &v,
        mask.as_ref(),
        dropout,
        causal,
        None,
        false,
    )?;
    Ok((project_out(attended.f_permute([2, 0, 1, 3])?)?, None))
}

/// Refuses shapes that do not fit together; whether there is a batch dimension.
fn check_shapes(a: &Attention) -> Result<bool> {
    let dims = a.query.dim();
    if dims != 2 && dims != 3 {
        return Err(Error::shape(format!(
            "query should be unbatched 2D or batched 3D tensor but received {dims}-D query tensor"
        )));
    }
    let batch = if dims == 3 { "batched (3-D)" } else { "unbatched (2-D)" };
    if a.key.dim() != dims || a.value.dim() != dims {
        return Err(Error::shape(format!(
            "For {batch} `query`, expected `key` and `value` to be {dims}-D but found {}-D and {}-D \
             tensors respectively",
            a.key.dim(),
            a.value.dim()
        )));
    }
    if let Some(mask) = &a.key_padding_mask
        && mask.dim() != dims - 1
    {
        return Err(Error::shape(format!(
            "For {batch} `query`, expected `key_padding_mask` to be `None` or {}-D but found {}-D \
             tensor instead",
            dims - 1,
            mask.dim()
        )));
    }
    let (key, val) = (sizes(&a.key), sizes(&a.value));
    let fits = if a.separate.is_some() { key[..dims - 1] == val[..dims - 1] } else { key == val };
    if !fits {
        return Err(Error::shape(format!("key shape {key:?} does not match value shape {val:?}")));
    }
    Ok(dims == 3)
}

/// A mask to add to scores: a bool mask becomes -inf where it is true.
fn additive(mask: &Tensor, name: &str, kind: tch::Kind) -> Result<Tensor> {
    if mask.is_floating_point() {
        return Ok(mask.shallow_clone());
    }
    if mask.f_kind()? != tch::Kind::Bool {
        return Err(Error::type_(format!("only bool and floating types of {name} are supported")));
    }
    let zeros = Tensor::f_zeros(sizes(mask).as_slice(), (kind, device(mask)?))?;
    zeros.masked_fill_number(mask, f64::NEG_INFINITY)
}
