//! What encoder and decoder layers do: attention and a feed-forward network, each with a residual and
//! a layer norm.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Context, convert};
use flambeau_runtime::torch::Tensor;
use rhai::{Dynamic, ImmutableString, Map};

use super::super::class::Call;
use super::super::module::Module;
use super::attention::{self, Masks};

/// Makes the module of class `name`, with this constructor's `device` and `dtype`.
pub(crate) fn make(
    args: &Args<'_>,
    name: &str,
    positional: Vec<Dynamic>,
    named: &[(&str, Dynamic)],
) -> Result<Module> {
    let mut keywords: Map =
        named.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    for option in ["device", "dtype"] {
        let wanted = name != "nn.Dropout" && !name.ends_with("coder");
        if let Some(i) = args.schema().position(option)
            && wanted
        {
            keywords.insert(option.into(), args.get(i).clone());
        }
    }
    let mut all = positional;
    all.push(Dynamic::from_map(keywords));
    let made = args.ctx().function(name, all)?;
    made.try_cast::<Module>().ok_or_else(|| Error::type_(format!("{name} made no module")))
}

/// The submodules of a layer, drawn in PyTorch's order.
pub(crate) fn build(module: &Module, args: &mut Args<'_>, decoder: bool) -> Result<()> {
    let at =
        |name: &str| args.schema().position(name).map_or(Dynamic::UNIT, |i| args.get(i).clone());
    let (width, hidden, dropout, bias) =
        (at("d_model"), at("dim_feedforward"), at("dropout"), at("bias"));
    let attention = || {
        let named = [
            ("dropout", dropout.clone()),
            ("bias", bias.clone()),
            ("batch_first", at("batch_first")),
        ];
        make(args, "nn.MultiheadAttention", vec![width.clone(), at("nhead")], &named)
    };
    let linear = |a: &Dynamic, b: &Dynamic| {
        make(args, "nn.Linear", vec![a.clone(), b.clone()], &[("bias", bias.clone())])
    };
    let norm = || {
        let named = [("eps", at("layer_norm_eps")), ("bias", bias.clone())];
        make(args, "nn.LayerNorm", vec![width.clone()], &named)
    };
    let drop = || make(args, "nn.Dropout", vec![dropout.clone()], &[]);
    module.put_module("self_attn", attention()?)?;
    if decoder {
        module.put_module("multihead_attn", attention()?)?;
    }
    module.put_module("linear1", linear(&width, &hidden)?)?;
    module.put_module("dropout", drop()?)?;
    module.put_module("linear2", linear(&hidden, &width)?)?;
    let blocks: &[u8] = if decoder { &[1, 2, 3] } else { &[1, 2] };
    for block in blocks {
        module.put_module(&format!("norm{block}"), norm()?)?;
    }
    for block in blocks {
        module.put_module(&format!("dropout{block}"), drop()?)?;
    }
    let activation = at("activation");
    if let Some(text) = activation.read_lock::<ImmutableString>()
        && !matches!(text.as_str(), "relu" | "gelu")
    {
        return Err(Error::value(format!("activation should be relu/gelu, not {}", *text)));
    }
    let submodule = activation.read_lock::<Module>().map(|module| module.clone());
    let mut state = module.state_mut()?;
    // Only what PyTorch keeps: the rest lives in the submodules, some under the same names.
    state.attributes.replace(Vec::new());
    state.attributes.set("norm_first", at("norm_first"));
    match submodule {
        Some(submodule) => state.modules.set("activation", Some(submodule)),
        None => state.attributes.set("activation", activation),
    }
    Ok(())
}

/// The forward pass of an encoder layer.
pub(crate) fn encode(call: &Call<'_>) -> Result<Dynamic> {
    let x = call.tensor(0)?.clone();
    let block = Block { module: call.module, ctx: call.ctx };
    let causal = call.bool_or(3, false)?;
    let attend = |x: Tensor| {
        let masks = Masks { attention: call.value(1).clone(), padding: call.value(2).clone() };
        block.attend("self_attn", "dropout1", x, None, masks, causal)
    };
    let first = call.state().bool("norm_first")?;
    let x = block.residual(x, first, "norm1", attend)?;
    let x = block.residual(x, first, "norm2", |x| block.feed_forward(x, "dropout2"))?;
    Ok(Dynamic::from(x))
}

