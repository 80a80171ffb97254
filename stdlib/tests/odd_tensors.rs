//! Tensors that functions and optimisers were not made for: they work or are refused, and never end the
//! process.

mod beside;

use beside::{both, lines, session};

/// Tensors of every layout and of odd shapes and dtypes.
const ODD: &[&str] = &[
    "torch.eye(4).to_sparse_csr()",
    "torch.eye(4).to_sparse()",
    "torch.empty([4, 4], device: \"meta\")",
    "torch._nested_tensor_from_tensor_list([torch.ones([2, 3]), torch.ones([1, 3])])",
    "torch.empty([0])",
    "torch.empty([3, 0, 4])",
    "torch.tensor(1.0)",
    "torch.tensor(true)",
    "torch.randn([4, 4], dtype: torch.complex64)",
    "torch.ones([4], dtype: torch.uint16)",
    "torch.ones([2, 2, 2, 2, 2, 2])",
    "torch.ones([4, 4], requires_grad: true)",
];

/// Uses that the cases of `functional/cases.txt` do not make.
const MORE: &[&str] = &[
    "F.gaussian_nll_loss(x, x, x)",
    "F.embedding(x, x, padding_idx: 0, max_norm: 1.0)",
    "F.embedding_bag(x, x)",
    "F.multi_head_attention_forward(x, x, x, 4, 0, x, x, x, x, true, 0.0, x, x)",
    "F.max_unpool2d(x, x, 2)",
    "F.fractional_max_pool2d(x, 2, output_ratio: 0.5)",
    "F.group_norm(x, 0)",
    "F.ctc_loss(x, x, x, x)",
    "torch.unravel_index(x, [2, 2])",
    "torch.tensordot(x, x, x)",
    "torch.unique(x, dim: 5)",
    "let o = optim.SGD([x], momentum: 0.9); x.grad = x; o.step(); o.zero_grad(false); o.state_dict()",
    "let o = optim.AdamW([x]); x.grad = x; o.step(); o.step(); o.load_state_dict(o.state_dict())",
    "let o = optim.Adagrad([x]); x.grad = x; o.step()",
    "let o = optim.NAdam([x], fused: false); x.grad = x; o.step()",
    "let o = optim.LBFGS([x]); o.step(|| { x.grad = x; 1.0 })",
    "let o = optim.SGD([x], lr: x); x.grad = x; o.step()",
];

#[test]
fn odd_tensors_work_or_are_refused() {
    let cases: Vec<String> =
        lines(include_str!("functional/cases.txt")).map(|line| both(line).0).collect();
    let mut session = session();
    let mut refused = 0;
    for odd in ODD {
        for name in ["x", "y", "image", "volume", "logits", "other", "vector", "matrix"] {
            let _ = session.evaluate("odd", &format!("let {name} = {odd};"));
        }
        for name in ["labels", "signs", "chances", "weights"] {
            let _ = session.evaluate("odd", &format!("let {name} = x;"));
        }
        for code in cases.iter().map(String::as_str).chain(MORE.iter().copied()) {
            if let Err(report) = session.evaluate("odd", code) {
                let message = &report.error.message;
                assert!(!message.contains("frame #"), "{odd}: {code}: {message}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
}
