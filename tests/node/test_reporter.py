"""What a run prints, on a terminal and elsewhere."""

import io

from rich.console import Console
from rich.progress import Progress, TextColumn

from node.reporter import LineReporter, LiveReporter, reporting


def test_lines_are_flushed_and_a_state_is_told_once() -> None:
    stream = io.StringIO()
    with reporting(stream) as reporter:
        assert isinstance(reporter, LineReporter)
        for state in ("for round 1", "for round 1", "for round 2"):
            reporter.waiting(state)
        reporter.on_step(1, 2, 0.5)
        reporter.say("round 1: trained")
    assert stream.getvalue() == "waiting for round 1\nwaiting for round 2\nround 1: trained\n"


def test_a_terminal_shows_progress_and_keeps_lines() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80)
    with Progress(
        TextColumn("{task.description} {task.completed}/{task.total}"), console=console, auto_refresh=False
    ) as progress:
        reporter = LiveReporter(progress)
        reporter.on_step(3, 7, 0.25)
        progress.refresh()
        reporter.say("round 1: trained [bold]")
        reporter.waiting("for round 2")
        progress.refresh()
    shown = stream.getvalue()
    assert "training, loss 0.2500 3/7" in shown
    assert "round 1: trained [bold]" in shown
    assert "waiting for round 2" in shown


def test_what_the_aggregator_wrote_cannot_steer_the_terminal() -> None:
    stream = io.StringIO()
    LineReporter(stream).say("reason\x1b[2J\x9b31m")
    assert stream.getvalue() == "reason�[2J�31m\n"
