//! `torch.nn.functional` and the functions of `torch` that Python composes: PyTorch's signatures over
//! libtorch's operators. Names whose operator has the same signature are not declared: the dispatcher
//! finds the operator.

mod activation;
pub(crate) mod attention;
pub(crate) mod common;
mod dropout;
mod embedding;
mod loss_classification;
mod loss_margin;
mod loss_regression;
mod masked;
mod normalization;
pub(crate) mod numbers;
mod pooling;
mod pooling_adaptive;
mod projection;
mod resize;
mod tensor_lists;
mod tensor_products;
mod tensor_sets;
mod tensor_spectra;
mod windows;

use flambeau_runtime::script::{Function, Library};

const fn shelf(functions: &'static [Function]) -> Library {
    Library { functions, properties: &[], constants: &[], types: &[] }
}

/// One shelf per topic.
pub const LIBRARIES: &[Library] = &[
    shelf(activation::FUNCTIONS),
    shelf(attention::FUNCTIONS),
    shelf(dropout::FUNCTIONS),
    shelf(embedding::FUNCTIONS),
    shelf(loss_classification::FUNCTIONS),
    shelf(loss_margin::FUNCTIONS),
    shelf(loss_regression::FUNCTIONS),
    shelf(masked::FUNCTIONS),
    shelf(normalization::FUNCTIONS),
    shelf(pooling::FUNCTIONS),
    shelf(pooling_adaptive::FUNCTIONS),
    shelf(resize::FUNCTIONS),
    shelf(tensor_lists::FUNCTIONS),
    shelf(tensor_products::FUNCTIONS),
    shelf(tensor_sets::FUNCTIONS),
    shelf(tensor_spectra::FUNCTIONS),
    shelf(windows::FUNCTIONS),
];
