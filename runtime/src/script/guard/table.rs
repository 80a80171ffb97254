//! What each operator needs that it does not check itself. Kept by class of cause; operators that are
//! public in Python come first in a class.

use super::Need::{
    self, AtMost, Dims, Elements, Finite, Floating, Given, Items, Length, Not, Plain, Positive,
    SameLengths, SameShape, SameTensors, That, Within,
};
use super::{Call, may_open, views};

/// The needs of an operator by its qualified name.
pub(super) fn needs(name: &str) -> &'static [Need] {
    let (namespace, short) = name.split_once("::").unwrap_or(("", name));
    match namespace {
        "aten" => aten(short),
        "c10d" | "_c10d_functional" | "_c10d_functional_autograd" | "_dtensor" | "symm_mem" => {
            &[Not("needs a process group of torch.distributed, which scripts do not have")]
        }
        "onednn" => &[Not(
            "is called by the code that torch.compile writes for quantized models, with weights that it packed",
        )],
        _ => other(namespace, short),
    }
}

fn aten(name: &str) -> &'static [Need] {
    if let Some(fused) = name.strip_prefix("_fused_")
        && ["adam", "adamw", "sgd", "adagrad"].contains(&fused.trim_end_matches('_'))
    {
        // Kernels run over the parameters' elements and index the other lists with the same numbers.
        return &[SameTensors(&[
            "self",
            "grads",
            "exp_avgs",
            "exp_avg_sqs",
            "max_exp_avg_sqs",
            "state_sums",
            "momentum_buffer_list",
        ])];
    }
    if name.starts_with("_foreach_") {
        return &[SameLengths];
    }
    if name.starts_with("special_") && name.contains("_polynomial_") {
        // The recurrence takes n steps for each element.
        return &[AtMost("n", 1 << 20)];
    }
    files_and_sizes(name)
        .or_else(|| shapes(name))
        .or_else(|| indices(name))
        .or_else(|| internals(name))
        .unwrap_or(&[])
}

/// Operators that open files, run for ever, or ask for more memory than there is in small pieces.
fn files_and_sizes(name: &str) -> Option<&'static [Need]> {
    const PIECES: i64 = 1 << 24;
    Some(match name {
        "from_file" => &[That(may_open)],
        "choose_qparams_optimized" => &[
            That(views::counted),
            Positive("n_bins"),
            AtMost("n_bins", PIECES),
            Positive("bit_width"),
            AtMost("bit_width", 16),
        ],
        "combinations" => &[AtMost("r", 64)],
        "tensor_split" | "hsplit" | "vsplit" | "dsplit" => {
            &[AtMost("sections", PIECES), AtMost("tensor_indices_or_sections", PIECES)]
        }
        "max_pool1d" | "max_pool1d_with_indices" => &[AtMost("kernel_size", PIECES)],
        "_standard_gamma" | "poisson" => &[Finite("self")],
        "_sample_dirichlet" => &[Finite("self")],
        "binomial" => &[Finite("count"), Finite("prob")],
        _ => return None,
    })
}

