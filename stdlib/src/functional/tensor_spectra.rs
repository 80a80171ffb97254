//! The short-time Fourier transform and factorisations of `torch` that are composed.

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::torch::{NativeArgument, Tensor};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::common::{Lazy, device, shape, sizes, values};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.stft(Tensor input, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool center=True, str pad_mode='reflect', bool normalized=False, bool? onesided=None, bool? return_complex=None, bool? align_to_window=None) -> Tensor",
        doc: "The short-time Fourier transform of (L) or (B, L): (B, frequencies, frames). \
              `return_complex` must be given for real input.",
        example: "torch.stft(torch.ones([16]), 8, window: torch.hann_window(8), return_complex: true)",
        call: stft,
    },
    Function {
        schema: "Tensor.stft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool center=True, str pad_mode='reflect', bool normalized=False, bool? onesided=None, bool? return_complex=None, bool? align_to_window=None) -> Tensor",
        doc: "The short-time Fourier transform, as torch.stft.",
        example: "torch.ones([16]).stft(8, window: torch.hann_window(8), return_complex: true)",
        call: stft,
    },
    Function {
        schema: "torch.lu(Tensor A, bool pivot=True, bool get_infos=False) -> Tensor[]",
        doc: "The LU factorisation as [LU, pivots], with `get_infos` as LU, pivots and info, a status per matrix.",
        example: "torch.lu(torch.tensor([[2.0, 1.0], [1.0, 3.0]]))",
        call: lu,
    },
    Function {
        schema: "Tensor.lu(Tensor self, bool pivot=True, bool get_infos=False) -> Tensor[]",
        doc: "The LU factorisation, as torch.lu.",
        example: "torch.tensor([[2.0, 1.0], [1.0, 3.0]]).lu()",
        call: lu,
    },
    Function {
        schema: "torch.svd_lowrank(Tensor A, int? q=6, int? niter=2, Tensor? M=None) -> Tensor[]",
        doc: "[U, S, V] of a matrix of low rank (minus M), from random projections (Halko et al., 2009).",
        example: "torch.svd_lowrank(torch.randn([8, 4]), q: 2)",
        call: |args| {
            let (a, q) = (args.tensor(0)?, args.opt_int(1)?.unwrap_or(6));
            let (rounds, mean) = (args.opt_int(2)?.unwrap_or(2), args.opt_tensor(3)?);
            let mean = mean.map(Tensor::into_tch);
            svd_lowrank(args, a.into_tch(), q, rounds, mean)
        },
    },
    Function {
        schema: "torch.pca_lowrank(Tensor A, int? q=None, bool center=True, int niter=2) -> Tensor[]",
        doc: "[U, S, V] of the principal components of the rows of A, from random projections.",
        example: "torch.pca_lowrank(torch.randn([8, 4]), q: 2)",
        call: pca_lowrank,
    },
];

fn stft(args: &mut Args<'_>) -> Result<Dynamic> {
    let (mut x, n) = (args.tensor(0)?, args.int(1)?);
    let center = args.bool(5)?;
    if center && !args.is_none(10) {
        return Err(Error::value("stft align_to_window should only be set when center = false"));
    }
    if center {
        let size = sizes(&x);
        let mut padded = vec![1; 3usize.saturating_sub(size.len())];
        padded.extend(&size);
        let wide = x.f_view(padded.as_slice())?.f_pad([n / 2, n / 2], &args.str(6)?, None)?;
        let length = sizes(&wide).last().copied().unwrap_or(0);
        let mut back = size;
        if let Some(last) = back.last_mut() {
            *last = length;
        }
        x = Tensor::from(wide.f_view(back.as_slice())?);
    }
    let mut values = vec![Dynamic::from(x)];
    values.extend([1, 2, 3, 4, 7, 8, 9, 10].map(|i| args.take(i)));
    args.ctx().op("stft", values)
}

fn lu(args: &mut Args<'_>) -> Result<Dynamic> {
    let (pivot, infos) = (args.bool(1)?, args.bool(2)?);
    if infos {
        return args.ctx().op("_lu_with_info", vec![args.take(0), pivot.into(), false.into()]);
    }
    let (lu, pivots, _) = args.tensor(0)?.f_internal_lu_with_info(pivot, true)?;
    Ok(values([lu, pivots]))
}

