//! Files that are missing, empty, cut short, or have a bit turned.

use std::path::Path;
use std::process::Stdio;

use flambeau_tests::session::{Recorded, on_deep_stack};
use flambeau_tests::{flambeau, outcome, script};

use crate::{kind, run};

/// A format: how a file is made and read.
struct Format {
    name: &'static str,
    write: &'static str,
    read: &'static str,
    /// Whether a part of a file can be a whole file: text can.
    parts_are_whole: bool,
}

const FORMATS: &[Format] = &[
    Format {
        name: "x.npy",
        write: "data.write_npy(torch.arange(12.0).reshape([3, 4]), path);",
        read: "data.read_npy(path).sum();",
        parts_are_whole: false,
    },
    Format {
        name: "x.npz",
        write: "data.write_npz(#{a: torch.arange(6), b: torch.ones([2, 2])}, path, compressed: true);",
        read: "for key in data.read_npz(path).keys() { key.len(); }",
        parts_are_whole: false,
    },
    Format {
        name: "x.safetensors",
        write: "data.write_safetensors(#{w: torch.ones([2, 3]), b: torch.arange(4)}, path);",
        read: "for t in data.read_safetensors(path).values() { t.float().sum(); }",
        parts_are_whole: false,
    },
    Format {
        name: "saved.safetensors",
        write: "torch.save(#{model: nn.Linear(2, 3).state_dict(), epoch: 3, note: \"x\"}, path);",
        read: "torch.load(path);",
        parts_are_whole: false,
    },
    Format {
        name: "x.png",
        write: "data.write_image(torch.rand([3, 6, 5]), path);",
        read: "data.read_image(path).float().sum();",
        parts_are_whole: false,
    },
    Format {
        name: "x.jpg",
        write: "data.write_image(torch.rand([3, 16, 16]), path);",
        read: "data.read_image(path).float().sum();",
        // A decoder shows what has come so far.
        parts_are_whole: true,
    },
    Format {
        name: "x.csv",
        write: "data.write_csv(torch.rand([4, 3]), path, header: [\"a\", \"b\", \"c\"]);",
        read: "data.read_csv(path).sum();",
        parts_are_whole: true,
    },
    Format {
        name: "x.csv.gz",
        write: "data.write_csv(torch.rand([40, 3]), path);",
        read: "data.read_csv(path).sum();",
        parts_are_whole: false,
    },
    Format {
        name: "x.json",
        write: "json.write(#{a: [1, 2.5, \"x\"], b: ()}, path);",
        read: "json.read(path);",
        parts_are_whole: false,
    },
];

/// Makes the file and gives its bytes.
fn make(recorded: &mut Recorded, format: &Format, folder: &Path) -> Vec<u8> {
    let path = folder.join(format.name);
    run(recorded, &format!("let path = {:?};", path.display().to_string()));
    run(recorded, "torch.manual_seed(0);");
    run(recorded, format.write);
    assert_eq!(kind(recorded, format.read), "ok", "{}", format.name);
    std::fs::read(&path).expect("what was written")
}

#[test]
fn missing_files_folders_and_empty_files_are_io_errors() {
    on_deep_stack(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recorded = Recorded::new();
        for format in FORMATS {
            make(&mut recorded, format, folder.path());
            let path = folder.path().join(format.name);
            std::fs::write(&path, b"").expect("written");
            let empty = kind(&mut recorded, format.read);
            let expected = if format.name == "x.json" { "ValueError" } else { "IoError" };
            assert!(empty == "IoError" || empty == expected, "{} empty: {empty}", format.name);
            std::fs::remove_file(&path).expect("removed");
            assert_eq!(kind(&mut recorded, format.read), "IoError", "{} missing", format.name);
            std::fs::create_dir(&path).expect("a folder");
            assert_eq!(kind(&mut recorded, format.read), "IoError", "{} a folder", format.name);
        }
    });
}

#[test]
fn files_cut_short_are_io_errors() {
    on_deep_stack(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recorded = Recorded::new();
        for format in FORMATS {
            let bytes = make(&mut recorded, format, folder.path());
            let path = folder.path().join(format.name);
            for length in (0..bytes.len()).step_by(1 + bytes.len() / 300) {
                std::fs::write(&path, &bytes[..length]).expect("written");
                let found = kind(&mut recorded, format.read);
                // What ends a PNG says nothing more, nor does the line break that ends JSON.
                let end = match format.name {
                    "x.png" => 12,
                    "x.json" => 1,
                    _ => 0,
                };
                let whole = format.parts_are_whole || length + end >= bytes.len();
                let fine = match found.as_str() {
                    "IoError" => true,
                    "ValueError" => whole || format.name == "x.json",
                    other => other == "ok" && whole,
                };
                assert!(fine, "{} cut to {length} of {}: {found}", format.name, bytes.len());
            }
        }
    });
}