/// The forward pass of a decoder layer.
pub(crate) fn decode(call: &Call<'_>) -> Result<Dynamic> {
    let x = call.tensor(0)?.clone();
    let memory = call.tensor(1)?.clone();
    let block = Block { module: call.module, ctx: call.ctx };
    let (causal, memory_causal) = (call.bool_or(6, false)?, call.bool_or(7, false)?);
    let attend = |x: Tensor| {
        let masks = Masks { attention: call.value(2).clone(), padding: call.value(4).clone() };
        block.attend("self_attn", "dropout1", x, None, masks, causal)
    };
    let look = |x: Tensor| {
        let masks = Masks { attention: call.value(3).clone(), padding: call.value(5).clone() };
        block.attend("multihead_attn", "dropout2", x, Some(&memory), masks, memory_causal)
    };
    let first = call.state().bool("norm_first")?;
    let x = block.residual(x, first, "norm1", attend)?;
    let x = block.residual(x, first, "norm2", look)?;
    let x = block.residual(x, first, "norm3", |x| block.feed_forward(x, "dropout3"))?;
    Ok(Dynamic::from(x))
}

/// The parts that encoder and decoder layers share.
struct Block<'a> {
    module: &'a Module,
    ctx: &'a Context<'a>,
}

impl Block<'_> {
    fn apply(&self, name: &str, x: Tensor) -> Result<Tensor> {
        let module = self.module.state().module(name)?;
        module.call_tensor(x, self.ctx)
    }

    /// x + f(norm(x)), or norm(x + f(x)).
    fn residual(
        &self,
        x: Tensor,
        norm_first: bool,
        norm: &str,
        f: impl Fn(Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        if norm_first {
            let y = f(self.apply(norm, x.clone())?)?;
            return Ok(x.f_add(&y)?.into());
        }
        let y = f(x.clone())?;
        self.apply(norm, x.f_add(&y)?.into())
    }

    fn attend(
        &self,
        name: &str,
        dropout: &str,
        x: Tensor,
        memory: Option<&Tensor>,
        masks: Masks,
        causal: bool,
    ) -> Result<Tensor> {
        let module = self.module.state().module(name)?;
        let other = memory.unwrap_or(&x).clone();
        let inputs = [x, other.clone(), other];
        if module.hooked() {
            let named = [
                ("attn_mask", masks.attention),
                ("key_padding_mask", masks.padding),
                ("need_weights", Dynamic::FALSE),
                ("is_causal", Dynamic::from_bool(causal)),
            ];
            let keywords: Map = named.into_iter().map(|(n, v)| (n.into(), v)).collect();
            let mut args: Vec<Dynamic> = inputs.into_iter().map(Dynamic::from).collect();
            args.push(Dynamic::from_map(keywords));
            let result = module.call(args, self.ctx)?;
            let parts = convert::items(&result).unwrap_or_default();
            let out = parts.into_iter().next().and_then(|value| value.try_cast::<Tensor>());
            let out = out.ok_or_else(|| Error::type_("attention gave no tensor"))?;
            return self.apply(dropout, out);
        }
        let (out, _) = attention::run(&module, inputs, masks, (false, true, causal), self.ctx)?;
        self.apply(dropout, out)
    }

    fn feed_forward(&self, x: Tensor, dropout: &str) -> Result<Tensor> {
        let x = self.apply("linear1", x)?;
        let activation = self.module.state().read(self.module, "activation");
        let x = match activation.read_lock::<ImmutableString>() {
            Some(name) if *name == "gelu" => x.f_gelu("none")?.into(),
            Some(_) => x.f_relu()?.into(),
            None => {
                let out = self.ctx.call(&activation, vec![Dynamic::from(x)])?;
                out.try_cast::<Tensor>()
                    .ok_or_else(|| Error::type_("the activation must give a Tensor"))?
            }
        };
        let x = self.apply("dropout", x)?;
        let x = self.apply("linear2", x)?;
        self.apply(dropout, x)
    }
}
