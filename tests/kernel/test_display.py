"""What cells show: values by MIME type, shown anew and taken away."""

import json

import pytest
from conftest import result_of, text_of


def shown(said):
    """The messages beside status and input, as (type, what it says)."""
    found = []
    for kind, content in said:
        if kind == "stream" and found and found[-1][0] == "stream":
            # Text may come in pieces.
            found[-1] = (kind, found[-1][1] + content["text"])
        elif kind == "stream":
            found.append((kind, content["text"]))
        elif kind == "clear_output":
            found.append((kind, content["wait"]))
        elif kind in ("display_data", "update_display_data"):
            found.append((kind, content["data"]["text/plain"]))
    return found


def test_displays_come_in_order_with_text(kernel):
    _, said = kernel.run('print("a"); display(1); clear_output(); print("b"); display([1, 2]); clear_output(true);')
    assert shown(said) == [
        ("stream", "a\n"),
        ("display_data", "1"),
        ("clear_output", False),
        ("stream", "b\n"),
        ("display_data", "[1, 2]"),
        ("clear_output", True),
    ]


PYTHON = {
    "without IPython": "",
    "with IPython": "from IPython.display import display, update_display, clear_output\n",
}


@pytest.mark.parametrize("begin", PYTHON.values(), ids=PYTHON)
def test_python_shows_in_order_too(kernel, begin):
    code = f"""%%python
{begin}print("a")
handle = display([1], display_id=True)
print("b")
clear_output(wait=True)
handle.update([2])
update_display([3], display_id=handle.display_id)
"""
    reply, said = kernel.run(code)
    assert reply["status"] == "ok", reply
    assert shown(said) == [
        ("stream", "a\n"),
        ("display_data", "[1]"),
        ("stream", "b\n"),
        ("clear_output", True),
        ("update_display_data", "[2]"),
        ("update_display_data", "[3]"),
    ]
    ids = {content["transient"]["display_id"] for kind, content in said if "display_data" in kind}
    assert len(ids) == 1


def test_ids_are_given_and_made(kernel):
    _, said = kernel.run('display(1, display_id: "mine"); update_display(2, "mine");')
    found = [(kind, content["transient"]) for kind, content in said if "display_data" in kind]
    assert found == [("display_data", {"display_id": "mine"}), ("update_display_data", {"display_id": "mine"})]
    _, said = kernel.run("let id = display(1, display_id: true); let other = display(1, display_id: true); id == other")
    assert result_of(said) == "false"
    reply, _ = kernel.run("display(1, display_id: 3)")
    assert reply["ename"] == "TypeError"


def test_objects_show_themselves_by_what_ipython_asks_for(kernel):
    code = """%%python
class Rich:
    def _repr_html_(self): return "<b>x</b>"
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"application/vnd.custom+json": {"a": [1, float("nan")]}}, {"application/vnd.custom+json": {"b": 1}}
class Own:
    def _ipython_display_(self): print("shown by itself")
display(Rich())
display(Own())
Own()
"""
    _, said = kernel.run(code)
    content = [content for kind, content in said if kind == "display_data"][0]
    assert content["data"]["text/html"] == "<b>x</b>"
    assert content["data"]["application/vnd.custom+json"] == {"a": [1, "nan"]}
    assert content["metadata"] == {"application/vnd.custom+json": {"b": 1}}
    assert text_of(said) == "shown by itself\n" * 2 and result_of(said) is None
    _, said = kernel.run('let own = py.eval("Own()"); display(own); own')
    assert text_of(said) == "shown by itself\n" * 2 and result_of(said) is None


def test_importing_ipython_binds_nothing_else(kernel):
    names = "let names = py.list(py.eval(\"sorted(n for n in globals() if not n.startswith('__'))\")); names"
    before = result_of(kernel.run(names)[1])
    kernel.run("%%python\nimport IPython")
    assert result_of(kernel.run(names)[1]) == before.replace("[", '["IPython", ').replace(', ]', "]")


def test_pictures_and_other_classes_of_ipython(kernel):
    code = """%%python
from IPython.display import HTML, JSON, Image, Math, SVG
import base64
pixel = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
display(HTML("<i>i</i>"), JSON({"a": 1}), Image(pixel, width=7), Math("x^2"), SVG("<svg></svg>"))
"""
    _, said = kernel.run(code)
    contents = [content for kind, content in said if kind == "display_data"]
    mimes = ["text/html", "application/json", "image/png", "text/latex", "image/svg+xml"]
    assert [mime in content["data"] for mime, content in zip(mimes, contents, strict=True)] == [True] * 5
    assert contents[1]["data"]["application/json"] == {"a": 1}
    assert contents[2]["metadata"] == {"image/png": {"width": 7}}
    assert contents[2]["data"]["image/png"].startswith("iVBOR")
    assert json.dumps(contents)
    _, said = kernel.run("%%python\nImage(pixel, width=7)")
    assert [content["metadata"] for kind, content in said if kind == "execute_result"] == [{"image/png": {"width": 7}}]
