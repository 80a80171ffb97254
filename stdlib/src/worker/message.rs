//! What may cross from one session to another, and in which form.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{Complex, Results, convert};
use flambeau_runtime::torch::{Device, Dtype, Layout, MemoryFormat, Tensor};
use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString, Map};

use super::channel::{Channel, Pipe};
use crate::nn::StateDict;

/// How deep arrays and maps may be nested; deeper ones contain themselves.
const DEEPEST: usize = 200;

/// A value on its way.
pub(super) enum Message {
    Unit,
    Bool(bool),
    Int(i64),
    Float(f64),
    Char(char),
    Text(String),
    Blob(Blob),
    Range(Range<i64>),
    RangeInclusive(RangeInclusive<i64>),
    Array(Vec<Message>),
    Map(Vec<(String, Message)>),
    StateDict(Vec<(String, Message)>),
    Results { name: String, names: Arc<[String]>, values: Vec<Message> },
    Tensor { tensor: tch::Tensor, parameter: bool },
    Complex(Complex),
    Dtype(Dtype),
    Device(Device),
    Layout(Layout),
    MemoryFormat(MemoryFormat),
    Channel(Arc<Pipe>),
}

impl Message {
    /// The message for a value, which errors call `what`. Nothing is sent before all of it can be.
    ///
    /// # Errors
    /// A `TypeError` that names the entry that cannot cross; a `RuntimeError` for a tensor with a graph.
    pub(super) fn new(value: &Dynamic, what: &str) -> Result<Message> {
        Message::at(value, &Place { what, steps: None, depth: 0 })
    }

    fn at(value: &Dynamic, place: &Place<'_>) -> Result<Message> {
        if place.depth > DEEPEST {
            return Err(Error::value(format!(
                "{} is nested deeper than {DEEPEST} levels",
                place.what
            )));
        }
        if value.is_unit() {
            return Ok(Message::Unit);
        }
        macro_rules! plain {
            ($($ty:ty => $make:expr),* $(,)?) => {
                $(if let Some(value) = value.read_lock::<$ty>() {
                    let make: fn(&$ty) -> Message = $make;
                    return Ok(make(&value));
                })*
            };
        }
        plain! {
            bool => |v| Message::Bool(*v),
            i64 => |v| Message::Int(*v),
            f64 => |v| Message::Float(*v),
            char => |v| Message::Char(*v),
            ImmutableString => |v| Message::Text(v.to_string()),
            Blob => |v| Message::Blob(v.clone()),
            Range<i64> => |v| Message::Range(v.clone()),
            RangeInclusive<i64> => |v| Message::RangeInclusive(v.clone()),
            Complex => |v| Message::Complex(*v),
            Dtype => |v| Message::Dtype(*v),
            Device => |v| Message::Device(*v),
            Layout => |v| Message::Layout(*v),
            MemoryFormat => |v| Message::MemoryFormat(*v),
            Channel => |v| Message::Channel(v.pipe()),
        }
        if let Some(tensor) = value.read_lock::<Tensor>() {
            return from_tensor(&tensor, place);
        }
        if let Some(items) = value.read_lock::<Array>() {
            return Ok(Message::Array(place.list(&items)?));
        }
        if let Some(map) = value.read_lock::<Map>() {
            let entries = map.iter().map(|(name, value)| (name.to_string(), value));
            return Ok(Message::Map(place.entries(entries)?));
        }
        if let Some(dict) = value.read_lock::<StateDict>() {
            let pairs = dict.pairs();
            let entries = pairs.iter().map(|(name, value)| (name.clone(), value));
            return Ok(Message::StateDict(place.entries(entries)?));
        }
        if let Some(results) = value.read_lock::<Results>() {
            let values = place.list(&results.values)?;
            let (name, names) = (results.name.to_string(), results.names.clone());
            return Ok(Message::Results { name, names, values });
        }
        Err(refused(value, place))
    }

