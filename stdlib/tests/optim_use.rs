//! How optimisers are used from scripts: groups, gradients, closures, refusals.

mod beside;

use beside::{does, fails, prepared, run};

#[test]
fn groups_can_be_read_and_written() {
    let mut session = prepared();
    does(&mut session, "let params = parameters(); let opt = optim.SGD(params, lr: 0.1);");
    does(&mut session, "opt.param_groups[0].lr = 0.25;");
    let lr = run(&mut session, "opt.param_groups[0].lr");
    assert_eq!(lr.as_float().expect("a float"), 0.25);
    does(&mut session, "for group in opt.param_groups { group.lr *= 2.0; }");
    does(&mut session, "opt.param_groups[0][\"weight_decay\"] = 0.5;");
    does(
        &mut session,
        "let before = params[1].detach().clone(); params[1].grad = torch.ones([8]); opt.step();",
    );
    let same = run(&mut session, "torch.allclose(params[1], before - 0.5 * (1 + 0.5 * before))");
    assert!(same.as_bool().expect("a bool"));
    does(&mut session, "let more = torch.ones([2], requires_grad: true);");
    does(&mut session, "opt.add_param_group(#{params: [more], lr: 0.01});");
    let lr = run(&mut session, "opt.param_groups[1].lr");
    assert_eq!(lr.as_float().expect("a float"), 0.01);
    let count = run(&mut session, "opt.param_groups.len");
    assert_eq!(count.as_int().expect("an integer"), 2);
    let unknown = fails(&mut session, "opt.param_groups[0].learning_rate = 1.0;");
    assert!(unknown.contains("learning_rate"), "{unknown}");
    let replaced = fails(&mut session, "opt.param_groups = [];");
    assert!(replaced.contains("param_groups cannot be replaced"), "{replaced}");
}

#[test]
fn gradients_are_cleared_to_nothing_or_to_zeros() {
    let mut session = prepared();
    does(
        &mut session,
        "let params = parameters(); let opt = optim.SGD(params); gradients(params, 0);",
    );
    does(&mut session, "opt.zero_grad(set_to_none: false);");
    let zero = run(&mut session, "params.all(|p| p.grad.abs().sum().item() == 0.0)");
    assert!(zero.as_bool().expect("a bool"));
    does(&mut session, "opt.zero_grad();");
    let none = run(&mut session, "params.all(|p| p.grad == ())");
    assert!(none.as_bool().expect("a bool"));
}

#[test]
fn a_closure_gives_the_loss_and_sees_gradients_on() {
    let mut session = prepared();
    let loss = run(
        &mut session,
        "let w = torch.tensor([2.0], requires_grad: true);
         let opt = optim.SGD([w], lr: 0.25);
         let same = opt;
         no_grad {
             opt.step(|| { same.zero_grad(); let loss = (w * w).sum(); loss.backward(); loss }).item()
         }",
    );
    assert_eq!(loss.as_float().expect("a float"), 4.0);
    let w = run(&mut session, "w.item()");
    assert_eq!(w.as_float().expect("a float"), 1.0);
}

#[test]
fn names_of_parameters_are_kept() {
    let mut session = prepared();
    let code = "let w = torch.ones([1], requires_grad: true);
                let opt = optim.SGD([[\"w\", w]]);
                opt.state_dict().param_groups[0].param_names[0]";
    assert_eq!(run(&mut session, code).to_string(), "w");
}

#[test]
fn sparse_gradients_reach_sgd_and_adagrad() {
    let mut session = prepared();
    for make in ["optim.SGD([w], lr: 0.1)", "optim.Adagrad([w], lr: 0.1)"] {
        let code = format!(
            "let rows = torch.tensor([0, 2]);
             let made = [];
             for sparse in [true, false] {{
                 torch.manual_seed(3);
                 let w = torch.randn([4, 3], requires_grad: true);
                 let opt = {make};
                 for i in 0..3 {{
                     opt.zero_grad();
                     (F.embedding(rows, w, sparse: sparse) ** 2).sum().backward();
                     opt.step();
                 }}
                 made.push(w);
             }}
             torch.allclose(made[0], made[1])"
        );
        assert!(run(&mut session, &code).as_bool().expect("a bool"), "{make}");
    }
    let refused = fails(
        &mut session,
        "let w = torch.randn([4, 3], requires_grad: true);
         let opt = optim.Adam([w]);
         F.embedding(torch.tensor([1]), w, sparse: true).sum().backward();
         opt.step()",
    );
    assert!(refused.contains("Adam does not support sparse gradients"), "{refused}");
}

#[test]
fn what_cannot_be_optimised_is_refused_with_a_reason() {
    let mut session = prepared();
    does(&mut session, "let w = torch.ones([2], requires_grad: true); let opt = optim.Adam([w]);");
    for (code, reason) in [
        ("optim.SGD([])", "empty parameter list"),
        ("optim.SGD(w)", "should be an iterable of Tensors"),
        ("optim.SGD([1.0])", "can only optimize Tensors"),
        ("optim.SGD([w * 2])", "can't optimize a non-leaf Tensor"),
        ("optim.SGD([w], lr: -1.0)", "Invalid learning rate: -1.0"),
        ("optim.SGD([w], nesterov: true)", "Nesterov momentum requires"),
        ("optim.Adam([w], betas: [1.0, 0.9])", "Invalid beta parameter at index 0: 1.0"),
        ("optim.Adam([w], foreach: true, fused: true)", "cannot be `True` together"),
        ("opt.add_param_group(#{params: [w]})", "more than one parameter group"),
        ("opt.add_param_group(#{lr: 1.0})", "params"),
        ("opt.load_state_dict(#{})", "param_groups"),
        (
            "opt.load_state_dict(#{state: #{}, param_groups: []})",
            "different number of parameter groups",
        ),
        ("optim.LBFGS([w]).step()", "closure"),
        ("optim.lr_scheduler.StepLR(opt, 0)", "step_size must be positive"),
        ("optim.lr_scheduler.OneCycleLR(opt, 0.1)", "You must define either total_steps"),
        ("optim.lr_scheduler.CyclicLR(optim.Adagrad([w]), 0.1, 0.2)", "must support momentum"),
        ("optim.lr_scheduler.SequentialLR(opt, [], [])", "at least one scheduler"),
    ] {
        let said = fails(&mut session, code);
        assert!(said.contains(reason), "{code}: {said}");
    }
}
