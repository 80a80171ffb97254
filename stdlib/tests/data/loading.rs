//! Datasets and loaders; the shuffles are PyTorch's own.

use serde_json::Value;

use crate::common::{Script, oracle};

#[test]
fn orders_are_pytorchs_own() {
    let python: Value = serde_json::from_str(&oracle(&["shuffle"])).expect("JSON");
    let mut script = Script::new();
    script.run(
        r#"
        let rows = data.TensorDataset(torch.arange(10));
        let seeded = |seed| torch.Generator().manual_seed(seed);
        fn epochs(loader, n) {
            let all = [];
            for epoch in 0..n {
                let batches = [];
                for batch in loader { batches.push(batch[0].tolist()); }
                all.push(batches);
            }
            all
        }
        fn list(items) {
            let all = [];
            for item in items { all.push(item); }
            all
        }
        "#,
    );
    let cases = [
        (
            "default",
            "torch.manual_seed(0); epochs(data.DataLoader(rows, batch_size: 4, shuffle: true), 2)",
        ),
        (
            "generator",
            "epochs(data.DataLoader(rows, batch_size: 5, shuffle: true, generator: seeded(7)), 3)",
        ),
        ("generator", "epochs(data.DataLoader(rows, batch_size: 5, shuffle: true, seed: 7), 3)"),
        (
            "generator",
            "epochs(data.DataLoader(rows, batch_size: 5, shuffle: true, seed: 7, num_workers: 3), 3)",
        ),
        ("drop_last", "epochs(data.DataLoader(rows, 3, true, drop_last: true, seed: 1), 2)"),
        (
            "workers",
            "torch.manual_seed(3); epochs(data.DataLoader(rows, batch_size: 2, shuffle: true, num_workers: 2), 2)",
        ),
        (
            "workers",
            "torch.manual_seed(3); epochs(data.DataLoader(rows, batch_size: 2, shuffle: true), 2)",
        ),
        ("split", "data.random_split(rows, [0.75, 0.25], seed: 42).map(|part| part.indices)"),
        (
            "split",
            "torch.utils.data.random_split(rows, [0.75, 0.25], seeded(42)).map(|part| part.indices)",
        ),
        (
            "split_default",
            "torch.manual_seed(5); data.random_split(rows, [3, 7]).map(|part| part.indices)",
        ),
        (
            "replacement",
            "torch.manual_seed(6); list(data.RandomSampler(rows, replacement: true, num_samples: 70))",
        ),
        ("more", "list(data.RandomSampler(rows, num_samples: 25, generator: seeded(2)))"),
        ("subset", "list(data.SubsetRandomSampler([5, 6, 7, 8], generator: seeded(2)))"),
        (
            "weighted",
            "list(data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7], 6, generator: seeded(2)))",
        ),
        ("batches", "list(data.BatchSampler(0..7, 3)) + list(data.BatchSampler(0..7, 3, true))"),
        (
            "concat",
            "epochs(data.DataLoader(data.ConcatDataset([rows, data.TensorDataset(torch.arange(10, 16))]), \
                    batch_size: 5, shuffle: true, seed: 4), 1)",
        ),
        // The same orders for samples that closures make.
        (
            "generator",
            "epochs(data.DataLoader(data.Dataset(len: 10, get: |i| [i]), batch_size: 5, shuffle: true, seed: 7), 3)",
        ),
    ];
    for (name, code) in cases {
        assert_eq!(script.json(code), python[name], "{name}: {code}");
    }
}

#[test]
fn workers_change_nothing_and_end_when_the_loop_does() {
    let mut script = Script::new();
    script.run(
        r#"
        let x = torch.randn([1000, 3, 4]);
        let y = torch.arange(1000);
        let rows = data.Subset(data.TensorDataset(x, y), torch.arange(999, -1, -1));
        let loader = |workers| data.DataLoader(rows, batch_size: 64, shuffle: true, seed: 1, num_workers: workers);
        let expected = [];
        for batch in loader.call(0) { expected.push(batch); }
        if expected.len() != 16 || expected[15][0].shape != [40, 3, 4] { throw "batches"; }
        for workers in [1, 2, 7] {
            let i = 0;
            for batch in loader.call(workers) {
                if !torch.equal(batch[0], expected[i][0]) || !torch.equal(batch[1], expected[i][1]) { throw i; }
                if !torch.equal(batch[0], x[batch[1]]) { throw i; }
                i += 1;
            }
            if i != 16 { throw i; }
            for batch in loader.call(workers) { break; }
        }
        "#,
    );
    let threads = || {
        let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0 };
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
        tasks.flatten().filter_map(name).filter(|name| name.starts_with("data-loader")).count()
    };
    // A thread that was joined may be listed for a moment longer.
    for _ in 0..100 {
        if threads() > 0 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
    assert_eq!(threads(), 0);
    // A batch is a copy: changing it leaves the data as they were.
    script.run("let sum = x.sum().item(); for batch in loader.call(2) { batch[0].zero_(); } if x.sum().item() != sum { throw sum; }");
}

