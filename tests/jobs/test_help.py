import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from jobs.cli import app, main

ROOT: Any = get_command(app)


def tree(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from tree(below, *path, name)


PATHS = sorted(tree(ROOT))


def examples(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """Words after `nt-ray` of each example, as a shell would split them."""
    assert main([*path, "--help"]) == 0
    shown = re.split(r"^(?:Arguments|Options):", capsys.readouterr().out, maxsplit=1, flags=re.MULTILINE)[0]
    lines = re.findall(r"^\s*(?:[A-Z_]+=\S+ )*nt-ray (.*)$", shown, flags=re.MULTILINE)
    # What a shell would put in, and where it would write to.
    return [shlex.split(re.sub(r"\$\(.*?\)", "PUT-IN", line).partition(" > ")[0]) for line in lines]


def reach(words: list[str]) -> tuple[Any, list[str]]:
    """Command that these words name, and the words that are left for it."""
    command = ROOT
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("path", PATHS, ids=lambda path: " ".join(path) or "nt-ray")
def test_help_teaches_by_examples_that_the_command_takes(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    found = examples(path, capsys)
    assert any(tuple(words[: len(path)]) == path for words in found), "the help shows no example of its own command"
    for words in found:
        command, rest = reach(words)
        assert not hasattr(command, "commands"), f"nt-ray {' '.join(words)} names no command"
        # It raises a usage error where an argument or an option is not the command's.
        command.make_context("nt-ray", list(rest))


def test_every_option_and_command_says_what_it_is() -> None:
    commands = {" ".join(path): reach(list(path))[0] for path in PATHS}
    assert [name for name, command in commands.items() if not command.help] == []
    unsaid = [(name, p.name) for name, command in commands.items() for p in command.params if not p.help]
    assert unsaid == []


def test_an_option_that_a_command_does_not_have_fails_the_check_of_examples() -> None:
    command, rest = reach(["config", "show", "--wings"])
    with pytest.raises(Exception, match="No such option: --wings"):
        command.make_context("nt-ray", rest)
