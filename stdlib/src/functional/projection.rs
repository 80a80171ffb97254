//! The input projections of multi-head attention.

use flambeau_runtime::{Error, Result};
use tch::Tensor;

use super::attention::{Attention, Same};
use super::common::sizes;

/// Query, key and value through their input projections.
pub(crate) fn project(
    a: &Attention,
    query: &Tensor,
    key: &Tensor,
    val: &Tensor,
    batched: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let embed = sizes(query)[2];
    if let Some([wq, wk, wv]) = &a.separate {
        let biases = match &a.in_bias {
            None => [None, None, None],
            Some(bias) => three(bias.f_chunk(3, 0)?)?.map(Some),
        };
        let [bq, bk, bv] = biases;
        return Ok((
            query.f_linear(wq, bq.as_ref())?,
            key.f_linear(wk, bk.as_ref())?,
            val.f_linear(wv, bv.as_ref())?,
        ));
    }
    let weight = a.in_weight.as_ref().ok_or_else(|| {
        Error::value("use_separate_proj_weight is False but in_proj_weight is None")
    })?;
    let bias = a.in_bias.as_ref();
    // One product for what is the same tensor, then its parts along a new first dimension.
    let parts = |projected: Tensor, n: i64| -> Result<Vec<Tensor>> {
        let stacked = projected
            .f_unflatten(-1, [n, embed])?
            .f_unsqueeze(0)?
            .f_transpose(0, -2)?
            .f_squeeze_dim(-2)?
            .f_contiguous()?;
        Ok(stacked.f_unbind(0)?)
    };
    match a.same {
        // Python compares objects, and adding a batch dimension makes new ones.
        Same::All if batched => {
            let [q, k, v] = three(parts(query.f_linear(weight, bias)?, 3)?)?;
            Ok((q, k, v))
        }
        Same::KeyValue if batched => {
            let mut weights = weight.f_split_with_sizes([embed, 2 * embed], 0)?;
            let mut biases = match bias {
                None => Vec::new(),
                Some(bias) => bias.f_split_with_sizes([embed, 2 * embed], 0)?,
            };
            let (bkv, bq) = (biases.pop(), biases.pop());
            let (Some(wkv), Some(wq)) = (weights.pop(), weights.pop()) else {
                return Err(Error::shape("in_proj_weight must have 3 * embed_dim rows"));
            };
            let q = query.f_linear(&wq, bq.as_ref())?;
            let mut both = parts(key.f_linear(&wkv, bkv.as_ref())?, 2)?;
            match (both.pop(), both.pop()) {
                (Some(v), Some(k)) => Ok((q, k, v)),
                _ => Err(Error::shape("in_proj_weight must have 3 * embed_dim rows")),
            }
        }
        _ => {
            let [wq, wk, wv] = three(weight.f_chunk(3, 0)?)?;
            let biases = match bias {
                None => [None, None, None],
                Some(bias) => three(bias.f_chunk(3, 0)?)?.map(Some),
            };
            let [bq, bk, bv] = biases;
            Ok((
                query.f_linear(&wq, bq.as_ref())?,
                key.f_linear(&wk, bk.as_ref())?,
                val.f_linear(&wv, bv.as_ref())?,
            ))
        }
    }
}

fn three(list: Vec<Tensor>) -> Result<[Tensor; 3]> {
    list.try_into().map_err(|list: Vec<Tensor>| {
        Error::shape(format!("a projection splits into {} parts instead of 3", list.len()))
    })
}