/// Kernels that take the shapes of their arguments for granted.
fn shapes(name: &str) -> Option<&'static [Need]> {
    Some(match name {
        "lstm" | "gru" | "rnn_tanh" | "rnn_relu" => {
            &[Items("params"), Plain("input"), Plain("data")]
        }
        "_unsafe_masked_index" | "_unsafe_masked_index_put_accumulate" => {
            &[Plain("self"), Plain("mask")]
        }
        "align_tensors" | "_stack" | "_cat" => &[Items("tensors")],
        "align_to" => &[Items("names"), Items("order")],
        "quantized_lstm_cell" => &[Length("hx", 2)],
        "slow_conv3d" | "slow_conv3d_forward" => &[Dims("self", 4, 5), Dims("weight", 5, 5)],
        "_slow_conv2d_forward" | "thnn_conv2d" => &[Dims("self", 3, 4), Dims("weight", 4, 4)],
        "_slow_conv2d_backward" => {
            &[Dims("grad_output", 3, 4), Dims("self", 3, 4), Dims("weight", 4, 4)]
        }
        "_nnpack_spatial_convolution" => {
            &[Dims("input", 4, 4), Dims("weight", 4, 4), Positive("stride"), Elements("weight")]
        }
        "fbgemm_linear_quantize_weight"
        | "fbgemm_pack_gemm_matrix_fp16"
        | "fbgemm_pack_quantized_matrix" => &[Dims("input", 2, 2), Elements("input")],
        "smooth_l1_loss_backward" | "huber_loss_backward" | "mse_loss_backward" => {
            &[Floating("grad_output")]
        }
        "_weight_norm_interface" | "_weight_norm" => &[Elements("v"), Elements("g")],
        "_weight_norm_interface_backward" => {
            &[Elements("saved_v"), SameShape(&["grad_w", "saved_v"])]
        }
        // pdist() checks what its kernel takes for granted.
        "_pdist_forward" => &[Dims("self", 2, 2)],
        "_cummax_helper" | "_cummin_helper" => &[SameShape(&["self", "values", "indices"])],
        // What does not update statistics reads them.
        "_batch_norm_no_update" => {
            &[Given("running_mean"), Given("running_var"), Elements("input"), That(views::channels)]
        }
        "native_batch_norm"
        | "batch_norm_update_stats"
        | "_batch_norm_with_update"
        | "_batch_norm_with_update_functional"
        | "_native_batch_norm_legit"
        | "_native_batch_norm_legit_functional"
        | "_native_batch_norm_legit_no_training"
        | "batch_norm_backward"
        | "native_batch_norm_backward"
        | "_batch_norm_impl_index_backward" => {
            &[Elements("input"), That(views::channels), That(views::statistics)]
        }
        "fractional_max_pool2d_backward" | "fractional_max_pool3d_backward" => {
            &[Dims("self", 3, 5), Dims("grad_output", 3, 5), Dims("indices", 3, 5)]
        }
        "_transform_bias_rescale_qkv" => &[Positive("num_heads"), Dims("qkv", 3, 3)],
        "_dyn_quant_matmul_4bit" | "_dyn_quant_pack_4bit_weight" => &[Positive("block_size")],
        "_fft_c2c" | "_fft_r2c" | "_fft_c2r" => &[That(views::distinct_dims)],
        "_pdist_backward" => &[SameShape(&["grad", "pdist"]), That(views::pairs)],
        "_cdist_backward" => &[SameShape(&["grad", "cdist"]), That(views::all_pairs)],
        _ => return None,
    })
}

/// Kernels that follow indices without a look.
fn indices(name: &str) -> Option<&'static [Need]> {
    Some(match name {
        "ctc_loss" | "_ctc_loss" => &[Within("targets", classes)],
        "_ctc_loss_backward" => &[Within("targets", classes), That(views::alignments)],
        "max_pool2d_with_indices_backward" | "adaptive_max_pool2d_backward" => {
            &[Within("indices", last_two)]
        }
        "max_pool3d_with_indices_backward" | "adaptive_max_pool3d_backward" => {
            &[Within("indices", last_three)]
        }
        "embedding_dense_backward" => &[Within("indices", weights)],
        "_embedding_bag_dense_backward" | "_embedding_bag_backward" => {
            &[Within("indices", weights), Within("offset2bag", rows_of_grad)]
        }
        "_embedding_bag_per_sample_weights_backward" => {
            &[Within("indices", rows_of_weight), Within("offset2bag", rows_of_grad)]
        }
        "linalg_lu_solve" => &[Within("pivots", pivots)],
        "linalg_ldl_solve" => &[Within("pivots", signed_pivots)],
        "lu_solve" => &[Within("LU_pivots", lu_pivots)],
        "_convert_indices_from_coo_to_csr" => &[Within("self", rows), Dims("self", 1, 1)],
        "_convert_indices_from_csr_to_coo" => &[That(views::compressed)],
        _ => return None,
    })
}

