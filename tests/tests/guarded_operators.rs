//! Operators whose arguments are checked before they are called still take what PyTorch's documentation
//! says that they take, directly and through autograd.

use flambeau_tests::session::{Recorded, on_deep_stack};

/// Each is a script of its own that must work.
const WORK: &[&str] = &[
    // Normalisation, with and without statistics and weights.
    "torch.native_batch_norm(torch.randn([2, 3, 4]), (), (), (), (), true, 0.1, 1e-5)",
    "torch.native_batch_norm(torch.randn([2, 3]), torch.ones([3]), torch.zeros([3]), \
     torch.zeros([3]), torch.ones([3]), false, 0.1, 1e-5)",
    "let x = torch.randn([2, 3, 4, 4], requires_grad: true); \
     torch.batch_norm(x, torch.ones([3], requires_grad: true), (), (), (), true, 0.1, 1e-5, false)\
     .sum().backward(); x.grad.shape",
    "let m = nn.BatchNorm2d(3); m(torch.randn([2, 3, 4, 4])).sum().backward(); m.eval(); \
     m(torch.randn([1, 3, 4, 4])).sum().backward();",
    "let v = torch.randn([3, 4], requires_grad: true); \
     torch._weight_norm(v, torch.ones([3, 1], requires_grad: true), 0).sum().backward();",
    // Classes, indices and bags.
    "let p = torch.randn([6, 2, 5], requires_grad: true); \
     torch.ctc_loss(p.log_softmax(2), torch.tensor([[1, 2], [3, 4]]), [6, 6], [2, 2]).backward();",
    "let p = torch.randn([6, 2, 5]).log_softmax(2); \
     torch.ctc_loss(p, torch.tensor([1, 2, 3]), torch.tensor([6, 6]), torch.tensor([2, 1]))",
    "let w = torch.randn([5, 3], requires_grad: true); \
     let r = torch.embedding_bag(w, torch.tensor([0, 1, 4]), torch.tensor([0, 2])); \
     r[0].sum().backward(); w.grad",
    "let w = torch.randn([5, 3], requires_grad: true); let s = torch.rand([3], requires_grad: true); \
     torch.embedding_bag(w, torch.tensor([0, 1, 4]), torch.tensor([0, 2]), false, 0, false, s)[0]\
     .sum().backward(); s.grad",
    "let w = torch.randn([5, 3], requires_grad: true); \
     torch.embedding(w, torch.tensor([[0, 4], [1, 1]])).sum().backward();",
    "torch.embedding_dense_backward(torch.ones([2, 3]), torch.tensor([0, 4]), 5, -1, false)",
    "let x = torch.randn([1, 2, 6, 6], requires_grad: true); \
     let r = torch.max_pool2d_with_indices(x, 2); r[0].sum().backward(); \
     torch.max_pool2d_with_indices_backward(torch.ones_like(r[0]), x, [2, 2], [2, 2], [0, 0], \
     [1, 1], false, r[1])",
    "let x = torch.randn([1, 2, 6, 6, 6], requires_grad: true); \
     torch.max_pool3d(x, 2).sum().backward(); \
     torch.adaptive_max_pool3d(x, [2, 2, 2])[0].sum().backward();",
    "torch.max_pool1d(torch.randn([1, 2, 9]), 3, 2, 1)",
    "let m = nn.FractionalMaxPool2d(2, output_size: [3, 3]); let x = torch.randn([1, 2, 7, 7], \
     requires_grad: true); m(x).sum().backward(); x.grad",
    // Convolutions by their old names.
    "let x = torch.randn([1, 2, 5, 5], requires_grad: true); \
     torch.ops.aten.thnn_conv2d(x, torch.randn([3, 2, 3, 3]), [3, 3]).sum().backward();",
    "torch.ops.aten.slow_conv3d(torch.randn([1, 2, 4, 4, 4]), torch.randn([3, 2, 2, 2, 2]), [2, 2, 2])",
    "torch.conv2d(torch.randn([1, 2, 5, 5]), torch.randn([3, 2, 3, 3]), (), 2, 1)",
    // Factorisations and spectra.
    "let f = torch.linalg.lu_factor(torch.eye(3) * 2); torch.linalg.lu_solve(f[0], f[1], torch.ones([3, 1]))",
    "let f = torch.linalg.ldl_factor(torch.eye(3)); torch.linalg.ldl_solve(f[0], f[1], torch.ones([3, 1]))",
    "let f = torch.linalg.lu_factor(torch.eye(3)); torch.lu_solve(torch.ones([3, 1]), f[0], f[1])",
    "torch.fft.fft2(torch.randn([4, 4])) + torch.fft.fftn(torch.randn([4, 4]), dim: [-1, 0])",
    "let x = torch.randn([8], requires_grad: true); torch.fft.irfft(torch.fft.rfft(x)).sum().backward();",
    // Distances.
    "let x = torch.randn([4, 3], requires_grad: true); torch.pdist(x).sum().backward();",
    "let x = torch.randn([2, 4, 3], requires_grad: true); \
     torch.cdist(x, torch.randn([2, 5, 3]), p: 1.0).sum().backward(); x.grad",
    // Losses.
    "let x = torch.randn([3], requires_grad: true); torch.smooth_l1_loss(x, torch.ones([3])).backward(); \
     torch.huber_loss(x, torch.ones([3])).backward(); torch.mse_loss(x, torch.ones([3])).backward();",
    // Random numbers.
    "torch.poisson(torch.rand([3])) + torch.binomial(torch.ones([3]) * 5, torch.rand([3]))",
    // Splits, combinations, polynomials.
    "torch.tensor_split(torch.arange(7), 3)",
    "torch.tensor_split(torch.arange(7), torch.tensor([2, 5]))",
    "torch.hsplit(torch.arange(16).view([4, 4]), [1, 3])",
    "torch.combinations(torch.tensor([1, 2, 3]), r: 2)",
    "torch.special.chebyshev_polynomial_t(torch.rand([3]), torch.tensor([0, 3, 5]))",
    "torch.special.hermite_polynomial_h(torch.rand([3]), 4)",
    // Lists of tensors.
    "torch._foreach_add([torch.ones([2]), torch.ones([3, 1])], [torch.ones([2]), torch.ones([1])])",
    "torch._foreach_mul_([torch.ones([2])], 2.0)",
    "torch._foreach_addcdiv([torch.ones([2])], [torch.ones([2])], [torch.ones([2])], [0.5])",
    "torch._foreach_norm([torch.ones([2]), torch.ones([3])], 2)",
    "torch._fused_adam_([torch.ones([3])], [torch.ones([3])], [torch.zeros([3])], [torch.zeros([3])], \
     [], [torch.tensor(1.0)], lr: 0.1, beta1: 0.9, beta2: 0.99, weight_decay: 0.0, eps: 1e-8, \
     amsgrad: false, maximize: false)",
    "torch._fused_sgd_([torch.ones([3])], [torch.ones([3])], [], weight_decay: 0.0, momentum: 0.0, \
     lr: 0.1, dampening: 0.0, nesterov: false, maximize: false, is_first_step: true)",
    // Sparse layouts and views.
    "torch.eye(3).to_sparse().coalesce().to_sparse_csr().to_dense()",
    "torch._convert_indices_from_coo_to_csr(torch.tensor([0, 1, 1]), 3)",
    "torch._convert_indices_from_csr_to_coo(torch.tensor([0, 1, 3]), torch.tensor([0, 1, 2]))",
    "torch.randn([2, 3], dtype: torch.complex64).conj().resolve_conj()",
    "torch.randn([4]).view_copy([2, 2]) + torch.randn([4]).view(torch.int32).view_copy([2, 2])",
    "torch.align_tensors([torch.ones([2])])",
    // Threads.
    "torch.set_num_threads(1)",
];

