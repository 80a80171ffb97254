//! What is called: every operator that the dispatcher has, and every function that the libraries declare.

use flambeau_runtime::script::Session;
use flambeau_runtime::torch::{self, Schema};

use crate::values::{Mood, Random, Setting, arguments, receiver};

/// One thing that scripts can call.
pub struct Case {
    /// Its dotted name with its overload, as a filter and a seed see it.
    pub name: String,
    pub schema: Schema,
    kind: Kind,
}

enum Kind {
    /// `torch.ops.NAMESPACE.NAME`.
    Operator(String),
    /// A function by its dotted name.
    Function(String),
    /// A method by its short name; the receiver is the first argument.
    Method(String),
}

/// Functions that are left out, with the reason.
const LEFT_OUT: &[(&str, &str)] = &[
    ("time.sleep", "does what it says"),
    ("Table.", "a table comes from a file, and files are denied here"),
];

/// All cases, in an order that does not change.
pub fn all(session: &Session) -> Vec<Case> {
    let mut cases = Vec::new();
    for namespace in torch::namespaces() {
        for name in torch::operator_names(&namespace) {
            let Some(operator) = torch::operator(&namespace, &name) else { continue };
            for overload in operator.overloads.iter().filter(|overload| !overload.is_out) {
                let dotted = format!("{namespace}.{name}");
                let schema = overload.schema.clone();
                let name = format!("{dotted}.{}", schema.overload);
                cases.push(Case { name, schema, kind: Kind::Operator(dotted) });
            }
        }
    }
    for function in session.functions() {
        let schema = Schema::parse(function.schema).expect("a signature");
        let name = function.schema.split('(').next().unwrap_or("").trim().to_owned();
        if LEFT_OUT.iter().any(|(left_out, _)| name.starts_with(left_out)) {
            continue;
        }
        let kind = match name.rsplit_once('.') {
            Some((owner, short))
                if schema.arguments.first().is_some_and(|first| first.name == "self")
                    && receiver(owner).is_some() =>
            {
                Kind::Method(short.to_owned())
            }
            _ => Kind::Function(name.clone()),
        };
        cases.push(Case { name, schema, kind });
    }
    cases
}

impl Case {
    pub fn is_operator(&self) -> bool {
        matches!(self.kind, Kind::Operator(_))
    }

    /// The script of one round, the same for the same seed.
    pub fn script(&self, seed: u64, round: usize) -> String {
        // FNV-1a of the name: what is added to the table does not change other calls.
        let hash = self.name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let random = &mut Random::new(hash ^ (seed << 32) ^ (round as u64) << 48);
        let mood = match round % 4 {
            0 | 1 => Mood::Plausible,
            2 => Mood::Wild,
            _ => Mood::Wrong,
        };
        let setting = &Setting::new(random);
        match &self.kind {
            Kind::Operator(name) => {
                let text = arguments(random, &self.schema.arguments, setting, mood);
                format!("torch.ops.{name}({text})")
            }
            Kind::Method(short) => {
                let owner = self.name.trim_end_matches(short).trim_end_matches('.');
                let this =
                    receiver(owner).map_or_else(String::new, |make| make(random, setting, mood));
                let text = arguments(random, &self.schema.arguments[1..], setting, mood);
                format!("let it = {this}; it.{short}({text})")
            }
            Kind::Function(name) => {
                let text = arguments(random, &self.schema.arguments, setting, mood);
                let call = format!("{name}({text})");
                self.with_use(name, &call, random, setting, mood)
            }
        }
    }

    /// What a constructor made is used as well.
    fn with_use(
        &self,
        name: &str,
        call: &str,
        random: &mut Random,
        setting: &Setting,
        mood: Mood,
    ) -> String {
        let (owner, short) = name.rsplit_once('.').unwrap_or(("", name));
        let constructor = short.starts_with(char::is_uppercase);
        match owner {
            "nn" if constructor => {
                let tensor =
                    receiver("Tensor").map_or_else(String::new, |t| t(random, setting, mood));
                let more = if random.once_in(3) { format!(", {tensor}") } else { String::new() };
                format!("let it = {call}; it({tensor}{more})")
            }
            "optim" | "optim.lr_scheduler" if constructor => {
                format!("let it = {call}; it.step(); it.step(); it.state_dict()")
            }
            "data" if constructor => {
                format!(
                    "let it = {call}; let n = 0; for x in it {{ n += 1; if n > 3 {{ break; }} }} n"
                )
            }
            _ => call.to_owned(),
        }
    }
}
