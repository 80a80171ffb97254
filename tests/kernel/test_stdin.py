"""Questions to the user: `input` of scripts and of Python."""

import time

import pytest
from conftest import result_of, text_of

QUESTIONS = [
    'let name = input("name: "); `Hello, ${name}`',
    '%%python\nname = input("name: ")\nf"Hello, {name}"',
    'let name = py.eval("input(\'name: \')"); `Hello, ${name}`',
]


def ask(kernel, code, answer, **options):
    """Executes a cell that asks once: the question, the reply, what was said."""
    asked = []

    def answered(message):
        asked.append(message["content"])
        kernel.client.input(answer)

    reply, said = kernel.run(code, stdin_hook=answered, allow_stdin=True, **options)
    return asked, reply, said


@pytest.mark.parametrize("code", QUESTIONS)
def test_a_client_is_asked_and_its_answer_arrives(kernel, code):
    asked, reply, said = ask(kernel, code, "Ada — π")
    assert asked == [{"prompt": "name: ", "password": False}]
    assert reply["status"] == "ok", reply
    assert "Hello, Ada — π" in result_of(said)


@pytest.mark.parametrize(
    "code", ['input("word: ", secret: true)', "%%python\nimport getpass\ngetpass.getpass('word: ')"]
)
def test_secrets_are_asked_for_as_such(kernel, code):
    asked, reply, said = ask(kernel, code, "hidden")
    assert asked == [{"prompt": "word: ", "password": True}]
    assert "hidden" in result_of(said)


def test_what_was_printed_before_a_question_comes_before_it(kernel):
    _, _, said = ask(kernel, 'print("before"); print(input("? ")); print("after")', "answer")
    assert text_of(said) == "before\nanswer\nafter\n"


def test_who_takes_no_questions_gets_an_error(kernel):
    reply, _ = kernel.run(QUESTIONS[0], allow_stdin=False)
    assert reply["ename"] == "NotImplementedError" and "nobody can be asked" in reply["evalue"]
    reply, said = kernel.run(QUESTIONS[1], allow_stdin=False)
    assert reply["status"] == "error"
    shown = "\n".join(reply["traceback"])
    assert "StdinNotImplementedError" in shown and "does not take questions" in shown


@pytest.mark.parametrize("code", QUESTIONS)
def test_an_interrupt_ends_the_wait(kernel, code):
    kernel.run("let kept = 5;")
    running = kernel.client.execute(code, allow_stdin=True)
    assert kernel.client.get_stdin_msg(timeout=60)["msg_type"] == "input_request"
    time.sleep(0.1)
    kernel.manager.interrupt_kernel()
    reply = kernel.reply(running)
    assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
    # A late answer is one to nothing, also to the next question.
    kernel.client.input("late")
    asked, _, said = ask(kernel, code, "second")
    assert "second" in result_of(said) and len(asked) == 1
    assert result_of(kernel.run("kept")[1]) == "5"
