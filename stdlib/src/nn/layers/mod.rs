//! The layers, a table per kind.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod container;
pub(crate) mod conv;
pub(crate) mod distance;
pub(crate) mod dropout;
pub(crate) mod embedding;
pub(crate) mod linear;
pub(crate) mod loss;
pub(crate) mod norm;
pub(crate) mod padding;
pub(crate) mod pooling;
pub(crate) mod recurrent;
pub(crate) mod shape;
pub(crate) mod transformer;
pub(crate) mod transformer_layer;