    /// The value, in the session that has got the message.
    pub(super) fn into_value(self) -> Dynamic {
        let list =
            |items: Vec<Message>| -> Array { items.into_iter().map(Message::into_value).collect() };
        match self {
            Message::Unit => Dynamic::UNIT,
            Message::Bool(value) => Dynamic::from_bool(value),
            Message::Int(value) => Dynamic::from_int(value),
            Message::Float(value) => Dynamic::from_float(value),
            Message::Char(value) => Dynamic::from_char(value),
            Message::Text(value) => value.into(),
            Message::Blob(value) => Dynamic::from_blob(value),
            Message::Range(value) => Dynamic::from(value),
            Message::RangeInclusive(value) => Dynamic::from(value),
            Message::Array(items) => Dynamic::from_array(list(items)),
            Message::Map(entries) => Dynamic::from_map(
                entries
                    .into_iter()
                    .map(|(name, value)| (name.into(), value.into_value()))
                    .collect(),
            ),
            Message::StateDict(entries) => Dynamic::from(StateDict::from_pairs(
                entries.into_iter().map(|(name, value)| (name, value.into_value())).collect(),
            )),
            Message::Results { name, names, values } => {
                Dynamic::from(Results { name: name.into(), names, values: list(values) })
            }
            Message::Tensor { tensor, parameter } => {
                let tensor = Tensor::from(tensor);
                Dynamic::from(if parameter { tensor.into_parameter() } else { tensor })
            }
            Message::Complex(value) => Dynamic::from(value),
            Message::Dtype(value) => Dynamic::from(value),
            Message::Device(value) => Dynamic::from(value),
            Message::Layout(value) => Dynamic::from(value),
            Message::MemoryFormat(value) => Dynamic::from(value),
            Message::Channel(pipe) => Dynamic::from(Channel::of(pipe)),
        }
    }
}

/// Where in a value something stands, for errors: `args.model`, `the value[3]`.
struct Place<'a> {
    what: &'a str,
    steps: Option<(&'a Place<'a>, Step<'a>)>,
    depth: usize,
}

enum Step<'a> {
    Item(usize),
    Entry(&'a str),
}

impl Place<'_> {
    fn list(&self, items: &[Dynamic]) -> Result<Vec<Message>> {
        let below = |(i, item)| {
            let steps = Some((self, Step::Item(i)));
            Message::at(item, &Place { what: self.what, steps, depth: self.depth + 1 })
        };
        items.iter().enumerate().map(below).collect()
    }

    fn entries<'b>(
        &self,
        entries: impl Iterator<Item = (String, &'b Dynamic)>,
    ) -> Result<Vec<(String, Message)>> {
        let below = |(name, value): (String, &Dynamic)| {
            let steps = Some((self, Step::Entry(&name)));
            let place = Place { what: self.what, steps, depth: self.depth + 1 };
            let message = Message::at(value, &place)?;
            Ok((name, message))
        };
        entries.map(below).collect()
    }

    fn text(&self) -> String {
        match &self.steps {
            None => self.what.to_owned(),
            Some((above, Step::Item(i))) => format!("{}[{i}]", above.text()),
            Some((above, Step::Entry(name))) => format!("{}.{name}", above.text()),
        }
    }
}

fn from_tensor(tensor: &Tensor, place: &Place<'_>) -> Result<Message> {
    // As torch.multiprocessing has it: a graph stays with those who made it.
    if tensor.defined() && tensor.requires_grad() && !tensor.f_is_leaf()? {
        let at = place.text();
        let what =
            format!("{at} is a tensor that requires grad and is no leaf: its graph cannot be sent");
        return Err(Error::new(Kind::Runtime, what).help("send its values: x.detach()"));
    }
    Ok(Message::Tensor { tensor: tensor.for_thread()?, parameter: tensor.is_parameter() })
}

