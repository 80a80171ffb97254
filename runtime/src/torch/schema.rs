//! Signatures, as PyTorch writes them: `sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False,
//! *, ScalarType? dtype=None) -> Tensor`. The operators of libtorch and the functions of Flambeau's
//! own library share this form, so that arguments, help and completion work alike for both.
//!
//! Source: <https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/README.md>.

use std::fmt;

/// The type of an argument or a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A tensor.
    Tensor,
    /// An integer (`SymInt` included).
    Int,
    /// A float; integers are accepted.
    Float,
    /// A bool.
    Bool,
    /// A complex number.
    Complex,
    /// A string.
    Str,
    /// A number of any kind.
    Scalar,
    /// A dtype, such as `torch.float32`.
    Dtype,
    /// A device, or a string that names one.
    Device,
    /// `torch.strided`, `torch.sparse_coo`, …
    Layout,
    /// `torch.contiguous_format`, …
    MemoryFormat,
    /// A random generator.
    Generator,
    /// A closure, function, module or other callable.
    Function,
    /// An object map.
    Map,
    /// Any value.
    Any,
    /// A type by its name: objects of the library, and the types of libtorch that scripts never hold.
    Named(String),
    /// A list; a size accepts one value for all.
    List(Box<Type>, Option<usize>),
    /// The value or `()`.
    Optional(Box<Type>),
}

impl Type {
    /// Reads a type such as `int[2]?`.
    pub fn parse(text: &str) -> Type {
        let text = text.trim();
        if let Some(inner) = text.strip_suffix('?') {
            return Type::Optional(Box::new(Type::parse(inner)));
        }
        if let Some(open) = text.rfind('[')
            && let Some(size) = text[open + 1..].strip_suffix(']')
        {
            return Type::List(Box::new(Type::parse(&text[..open])), size.parse().ok());
        }
        // `Tensor(a!)`: the alias annotation says nothing about the type.
        let name = text.split('(').next().unwrap_or(text);
        match name {
            "Tensor" => Type::Tensor,
            "int" | "SymInt" | "DeviceIndex" => Type::Int,
            "float" => Type::Float,
            "bool" | "SymBool" => Type::Bool,
            "complex" => Type::Complex,
            "str" => Type::Str,
            "Scalar" | "number" => Type::Scalar,
            "ScalarType" => Type::Dtype,
            "Device" => Type::Device,
            "Layout" => Type::Layout,
            "MemoryFormat" => Type::MemoryFormat,
            "Generator" => Type::Generator,
            "Function" => Type::Function,
            "Map" => Type::Map,
            "Any" => Type::Any,
            other => Type::Named(other.to_owned()),
        }
    }

    /// The type without its `?`.
    pub fn required(&self) -> &Type {
        match self {
            Type::Optional(inner) => inner,
            other => other,
        }
    }

    /// Whether `()` is accepted.
    pub fn is_optional(&self) -> bool {
        matches!(self, Type::Optional(_))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Tensor => f.write_str("Tensor"),
            Type::Int => f.write_str("int"),
            Type::Float => f.write_str("float"),
            Type::Bool => f.write_str("bool"),
            Type::Complex => f.write_str("complex"),
            Type::Str => f.write_str("str"),
            Type::Scalar => f.write_str("Scalar"),
            Type::Dtype => f.write_str("dtype"),
            Type::Device => f.write_str("device"),
            Type::Layout => f.write_str("layout"),
            Type::MemoryFormat => f.write_str("memory_format"),
            Type::Generator => f.write_str("Generator"),
            Type::Function => f.write_str("Function"),
            Type::Map => f.write_str("Map"),
            Type::Any => f.write_str("Any"),
            Type::Named(name) => f.write_str(name),
            Type::List(inner, Some(size)) => write!(f, "{inner}[{size}]"),
            Type::List(inner, None) => write!(f, "{inner}[]"),
            Type::Optional(inner) => write!(f, "{inner}?"),
        }
    }
}

/// How many values an argument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// One value.
    One,
    /// `*args`: the positional values that are left, as an array.
    Rest,
    /// `**kwargs`: the keyword values that are left, as a map.
    Keywords,
}

/// One argument of a signature.
#[derive(Clone, Debug)]
pub struct Argument {
    /// Its name, for keywords and help.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Its default as written, `None` where a value is needed.
    pub default: Option<String>,
    /// Only by keyword.
    pub keyword_only: bool,
    /// Whether the call writes to it.
    pub mutated: bool,
    /// How many values it takes.
    pub arity: Arity,
}

/// A signature: name, overload, arguments and results.
#[derive(Clone, Debug)]
pub struct Schema {
    /// `aten::sum` for an operator, `torch.nn.functional.relu` for a function.
    pub name: String,
    /// `dim_IntList`, or empty.
    pub overload: String,
    /// In the order of the call.
    pub arguments: Vec<Argument>,
    /// Types and names (or empty) of the results.
    pub returns: Vec<(Type, String)>,
}

