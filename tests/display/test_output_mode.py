"""The output mode holds everywhere, and the log goes through logging."""

import contextvars
import logging
import threading

import pytest

from torchbend.display import debug, get_output, log_error, log_warning, set_output, using_output


@pytest.fixture(autouse=True)
def _restored():
    yield
    set_output("raw")
    debug(False)


def test_a_mode_set_in_one_cell_holds_in_the_next_and_in_threads():
    # Notebooks run each cell in a copy of the context.
    contextvars.copy_context().run(set_output, "notebook")
    seen = []
    thread = threading.Thread(target=lambda: seen.append(get_output()))
    thread.start()
    thread.join()
    assert get_output() == "notebook"
    assert seen == ["notebook"]


def test_a_mode_of_a_block_ends_with_it_even_by_an_error():
    with pytest.raises(KeyError), using_output("notebook"):
        assert get_output() == "notebook"
        raise KeyError
    assert get_output() == "raw"


def test_messages_are_logged_not_printed(caplog, capsys):
    log_warning("weight", 3, "is odd")
    log_error("no")
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "weight 3 is odd"),
        ("ERROR", "no"),
    ]
    assert capsys.readouterr().out == ""


def test_debug_can_be_switched_on_twice_and_off():
    logger = logging.getLogger("torchbend")
    before = list(logger.handlers)
    debug(True)
    debug(True)
    assert len(logger.handlers) == len(before) + 1
    assert logger.isEnabledFor(logging.DEBUG)
    debug(False)
    assert logger.handlers == before
    assert not logger.isEnabledFor(logging.DEBUG)
