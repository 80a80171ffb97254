"""The commands of the prompt in the cells of a notebook, and by the names that IPython gives them."""

import re
import time

from conftest import result_of, text_of


def test_a_value_is_timed_and_shown(kernel):
    reply, said = kernel.run("%time 6 * 7")
    assert reply["status"] == "ok"
    assert result_of(said) == "42"
    assert re.search(r"^took [\d.]+ (ns|µs|ms|s)$", text_of(said), re.M)
    assert kernel.run("_")[1][-1][1]["execution_state"] == "idle"
    assert result_of(kernel.run("_")[1]) == "42"


def test_loops_are_chosen(kernel):
    kernel.run("let x = torch.ones([2]);")
    for code in [":timeit x.sum()", "%timeit x.sum()", "%%timeit\nlet x = 1;\nx + 1", "%%python\n%timeit 1 + 1"]:
        reply, said = kernel.run(code)
        assert reply["status"] == "ok", reply
        assert "7 runs of" in text_of(said), (code, said)
        assert result_of(said) is None


def test_what_is_constant_takes_no_time(kernel):
    reply, said = kernel.run("%timeit 1 + 1")
    assert reply["status"] == "ok"
    assert text_of(said).startswith("nothing is left to be timed")


def test_commands_stand_between_lines(kernel):
    reply, said = kernel.run("let x = torch.ones([2, 3]);\n%who\n%%python\ny = 5\n%whos\ny")
    assert reply["status"] == "ok"
    listed = text_of(said).splitlines()
    assert any(line.startswith("x") and "[2, 3]" in line for line in listed[:1]), listed
    assert any(line.startswith("y") for line in listed), listed
    assert result_of(said) == "5"


def test_variables_go(kernel):
    kernel.run("let x = 1; let y = 2;")
    assert kernel.run("%del x")[0]["status"] == "ok"
    assert kernel.run("x")[0]["status"] == "error"
    assert result_of(kernel.run("y")[1]) == "2"
    kernel.run("%reset")
    assert kernel.run("y")[0]["status"] == "error"


def test_a_file_is_put_into_the_next_cell(kernel, tmp_path):
    path = tmp_path / "code.rhai"
    path.write_text("let loaded = 3;\n")
    reply, _ = kernel.run(f"%load {path}")
    assert reply["payload"] == [{"source": "set_next_input", "text": "let loaded = 3;", "replace": False}]
    assert kernel.run(f"%run {path}")[0]["status"] == "ok"
    assert result_of(kernel.run("loaded")[1]) == "3"


def test_cells_are_listed_and_saved(kernel, tmp_path):
    kernel.run("let first = 1;")
    kernel.run("nothing_of_that_name")
    kernel.run("first + 1\n%who")
    _, said = kernel.run("%history 2")
    assert text_of(said).startswith("[2]> nothing_of_that_name\n[3]> first + 1\n")
    path = tmp_path / "saved.rhai"
    kernel.run(f":save {path}")
    assert path.read_text() == "let first = 1;\nfirst + 1;\n"


def test_operators_are_profiled(kernel):
    reply, said = kernel.run("%prof torch.ones([8, 8]) @ torch.ones([8, 8])")
    assert reply["status"] == "ok"
    assert "aten::mm" in text_of(said)


def test_what_is_wrong_fails_the_cell(kernel):
    for code, name, words in [
        ("%time nothing_of_that_name", "NameError", "nothing_of_that_name"),
        (":nothing", "CommandError", "there is no command ':nothing'"),
        ("%timeit", "CommandError", "it is :timeit EXPR"),
        (":edit", "CommandError", "for the prompt of a terminal"),
        (":sh exit 3", "CommandError", "exit status 3"),
        ("%load /nowhere/at/all", "CommandError", "/nowhere/at/all"),
    ]:
        reply, said = kernel.run(code)
        assert (reply["status"], reply["ename"]) == ("error", name), (code, reply)
        assert words in reply["evalue"]
        assert [kind for kind, _ in said].count("error") == 1
    assert result_of(kernel.run("1")[1]) == "1"


def test_nothing_runs_behind_what_is_wrong(kernel):
    reply, said = kernel.run('%time nothing_of_that_name\nprint("behind");')
    assert reply["status"] == "error"
    assert "behind" not in text_of(said)


def test_a_shell_speaks_in_the_cell(kernel):
    # Again and again: what it writes last must not come after the cell's end.
    for _ in range(40):
        reply, said = kernel.run(":sh echo out; echo err >&2")
        assert reply["status"] == "ok"
        assert text_of(said) == "out\n"
        assert text_of(said, "stderr") == "err\n"


def test_help_lists_commands_and_documents_names(kernel):
    assert ":timeit EXPR" in text_of(kernel.run(":help")[1])
    assert "Example:" in text_of(kernel.run("%help %time")[1])
    reply, _ = kernel.run(":doc torch.linalg.svd")
    assert reply["payload"][0]["source"] == "page"
    assert "torch.linalg.svd" in reply["payload"][0]["data"]["text/plain"]


def test_a_command_is_stopped(kernel):
    for code in ["%timeit sleep(0.05)", "%time loop { }", ":sh sleep 60", "%%python\n%time import time; time.sleep(60)"]:
        request = kernel.client.execute(code)
        kernel.wait_until_busy(request)
        time.sleep(0.3)
        kernel.client.control_channel.send(kernel.client.session.msg("interrupt_request", {}))
        began = time.monotonic()
        assert kernel.reply(request)["status"] == "error", code
        assert time.monotonic() - began < 30, code
    assert result_of(kernel.run("1 + 1")[1]) == "2"


def test_commands_are_completed(kernel):
    for code, start in [("%tim", 1), (":tim", 1), ("%%tim", 2), ("let x = 1;\n%tim", 12)]:
        reply = kernel.client.complete(code, reply=True, timeout=60)["content"]
        assert reply["matches"] == ["time", "timeit"], code
        assert (reply["cursor_start"], reply["cursor_end"]) == (start, len(code))


def test_a_silent_cell_shows_nothing(kernel):
    reply, said = kernel.run("%time 1", silent=True)
    assert reply["status"] == "ok"
    assert result_of(said) is None
