"""What values show of themselves: HTML beside the text, pictures, formulas, data by MIME type."""

import base64
import io
import json
import re
import wave

import pytest
from PIL import Image


def result(kernel, code):
    reply, said = kernel.run(code)
    assert reply["status"] == "ok", reply
    return [content["data"] for kind, content in said if kind == "execute_result"][0]


TENSORS = {
    "rhai": "torch.tensor([[1.0, 2.0], [3.0, 6.0]])",
    "python": "%%python\nimport torch\ntorch.tensor([[1.0, 2.0], [3.0, 6.0]])",
    "ipython": "%%python\nimport torch, IPython\ntorch.tensor([[1.0, 2.0], [3.0, 6.0]])",
}


@pytest.mark.parametrize("code", TENSORS.values(), ids=TENSORS)
def test_a_tensor_tells_what_it_is(kernel, code):
    data = result(kernel, code)
    assert data["text/plain"] == "tensor([[1., 2.],\n        [3., 6.]])"
    html = data["text/html"]
    assert data["text/plain"] in html
    assert "<td>[2, 2]</td><td>float32</td><td>cpu</td><td>1</td><td>3</td><td>6</td>" in html
    assert "linear-gradient" in html


def test_a_number_is_only_text(kernel):
    assert set(result(kernel, "torch.tensor(1.0)")) == {"text/plain"}
    assert set(result(kernel, "1 + 1")) == {"text/plain"}


def test_maps_with_equal_keys_are_a_table(kernel):
    data = result(kernel, '[#{name: "<a>", n: 1}, #{name: "b", n: 2}]')
    assert '<td style="text-align:left">&lt;a&gt;</td>' in data["text/html"]
    data = result(kernel, "[#{loss: 1.0 / 3.0, n: 7, x: 1e-4 / 7.0}, #{loss: 2.0, n: 123456789, x: 1234567.891}]")
    cells = re.findall("<td style=.text-align:right.>(.*?)</td>", data["text/html"])
    assert cells == ["0.333333", "7", "0.0000142857", "2.0", "123456789", "1234568.0"]


def test_progress_is_a_bar_in_a_page_and_a_line_elsewhere(kernel):
    _, said = kernel.run('for i in progress(0..4, desc: "<steps>") { }')
    shown = [content["data"] for kind, content in said if kind in ("display_data", "update_display_data")]
    assert shown[-1]["text/plain"].startswith("<steps>: 100% 4/4 [")
    assert "&lt;steps&gt;: 100%" in shown[-1]["text/html"]
    assert '<progress value="4" max="4"' in shown[-1]["text/html"]


def test_a_module_is_a_tree(kernel):
    data = result(kernel, "nn.Sequential(nn.Linear(2, 3), nn.ReLU())")
    assert "Linear(in_features=2, out_features=3, bias=True)" in data["text/plain"]
    assert data["text/html"].startswith("<details open><summary><code>Sequential</code>")
    assert "<code>Linear(in_features=2, out_features=3, bias=True)</code> <small>9</small>" in data["text/html"]


TEXTS = {
    'html("<b>x</b>")': ("text/html", "<b>x</b>"),
    'markdown("# x")': ("text/markdown", "# x"),
    r'latex("x^2")': ("text/latex", r"$\displaystyle x^2$"),
    'latex("$x$")': ("text/latex", "$x$"),
    "json(#{a: [1, ()]})": ("application/json", {"a": [1, None]}),
    'svg("<svg/>")': ("image/svg+xml", "<svg/>"),
    'mime(#{"application/vnd.vegalite.v5+json": #{mark: "bar"}})': (
        "application/vnd.vegalite.v5+json",
        {"mark": "bar"},
    ),
}


@pytest.mark.parametrize("code", TEXTS)
def test_values_with_a_type_of_their_own(kernel, code):
    mime, content = TEXTS[code]
    data = result(kernel, code)
    assert data[mime] == content and data["text/plain"]
    assert json.dumps(data)


def test_a_tensor_as_a_picture_and_as_sound(kernel):
    data = result(kernel, "image(torch.zeros([3, 4, 5]), scale: 1)")
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert (picture.size, picture.mode, picture.getpixel((0, 0))) == ((5, 4), "RGB", (0, 0, 0))
    data = result(kernel, "audio(torch.tensor([[0.0, 1.0, 2.0], [-1.0, 0.5, 0.0]]), 8000)")
    sound = base64.b64decode(data["text/html"].split("base64,")[1].split('"')[0])
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 3)
        frames = memoryview(file.readframes(3)).cast("h").tolist()
    assert frames == [0, -32767, 32767, 16384, 32767, 0]


@pytest.mark.parametrize("code", ['mime(#{"x": "y"})', "mime(#{})", 'svg("no")', "image(torch.zeros([9, 4, 4]))"])
def test_what_cannot_be_shown_is_an_error(kernel, code):
    reply, _ = kernel.run(code)
    assert reply["status"] == "error" and reply["ename"] in ("ValueError", "ShapeError")
