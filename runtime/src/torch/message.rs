//! Turns libtorch's messages into errors of a kind that scripts can test.

use crate::error::{Error, Kind};

/// Words by which libtorch's messages tell what went wrong; the first that fits wins.
const PATTERNS: &[(&[&str], Kind)] = &[
    (
        &[
            "can't allocate memory",
            "out of memory",
            "not enough memory",
            "Invalid buffer size",
            "Storage size calculation overflowed",
        ],
        Kind::OutOfMemory,
    ),
    (
        &[
            "Expected all tensors to be on the same device",
            "found at least two devices",
            "No CUDA",
            "CUDA error",
            "CUDA GPUs",
            "with the 'CUDA' backend",
            "PyTorch is not linked with support for",
            "Cannot initialize CUDA",
            "Torch not compiled with CUDA",
            "expected device",
        ],
        Kind::Device,
    ),
    (
        &[
            "The shape of the mask",
            "out of range",
            "out of bounds",
            "out-of-bounds",
            "index_select(): ",
            "too many indices",
        ],
        Kind::Index,
    ),
    (
        &[
            "must match the size",
            "The size of tensor",
            "shapes cannot be multiplied",
            "mat1 and mat2",
            "size mismatch",
            "Sizes of tensors must match",
            "is invalid for input of size",
            "shape mismatch",
            "must be broadcastable",
            "not broadcastable",
            "expected input[",
            "Given groups=",
            "Given normalized_shape",
            "does not match",
            "doesn't match",
            "must have the same shape",
            "must have same",
            "inconsistent tensor size",
            "stack expects each tensor to be equal size",
            "Expected size for first two dimensions",
            "expanded size",
            "shape '",
            "dimensions of",
            "-D or",
            "D tensor",
            "batch1",
            "self and mat2",
            "does not fit a tensor of shape",
            "Mismatch in shape",
            "to match target batch_size",
        ],
        Kind::Shape,
    ),
    (
        &[
            "expected scalar type",
            "of the following scalar types",
            "Expected scalar type",
            "expected m1 and m2 to have the same dtype",
            "to have the same dtype",
            "must have the same dtype",
            "result type",
            "must be Long",
            "not implemented for '",
            "can't be cast",
            "dtype",
        ],
        Kind::Type,
    ),
    (&["division or modulo by zero"], Kind::Arithmetic),
    (&["not implemented", "Could not run"], Kind::NotImplemented),
    (&["must be non-negative", "negative dimension"], Kind::Value),
];

/// The error for a status of the shim and libtorch's message.
pub(crate) fn error(status: i32, text: &str) -> Error {
    let text = clean(text);
    let by_text = || {
        PATTERNS
            .iter()
            .find(|(patterns, _)| patterns.iter().any(|pattern| text.contains(pattern)))
            .map(|(_, kind)| *kind)
    };
    let kind = match status {
        2 => Kind::Index,
        6 => Kind::OutOfMemory,
        9 => Kind::Limit,
        3 => by_text().filter(|kind| matches!(kind, Kind::Shape)).unwrap_or(Kind::Value),
        4 => Kind::Type,
        5 => by_text()
            .filter(|kind| matches!(kind, Kind::Type | Kind::Device))
            .unwrap_or(Kind::NotImplemented),
        _ => by_text().unwrap_or(Kind::Runtime),
    };
    let error = Error::new(kind, text.clone());
    match kind {
        Kind::OutOfMemory => error.help("use smaller tensors, a smaller batch or a narrower dtype"),
        Kind::Device if !super::shim::cuda_built() => {
            Error::new(Kind::Device, "no CUDA device: there is no NVIDIA driver on this machine")
                .help("use device \"cpu\", or test torch.cuda.is_available() first")
        }
        Kind::Limit => error.help("raise the limit with --max-memory"),
        Kind::Device => error.help("move tensors with x.to(device)"),
        _ => error,
    }
}

/// Removes what only C++ readers want: frames, source positions, the exception's class.
pub(crate) fn clean(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("Exception raised from") || line.starts_with("frame #") {
            break;
        }
        lines.push(line);
    }
    let text = lines.join("\n");
    // `[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: …`
    let text = match (text.find("[enforce fail at "), text.find("DefaultCPUAllocator: ")) {
        (Some(_), Some(start)) => text[start + "DefaultCPUAllocator: ".len()..].to_owned(),
        _ => text,
    };
    match text.trim_end().trim_end_matches(':') {
        "ZeroDivisionError" => "integer division or modulo by zero".to_owned(),
        text => text.to_owned(),
    }
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        let text = match &error {
            tch::TchError::Torch(text) => text.clone(),
            other => other.to_string(),
        };
        // tch's wrapper keeps no class of the exception, only its text.
        self::error(1, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_enforce_prefixes_are_removed() {
        assert_eq!(
            clean(
                "bad thing\nException raised from f at x.cpp:1 (most recent call first):\nframe #0: g"
            ),
            "bad thing"
        );
        assert_eq!(
            clean(
                "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
            ),
            "can't allocate memory: you tried"
        );
    }

    #[test]
    fn messages_are_sorted_into_kinds() {
        let kind = |text: &str| error(1, text).kind;
        assert_eq!(
            kind(
                "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 0"
            ),
            Kind::Shape
        );
        assert_eq!(kind("can't allocate memory: you tried to allocate 4 bytes"), Kind::OutOfMemory);
        assert_eq!(kind("index 5 is out of bounds for dimension 0 with size 3"), Kind::Index);
        assert_eq!(kind("something else"), Kind::Runtime);
    }
}
