"""The reference page of all settings, made from the tree itself: `docs/configuration.md` is its text."""

from pydantic import BaseModel

from nt_ray.config.keys import Key, known_keys, section_of
from nt_ray.config.layers import name_of
from nt_ray.config.settings import Settings
from nt_ray.config.toml_text import toml_value
from nt_ray.config.venues import BUILT_IN

_HEAD = """\
# Settings

This page is written by `nt-ray config docs`.

A value is looked for on the command line, then in the environment, then in the TOML file, then in the
defaults below; the first place that has it wins. The file is the one given with `--config`, else
`config.toml` in the working directory where there is one. `nt-ray config show` prints what is in effect.

| place | how `swarm.hosts` is written |
|---|---|
| command line | `--set swarm.hosts=8`, or its own option `--hosts 8` (`nt-ray run --help`) |
| environment | `NT_SWARM__HOSTS=8` |
| file | `[swarm]`, and below it `hosts = 8` |

An unknown key, at any depth, and an unknown name that begins with `NT_` are errors. As text, a list is
written `AAPL,MSFT` or as in TOML, and an empty text unsets a key that has no default. Amounts are exact
decimals. Each run writes the settings in effect to `settings.toml` in its folder, and `--config` takes that
file back.
"""

_VENUES = """\
Each venue has a table of its own, `[brokers.sim-east]` for instance. In the environment the hyphens of a
venue's name are underscores: `{example}`. {built_in} exist without a table.
"""


def reference_page() -> str:
    """Write the page as Markdown: one table for each section, one row for each key."""
    sections: dict[str, list[Key]] = {}
    for key in known_keys():
        sections.setdefault(".".join(key.path[:-1]), []).append(key)
    parts = [_HEAD]
    for name, keys in sections.items():
        parts.append(f"## `[{name}]`\n" if name else "## Top level\n")
        about = _about(name)
        if about:
            parts.append(about)
        parts.append(_table(keys))
    return "\n".join(parts)


def _about(section: str) -> str:
    if section == "brokers.NAME":
        names = " and ".join(f"`{name}` ({_difference(table)})" for name, table in BUILT_IN.items())
        example = name_of(("brokers", next(iter(BUILT_IN)), "slippage_bps"))
        return _VENUES.format(example=example, built_in=names)
    if not section:
        return ""
    model: type[BaseModel] | None = Settings
    for name in section.split("."):
        model = None if model is None else section_of(model.model_fields[name])
    return f"{(model.__doc__ or '').strip()}\n" if model is not None else ""


def _difference(table: object) -> str:
    items = dict(table).items() if isinstance(table, dict) else ()
    return ", ".join(f"{key} = {value}" for key, value in items)


def _table(keys: list[Key]) -> str:
    rows = ["| key | default | accepts | meaning |", "|---|---|---|---|"]
    rows += [f"| `{k.path[-1]}` | {_default(k)} | {k.accepts} | {k.description} |" for k in keys]
    return "\n".join(rows) + "\n"


def _default(key: Key) -> str:
    return "not set" if key.default is None else f"`{toml_value(key.default)}`"
