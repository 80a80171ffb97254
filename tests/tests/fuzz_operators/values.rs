//! Random script values as source text: each call that the fuzz test makes is a script of its own, so
//! that what breaks can be run again by hand.

use flambeau_runtime::torch::{Argument, Type};

/// SplitMix64: the same numbers for the same seed on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// True once in `n` times on average.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// How one round chooses its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Values that belong together: the operator should get far.
    Plausible,
    /// Values of the right kinds, each at random.
    Wild,
    /// Values of any kind, too many or too few of them, keywords that do not exist.
    Wrong,
}

const DTYPES: &[&str] = &[
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
    "complex64",
    "complex128",
    "uint16",
    "uint32",
    "uint64",
    "float8_e4m3fn",
    "float8_e5m2",
    "complex32",
    "quint8",
    "qint8",
    "qint32",
];
const FLOATS: &[&str] = &[
    "0.0",
    "1.0",
    "-1.0",
    "0.5",
    "-0.0",
    "1e-8",
    "1e30",
    "-1e300",
    "1e308",
    "(1.0/0.0)",
    "(-1.0/0.0)",
    "(0.0/0.0)",
    "2.5",
    "1e18",
];
const SMALL: &[&str] = &["0", "1", "1", "2", "2", "3", "-1", "-2", "4", "5"];
const HUGE: &[&str] = &[
    "9223372036854775807",
    "(-9223372036854775807 - 1)",
    "4611686018427387904",
    "8589934592",
    "-8589934592",
    "2147483648",
    "-2147483649",
    "2147483647",
    "4294967296",
    "1099511627776",
    "100",
    "-100",
    "1000",
    "65536",
    "-7",
];
const STRINGS: &[&str] = &[
    "\"\"",
    "\"mean\"",
    "\"sum\"",
    "\"none\"",
    "\"reflect\"",
    "\"linear\"",
    "\"ij\"",
    "\"xy\"",
    "\"floor\"",
    "\"trunc\"",
    "\"left\"",
    "\"right\"",
    "\"amax\"",
    "\"prod\"",
    "\"same\"",
    "\"valid\"",
    "\"gelsd\"",
    "\"gelsy\"",
    "\"tanh\"",
    "\"fro\"",
    "\"nuc\"",
    "\"reduced\"",
    "\"ortho\"",
    "\"cpu\"",
    "\"\\u0000\"",
    "\"\u{1f525}\"",
    "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"",
    "\"multiply\"",
    "\"add\"",
    "\"complete\"",
    "\"linear\"",
    "\"bilinear\"",
    "\"V\"",
    "\"N\"",
];
const DEVICES: &[&str] = &[
    "\"cpu\"",
    "\"cpu\"",
    "\"meta\"",
    "\"cuda\"",
    "\"cuda:7\"",
    "\"mps\"",
    "\"xla\"",
    "\"\"",
    "\"cpu:3\"",
    "\"vulkan\"",
    "\"hpu\"",
    "\"mkldnn\"",
];
const MODULES: &[&str] = &[
    "nn.Linear(3, 4)",
    "nn.Sequential(nn.Linear(2, 2), nn.ReLU())",
    "nn.BatchNorm2d(3)",
    "nn.LSTM(3, 4)",
    "nn.Embedding(5, 3)",
    "nn.ModuleDict(#{a: nn.Linear(2, 3)})",
    "nn.ReLU()",
];
const OPTIMIZERS: &[&str] = &[
    "optim.SGD(nn.Linear(2, 3).parameters(), lr: 0.1, momentum: 0.9)",
    "optim.Adam([torch.ones([3], requires_grad: true)])",
    "optim.LBFGS(nn.Linear(2, 3).parameters())",
];
const FUNCTIONS: &[&str] =
    &["|x| x", "|x| x * 2", "|a, b| a", "|| 1", "|x| ()", "|x| throw \"thrown\"", "nn.ReLU()"];
const MAPS: &[&str] = &["#{a: 1}", "#{}", "#{a: torch.ones([2])}", "#{lr: -1, params: []}"];
const LAYOUTS: &[&str] =
    &["strided", "sparse_coo", "sparse_csr", "sparse_bsc", "_mkldnn", "jagged"];
