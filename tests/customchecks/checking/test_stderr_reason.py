"""Which line of stderr says what went wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customchecks.checking import stderr_reason

PYTHON = """Traceback (most recent call last):
  File "/work/main.py", line 3, in <module>
    asked["state"]
    ~~~~~^^^^^^^^^
KeyError: 'state'
"""
CHAINED = f"""{PYTHON}
During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/work/main.py", line 5, in <module>
    raise RuntimeError("no answer:\\nthe run is gone")
RuntimeError: no answer:
the run is gone
"""
SYNTAX = """  File "/work/main.py", line 1
    print(
         ^
SyntaxError: '(' was never closed
"""
NODE = """/work/index.js:3
  throw new Error("boom");
  ^

Error: boom
    at Object.<anonymous> (/work/index.js:3:9)
    at node:internal/main/run_main_module:28:49

Node.js v20.18.0
"""
NODE_CODE = """node:internal/process/promises:288
            triggerUncaughtException(err, true /* fromPromise */);
            ^

TypeError: fetch failed
    at node:internal/deps/undici/undici:12502:13 {
  [cause]: Error: getaddrinfo ENOTFOUND api.example
      at GetAddrInfoReqWrap.onlookup {
    code: 'ENOTFOUND'
  }
}

Node.js v20.18.0
"""


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("", ""),
        ("\n \n", ""),
        ("no token\n", "no token"),
        ("asking\n\x1b[31mno token\x1b[0m\n\n", "no token"),
        (PYTHON, "KeyError: 'state'"),
        (CHAINED, "RuntimeError: no answer:"),
        (SYNTAX, "SyntaxError: '(' was never closed"),
        (f"{PYTHON}closing the session\n", "KeyError: 'state'"),
        (NODE, "Error: boom"),
        (NODE_CODE, "TypeError: fetch failed"),
        ("ModuleNotFoundError: No module named 'x'\r\n", "ModuleNotFoundError: No module named 'x'"),
        ("requests.exceptions.HTTPError: 401\n  detail\n}\n", "requests.exceptions.HTTPError: 401"),
    ],
)
def test_the_line_that_says_what_went_wrong_is_chosen(stderr: str, words: str) -> None:
    assert stderr_reason.of(stderr) == words


@given(st.text(st.characters() | st.sampled_from("\n \x1b["), max_size=2000))
def test_whatever_is_printed_gives_one_short_line(stderr: str) -> None:
    words = stderr_reason.of(stderr)
    assert len(words) <= stderr_reason.MAX_LENGTH
    assert len(words.splitlines()) <= 1
