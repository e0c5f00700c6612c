import json
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jobs import cli
from nt_ray.config import Settings
from nt_ray.errors import StorageError

REPOSITORY = Path(__file__).parent.parent.parent


class FakeTrade(ModuleType):
    """Stands in for the run itself: these tests are about what reaches it."""

    def __init__(self) -> None:
        super().__init__("jobs.trade")
        self.calls: list[tuple[Settings, bool, bool]] = []
        self.error: BaseException | None = None

    def run(self, settings: Settings, *, as_json: bool, progress: bool, browse: bool | None) -> int:
        self.calls.append((settings, as_json, progress))
        if self.error is not None:
            raise self.error
        return 0


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def trade(monkeypatch: pytest.MonkeyPatch) -> FakeTrade:
    import jobs

    fake = FakeTrade()
    monkeypatch.setitem(sys.modules, "jobs.trade", fake)
    monkeypatch.setattr(jobs, "trade", fake, raising=False)
    return fake


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_run_hands_every_option_to_the_settings(trade: FakeTrade) -> None:
    arguments = (
        "run --topology ring --rule median --hosts 2 --data prices --symbols AAPL,MSFT --start 2015-01-02 "
        "--end 2016-01-02 --cash 250000.50 --seed 3 --runs here --no-progress --json "
        "--set data.missing=skip --set swarm.fanout=3"
    )
    assert cli.main(arguments.split()) == 0
    settings, as_json, progress = trade.calls[0]
    expected: dict[str, Any] = {
        "seed": 3,
        "runs": "here",
        "data": {
            "source": "prices",
            "symbols": ["AAPL", "MSFT"],
            "start": "2015-01-02",
            "end": "2016-01-02",
            "missing": "skip",
        },
        "swarm": {"topology": "ring", "rule": "median", "hosts": 2, "fanout": 3},
        "account": {"initial_cash": "250000.50"},
    }
    assert settings == Settings(**expected)
    assert (as_json, progress) == (True, False)


def test_a_set_wins_over_the_option_of_the_same_key(trade: FakeTrade) -> None:
    cli.main(["run", "--hosts", "2", "--set", "swarm.hosts=5"])
    assert trade.calls[0][0].swarm.hosts == 5


def test_run_reads_file_and_environment(trade: FakeTrade, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.toml").write_text("seed = 4\n[swarm]\nhosts = 6")
    monkeypatch.setenv("NT_SWARM__HOSTS", "9")
    cli.main(["run", "--config", "mine.toml"])
    assert (trade.calls[0][0].seed, trade.calls[0][0].swarm.hosts) == (4, 9)


def test_bad_settings_are_told_plainly_and_exit_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = answer(capsys, "run", "--hosts", "0")
    assert (code, out) == (2, "")
    assert err == (
        'nt-ray: swarm.hosts = "0" (on the command line) cannot be used. Give a whole number from 1 to 256.\n'
    )


def test_with_json_an_error_is_one_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = answer(capsys, "run", "--json", "--set", "seeed=1")
    assert (code, err) == (2, "")
    assert json.loads(out) == {
        "error": {"code": "config", "message": "Unknown key seeed on the command line. Did you mean seed?"}
    }


def test_an_error_of_the_run_exits_with_its_own_code(trade: FakeTrade, capsys: pytest.CaptureFixture[str]) -> None:
    trade.error = StorageError("The journal is full.")
    code, _, err = answer(capsys, "run")
    assert (code, err) == (StorageError.exit_code, "nt-ray: The journal is full.\n")


def test_an_error_nobody_foresaw_is_not_hidden(trade: FakeTrade) -> None:
    trade.error = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["run"])


def test_an_interrupt_exits_with_130(trade: FakeTrade) -> None:
    trade.error = KeyboardInterrupt()
    assert cli.main(["run"]) == 130


@pytest.mark.parametrize("arguments", [["fly"], ["run", "--wings"], ["run", "--hosts"], ["config", "fly"]])
def test_wrong_usage_exits_with_2_and_hint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = answer(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("nt-ray: ")
    assert "--help" in err
    code, out, err = answer(capsys, arguments[0], "--json", *arguments[1:])
    assert (code, err) == (2, "")
    assert json.loads(out)["error"]["code"] == "usage"


def test_a_set_without_a_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Write it like --set swarm.hosts=8." in answer(capsys, "run", "--set", "swarm.hosts")[2]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["config"], ["run", "--help"], ["doctor", "--help"]])
def test_help_exits_with_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, *arguments)
    assert code == 0
    assert out.startswith("Usage: nt-ray")


def test_the_examples_of_the_help_parse(trade: FakeTrade, capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    Path("runs/latest").mkdir(parents=True)
    Path("runs/latest/settings.toml").write_text("seed = 1")
    text = answer(capsys, "run", "--help")[1].split("Options:")[0]
    examples = [shlex.split(line) for line in text.splitlines() if line.strip().startswith("nt-ray ")]
    assert len(examples) == 7
    for example in examples:
        assert cli.main(example[1:]) == 0, example
    assert len(trade.calls) == len(examples)


def test_config_show_prints_toml_that_gives_the_same_settings(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "config", "show", "--set", "swarm.hosts=4")
    assert code == 0
    assert tomllib.loads(out)["swarm"]["hosts"] == 4


def test_config_show_as_json_holds_every_section(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = answer(capsys, "config", "show", "--json")
    assert json.loads(out) == Settings().resolved()


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("seed = 1", 0, "The settings are valid."),
        ("seed = -1", 2, "seed = -1"),
        ("[strategies]\nenabled = ['momentumm']", 2, "momentum"),
        ("[strategies.variants]\nmomentum = [{lookbak = 3}]", 2, "lookbak"),
        ("[strategies.variants]\nmomentum = [{lookback = -3}]", 2, "out of range"),
    ],
)
def test_config_validate_checks_values_strategies_and_parameters(
    text: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.toml").write_text(text)
    found, out, err = answer(capsys, "config", "validate", "mine.toml")
    assert found == code
    assert said in (err if code else out)


def test_version_names_this_python(capsys: pytest.CaptureFixture[str]) -> None:
    versions = json.loads(answer(capsys, "version", "--json")[1])
    table = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert versions["nt-ray"] == table["project"]["version"]
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from jobs.cli import main; main(['run', '--help']); "
        "print(sorted({m.split('.')[0] for m in sys.modules} "
        "& {'ray', 'torch', 'numba', 'numpy', 'polars', 'pandas', 'rich'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_job_and_the_command_take_the_same_options() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "run", "--hosts", "0"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
