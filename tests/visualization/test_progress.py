import io
import re

from rich.console import Console

from cmid_mm.visualization.progress import ProgressBar, clock


def test_lines_say_what_is_done_and_left_where_there_is_no_terminal():
    text = io.StringIO()
    with ProgressBar('reading [a]', 4, done=1, every_seconds=0, console=Console(file=text)) as bar:
        bar.advance(note='loss [2]')
        bar.advance(2)
    lines = text.getvalue().splitlines()
    assert re.fullmatch(r'reading \[a\]: 2/4, 0:00 passed, 0:00 left, loss \[2\]', lines[0])
    assert re.fullmatch(r'reading \[a\]: 4/4 in 0:00, loss \[2\]', lines[-1])
    assert len(lines) == 3


def test_lines_are_rare():
    text = io.StringIO()
    with ProgressBar('reading', 100, every_seconds=60, console=Console(file=text)) as bar:
        for _ in range(100):
            bar.advance()
    assert len(text.getvalue().splitlines()) == 1


def test_a_terminal_gets_a_bar_and_its_cursor_back():
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100, color_system=None)
    bar = ProgressBar('reading', 10, console=console)
    bar.advance(10, note='loss 2.5')
    bar.close()
    bar.close()
    shown = text.getvalue()
    assert '10/10' in shown
    assert 'loss 2.5' in shown
    assert shown.rindex('\x1b[?25h') > shown.rindex('\x1b[?25l')


def test_clock():
    assert [clock(seconds) for seconds in (0, 59.6, 61, 3725)] == ['0:00', '1:00', '1:01', '1:02:05']
