import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).parent.parent
FLOORS = ("nt_ray", "actors", "deployments", "jobs")
LONGEST_FILE = 500
BROAD = frozenset({"Exception", "BaseException"})
REASONED = re.compile(r"# noqa: BLE001 +\S+ \S+ \S+")
UNSAFE_CALLS = frozenset({"eval", "exec", "breakpoint"})
UNSAFE_MODULES = frozenset({"pickle", "cloudpickle", "marshal", "shelve", "dill"})
FORBIDDEN_IN_THE_DOMAIN = frozenset({"ray", "fastapi", "starlette", "typer", "actors", "deployments", "jobs"})


def sources(*folders: str) -> list[Path]:
    found = sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))
    assert found, f"nothing under {folders}"
    return found


def place(path: Path, node: ast.AST | None = None) -> str:
    line = f":{node.lineno}" if isinstance(node, ast.stmt | ast.expr | ast.ExceptHandler) else ""
    return f"{path.relative_to(REPOSITORY)}{line}"


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def imported(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0], node


def is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in BROAD) for kind in kinds)


def is_overload(node: ast.AST) -> bool:
    """Tell a signature without a body, which the definition after it describes."""
    return any(isinstance(d, ast.Name) and d.id == "overload" for d in getattr(node, "decorator_list", ()))


def without_docstring(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if ast.get_docstring(tree) is None:
        yield place(path)
    pending: list[ast.AST] = [tree]
    while pending:
        for node in ast.iter_child_nodes(pending.pop()):
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("_") or is_overload(node):
                continue
            if ast.get_docstring(node) is None:
                yield f"{place(path, node)} {node.name}"
            if isinstance(node, ast.ClassDef):
                pending.append(node)


def test_the_domain_imports_no_framework_and_no_upper_floor() -> None:
    wrong = [
        f"{place(path, node)} {name}"
        for path in sources("nt_ray")
        for name, node in imported(path)
        if name in FORBIDDEN_IN_THE_DOMAIN
    ]
    assert not wrong


def test_library_code_asserts_nothing() -> None:
    assert not [place(p, n) for p in sources(*FLOORS) for n in nodes(p) if isinstance(n, ast.Assert)]


def test_a_broad_handler_states_its_reason() -> None:
    wrong = []
    for path in sources(*FLOORS):
        lines = path.read_text(encoding="utf-8").splitlines()
        broad = [n for n in nodes(path) if isinstance(n, ast.ExceptHandler) and is_broad(n)]
        wrong += [place(path, n) for n in broad if not REASONED.search(lines[n.lineno - 1])]
    assert not wrong


def test_nothing_is_evaluated_or_unpickled() -> None:
    calls = [
        place(p, n)
        for p in sources(*FLOORS)
        for n in nodes(p)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in UNSAFE_CALLS
    ]
    modules = [place(p, n) for p in sources(*FLOORS) for name, n in imported(p) if name in UNSAFE_MODULES]
    assert not calls + modules


def test_only_jobs_and_benchmarks_print() -> None:
    wrong = [
        place(p, n)
        for p in sources("nt_ray", "actors", "deployments")
        for n in nodes(p)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print"
    ]
    assert not wrong


def test_no_file_is_longer_than_one_can_read() -> None:
    long = {
        place(path): lines
        for path in sources(*FLOORS, "tests", "benchmarks")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert not long


def test_everything_public_says_what_it_is() -> None:
    assert not [line for path in sources(*FLOORS) for line in without_docstring(path)]


def test_no_work_is_left_for_later() -> None:
    marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
    wrong = [
        place(path)
        for path in sources(*FLOORS, "tests", "benchmarks")
        if any(mark in path.read_text(encoding="utf-8") for mark in marks)
    ]
    assert not wrong


def test_every_folder_of_code_is_a_package() -> None:
    wrong = {str(p.parent.relative_to(REPOSITORY)) for p in sources(*FLOORS) if not (p.parent / "__init__.py").exists()}
    assert not wrong


def test_the_map_of_rooms_is_the_order_of_imports() -> None:
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`\w+[/.].*?) \|", page, flags=re.MULTILINE)
    named = [name.strip("`/").removesuffix(".py") for row in rows for name in row.split(", ")]
    rooms = [name for name in named if name not in FLOORS]
    table = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    layers = table["tool"]["importlinter"]["contracts"][-1]["layers"]
    in_order = [layer.removeprefix("nt_ray.") for layer in layers]
    assert [room for room in in_order if room in rooms] == rooms
    assert set(in_order) >= set(rooms)


def test_every_file_the_guide_names_exists() -> None:
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = [n for n in re.findall(r"`([\w/]+\.(?:py|md|txt|toml))`", page) if "NAME" not in n]
    places = [REPOSITORY, REPOSITORY / "nt_ray", REPOSITORY / "nt_ray" / "strategies"]
    places += [REPOSITORY / "tests" / "strategies"]
    assert len(names) > 10
    assert not [n for n in names if not any((place / n).exists() for place in places)]


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def declared() -> list[Requirement]:
    table = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    project = table["project"]
    lines = [*table["build-system"]["requires"], *project["dependencies"]]
    lines += [line for group in project["optional-dependencies"].values() for line in group]
    return [Requirement(line) for line in lines]


def test_every_requirement_is_pinned_to_a_version_that_fits(pins: dict[str, str]) -> None:
    for requirement in declared():
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned in constraints.txt"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} is pinned to {version}"


def test_pins_are_exact_sorted_and_public(pins: dict[str, str]) -> None:
    names = list(pins)
    assert names == sorted(names)
    assert names == [canonicalize_name(name) for name in names]
    assert not [name for name, version in pins.items() if Version(version).local is not None]


def test_everything_imported_is_pinned(pins: dict[str, str]) -> None:
    owners = packages_distributions()
    ours = {*FLOORS, "tests", "benchmarks", *sys.stdlib_module_names}
    wrong = [
        f"{place(path, node)} {name}"
        for path in sources(*FLOORS, "benchmarks")
        # Programs for other engines, each run by the interpreter of an environment of its own.
        if "peers" not in path.parts
        for name, node in imported(path)
        if name not in ours and not {canonicalize_name(d) for d in owners.get(name, [])} & pins.keys()
    ]
    assert not wrong