const FORMATS: &[&str] =
    &["contiguous_format", "preserve_format", "channels_last", "channels_last_3d"];

/// What the tensors of one plausible round have in common.
pub struct Setting {
    shape: Vec<usize>,
    dtype: &'static str,
    gradients: bool,
}

impl Setting {
    pub fn new(random: &mut Random) -> Self {
        let dims = random.below(6);
        let sizes = [1, 2, 3, 4, 2, 3, 8];
        let same = random.once_in(3);
        let first = sizes[random.below(sizes.len())];
        let shape = (0..dims)
            .map(|_| if same { first } else { sizes[random.below(sizes.len())] })
            .collect();
        let dtype = if random.below(4) > 0 { "float32" } else { DTYPES[random.below(12)] };
        Setting { shape, dtype, gradients: random.once_in(4) }
    }
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

fn shape_text(shape: &[usize]) -> String {
    list(shape.iter().map(usize::to_string))
}

fn random_shape(random: &mut Random) -> Vec<usize> {
    let dims = [0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6][random.below(12)];
    (0..dims).map(|_| [0, 1, 1, 2, 3, 4, 5, 7, 16][random.below(9)]).collect()
}

/// A tensor as a script makes it.
fn tensor(random: &mut Random, setting: &Setting, mood: Mood) -> String {
    let plausible = mood == Mood::Plausible;
    let own = !plausible || random.once_in(5);
    let shape = if own { random_shape(random) } else { setting.shape.clone() };
    let text = shape_text(&shape);
    let dtype = if own && random.once_in(2) { random.pick(DTYPES) } else { setting.dtype };
    let choices = if plausible { 12 } else { 44 };
    match random.below(choices) {
        0 => format!("torch.randint(0, 2, {text})"),
        1 => format!("torch.zeros({text}, dtype: torch.int64)"),
        2 => format!("torch.ones({text}, dtype: torch.bool)"),
        3 => format!("torch.randn({text}).transpose(0, -1)"),
        4 if setting.gradients => format!("torch.randn({text}, requires_grad: true)"),
        5 => format!("torch.randint(-3, 12, {text})"),
        6..12 => format!("torch.randn({text}).to(torch.{dtype})"),
        12 => format!("torch.full({text}, {})", random.pick(HUGE)),
        13 => format!("torch.full({text}, {})", random.pick(FLOATS)),
        14 => format!("torch.randn({text}).to_sparse()"),
        15 => "torch.randn([3, 4]).to_sparse_csr()".to_owned(),
        16 => "torch.randn([4, 4]).to_sparse_bsr([2, 2])".to_owned(),
        17 => format!("torch.empty({text}, device: \"meta\")"),
        18 => format!("torch.randn({text}).to_mkldnn()"),
        19 => format!("torch.randn([1]).expand({text})"),
        20 => format!(
            "torch.quantize_per_tensor(torch.randn({text}), 0.1, 3, torch.{})",
            random.pick(&["quint8", "qint8", "qint32"])
        ),
        21 => "torch.quantize_per_channel(torch.randn([2, 3]), torch.rand([2]), \
               torch.zeros([2], dtype: torch.int64), 0, torch.qint8)"
            .to_owned(),
        22 => "torch._nested_tensor_from_tensor_list([torch.randn([2, 3]), torch.randn([1, 3])])"
            .to_owned(),
        23 => format!("torch.randn({text}, dtype: torch.complex64).conj()"),
        24 => "torch.randn([3], dtype: torch.complex64).conj().imag".to_owned(),
        25 => format!("torch._efficientzerotensor({text})"),
        26 => "torch.randn([8, 8])[[slice((), (), 2), slice(1, (), 3)]]".to_owned(),
        27 => "torch.tensor(2)".to_owned(),
        28 => "torch.tensor(-1.5)".to_owned(),
        29 => "torch.tensor([9223372036854775807, -1, 0])".to_owned(),
        30 => "torch.randn([0, 3])".to_owned(),
        31 => format!("torch.zeros({text}, dtype: torch.uint8)"),
        32 => "torch.tensor([0, 2, 1])".to_owned(),
        33 => "torch.tensor([5, -6, 1000000007])".to_owned(),
        34 => "torch.tensor([0, 2, 1], dtype: torch.int32)".to_owned(),
        35 => "torch.arange(24.0).view([2, 3, 4]).permute([2, 0, 1])".to_owned(),
        36 => "torch.as_strided(torch.randn([9]), [3, 3], [1, 1])".to_owned(),
        37 => format!("torch.randn({text}, dtype: torch.float64)"),
        38 => "torch.empty([2, 3]).resize_([0])".to_owned(),
        _ => format!("torch.randn({text}).to(torch.{dtype})"),
    }
}

fn int(random: &mut Random, mood: Mood) -> String {
    match mood {
        Mood::Plausible => random.pick(SMALL),
        _ if random.once_in(2) => random.pick(HUGE),
        _ => random.pick(SMALL),
    }
    .to_owned()
}

fn float(random: &mut Random, mood: Mood) -> String {
    let known = if mood == Mood::Plausible { &FLOATS[..6] } else { FLOATS };
    random.pick(known).to_owned()
}

/// A value of the kind that an argument asks for.
fn fitting(random: &mut Random, argument: &Type, setting: &Setting, mood: Mood) -> String {
    match argument {
        Type::Optional(inner) => {
            if random.once_in(2) {
                "()".to_owned()
            } else {
                fitting(random, inner, setting, mood)
            }
        }
        Type::Tensor => tensor(random, setting, mood),
        Type::Int => int(random, mood),
        Type::Float => float(random, mood),
        Type::Bool => random.pick(&["true", "false"]).to_owned(),
        Type::Scalar | Type::Complex => match random.below(4) {
            0 => float(random, mood),
            1 if mood != Mood::Plausible => random.pick(&["true", "false"]).to_owned(),
            2 if mood != Mood::Plausible => {
                "torch.tensor(1.0, dtype: torch.complex64).item()".to_owned()
            }
            _ => int(random, mood),
        },
        Type::Str => random.pick(STRINGS).to_owned(),
        Type::Dtype => {
            let known = if mood == Mood::Plausible { &DTYPES[..12] } else { DTYPES };
            format!("torch.{}", random.pick(known))
        }
        Type::Device => {
            if mood == Mood::Plausible { "\"cpu\"" } else { random.pick(DEVICES) }.to_owned()
        }
        Type::Layout => {
            if mood == Mood::Plausible {
                "torch.strided".to_owned()
            } else {
                format!("torch.{}", random.pick(LAYOUTS))
            }
        }
        Type::MemoryFormat => format!("torch.{}", random.pick(FORMATS)),
        Type::Generator => "torch.Generator()".to_owned(),
        Type::List(inner, size) => {
            let n = match size {
                Some(n) if *n > 0 && (mood == Mood::Plausible || random.once_in(2)) => *n,
                _ => random.below(5),
            };
            // A shape, where a shape may be meant.
            if **inner == Type::Int && mood == Mood::Plausible && random.once_in(3) {
                return shape_text(&setting.shape);
            }
            list((0..n).map(|_| fitting(random, inner, setting, mood)))
        }
        Type::Function => random.pick(FUNCTIONS).to_owned(),
        Type::Map => random.pick(MAPS).to_owned(),
        Type::Named(name) => match receiver(name) {
            Some(make) => make(random, setting, mood),
            None => any(random, setting),
        },
        Type::Any => any(random, setting),
    }
}

/// A value of any kind.
fn any(random: &mut Random, setting: &Setting) -> String {
    let mood = Mood::Wild;
    match random.below(28) {
        0 => "()".to_owned(),
        1 => "|a, b| a".to_owned(),
        2 => "#{dim: 1, no_such_keyword: 2}".to_owned(),
        3 => "#{}".to_owned(),
        4 => "[[1, 2], [3]]".to_owned(),
        5 => "[torch.ones([2]), 1, \"x\", ()]".to_owned(),
        6 => "'c'".to_owned(),
        7 => "0..4".to_owned(),
        8 => "torch".to_owned(),
        9 => "[]".to_owned(),
        10 => fitting(random, &Type::List(Box::new(Type::Tensor), None), setting, mood),
        11 => fitting(random, &Type::List(Box::new(Type::Int), None), setting, mood),
        12 => fitting(random, &Type::Str, setting, mood),
        13 => fitting(random, &Type::Dtype, setting, mood),
        14 => int(random, mood),
        15 => float(random, mood),
        16 => fitting(random, &Type::Device, setting, mood),
        17 => random.pick(MODULES).to_owned(),
        18 => random.pick(FUNCTIONS).to_owned(),
        19 => random.pick(MAPS).to_owned(),
        20 => "\"[1, {\\\"a\\\": 2}]\"".to_owned(),
        21 => format!("{}.parameters()", random.pick(MODULES)),
        22 => "data.TensorDataset(torch.randn([4, 2]))".to_owned(),
        23 => "[1.5, 2, -3]".to_owned(),
        _ => tensor(random, setting, mood),
    }
}

/// Makes an object as a script does.
pub type Make = fn(&mut Random, &Setting, Mood) -> String;

/// How scripts get an object of a type of the library.
pub fn receiver(name: &str) -> Option<Make> {
    Some(match name {
        "Tensor" => tensor,
        "Module" => |random, _, _| random.pick(MODULES).to_owned(),
        "Optimizer" => |random, _, _| random.pick(OPTIMIZERS).to_owned(),
        "LRScheduler" => |random, _, _| {
            let optimizer = random.pick(OPTIMIZERS);
            format!("optim.lr_scheduler.StepLR({optimizer}, step_size: 2)")
        },
        "StateDict" => |random, _, _| format!("{}.state_dict()", random.pick(MODULES)),
        "Progress" => |_, _, _| "progress(0..3)".to_owned(),
        "TensorHook" => {
            |_, _, _| "torch.randn([2], requires_grad: true).register_hook(|g| g)".to_owned()
        }
        "RemovableHandle" => {
            |_, _, _| "nn.Linear(2, 2).register_forward_hook(|m, i, o| o)".to_owned()
        }
        "Generator" => |_, _, _| "torch.Generator()".to_owned(),
        "dtype" => |random, _, _| format!("torch.{}", random.pick(DTYPES)),
        "Dataset" => |_, _, _| "data.TensorDataset(torch.randn([4, 2]))".to_owned(),
        _ => return None,
    })
}

/// The text between the parentheses of a call with these arguments.
pub fn arguments(
    random: &mut Random,
    arguments: &[Argument],
    setting: &Setting,
    mood: Mood,
) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut named: Vec<String> = Vec::new();
    for argument in arguments {
        let optional = argument.default.is_some() || argument.ty.is_optional();
        let left_out = if mood == Mood::Plausible { 3 } else { 2 };
        if argument.keyword_only {
            let rare = is_rare(argument);
            if argument.default.is_none() || random.once_in(if rare { 8 } else { 2 }) {
                let value = fitting(random, &argument.ty, setting, mood);
                named.push(format!("{}: {value}", argument.name));
            }
            continue;
        }
        if optional && random.once_in(left_out * 2) {
            break;
        }
        if mood == Mood::Wrong && random.once_in(2) {
            texts.push(any(random, setting));
        } else {
            texts.push(fitting(random, &argument.ty, setting, mood));
        }
    }
    if mood == Mood::Wrong {
        match random.below(5) {
            0 => texts.truncate(random.below(texts.len() + 1)),
            1 => texts.push(any(random, setting)),
            2 => named.push(format!("no_such_keyword: {}", any(random, setting))),
            _ => {}
        }
    }
    // Rhai's own limit; no operator needs as many.
    texts.truncate(14);
    texts.extend(named);
    texts.join(", ")
}

/// Keywords that mostly lead to an early end.
fn is_rare(argument: &Argument) -> bool {
    matches!(argument.name.as_str(), "dtype" | "layout" | "device" | "pin_memory" | "out")
}