fn refused(value: &Dynamic, place: &Place<'_>) -> Error {
    let name = convert::type_name(value);
    let help = match name.as_str() {
        "Module" => "send model.state_dict(), and load it into a module that the worker makes",
        "Optimizer" | "Scheduler" => {
            "send its state_dict(), and load it into one that the worker makes"
        }
        "Generator" => "send a seed, and make the generator in the worker",
        "PyObject" => "Python's objects stay in the main script: send tensors, arrays and maps",
        "Error" => "send e.message",
        _ if value.is::<FnPtr>() => {
            "a function belongs to its script: write it in the worker's file, or hand it to worker.map()"
        }
        _ => "send numbers, strings, tensors, and arrays and maps of these",
    };
    let what = format!("{} cannot be sent: it is of type {name}", place.text());
    Error::type_(what).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that are the same in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % n
        }

        fn text(&mut self) -> String {
            let letters = ['a', 'Z', '_', ' ', '\n', '"', '0', 'ß', '語', '🔥'];
            (0..self.below(6)).map(|_| letters[self.below(10) as usize]).collect()
        }

        fn value(&mut self, depth: u64) -> Dynamic {
            let kinds = if depth == 0 { 15 } else { 19 };
            match self.below(kinds) {
                0 => Dynamic::UNIT,
                1 => Dynamic::from_bool(self.below(2) == 1),
                2 => Dynamic::from_int([i64::MIN, -1, 0, i64::MAX][self.below(4) as usize]),
                3 => {
                    Dynamic::from_float([0.1, -0.0, f64::INFINITY, 5e-324][self.below(4) as usize])
                }
                4 => Dynamic::from_char(['x', '語', '\0'][self.below(3) as usize]),
                5 => self.text().into(),
                6 => {
                    Dynamic::from_blob((0..self.below(9)).map(|_| self.below(256) as u8).collect())
                }
                7 => Dynamic::from(-3..self.below(9) as i64),
                8 => Dynamic::from(-3..=self.below(9) as i64),
                9 => Dynamic::from(Complex { re: self.below(9) as f64, im: -1.5 }),
                10 => Dynamic::from(Dtype::BFLOAT16),
                11 => Dynamic::from(Device::CPU),
                12 => {
                    Dynamic::from(Tensor::from(tch::Tensor::from_slice(&[self.below(9) as i64, 7])))
                }
                13 => {
                    let leaf = tch::Tensor::from_slice(&[1.5_f32, self.below(9) as f32]);
                    Dynamic::from(Tensor::from(leaf.set_requires_grad(true)).into_parameter())
                }
                14 => Dynamic::from(Channel::of(Pipe::new(None))),
                15 => self.list(depth),
                16 => {
                    let entries = (0..self.below(4)).map(|_| (self.text(), self.value(depth - 1)));
                    Dynamic::from_map(entries.map(|(name, value)| (name.into(), value)).collect())
                }
                17 => {
                    let entries = (0..self.below(4)).map(|_| (self.text(), self.value(depth - 1)));
                    Dynamic::from(StateDict::from_pairs(entries.collect()))
                }
                _ => {
                    let values: Array = vec![self.value(depth - 1), self.value(depth - 1)];
                    let names = ["values".to_owned(), "indices".to_owned()];
                    Dynamic::from(Results { name: "max".into(), names: names.into(), values })
                }
            }
        }

        fn list(&mut self, depth: u64) -> Dynamic {
            Dynamic::from_array((0..self.below(5)).map(|_| self.value(depth - 1)).collect())
        }
    }

    /// What a value is, with all that counts of it: two texts are equal where two values are.
    fn described(value: &Dynamic) -> String {
        if let Some(tensor) = value.read_lock::<Tensor>() {
            return format!(
                "{} {:?} {:?} {} {}",
                tensor.describe(),
                tensor.data_ptr(),
                Vec::<f64>::try_from(tensor.detach().to_kind(tch::Kind::Double)).expect("numbers"),
                tensor.requires_grad(),
                tensor.is_parameter(),
            );
        }
        if let Some(channel) = value.read_lock::<Channel>() {
            return format!("channel {:?}", Arc::as_ptr(&channel.pipe()));
        }
        let list = |items: &[Dynamic]| items.iter().map(described).collect::<Vec<_>>().join(", ");
        let pairs = |pairs: Vec<(String, Dynamic)>| {
            let texts = pairs.iter().map(|(name, value)| format!("{name:?}: {}", described(value)));
            texts.collect::<Vec<_>>().join(", ")
        };
        if let Some(items) = value.read_lock::<Array>() {
            return format!("[{}]", list(&items));
        }
        if let Some(map) = value.read_lock::<Map>() {
            return format!(
                "map {}",
                pairs(map.iter().map(|(n, v)| (n.to_string(), v.clone())).collect())
            );
        }
        if let Some(dict) = value.read_lock::<StateDict>() {
            return format!("dict {}", pairs(dict.pairs()));
        }
        if let Some(results) = value.read_lock::<Results>() {
            return format!("{} {:?} {}", results.name, results.names, list(&results.values));
        }
        macro_rules! plain {
            ($($ty:ty),*) => {
                $(if let Some(value) = value.read_lock::<$ty>() {
                    return format!("{} {:?}", stringify!($ty), *value);
                })*
            };
        }
        plain!(
            bool,
            i64,
            f64,
            char,
            ImmutableString,
            Blob,
            Range<i64>,
            RangeInclusive<i64>,
            Complex,
            Dtype,
            Device
        );
        assert!(value.is_unit(), "{}", value.type_name());
        "()".to_owned()
    }

    #[test]
    fn every_value_that_can_be_sent_arrives_equal() {
        let mut random = Random(6);
        for _ in 0..500 {
            let value = random.value(4);
            let message = Message::new(&value, "the value").expect("it can be sent");
            let thread = std::thread::spawn(move || {
                let there = message.into_value();
                Message::new(&there, "the value").expect("it can be sent back")
            });
            let back = thread.join().expect("no panic").into_value();
            assert_eq!(described(&back), described(&value));
        }
    }

    #[test]
    fn what_contains_itself_too_often_is_refused() {
        let mut value = Dynamic::UNIT;
        for _ in 0..DEEPEST + 2 {
            value = Dynamic::from_array(vec![value]);
        }
        assert!(Message::new(&value, "the value").is_err());
    }
}