/// The conjugate transpose.
fn adjoint(x: &tch::Tensor) -> Result<tch::Tensor> {
    Ok(x.f_transpose(-2, -1)?.f_conj()?)
}

fn svd_lowrank(
    args: &Args<'_>,
    a: tch::Tensor,
    q: i64,
    rounds: i64,
    mean: Option<tch::Tensor>,
) -> Result<Dynamic> {
    let size = sizes(&a);
    let [.., m, n] = size.as_slice() else {
        return Err(Error::shape(format!("expected a matrix, found {}", shape(&a))));
    };
    let wide = m < n;
    let mut mean = mean.map(|mean| mean.f_broadcast_to(size.as_slice())).transpose()?;
    let mut a = a;
    if wide {
        a = adjoint(&a)?;
        mean = mean.map(|mean| adjoint(&mean)).transpose()?;
    }
    let less_mean = |product: tch::Tensor, side: Option<tch::Tensor>| -> Result<tch::Tensor> {
        Ok(match side {
            Some(side) => product.f_sub(&side)?,
            None => product,
        })
    };
    // An orthonormal basis of what A maps random vectors to, sharpened by power iterations.
    let short = *sizes(&a).last().unwrap_or(&0);
    let random = tch::Tensor::f_randn([short, q], (a.f_kind()?, device(&a)?))?;
    let onto = |x: &tch::Tensor| -> Result<tch::Tensor> {
        let less = mean.as_ref().map(|mean| mean.f_matmul(x)).transpose()?;
        less_mean(a.f_matmul(x)?, less)
    };
    let back = |x: &tch::Tensor| -> Result<tch::Tensor> {
        let product = adjoint(&a)?.f_matmul(x)?;
        let less = match &mean {
            Some(mean) => Some(adjoint(mean)?.f_matmul(x)?),
            None => None,
        };
        less_mean(product, less)
    };
    let orthonormal =
        |x: tch::Tensor| -> Result<tch::Tensor> { Ok(tch::Tensor::f_linalg_qr(&x, "reduced")?.0) };
    let mut basis = orthonormal(onto(&random)?)?;
    for _ in 0..rounds {
        args.ctx().check()?;
        basis = orthonormal(back(&basis)?)?;
        basis = orthonormal(onto(&basis)?)?;
    }
    let small = adjoint(&basis)?.f_matmul(&a)?;
    let less = match &mean {
        Some(mean) => Some(adjoint(&basis)?.f_matmul(mean)?),
        None => None,
    };
    let small = less_mean(small, less)?;
    static SVD: Lazy = Lazy::new("linalg_svd", "");
    let [u, s, vh] = SVD
        .call(&[NativeArgument::Tensor(&small), NativeArgument::Bool(false)])?
        .try_into()
        .map_err(|_| Error::type_("linalg_svd gave no three tensors"))?;
    let (u, v) = (basis.f_matmul(&u)?, adjoint(&vh)?);
    Ok(if wide { values([v, s, u]) } else { values([u, s, v]) })
}

fn pca_lowrank(args: &mut Args<'_>) -> Result<Dynamic> {
    let (a, center, rounds) = (args.tensor(0)?.into_tch(), args.bool(2)?, args.int(3)?);
    let size = sizes(&a);
    let [.., m, n] = size.as_slice() else {
        return Err(Error::shape(format!("expected a matrix, found {}", shape(&a))));
    };
    let most = *m.min(n);
    let q = args.opt_int(1)?.unwrap_or(most.min(6));
    if !(0..=most).contains(&q) {
        return Err(Error::value(format!(
            "q(={q}) must be non-negative integer and not greater than min(m, n)={most}"
        )));
    }
    if rounds < 0 {
        return Err(Error::value(format!("niter(={rounds}) must be non-negative integer")));
    }
    if !center {
        return svd_lowrank(args, a, q, rounds, None);
    }
    let mean = a.f_mean_dim([-2i64].as_slice(), true, None)?;
    svd_lowrank(args, a.f_sub(&mean)?, q, rounds, None)
}