/// Each must end with an error of this kind.
const REFUSED: &[(&str, &str)] = &[
    (
        "torch._fused_adam_([torch.ones([3])], [torch.ones([3])], [torch.zeros([1])], \
      [torch.zeros([3])], [], [torch.tensor(1.0)], lr: 0.1, beta1: 0.9, beta2: 0.99, \
      weight_decay: 0.0, eps: 1e-8, amsgrad: false, maximize: false)",
        "ShapeError",
    ),
    (
        "torch.ctc_loss(torch.randn([6, 2, 5]), torch.tensor([[1, 9], [3, 4]]), [6, 6], [2, 2])",
        "IndexError",
    ),
    (
        "torch.embedding_dense_backward(torch.ones([2, 3]), torch.tensor([0, 5]), 5, -1, false)",
        "IndexError",
    ),
    (
        "torch.native_batch_norm(torch.randn([2, 3]), torch.ones([2]), (), (), (), true, 0.1, 1e-5)",
        "ShapeError",
    ),
    ("torch.ops.c10d.barrier(1)", "TypeError"),
    ("torch.set_num_threads(100000)", "ValueError"),
    (
        "nn.Linear(2, 2)(torch._nested_tensor_from_tensor_list([torch.ones([2, 2]), torch.ones([1, 2])]))",
        "TypeError",
    ),
    ("nn.init.constant_(torch.zeros([2], dtype: torch.uint8), -1.0)", "RuntimeError"),
];

#[test]
fn documented_calls_are_not_refused() {
    let wrong = on_deep_stack(|| {
        let mut wrong = Vec::new();
        for script in WORK {
            if let Some(report) = Recorded::new().run("call", script).1 {
                wrong.push(format!("{script}\n  {}: {}", report.error.kind, report.error.message));
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsound_calls_are_errors() {
    let wrong = on_deep_stack(|| {
        let mut wrong = Vec::new();
        for (script, kind) in REFUSED {
            let report = Recorded::new().run("call", script).1;
            let found =
                report.map_or("no error".to_owned(), |report| report.error.kind.to_string());
            if found != *kind {
                wrong.push(format!("{script}\n  {found} instead of {kind}"));
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
