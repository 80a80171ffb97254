//! The language that the prompt takes cells in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flambeau_protocol::Language;

use crate::cells::{Span, spans};

/// Shared by the prompt and by what helps while typing.
#[derive(Clone, Default)]
pub struct Mode {
    python: Arc<AtomicBool>,
}

impl Mode {
    /// What a cell without a mark is written in.
    pub fn language(&self) -> Language {
        if self.python.load(Ordering::Relaxed) { Language::Python } else { Language::Rhai }
    }

    /// From now on.
    pub fn set(&self, language: Language) {
        self.python.store(language == Language::Python, Ordering::Relaxed);
    }

    /// The part of a cell that a place is in; where that is a mark, the part behind it.
    pub fn span_at(&self, cell: &str, at: usize) -> Span {
        let spans = spans(cell, self.language());
        let whole = Span { language: self.language(), range: 0..cell.len(), marked: false };
        let found = spans.iter().find(|span| at <= span.range.end).or(spans.last());
        found.cloned().unwrap_or(whole)
    }
}

/// What the prompt for a cell in a language looks like.
pub fn prompt(number: u64, language: Language) -> String {
    match language {
        Language::Rhai => format!("[{number}]> "),
        Language::Python => format!("[{number}] py> "),
    }
}