#[test]
fn files_with_a_bit_turned_are_read_or_are_errors() {
    on_deep_stack(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recorded = Recorded::new();
        for format in FORMATS {
            let bytes = make(&mut recorded, format, folder.path());
            let path = folder.path().join(format.name);
            for at in (0..bytes.len()).step_by(1 + bytes.len() / 400) {
                for bit in [0, 3, 7] {
                    let mut turned = bytes.clone();
                    turned[at] ^= 1 << bit;
                    std::fs::write(&path, &turned).expect("written");
                    let found = kind(&mut recorded, format.read);
                    let known = ["ok", "IoError", "ValueError", "TypeError", "KeyError"];
                    assert!(
                        known.contains(&found.as_str()),
                        "{} with bit {bit} of byte {at} turned: {found}",
                        format.name
                    );
                }
            }
        }
    });
}

/// Files whose headers claim terabytes.
fn claims(folder: &Path) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let npy = |shape: &str| {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend([0; 64]);
        bytes
    };
    let npy_header = {
        let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
        bytes.extend(u32::MAX.to_le_bytes());
        bytes.extend([b' '; 64]);
        bytes
    };
    let safetensors = |header: &str| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 64]);
        bytes
    };
    let mut long_header = 99_000_000_u64.to_le_bytes().to_vec();
    long_header.extend([b' '; 64]);
    // Length, "IHDR", width, height, 8 bits of RGBA; then the check sum of these.
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    png.extend(60_000_u32.to_be_bytes());
    png.extend(60_000_u32.to_be_bytes());
    png.extend([8, 6, 0, 0, 0]);
    let sum = crc32(&png[12..]);
    png.extend(sum.to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82");
    // A baseline frame of 65,000 × 65,000 pixels, and nothing in it.
    let mut jpeg = b"\xff\xd8\xff\xc0\x00\x11\x08".to_vec();
    jpeg.extend(65_000_u16.to_be_bytes());
    jpeg.extend(65_000_u16.to_be_bytes());
    jpeg.extend(b"\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00\xff\xd9");
    let files = vec![
        ("shape.npy", "data.read_npy", npy("(1000000, 1000000)")),
        ("overflow.npy", "data.read_npy", npy("(9223372036854775807, 9223372036854775807)")),
        ("header.npy", "data.read_npy", npy_header),
        (
            "tensor.safetensors",
            "data.read_safetensors",
            safetensors(
                r#"{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}"#,
            ),
        ),
        ("header.safetensors", "torch.load", long_header),
        ("large.png", "data.read_image", png),
        ("large.jpg", "data.read_image", jpeg),
    ];
    for (name, _, bytes) in &files {
        std::fs::write(folder.join(name), bytes).expect("written");
    }
    files
}

/// The check sum of PNG.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

#[test]
fn headers_that_claim_too_much_allocate_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut code = String::new();
    for (name, read, _) in claims(folder.path()) {
        let path = folder.path().join(name).display().to_string();
        code.push_str(&format!(
            "try {{ {read}({path:?}); print(\"{name} ok\"); }} catch (e) {{ print(`{name} ${{e.kind}}`); }}\n"
        ));
    }
    let path = script(folder.path(), &code);
    // What a reader takes for its buffers is counted too, and more than this ends the script.
    let outcome = outcome(
        flambeau()
            .args(["run", "--max-memory", "64M"])
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for line in outcome.stdout.lines() {
        assert!(line.ends_with(" IoError"), "{line}");
    }
    assert_eq!(outcome.stdout.lines().count(), 7, "{outcome:?}");
}

#[test]
fn other_formats_under_a_known_name_are_io_errors() {
    on_deep_stack(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recorded = Recorded::new();
        let all: Vec<Vec<u8>> =
            FORMATS.iter().map(|format| make(&mut recorded, format, folder.path())).collect();
        for format in FORMATS.iter().filter(|format| format.name != "x.csv") {
            make(&mut recorded, format, folder.path());
            let path = folder.path().join(format.name);
            for (other, bytes) in FORMATS.iter().zip(&all) {
                let alike = |name: &str| name.rsplit('.').next().map(str::to_owned);
                let pictures = ["x.png", "x.jpg"];
                if alike(other.name) == alike(format.name)
                    || (pictures.contains(&other.name) && pictures.contains(&format.name))
                    || (format.name == "x.csv.gz" && other.name == "x.csv")
                {
                    continue;
                }
                std::fs::write(&path, bytes).expect("written");
                let found = kind(&mut recorded, format.read);
                let fine = ["IoError", "ValueError"].contains(&found.as_str());
                assert!(fine, "{} that is {}: {found}", format.name, other.name);
            }
        }
    });
}
