"""`jupyter_kernel_test`, the suite of Jupyter's own for kernels, with every attribute filled in."""

import jupyter_kernel_test


class Protocol(jupyter_kernel_test.KernelTests):
    kernel_name = "flambeau"
    language_name = "rhai"
    file_extension = ".rhai"
    code_hello_world = 'print("hello, world")'
    code_stderr = 'debug("oops")'
    code_page_something = "torch.sum?"
    code_generate_error = "nothing_has_this_name"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "torch.ones([2])", "result": "tensor([1., 1.])"},
        {"code": "%%python\n[1, 2]", "result": "[1, 2]"},
    ]
    code_display_data = [
        {"code": "plot.line([1, 2])", "mime": "image/svg+xml"},
    ]
    code_clear_output = "clear_output()"
    code_history_pattern = "6*7*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "torch.sum"
    complete_code_samples = ["1", "let x = 1;", "fn f(x) { x }"]
    incomplete_code_samples = ["fn f(x) {", "f(", "`a"]
    invalid_code_samples = ["f(]"]
    completion_samples = [
        {"text": "torch.linalg.eigvals", "matches": {"eigvals", "eigvalsh"}},
        {"text": "%%python\nisinst", "matches": {"isinstance"}},
    ]
