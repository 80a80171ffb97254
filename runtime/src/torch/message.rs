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
            "seems to have been called with negative number",
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
    (&["Could not run '"], Kind::NotImplemented),
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
    (&["ZeroDivisionError"], Kind::Arithmetic),
    (&["not implemented", "Could not run"], Kind::NotImplemented),
    (&["must be non-negative", "negative dimension"], Kind::Value),
];

/// The error for a status of the shim and libtorch's message.
pub(crate) fn error(status: i32, text: &str) -> Error {
    // Sorted by libtorch's own words, which the ones for users replace.
    let original = text;
    let text = clean(text);
    let by_text = || {
        PATTERNS
            .iter()
            .find(|(patterns, _)| patterns.iter().any(|pattern| original.contains(pattern)))
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
    let text = failed_enforcement(&text).unwrap_or(text);
    for_users(text.trim_end().trim_end_matches(':'))
}

/// `[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: what is wrong`
fn failed_enforcement(text: &str) -> Option<String> {
    let (before, rest) = text.split_once("[enforce fail at ")?;
    let (condition, what) = match rest.split_once("] ") {
        Some((_, behind)) => behind.split_once(". ").unwrap_or((behind, "")),
        None => ("", rest),
    };
    let what = what.strip_prefix("DefaultCPUAllocator: ").unwrap_or(what);
    // The number of bytes went beyond the greatest that there is.
    let what = match what.split_once(" seems to have been called with negative number") {
        Some(_) => "more bytes were asked for than memory can have",
        None => what,
    };
    Some(match what.trim() {
        "" => format!("{before}{}", taken_for_granted(condition)),
        what => format!("{before}{what}"),
    })
}

fn taken_for_granted(condition: &str) -> String {
    format!(
        "the operator does not work with these arguments: it takes for granted that `{condition}`"
    )
}

/// What libtorch says to its own developers, in words for those who call it.
fn for_users(text: &str) -> String {
    if text == "ZeroDivisionError" {
        return "integer division or modulo by zero".to_owned();
    }
    let text = ADVICE.iter().fold(text.to_owned(), |text, advice| text.replace(advice, ""));
    let for_them =
        |sentence: &&str| !["file an issue", "ile a bug"].iter().any(|w| sentence.contains(w));
    let text = text.trim().split(". ").filter(for_them).collect::<Vec<_>>().join(". ");
    let text = text.as_str();
    // `aten/src/ATen/x.cpp:12: what is wrong`
    let text = match text.split_once(": ") {
        Some((place, rest)) if place.starts_with('/') && place.contains(".cpp:") => rest,
        Some((place, rest)) if place.starts_with('/') && place.contains(".h:") => rest,
        _ => text,
    };
    without_kernel(text).or_else(|| failed_assertion(text)).unwrap_or_else(|| text.to_owned())
}

/// Where to report bugs of libtorch is no help: most are arguments that it did not expect.
const ADVICE: &[&str] =
    &["Internal error: ", "; file an issue if you want it", ", please report a bug to PyTorch."];

/// `condition INTERNAL ASSERT FAILED at "file":12. What is wrong`
fn failed_assertion(text: &str) -> Option<String> {
    let (condition, rest) = text.split_once(" INTERNAL ASSERT FAILED at ")?;
    let rest = rest.trim_start_matches('"');
    let behind = rest.split_once("\":").map_or(rest, |(_, behind)| behind);
    let what = behind.trim_start_matches(|c: char| c.is_ascii_digit() || ". ".contains(c)).trim();
    Some(match what {
        "" => taken_for_granted(condition),
        what => what.to_owned(),
    })
}

/// No kernel is registered for what the arguments are.
fn without_kernel(text: &str) -> Option<String> {
    if text.starts_with("There were no tensor arguments to this function") {
        let (_, behind) = text.split_once("for schema ")?;
        let name = behind.split_once(".  ").map_or(behind, |(name, _)| name);
        return Some(format!("{name} needs at least one tensor among its arguments"));
    }
    let (name, behind) = text.strip_prefix("Could not run '")?.split_once('\'')?;
    let (_, behind) = behind.split_once("from the '")?;
    let (backend, _) = behind.split_once('\'')?;
    let tensors = match backend {
        "CPU" => "dense tensors on the CPU",
        "SparseCPU" => "sparse tensors",
        "SparseCsrCPU" => "compressed sparse tensors",
        "QuantizedCPU" => "quantized tensors",
        "MkldnnCPU" => "tensors in the layout of mkldnn",
        "NestedTensorCPU" => "nested tensors",
        "Meta" => "meta tensors",
        other => return Some(format!("{name} does not work on tensors of the backend {other}")),
    };
    Some(format!("{name} does not work on {tensors}"))
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
        let negative = "[enforce fail at alloc_cpu.cpp:118] ((ptrdiff_t)nbytes) >= 0. alloc_cpu() seems \
                        to have been called with negative number: 18446744073709551608";
        assert_eq!(clean(negative), "more bytes were asked for than memory can have");
        assert_eq!(error(1, negative).kind, Kind::OutOfMemory);
        assert_eq!(
            clean("[enforce fail at x.cpp:1] n > 0. "),
            "the operator does not work with these arguments: it takes for granted that `n > 0`"
        );
    }

    #[test]
    fn where_to_report_bugs_is_left_out() {
        assert_eq!(
            clean("Internal error: NestedTensorImpl doesn't support sizes. Please file an issue."),
            "NestedTensorImpl doesn't support sizes"
        );
    }

    #[test]
    fn words_for_developers_are_put_into_words_for_users() {
        assert_eq!(
            clean(
                "Could not run 'aten::_indices' with arguments from the 'CPU' backend. This could be \
                 because the operator doesn't exist for this backend."
            ),
            "aten::_indices does not work on dense tensors on the CPU"
        );
        assert_eq!(
            clean(
                "buffer.dim() == 1 INTERNAL ASSERT FAILED at \"/pytorch/aten/x.cpp\":878, please \
                 report a bug to PyTorch. The input buffer must be flat"
            ),
            "The input buffer must be flat"
        );
        assert_eq!(
            clean(
                "self.is_sparse() INTERNAL ASSERT FAILED at \"/pytorch/aten/x.h\":8, please report \
                 a bug to PyTorch. "
            ),
            "the operator does not work with these arguments: it takes for granted that \
             `self.is_sparse()`"
        );
        assert_eq!(
            clean(
                "/pytorch/build/aten/x_0.cpp:12: SymIntArrayRef expected to contain only numbers"
            ),
            "SymIntArrayRef expected to contain only numbers"
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
