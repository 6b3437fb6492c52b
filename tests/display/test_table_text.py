"""Tables print as the documents show them, and reach files and notebooks whole."""

import io
import math

import pytest
from torch import nn

from torchbend.display import Table, emit, get_output, set_output, using_output
from torchbend.errors import TorchbendError

COLUMNS = ("name", "shape", "dtype", "min", "max", "mean", "stddev")

LINEAR = """\
name             shape                 dtype                 min       max         mean     stddev
---------------  --------------------  -------------  ----------  --------  -----------  ---------
linear_1.weight  torch.Size([80, 4])   torch.float32  -0.49725    0.49778   -0.00486112  0.295011
linear_1.bias    torch.Size([80])      torch.float32  -0.491403   0.492119  -0.021417    0.287867
linear_2.weight  torch.Size([16, 80])  torch.float32  -0.111686   0.111333  -0.00196044  0.0639649
linear_2.bias    torch.Size([16])      torch.float32  -0.0992248  0.108824  -0.00208028  0.0726927"""

JOSEPH = """\
name    shape                  dtype            min    max    mean     stddev
------  ---------------------  -------------  -----  -----  ------  ---------
f0      torch.Size([1, 1, 1])  torch.int64      110    110   110    nan
f_mult  torch.Size([4, 1])     torch.int64        1      4     2.5    1.29099
amps    torch.Size([1, 4, 1])  torch.float32      1      1     1      0"""


def parsed(printed: str) -> Table:
    """The table whose cells were printed, with the statistics as numbers again."""
    rows = []
    for line in printed.splitlines()[2:]:
        cells = [cell for cell in line.replace("torch.Size", "  torch.Size").split("  ") if cell.strip()]
        rows.append([*(c.strip() for c in cells[:3]), *(float(c) for c in cells[3:])])
    return Table(COLUMNS, rows)


@pytest.mark.parametrize("printed", [LINEAR, JOSEPH])
def test_the_documents_tables_are_reproduced_byte_for_byte(printed):
    assert parsed(printed).text() == printed


def test_an_empty_table_has_its_header():
    assert Table(["op", "name"], []).text() == "op    name\n----  ------"


def test_exponents_whole_numbers_and_gaps_are_aligned():
    table = Table(["n", "value"], [[12345678, 1.5e-9], [None, -2.0], [3, None]])
    assert table.text().splitlines() == [
        "       n     value",
        "--------  --------",
        "12345678   1.5e-09",
        "          -2",
        "       3",
    ]


def test_infinities_and_nan_are_numbers():
    lines = Table(["x"], [[math.inf], [-math.inf], [math.nan], [1.25]]).text().splitlines()
    assert lines[2:] == [" inf", "-inf", " nan", "   1.25"]


def test_a_column_with_a_word_is_text_and_truth_values_are_words():
    table = Table(["a", "b"], [[1, True], ["x\ny", False]])
    assert table.text().splitlines()[2:] == ["1    True", "x y  False"]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(TorchbendError, match=r"row 1[\s\S]*2 cells \(a, b\)[\s\S]*1 cells"):
        Table(["a", "b"], [[1, 2], [3]])


def test_html_is_escaped_and_needs_no_network():
    html = Table(["<a>"], [["<script>alert('x')</script> & co"]]).html()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;a&gt;" in html
    assert "http" not in html
    assert Table(["a"], [])._repr_html_().count("<th>") == 1


def test_writing_replaces_whole_files_and_leaves_nothing_else(tmp_path):
    table = Table(["a"], [[1.0]])
    target = tmp_path / "deep" / "table.txt"
    table.write(target)
    table.write(target)
    assert target.read_text() == table.text() + "\n"
    table.write(tmp_path / "table.html")
    assert "<table" in (tmp_path / "table.html").read_text()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["table.html", "table.txt"]


def test_emit_prints_writes_and_returns_the_text(capsys, tmp_path):
    table = Table(["a"], [[1.0]])
    assert emit(table) == table.text()
    assert capsys.readouterr().out == table.text() + "\n"
    buffer = io.StringIO()
    assert emit(table, buffer) == table.text()
    assert emit(table, tmp_path / "t.txt") == table.text()
    assert buffer.getvalue() == (tmp_path / "t.txt").read_text() == table.text() + "\n"
    assert capsys.readouterr().out == ""
    with pytest.raises(TorchbendError, match="open text file"):
        emit(table, 3)


def test_notebook_mode_shows_html(monkeypatch, capsys):
    display = pytest.importorskip("IPython.display")
    shown = []
    monkeypatch.setattr(display, "display", shown.append)
    table = Table(["a"], [[1.0]])
    with using_output("notebook"):
        assert emit(table) == table.text()
    assert shown[0].data == table.html()
    assert capsys.readouterr().out == ""
    assert get_output() == "raw"


def test_a_text_that_was_shown_is_not_shown_again_as_a_cell_s_value(tmp_path):
    formatting = pytest.importorskip("IPython.core.formatters")
    format_value = formatting.DisplayFormatter().format
    table = Table(["a"], [[1.0]])
    assert format_value(emit(table)) == ({}, {})
    written, _ = format_value(emit(table, tmp_path / "t.txt"))
    assert written["text/plain"] == repr(table.text())


def test_notebook_mode_without_ipython_names_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "IPython.display", None)
    with using_output("notebook"), pytest.raises(ImportError, match=r'pip install "torchbend\[notebook\]"'):
        emit(Table(["a"], []))


def test_a_layer_is_no_table_cell_problem():
    assert "Linear(" in Table(["module"], [[nn.Linear(2, 2)]]).text()


def test_an_unknown_mode_lists_the_choices():
    with pytest.raises(TorchbendError, match="'raw' or 'notebook'"):
        set_output("html")