#[test]
fn samples_are_collated_as_in_pytorch() {
    let mut script = Script::new();
    script.run(
        r#"
        let samples = data.Dataset(len: 5, get: |i| #{
            image: torch.full([2, 2], i), label: i, weight: i / 2.0, name: `n${i}`, flag: i % 2 == 0, pair: [i, [torch.tensor(i), 0.5]],
        });
        let batches = [];
        for batch in data.DataLoader(samples, batch_size: 2) { batches.push(batch); }
        let first = batches[0];
        "#,
    );
    let mut show = |code: &str| script.show(code);
    assert_eq!(show("batches.len()"), "3");
    assert_eq!(show("first.image.shape"), "[2, 2, 2]");
    assert_eq!(show("first.label"), "tensor([0, 1])");
    assert_eq!(show("first.weight"), show("torch.tensor([0.0, 0.5], dtype: torch.float64)"));
    assert_eq!(show("first.name"), r#"["n0", "n1"]"#);
    assert_eq!(show("first.flag"), "tensor([ True, False])");
    assert_eq!(show("first.pair[1][0]"), "tensor([0, 1])");
    assert_eq!(show("batches[2].label"), "tensor([4])");
    assert_eq!(
        show(
            "let all = []; for b in data.DataLoader(samples, batch_size: 3, collate_fn: |s| s.len()) { all.push(b); } all"
        ),
        "[3, 2]"
    );
    assert_eq!(
        show(
            "let all = []; for s in data.DataLoader(samples, batch_size: ()) { all.push(s.label); } all"
        ),
        "[0, 1, 2, 3, 4]"
    );
    assert_eq!(
        show(
            "let all = []; for b in data.DataLoader(torch.arange(6), batch_size: 4) { all.push(b); } all"
        ),
        "[tensor([0, 1, 2, 3]), tensor([4, 5])]"
    );
    assert_eq!(
        show(
            "let all = []; for b in data.DataLoader([1, 2, 3], sampler: [2, 0]) { all.push(b.item()); } all"
        ),
        "[3, 1]"
    );
    assert_eq!(
        show(
            "let all = []; for b in data.DataLoader(torch.arange(6), sampler: || [5, -6]) { all.push(b.item()); } all"
        ),
        "[5, 0]"
    );
    assert_eq!(
        show(
            "let all = []; for b in data.DataLoader(torch.arange(6), batch_sampler: data.BatchSampler([5, 4, 3], 2)) { all.push(b.tolist()); } all"
        ),
        "[[5, 4], [3]]"
    );
    script.errors(&[
        ("for b in data.DataLoader([(), ()], batch_size: 2) {}", "TypeError", "default_collate: batch must contain"),
        ("for b in data.DataLoader([[1], [1, 2]], batch_size: 2) {}", "ValueError", "equal size"),
        ("for b in data.DataLoader([torch.zeros([2]), torch.zeros([3])], batch_size: 2) {}", "ShapeError", "equal size"),
        ("for b in data.DataLoader([#{a: 1}, #{b: 1}], batch_size: 2) {}", "KeyError", "no 'a'"),
        ("for b in data.DataLoader(data.Dataset(len: 3, get: |i| throw \"no\"), batch_size: 2) {}", "Thrown", "no"),
    ]);
}

#[test]
fn lengths_items_and_attributes() {
    let mut script = Script::new();
    script.run(
        r#"
        let x = torch.arange(12).reshape([6, 2]);
        let rows = data.TensorDataset(x, torch.arange(6));
        let loader = data.DataLoader(rows, batch_size: 4);
        "#,
    );
    let mut show = |code: &str| script.show(code);
    assert_eq!(
        show("[len(rows), len(loader), len(data.DataLoader(rows, 4, drop_last: true))]"),
        "[6, 2, 1]"
    );
    assert_eq!(show("rows[-1]"), "[tensor([10, 11]), tensor(5)]");
    assert_eq!(show("rows[0..2][1]"), "tensor([0, 1])");
    assert_eq!(show("let sample = data.Subset(rows, 2..4)[1]; sample[1].item()"), "3");
    assert_eq!(show("let sample = data.ConcatDataset([rows, rows])[7]; sample[1].item()"), "1");
    assert_eq!(show("let n = 0; for sample in rows { n += sample[1].item(); } n"), "15");
    assert_eq!(show("loader.batch_size"), "4");
    assert_eq!(show("len(loader.dataset.tensors)"), "2");
    assert_eq!(
        show("loader"),
        "DataLoader(2 batches of TensorDataset(6 samples: int64[6, 2], int64[6]), batch_size=4)"
    );
    script.errors(&[
        ("data.TensorDataset(torch.zeros([2]), torch.zeros([3]))", "ShapeError", "size mismatch"),
        ("data.TensorDataset()", "ValueError", "at least one"),
        ("rows[6]", "IndexError", "sample 6 is out of range"),
        ("data.Subset(rows, [6])", "IndexError", "index 6 is out of range"),
        ("data.DataLoader(3)", "TypeError", "a int is no dataset"),
        (
            "data.DataLoader(rows, batch_size: 0)",
            "ValueError",
            "batch_size should be a positive integer",
        ),
        ("data.DataLoader(rows, shuffle: true, sampler: [1])", "ValueError", "mutually exclusive"),
        (
            "data.DataLoader(rows, batch_sampler: [[1]], batch_size: 2)",
            "ValueError",
            "mutually exclusive",
        ),
        ("data.DataLoader([], shuffle: true)", "ValueError", "num_samples=0"),
        ("data.DataLoader(rows, num_workers: -1)", "TypeError", "0 to 1024"),
        ("data.DataLoader(rows, bach_size: 2)", "TypeError", "bach_size"),
        ("data.random_split(rows, [1, 2])", "ValueError", "Sum of input lengths"),
        ("for b in data.DataLoader(rows, sampler: [9]) {}", "IndexError", ""),
        ("for b in data.DataLoader(rows, sampler: [9], num_workers: 2) {}", "IndexError", ""),
    ]);
}