/// What libtorch calls only from its own code.
fn internals(name: &str) -> Option<&'static [Need]> {
    const VMAP: &[Need] = &[Not("is the inside of vmap and cannot be called by hand")];
    Some(match name {
        "_chunk_cat" => {
            &[Items("tensors"), Plain("tensors"), Dims("tensors", 1, 64), Positive("num_chunks")]
        }
        "_add_batch_dim" | "_remove_batch_dim" => VMAP,
        "view_copy" | "copy" => &[Plain("self")],
        "_reshape_alias" | "_reshape_alias_copy" => &[Plain("self"), That(views::alias)],
        "_neg_view" | "_neg_view_copy" | "_conj" | "_conj_copy" | "_lazy_clone" => &[Plain("self")],
        "_new_zeros_with_same_feature_meta" => &[That(views::batch_dims)],
        "_thnn_differentiable_lstm_cell_backward" => &[
            Given("grad_hy"),
            Given("grad_cy"),
            Dims("input_gates", 2, 2),
            SameShape(&["input_gates", "hidden_gates"]),
            SameShape(&["grad_hy", "grad_cy", "cx", "cy"]),
            That(views::gates),
        ],
        "_thnn_differentiable_gru_cell_backward" => &[
            Dims("input_gates", 2, 2),
            SameShape(&["input_gates", "hidden_gates"]),
            SameShape(&["grad_hy", "hx"]),
            That(views::gates),
        ],
        "_nested_from_padded" => &[Dims("cpu_nested_shape_example", 2, 2), That(views::padded)],
        "_sobol_engine_initialize_state_"
        | "_sobol_engine_draw"
        | "_sobol_engine_ff_"
        | "_sobol_engine_scramble_" => &[That(views::sobol)],
        _ => return None,
    })
}

fn other(namespace: &str, name: &str) -> &'static [Need] {
    match (namespace, name) {
        ("inductor", "_reinterpret_tensor") => &[Plain("self"), That(views::alias)],
        ("inductor", "_alloc_from_pool") => &[Plain("self"), That(views::pool)],
        ("inductor", "resize_storage_bytes_") => {
            &[Not("would leave other tensors without their memory")]
        }
        ("mkldnn", "_reorder_mkldnn_rnn_layer_weight") => {
            &[Dims("weight0", 2, 2), Dims("weight1", 2, 2), Positive("hidden_size")]
        }
        ("_quantized" | "quantized", _) if name.starts_with("linear_prepack") => {
            &[Dims("W", 2, 2), Elements("W")]
        }
        // With steps that go the wrong way its search does not end.
        ("quantized", "embedding_bag_2bit_prepack" | "embedding_bag_4bit_prepack") => {
            &[Positive("nbins")]
        }
        ("quantized", "make_quantized_cell_params") => &[
            Dims("w_ih", 2, 2),
            Elements("w_ih"),
            Dims("w_hh", 2, 2),
            Elements("w_hh"),
            Dims("b_ih", 1, 1),
            Dims("b_hh", 1, 1),
        ],
        ("_quantized", "wrapped_fbgemm_pack_gemm_matrix_fp16") => &[Dims("W", 2, 2), Elements("W")],
        ("mkl", "_mkl_reorder_linear_weight") => {
            &[Dims("X", 2, 2), Elements("X"), Plain("X"), Positive("batch_size")]
        }
        ("mkl", "_mkl_linear") => &[Not("needs a weight in the private layout of MKL")],
        ("mkldnn", "data_ptr") => &[Plain("mkldnn_tensor")],
        _ => &[],
    }
}

fn product(sizes: &[i64]) -> i64 {
    sizes.iter().product()
}

fn below(n: i64) -> (i64, i64) {
    (0, n - 1)
}

fn classes(call: &Call<'_>) -> Option<(i64, i64)> {
    call.sizes("log_probs")?.last().copied().map(below)
}

fn last_two(call: &Call<'_>) -> Option<(i64, i64)> {
    let sizes = call.sizes("self")?;
    Some(below(product(&sizes[sizes.len().saturating_sub(2)..])))
}

fn last_three(call: &Call<'_>) -> Option<(i64, i64)> {
    let sizes = call.sizes("self")?;
    Some(below(product(&sizes[sizes.len().saturating_sub(3)..])))
}

fn weights(call: &Call<'_>) -> Option<(i64, i64)> {
    call.int("num_weights").map(below)
}

fn rows_of_weight(call: &Call<'_>) -> Option<(i64, i64)> {
    call.sizes("weight")?.first().copied().map(below)
}

fn rows_of_grad(call: &Call<'_>) -> Option<(i64, i64)> {
    call.sizes("grad")?.first().copied().map(below)
}

fn rows(call: &Call<'_>) -> Option<(i64, i64)> {
    call.int("size").map(below)
}

fn pivots(call: &Call<'_>) -> Option<(i64, i64)> {
    Some((1, call.sizes("LU")?.last().copied()?))
}

fn lu_pivots(call: &Call<'_>) -> Option<(i64, i64)> {
    Some((1, call.sizes("LU_data")?.last().copied()?))
}

fn signed_pivots(call: &Call<'_>) -> Option<(i64, i64)> {
    let n = call.sizes("LD")?.last().copied()?;
    Some((-n, n))
}
