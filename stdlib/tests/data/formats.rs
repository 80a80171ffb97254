//! NumPy's, safetensors' and picture files: to Python and back without losing a bit.

use crate::common::{Script, oracle};

#[test]
fn files_go_to_python_and_back_bit_by_bit() {
    let mut script = Script::new();
    let folder = script.folder.path().join("files");
    let path = folder.display().to_string();
    oracle(&["write", &path]);
    script.run(&format!("let dir = \"{path}/\";"));
    script.run(
        r#"
        for name in json.read(dir + "names.json") {
            data.write_npy(data.read_npy(`${dir}in/${name}.npy`), `${dir}out/${name}.npy`);
        }
        data.write_npz(data.read_npz(dir + "in/all.npz"), dir + "out/all.npz");
        data.write_npz(data.read_npz(dir + "in/small.npz"), dir + "out/small.npz", compressed: true);
        data.write_safetensors(
            data.read_safetensors(dir + "in/all.safetensors"),
            dir + "out/all.safetensors",
            metadata: #{"made by": "a test"},
        );

        let state = torch.load(dir + "in/model.safetensors");
        torch.save(state, dir + "out/model.safetensors");
        let model = nn.Sequential(nn.Linear(3, 4));
        torch.save(
            #{model: model.state_dict(), epoch: 3, moments: [torch.zeros([2]), torch.ones([2])]},
            dir + "out/nested.safetensors",
        );

        for mode in ["L", "LA", "RGB", "RGBA"] {
            data.write_image(data.read_image(`${dir}in/${mode}.png`), `${dir}out/${mode}.png`);
        }
        data.write_image(data.read_image(dir + "in/photo.jpg"), dir + "out/photo.jpg", quality: 95);
        let table = torch.tensor([[0.1, 2.0], [-1e-30, 1e300]], dtype: torch.float64);
        data.write_csv(table, dir + "out/table.csv", header: ["a", "b"]);
        "#,
    );
    // Column-major, big-endian and newer files hold the same arrays as the plain ones.
    for entry in std::fs::read_dir(folder.join("out")).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(plain) = name.strip_suffix(".npy").and_then(|name| name.split('.').next()) {
            let read = std::fs::read(entry.path()).expect("a file");
            let wanted = std::fs::read(folder.join(format!("in/{plain}.npy"))).expect("a file");
            assert!(read == wanted, "{name} differs");
        }
    }
    assert_eq!(oracle(&["check", &path]), "ok");

    script.run(
        r#"
        for name in ["L", "LA", "RGB", "RGBA", "palette", "deep"] {
            let read = data.read_image(`${dir}in/${name}.png`);
            let wanted = data.read_npy(`${dir}in/${name}.pixels.npy`);
            if read.dtype != wanted.dtype || read.shape != wanted.shape { throw name; }
            if !torch.equal(read.long(), wanted.long()) { throw name; }
        }
        // Decoders of JPEG may round differently, by one step here and there.
        let read = data.read_image(dir + "in/photo.jpg").int();
        let wanted = data.read_npy(dir + "in/photo.pixels.npy").int();
        let off = (read - wanted).abs();
        if off.max().item() > 3 || off.float().mean().item() > 0.5 { throw `photo ${off.max()}`; }
        "#,
    );
    assert_eq!(
        script.show("data.read_image(dir + \"in/RGBA.png\", mode: \"gray\").shape"),
        "[1, 5, 7]"
    );
    let error = script.error("torch.load(dir + \"in/model.pt\")").error;
    assert!(error.message.contains("Python's torch.save"), "{error}");
    assert!(error.help.expect("help").contains("safetensors.torch.save_file"));
}

