"""The colours of scripts, as Pygments is told of them by the installed package."""

import pathlib
import re

import pytest
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Token

REPOSITORY = pathlib.Path(__file__).parents[2]


def tokens(text):
    """The tokens of a text without the space between them; those of one kind that touch are one."""
    found = []
    for kind, value in get_lexer_by_name("rhai").get_tokens(text):
        if not value.strip() and kind not in String:
            found.append((None, value))
        elif found and found[-1][0] == kind and kind not in Punctuation:
            found[-1] = (kind, found[-1][1] + value)
        else:
            found.append((kind, value))
    return [token for token in found if token[0] is not None]


def kinds(text):
    return [kind for kind, _ in tokens(text)]


def test_it_is_found_by_name_and_by_file():
    assert get_lexer_by_name("rhai").name == get_lexer_for_filename("a.rhai").name == "Rhai"


def test_comments_hold_comments():
    assert tokens("/* a /* b */ c */ let") == [
        (Comment.Multiline, "/* a /* b */ c */"),
        (Keyword.Declaration, "let"),
    ]
    assert kinds("x // let\ny") == [Name, Comment.Single, Name]
    assert kinds("#| echo: false\nx") == [Comment.Special, Name]


def test_strings():
    assert tokens(r'"a \"b\" ${c}" + d') == [
        (String.Double, '"a '),
        (String.Escape, r"\""),
        (String.Double, "b"),
        (String.Escape, r"\""),
        (String.Double, ' ${c}"'),
        (Operator, "+"),
        (Name, "d"),
    ]
    assert tokens('##"a "# b"## c') == [(String.Other, '##"a "# b"##'), (Name, "c")]
    assert kinds(r"['a', '\'', '\u00e9']") == [Punctuation, *[String.Char, Punctuation] * 3]
    # One that is not closed ends with its line.
    assert kinds('"a\nlet')[-1] == Keyword.Declaration


def test_code_within_templates():
    assert tokens("`a ${ #{b: {1}}.b + `c` } ``\nd`; e") == [
        (String.Backtick, "`a "),
        (String.Interpol, "${"),
        (Punctuation, "#{"),
        (Name.Attribute, "b"),
        (Punctuation, ":"),
        (Punctuation, "{"),
        (Number.Integer, "1"),
        (Punctuation, "}"),
        (Punctuation, "}"),
        (Operator, "."),
        (Name, "b"),
        (Operator, "+"),
        (String.Backtick, "`c`"),
        (String.Interpol, "}"),
        (String.Backtick, " "),
        (String.Escape, "``"),
        (String.Backtick, "\nd`"),
        (Punctuation, ";"),
        (Name, "e"),
    ]


def test_numbers():
    for text, kind in [("0xff", Number.Hex), ("0b10", Number.Bin), ("1_000", Number.Integer), ("1.5e-3", Number.Float)]:
        assert tokens(text) == [(kind, text)]
    assert kinds("0..10") == [Number.Integer, Operator, Number.Integer]
    assert tokens("1.to_float()")[:2] == [(Number.Integer, "1"), (Operator, ".")]


def test_arguments_of_closures_are_told_from_operators():
    closure = [(Punctuation, "|"), (Name.Variable, "a"), (Punctuation, ","), (Name.Variable, "b"), (Punctuation, "|")]
    for before in ["f(", "let f =", "[", "#{f:", "return", "f(x,"]:
        assert tokens(f"{before} |a, b| a")[-6:-1] == closure, before
    assert kinds("a | b | c || d") == [Name, Operator, Name, Operator, Name, Operator, Name]
    assert tokens("f(|| 1)")[1:4] == [(Punctuation, "("), (Punctuation, "|"), (Punctuation, "|")]


def test_functions_and_named_arguments():
    assert tokens("fn f(x) { x.sum(dim: 1) }") == [
        (Keyword.Declaration, "fn"),
        (Name.Function, "f"),
        (Punctuation, "("),
        (Name, "x"),
        (Punctuation, ")"),
        (Punctuation, "{"),
        (Name, "x"),
        (Operator, "."),
        (Name.Function, "sum"),
        (Punctuation, "("),
        (Name.Attribute, "dim"),
        (Punctuation, ":"),
        (Number.Integer, "1"),
        (Punctuation, ")"),
        (Punctuation, "}"),
    ]


def test_parts_in_python():
    text = "let x = 1;\n%%python\nlambda: '%%rhai'\n%%rhai\nlet y = 2;\n%%py\nNone"
    found = tokens(text)
    assert (Comment.Preproc, "%%python") in found and (Comment.Preproc, "%%rhai") in found
    assert (Keyword, "lambda") in found and (Keyword.Constant, "None") in found
    assert found.count((Keyword.Declaration, "let")) == 2


def test_the_words_are_those_of_the_prompt():
    """Two scanners in two languages: neither knows a word that the other does not."""
    source = (REPOSITORY / "repl/src/prompt/scan_script.rs").read_text()
    words = re.findall(r'"(\w+)"', re.search(r"const KEYWORDS[^=]*=\s*&\[(.*?)\];", source, re.DOTALL)[1])
    assert len(words) > 20
    for word in words:
        (kind,) = kinds(word)
        assert kind in Keyword, word
    from flambeau_jupyter import lexer

    assert {*lexer.DECLARATIONS, *lexer.CONSTANTS, *lexer.KEYWORDS, "this"} == set(words)


def scripts():
    """The examples of the guide, and whole files."""
    for file in sorted(REPOSITORY.glob("tests/guide/*.md")):
        blocks = re.findall(r"^```rhai[^\n]*\n(.*?)^```", file.read_text(), re.DOTALL | re.MULTILINE)
        yield pytest.param("\n".join(blocks), id=file.name)
    for file in sorted([*REPOSITORY.glob("notebooks/*.rhai"), *REPOSITORY.glob("tests/cuda/*.rhai")]):
        yield pytest.param(file.read_text(), id=file.name)


@pytest.mark.parametrize("script", list(scripts()))
def test_no_script_has_what_is_unknown(script):
    found = list(get_lexer_by_name("rhai").get_tokens_unprocessed(script))
    assert "".join(value for _, _, value in found) == script
    assert [value for _, kind, value in found if kind in Token.Error] == []
