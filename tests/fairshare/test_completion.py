"""Completion in bash, zsh and fish: the script is written for each, and a shell that is installed completes with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NEEDED = {"doctor", "why", "leave"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `fairshare` of this tree on the PATH."""
    program = tmp_path_factory.mktemp("bin") / "fairshare"
    program.write_text(f"#!{sys.executable}\nfrom fairshare.cli import main\nmain()\n")
    program.chmod(0o755)
    return program


def environment(program: Path, **more: str) -> dict[str, str]:
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(Path(__file__).parents[2]), **more}


def script(program: Path, shell: str) -> str:
    asked = environment(program, _FAIRSHARE_COMPLETE=f"source_{shell}")
    return subprocess.run([program], env=asked, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("shell", "typed"),
    [
        ("bash", {"COMP_WORDS": "fairshare node ", "COMP_CWORD": "2"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "fairshare node "}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "fairshare node ", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_the_script_of_each_shell_asks_and_is_answered(shell: str, typed: dict[str, str], program: Path) -> None:
    assert f"complete_{shell}" in script(program, shell)
    asked = environment(program, _FAIRSHARE_COMPLETE=f"complete_{shell}", **typed)
    done = subprocess.run([program], env=asked, capture_output=True, text=True, check=False)
    assert all(name in done.stdout for name in NEEDED), done.stderr


IN_THE_SHELL = {
    "bash": "source {script}; COMP_WORDS=(fairshare node ''); COMP_CWORD=2; "
    '$(complete -p fairshare | sed "s/.*-F \\([^ ]*\\).*/\\1/") fairshare; printf "%s\\n" "${{COMPREPLY[@]}}"',
    "zsh": "autoload -Uz compinit; compinit -u -D; source {script}; _arguments() {{ print -l -- $@ }}; "
    "words=(fairshare node ''); CURRENT=3; $_comps[fairshare]",
    "fish": "source {script}; complete -C 'fairshare node '",
}


@pytest.mark.parametrize("shell", IN_THE_SHELL)
def test_a_shell_completes_with_it(shell: str, program: Path, tmp_path: Path) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed on this machine")
    file = tmp_path / "script"
    file.write_text(script(program, shell))
    call = [found, "-c", IN_THE_SHELL[shell].format(script=file)]
    done = subprocess.run(call, env=environment(program, HOME=str(tmp_path)), capture_output=True, text=True, check=False)
    assert all(name in done.stdout for name in NEEDED), done