#[test]
fn half_values_go_everywhere_bit_by_bit() {
    let mut script = Script::new();
    script.run(
        r#"
        for dtype in [torch.float16, torch.bfloat16] {
            // All bit patterns but those of nan, whose payload a number does not keep.
            let all = torch.arange(65536).to(torch.uint16).view(dtype);
            let numbers = all[all.isnan().logical_not()];
            let bits = numbers.view(torch.uint16).long();
            let same = |other, way| {
                if other.dtype != dtype || !torch.equal(other.view(torch.uint16).long(), bits) {
                    throw `${dtype} by way of ${way}`;
                }
            };
            same(torch.tensor(numbers.tolist(), dtype: dtype), "lists");
            same(numbers.float().to(dtype), "float32");
            data.write_csv(numbers, dir + "half.csv");
            same(data.read_csv(dir + "half.csv", dtype: dtype).flatten(), "text");
            data.write_safetensors(#{x: all}, dir + "half.safetensors");
            let back = data.read_safetensors(dir + "half.safetensors").x;
            if !torch.equal(back.view(torch.uint16).long(), torch.arange(65536)) { throw "safetensors"; }
            for i in [0, 1, 1000, 30000, 40000] {
                let number = numbers[i].item();
                same(torch.cat([numbers[0..i], torch.tensor([number], dtype: dtype), numbers[slice(i + 1)]]), "item");
            }
        }
        let halves = torch.arange(65536).to(torch.uint16).view(torch.float16);
        data.write_npy(halves, dir + "half.npy");
        if !torch.equal(data.read_npy(dir + "half.npy").view(torch.uint16).long(), torch.arange(65536)) {
            throw "npy";
        }
        "#,
    );
    assert_eq!(script.show("torch.tensor(0.1, dtype: torch.float16).item()"), "0.0999755859375");
    assert_eq!(
        script.show("torch.tensor([0.1], dtype: torch.bfloat16).tolist()"),
        "[0.10009765625]"
    );
}

#[test]
fn bad_files_are_clear_errors() {
    let mut script = Script::new();
    script.run(
        r#"
        data.write_npy(torch.arange(100), dir + "good.npy");
        data.write_npz(#{x: torch.arange(100)}, dir + "good.npz");
        data.write_safetensors(#{x: torch.arange(100)}, dir + "good.safetensors");
        data.write_image(torch.rand([3, 40, 40]), dir + "good.png");
        data.write_image(torch.rand([3, 40, 40]), dir + "good.jpg");
        "#,
    );
    for (read, suffix) in [
        ("read_npy", "npy"),
        ("read_npz", "npz"),
        ("read_safetensors", "safetensors"),
        ("read_image", "png"),
        ("read_image", "jpg"),
    ] {
        let good = script.read(&format!("good.{suffix}"));
        script.write(&format!("cut.{suffix}"), &good[..good.len() * 2 / 3]);
        script.write(&format!("start.{suffix}"), &good[..5]);
        script.write(&format!("empty.{suffix}"), "");
        script.write(&format!("text.{suffix}"), "this is some text, and no array");
        for name in ["none", "empty", "text", "cut", "start"] {
            // A JPEG decoder may fill in what is missing, as many do.
            if name == "cut" && suffix == "jpg" {
                continue;
            }
            let error = script.error(&format!("data.{read}(dir + \"{name}.{suffix}\")")).error;
            assert_eq!(error.kind.name(), "IoError", "{error}");
            assert!(error.message.contains(&format!("{name}.{suffix}")), "{error}");
            assert!(!error.message.contains("os error"), "{error}");
        }
    }
    script.errors(&[
        ("data.read_npy(\"\")", "ValueError", "empty"),
        ("data.read_npy(dir)", "IoError", "is a folder"),
        ("data.read_npy(7)", "TypeError", "path"),
        ("data.write_npy(torch.zeros([2]).bfloat16(), dir + \"x.npy\")", "TypeError", "bfloat16"),
        ("data.write_npy(torch.zeros([2]), dir + \"no/x.npy\")", "IoError", "there is no folder"),
        ("data.write_npz([1], dir + \"x.npz\")", "TypeError", "map of tensors"),
        ("data.write_npz(#{x: 1}, dir + \"x.npz\")", "TypeError", "'x' is a int"),
        ("data.write_image(torch.rand([3, 4, 4]), dir + \"x.bmp\")", "ValueError", ".png"),
        (
            "data.write_image(torch.rand([5, 4, 4]), dir + \"x.png\")",
            "ShapeError",
            "1 to 4 channels",
        ),
        ("data.write_image(torch.rand([4]), dir + \"x.png\")", "ShapeError", "a picture is"),
        ("data.write_image(torch.zeros([3, 0, 4]), dir + \"x.png\")", "ShapeError", "no pixels"),
        (
            "data.write_image(torch.arange(4).reshape([2, 2]), dir + \"x.png\")",
            "TypeError",
            "uint8",
        ),
        ("data.read_image(dir + \"good.png\", \"cmyk\")", "ValueError", "unknown mode"),
    ]);
}

#[test]
fn views_are_written_as_they_look() {
    let mut script = Script::new();
    script.run(
        r#"
        let x = torch.arange(12).reshape([3, 4]);
        let z = torch.complex(torch.ones([2]), torch.tensor([2.0, 3.0])).conj();
        data.write_npy(x.t()[slice((), (), 2)], dir + "x.npy");
        data.write_npy(z, dir + "z.npy");
        data.write_safetensors(#{x: x.expand([2, 3, 4]), w: torch.ones([2], requires_grad: true)}, dir + "x.st");
        if !torch.equal(data.read_npy(dir + "x.npy"), x.t()[slice((), (), 2)]) { throw "x"; }
        if !torch.equal(data.read_npy(dir + "z.npy"), z.resolve_conj()) { throw "z"; }
        if !torch.equal(data.read_safetensors(dir + "x.st").x, x.expand([2, 3, 4])) { throw "st"; }
        "#,
    );
}