impl Schema {
    /// Reads a signature.
    ///
    /// # Errors
    /// What is missing, for a text that is no signature.
    pub fn parse(text: &str) -> Result<Schema, String> {
        let open = text.find('(').ok_or("a signature needs `(`")?;
        let close = matching(text, open).ok_or("a signature needs `)`")?;
        let full = text[..open].trim();
        // An operator's overload follows its dot; a function's dots are its namespace.
        let (name, overload) = match full.split_once("::") {
            Some((_, rest)) if rest.contains('.') => full.rsplit_once('.').unwrap_or((full, "")),
            _ => (full, ""),
        };
        let mut keyword_only = false;
        let mut arguments = Vec::new();
        for part in split(&text[open + 1..close]) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            if part == "*" {
                keyword_only = true;
                continue;
            }
            let (arity, part) = match part.strip_prefix("**") {
                Some(rest) => (Arity::Keywords, rest),
                None => match part.strip_prefix('*') {
                    Some(rest) => (Arity::Rest, rest),
                    None => (Arity::One, part),
                },
            };
            let (declaration, default) = match part.split_once('=') {
                Some((declaration, default)) => (declaration, Some(default.trim().to_owned())),
                None => (part, None),
            };
            let (ty, name) = declaration
                .trim()
                .rsplit_once(' ')
                .ok_or_else(|| format!("`{part}` needs a type and a name"))?;
            arguments.push(Argument {
                name: name.to_owned(),
                ty: Type::parse(&ty.replace("(a!)", "")),
                mutated: ty.contains('!'),
                default,
                keyword_only,
                arity,
            });
            if arity == Arity::Rest {
                keyword_only = true;
            }
        }
        let returns = match text[close + 1..].trim().strip_prefix("->") {
            None => Vec::new(),
            Some(rest) => {
                let rest = rest.trim();
                // `(Tensor values, Tensor indices)`, but not `Tensor(a)`.
                match rest.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
                    Some(inner) => split(inner)
                        .into_iter()
                        .filter(|part| !part.trim().is_empty())
                        .map(|part| {
                            let (ty, name) =
                                part.trim().rsplit_once(' ').unwrap_or((part.trim(), ""));
                            (Type::parse(ty), name.to_owned())
                        })
                        .collect(),
                    None => vec![(Type::parse(rest), String::new())],
                }
            }
        };
        Ok(Schema { name: name.to_owned(), overload: overload.to_owned(), arguments, returns })
    }

    /// The name behind the namespace: `sum` of `aten::sum`, `relu` of `torch.nn.functional.relu`.
    pub fn short_name(&self) -> &str {
        let name = self.name.rsplit("::").next().unwrap_or(&self.name);
        name.rsplit('.').next().unwrap_or(name)
    }

    /// The position of the argument called `name`.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.arguments.iter().position(|argument| argument.name == name)
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short_name())?;
        f.write_str("(")?;
        let mut keyword_only = false;
        for (i, argument) in self.arguments.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            if argument.keyword_only && !keyword_only && argument.arity == Arity::One {
                f.write_str("*, ")?;
                keyword_only = true;
            }
            match argument.arity {
                Arity::One => {}
                Arity::Rest => f.write_str("*")?,
                Arity::Keywords => f.write_str("**")?,
            }
            write!(f, "{} {}", argument.ty, argument.name)?;
            if let Some(default) = &argument.default {
                write!(f, "={default}")?;
            }
        }
        f.write_str(")")?;
        match self.returns.as_slice() {
            [] => Ok(()),
            [(ty, name)] if name.is_empty() => write!(f, " -> {ty}"),
            several => {
                f.write_str(" -> (")?;
                for (i, (ty, name)) in several.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{ty}")?;
                    if !name.is_empty() {
                        write!(f, " {name}")?;
                    }
                }
                f.write_str(")")
            }
        }
    }
}

/// The `)` that closes the `(` at `open`.
fn matching(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0;
    for (i, c) in text[open..].char_indices() {
        match c {
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(open + i);
                }
            }
            _ => {}
        }
    }
    None
}

/// Splits at the commas outside brackets and quotes.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut quoted, mut escaped, mut start) = (0, None, false, 0);
    for (i, c) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match (quoted, c) {
            (Some(_), '\\') => escaped = true,
            (Some(quote), c) if c == quote => quoted = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quoted = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(text: &str) -> String {
        Schema::parse(text).map_or_else(|error| error, |schema| schema.to_string())
    }

    #[test]
    fn reads_an_operator_and_writes_it_for_people() {
        assert_eq!(
            round_trip(
                "aten::sum.dim_IntList(Tensor self, SymInt[1]? dim, bool keepdim=False, *, \
                 ScalarType? dtype=None) -> Tensor"
            ),
            "sum(Tensor self, int[1]? dim, bool keepdim=False, *, dtype? dtype=None) -> Tensor"
        );
        assert_eq!(
            round_trip(
                "aten::sort(Tensor(a!) self, int dim=-1) -> (Tensor values, Tensor indices)"
            ),
            "sort(Tensor self, int dim=-1) -> (Tensor values, Tensor indices)"
        );
    }

    #[test]
    fn reads_a_function_with_quoted_defaults_and_varargs() {
        let schema = Schema::parse(
            "torch.nn.functional.pad(Tensor input, int[] pad, str mode='a, b', *Any rest, **Any kw) -> Tensor",
        )
        .expect("a signature");
        assert_eq!(schema.name, "torch.nn.functional.pad");
        assert_eq!(schema.arguments[2].default.as_deref(), Some("'a, b'"));
        assert_eq!(schema.arguments[3].arity, Arity::Rest);
        assert_eq!(schema.arguments[4].arity, Arity::Keywords);
    }

    #[test]
    fn reads_defaults_with_escaped_quotes() {
        let schema = Schema::parse(
            r#"aten::_test_string_default(Tensor dummy, str a="\"'\\", str b="\"'\\") -> Tensor"#,
        )
        .expect("a signature");
        let names: Vec<&str> = schema.arguments.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, ["dummy", "a", "b"]);
    }
}
