"""The colours of scripts: a lexer for Pygments, which nbconvert, Sphinx and IPython's clients use."""

from pygments.lexer import RegexLexer, bygroups, default, include, using, words
from pygments.lexers.python import PythonLexer
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)

# Words that declare, words that mean a value, all others of the language.
DECLARATIONS = ("const", "export", "fn", "global", "import", "let", "private")
CONSTANTS = ("false", "true")
KEYWORDS = (
    "as", "break", "catch", "continue", "do", "else", "for", "if", "in", "loop", "no_grad", "return", "switch",
    "throw", "try", "until", "while", "with",
)


class RhaiLexer(RegexLexer):
    """Scripts in Rhai as Flambeau runs them: named arguments, `no_grad` and `with`, parts in Python behind `%%python`,
    options of Quarto's. Source: <https://rhai.rs/book/language/>."""

    name = "Rhai"
    aliases = ["rhai"]
    filenames = ["*.rhai"]
    mimetypes = ["text/x-rhai"]
    url = "https://rhai.rs"

    tokens = {
        "root": [
            # The rest of the cell, or what stands before the next mark.
            (
                r"^(%%py(?:thon)?[ \t]*)(\n)((?:(?!%%rhai[ \t]*$).*(?:\n|\Z))*)",
                bygroups(Comment.Preproc, Whitespace, using(PythonLexer)),
            ),
            (r"^%%rhai[ \t]*$", Comment.Preproc),
            (r"^#\|.*", Comment.Special),
            (r"\A#!.*", Comment.Hashbang),
            (r"[}]", Punctuation),
            include("code"),
        ],
        "code": [
            (r"\s+", Whitespace),
            (r"//[/!].*", String.Doc),
            (r"//.*", Comment.Single),
            (r"/\*", Comment.Multiline, "comment"),
            (r'"', String.Double, "string"),
            (r"`", String.Backtick, "template"),
            (r'(#+)"(?:.|\n)*?"\1', String.Other),
            (r"'(?:\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|[^'\\\n])'", String.Char),
            # The arguments of a closure stand where no operand is before them.
            (r"([(,\[:])(\s*)(\|)", bygroups(Punctuation, Whitespace, Punctuation), "closure"),
            (r"(=)(\s*)(\|)", bygroups(Operator, Whitespace, Punctuation), "closure"),
            (r"\b(return)(\s*)(\|)", bygroups(Keyword, Whitespace, Punctuation), "closure"),
            (r"0x[0-9a-fA-F_]+", Number.Hex),
            (r"0o[0-7_]+", Number.Oct),
            (r"0b[01_]+", Number.Bin),
            # Not the points of a range, nor that of a method.
            (r"\d[\d_]*(?:\.\d[\d_]*(?:[eE][+-]?\d+)?|[eE][+-]?\d+|\.(?![.\w]))", Number.Float),
            (r"\d[\d_]*", Number.Integer),
            (r"(fn)(\s+)([^\W\d]\w*)", bygroups(Keyword.Declaration, Whitespace, Name.Function)),
            (words(DECLARATIONS, prefix=r"\b", suffix=r"\b"), Keyword.Declaration),
            (words(CONSTANTS, prefix=r"\b", suffix=r"\b"), Keyword.Constant),
            (words(KEYWORDS, prefix=r"\b", suffix=r"\b"), Keyword),
            (r"\bthis\b", Keyword.Pseudo),
            # A key of a map or a named argument.
            (r"[^\W\d]\w*(?=\s*:(?!:))", Name.Attribute),
            (r"[^\W\d]\w*(?=!?\()", Name.Function),
            (r"[^\W\d]\w*", Name),
            (r"#\{|[{(\[\])]|[,;:]", Punctuation),
            (r"[-+*/%=<>!&|^~@.?$#]+?", Operator),
        ],
        "closure": [
            (r"\|", Punctuation, "#pop"),
            (r"[^\W\d]\w*", Name.Variable),
            (r",", Punctuation),
            (r"\s+", Whitespace),
            default("#pop"),
        ],
        "comment": [
            (r"/\*", Comment.Multiline, "#push"),
            (r"\*/", Comment.Multiline, "#pop"),
            (r"[^*/]+|[*/]", Comment.Multiline),
        ],
        # It ends with its line, unless that ends with a backslash.
        "string": [
            (r'"', String.Double, "#pop"),
            (r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\n|.)", String.Escape),
            (r'[^"\\\n]+', String.Double),
            (r"\n", Whitespace, "#pop"),
        ],
        # A doubled back-tick is one.
        "template": [
            (r"``", String.Escape),
            (r"`", String.Backtick, "#pop"),
            (r"\$\{", String.Interpol, "interpolation"),
            (r"[^`$]+|\$", String.Backtick),
        ],
        "interpolation": [
            (r"\}", String.Interpol, "#pop"),
            (r"#?\{", Punctuation, "block"),
            include("code"),
        ],
        "block": [
            (r"\}", Punctuation, "#pop"),
            (r"#?\{", Punctuation, "#push"),
            include("code"),
        ],
    }
