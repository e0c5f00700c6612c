import json
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from nt_ray.brokers.simulated.matching import Costs
from nt_ray.config import Settings, load_settings, to_toml
from nt_ray.config.keys import find_key, known_keys
from nt_ray.config.layers import name_of
from nt_ray.config.reference import reference_page
from nt_ray.config.toml_text import toml_text
from nt_ray.errors import ConfigError
from nt_ray.portfolio.allocation import AllocationParams
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.risk.limits import RiskLimits
from nt_ray.trader.planning import risk_limits

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str) -> Path:
    path = Path("settings.toml")
    path.write_text(text, encoding="utf-8")
    return path


def load(text: str = "", overrides: dict[str, Any] | None = None, **environ: str) -> Settings:
    return load_settings(written(text), overrides or {}, environ)


def refusal(text: str = "", overrides: dict[str, Any] | None = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(text, overrides, **environ)
    return str(caught.value)


def test_command_line_beats_environment_beats_file_beats_defaults() -> None:
    text = "[swarm]\nhosts = 5\nfanout = 6\ndegree = 10"
    settings = load(text, {"swarm.hosts": "9"}, NT_SWARM__HOSTS="7", NT_SWARM__FANOUT="8")
    assert (
        settings.swarm.hosts,
        settings.swarm.fanout,
        settings.swarm.degree,
        settings.swarm.group_size,
    ) == (
        9,
        8,
        10,
        5,
    )


def test_without_any_source_the_defaults_hold() -> None:
    assert load_settings(environ={}) == Settings()
    assert Settings().account.initial_cash == Decimal(100000)


def test_config_toml_of_the_working_directory_is_read_without_being_named() -> None:
    Path("config.toml").write_text("seed = 11")
    assert load_settings(environ={}).seed == 11


def test_a_named_file_replaces_config_toml() -> None:
    Path("config.toml").write_text("seed = 11")
    assert load("runs = 'elsewhere'").seed == Settings().seed


def test_building_settings_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NT_SEED", "99")
    assert Settings().seed == 7
    assert load_settings().seed == 99


def test_settings_are_frozen_at_every_level() -> None:
    settings = Settings()
    for target, name in (
        (settings, "seed"),
        (settings.swarm, "hosts"),
        (settings.brokers.table("sim-east"), "kind"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(target, name, 1)


def test_defaults_agree_with_the_rooms_they_configure() -> None:
    settings = Settings()
    assert SizingParams(**settings.portfolio.model_dump(exclude={"allocation"})) == SizingParams()
    allocation = settings.portfolio.allocation.model_dump(exclude={"method"})
    assert AllocationParams(method="hrp", **allocation) == AllocationParams(method="hrp")
    east = settings.brokers.table("sim-east").model_dump(include=set(Costs.__slots__))
    assert Costs(**east) == Costs()
    assert risk_limits(settings) == RiskLimits()
    assert settings.brokers.table("sim-west").commission_bps == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("topology = 'ring'", "Unknown key topology in settings.toml. Did you mean swarm.topology?"),
        ("sed = 1", "Unknown key sed in settings.toml. Did you mean seed?"),
        ("[swrm]\nhosts = 1", "Unknown key swrm in settings.toml. Did you mean swarm?"),
        ("[swarm]\ntopolgy = 1", "Unknown key swarm.topolgy in settings.toml. Did you mean swarm.topology?"),
        ("[data]\nsymbol = ['A']", "Did you mean data.symbols?"),
        ("[brokers]\nenabld = ['a']", "Did you mean brokers.enabled?"),
        ("[brokers.sim-west]\nslipage_bps = 1", "Did you mean brokers.sim-west.slippage_bps?"),
        ("zzz = 1", "Unknown key zzz in settings.toml. Known there: seed, runs, state, live, data,"),
        ("[ray]\nzzz = 1", "Unknown key ray.zzz in settings.toml. Known there: address, num_cpus,"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(text: str, said: str) -> None:
    assert said in refusal(text)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NT_SEDE", "Unknown environment variable NT_SEDE. Did you mean NT_SEED?"),
        ("NT_SWARM_TOPOLOGY", "Did you mean NT_SWARM__TOPOLOGY?"),
        ("NT_SWARM__TOPOLGY", "Did you mean NT_SWARM__TOPOLOGY?"),
        ("NT_BROKERS__SIM_WEST__VOLUME", "Did you mean NT_BROKERS__SIM_WEST__VOLUME_SHARE?"),
        ("NT_SWARM", "It names a section; set its keys, such as NT_SWARM__TOPOLOGY."),
        ("NT_QQQQQQ", "Unset it, or take a name from docs/configuration.md."),
    ],
)
def test_an_unknown_environment_name_names_the_nearest_known_one(name: str, said: str) -> None:
    assert said in refusal(**{name: "1"})


def test_an_unknown_key_on_the_command_line_is_refused() -> None:
    said = refusal(overrides={"swarm.hots": "3"})
    assert said == "Unknown key swarm.hots on the command line. Did you mean swarm.hosts?"


def test_names_without_the_prefix_are_nobodys_business() -> None:
    assert load(PATH="/bin", ANT_SEED="1", nt_seed="5") == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[swarm]\nhosts = 0",
            "swarm.hosts = 0 (in settings.toml) cannot be used. Give a whole number from 1 to 256.",
        ),
        ("[swarm]\nhosts = true", "swarm.hosts = true"),
        ("[swarm]\nhosts = 2.5", "swarm.hosts = 2.5"),
        ("[swarm]\nquorum = 0", "Give a number above 0 and at most 1."),
        ("[swarm]\ntrim = 0.5", "Give a number from 0 and below 0.5."),
        ("[swarm]\ntopology = 'tree'", "Give star, hierarchical, ring or mesh."),
        ("[swarm]\nstrict = 3", "Give true or false."),
        ("[swarm]\ndeadline_s = inf", "swarm.deadline_s = inf"),
        ("[portfolio]\nmax_gross = nan", "portfolio.max_gross = nan"),
        ("[data]\nstart = 'soon'", "Give a date such as 2020-12-31."),
        ("[data]\ntimezone = 'Mars/Olympus'", "Give an IANA time zone such as America/New_York."),
        ("[data]\nsymbols = ['A', 'A']", "Give a list of different names."),
        ("[data]\nsource = ' '", "data.source"),
        ("[strategies]\nenabled = []", "Give a list of 1 to 16 different names."),
        ("[account]\ninitial_cash = 100.005", "with at most 2 decimals"),
        ("[account]\ncurrency = 'dollar'", "Give three capital letters such as USD."),
        ("[brokers.sim-east]\noutage = [[9, 3]]", "Give a list of pairs of bars such as [[100, 150]]"),
        ("[brokers.sim-east]\ncommission_bps = 0.001", "with at most 2 decimals"),
        (
            "[strategies.variants]\npairs = [{lookback = 'x'}]",
            "Give for each strategy a list of tables of numbers",
        ),
        ("swarm = 3", "swarm = 3 (in settings.toml) is not a table. Write [swarm] and its keys below it."),
    ],
)
def test_a_value_out_of_range_names_key_value_place_and_range(text: str, said: str) -> None:
    message = refusal(text)
    assert said in message
    assert "pydantic" not in message
    assert "http" not in message
    assert "Input should" not in message


def test_every_problem_is_named_at_once_with_its_place() -> None:
    said = refusal("[swarm]\nfanout = 1", {"seed": "-1"}, NT_RAY__NUM_CPUS="none")
    assert said.splitlines() == [
        'seed = "-1" (on the command line) cannot be used. Give a whole number from 0 to 4294967295.',
        "swarm.fanout = 1 (in settings.toml) cannot be used. Give a whole number from 2 to 64.",
        ('ray.num_cpus = "none" (environment NT_RAY__NUM_CPUS) cannot be used. Give a whole number from 1 to 4096.'),
    ]


def test_a_start_after_the_end_is_refused() -> None:
    assert "data.start = 2020-02-01 lies after data.end = 2020-01-01" in refusal(
        "[data]\nstart = 2020-02-01\nend = 2020-01-01"
    )


def test_malformed_toml_is_located() -> None:
    assert "(at line 2, column 8)" in refusal("seed = 1\nruns = = 2")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no settings file absent\.toml"):
        load_settings(Path("absent.toml"), environ={})


def test_a_folder_or_a_binary_file_is_no_settings_file() -> None:
    Path("folder").mkdir()
    with pytest.raises(ConfigError, match="folder cannot be read"):
        load_settings(Path("folder"), environ={})
    Path("binary").write_bytes(b"seed = \xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8 text at byte 7"):
        load_settings(Path("binary"), environ={})


def test_a_byte_order_mark_is_no_fault() -> None:
    Path("marked.toml").write_bytes(b"\xef\xbb\xbfseed = 5\r\n")
    assert load_settings(Path("marked.toml"), environ={}).seed == 5


def test_text_is_read_like_typed_values() -> None:
    typed = load(
        "seed = 3\n[data]\nsymbols = ['AAPL', 'MSFT']\nstart = 2015-01-02\nadjust = false\n"
        "[strategies.variants]\nmomentum = [{lookback = 60.0, short = true}]\n"
        "[brokers.sim-east]\noutage = [[5, 9]]\nslippage_bps = 0.5"
    )
    from_text = load(
        NT_SEED="3",
        NT_DATA__SYMBOLS="AAPL, MSFT",
        NT_DATA__START="2015-01-02",
        NT_DATA__ADJUST="false",
        NT_STRATEGIES__VARIANTS__MOMENTUM='[{"lookback": 60, "short": 1}]',
        NT_BROKERS__SIM_EAST__OUTAGE="[[5, 9]]",
        NT_BROKERS__SIM_EAST__SLIPPAGE_BPS="0.5",
    )
    assert typed == from_text
    assert typed.data.start == date(2015, 1, 2)


def test_blank_text_unsets_an_optional_key() -> None:
    assert load("[data]\nend = 2020-01-01", NT_DATA__END="").data.end is None


def test_overrides_may_be_nested_or_dotted() -> None:
    nested = load(overrides={"swarm": {"hosts": 2}, "swarm.fanout": 3})
    assert (nested.swarm.hosts, nested.swarm.fanout) == (2, 3)


def test_money_keeps_every_digit() -> None:
    settings = load("[risk]\nmax_order_size = 0.1000000000000000055511151231257827")
    assert settings.risk.max_order_size == Decimal("0.1000000000000000055511151231257827")
    assert load_settings(written(to_toml(settings)), environ={}) == settings


def test_an_enabled_venue_without_a_table_is_refused() -> None:
    assert "brokers.enabled names paper, which has no table. Add [brokers.paper]." in refusal(
        "[brokers]\nenabled = ['paper']"
    )


def test_a_table_that_no_enabled_venue_uses_is_refused() -> None:
    assert "brokers.sim-eats is not in brokers.enabled" in refusal("[brokers.sim-eats]\nslippage_bps = 2")


def test_variants_of_a_strategy_that_is_not_enabled_are_refused() -> None:
    assert "strategies.variants.momentun belongs to no enabled strategy" in refusal(
        "[strategies.variants]\nmomentun = [{lookback = 3}]"
    )


def test_a_venue_of_ones_own_starts_from_the_defaults() -> None:
    settings = load("[brokers]\nenabled = ['paper']\n[brokers.paper]\nslippage_bps = 3")
    assert settings.brokers.table("paper").slippage_bps == 3
    assert settings.brokers.table("paper").commission_bps == 1
    assert settings.brokers.shares() == {"paper": Decimal(1)}


def test_a_part_of_a_built_in_venue_can_be_changed() -> None:
    west = load("[brokers.sim-west]\nslippage_bps = 3").brokers.table("sim-west")
    assert (west.commission_bps, west.slippage_bps) == (Decimal(2), Decimal(3))


@pytest.mark.parametrize("name", ["Sim", "1x", "a_b", "a" * 25, "a.b"])
def test_a_venue_name_that_fits_no_order_id_is_refused(name: str) -> None:
    assert "is no venue name" in refusal(f"[brokers]\nenabled = ['{name}']\n[brokers.'{name}']\nslippage_bps = 1")


@pytest.mark.parametrize(("east", "west"), [("0.5", "0.4"), ("0.7", "0.4"), ("1", None)])
def test_capital_shares_that_do_not_sum_to_one_are_refused(east: str, west: str | None) -> None:
    text = f"[brokers.sim-east]\ncapital_share = {east}\n"
    text += f"[brokers.sim-west]\ncapital_share = {west}\n" if west else ""
    assert "capital_share values of the enabled brokers sum to" in refusal(text)


@given(count=st.integers(1, 16), fixed=st.decimals("0.01", "0.9", places=2))
def test_capital_shares_sum_to_one_exactly(count: int, fixed: Decimal) -> None:
    tables: dict[str, dict[str, Decimal]] = {f"v{i}": {} for i in range(count)}
    if count > 1:
        tables["v0"]["capital_share"] = fixed
    shares = Settings(brokers={"enabled": list(tables), **tables}).brokers.shares()
    assert sum(shares.values()) == 1
    assert list(shares) == list(tables)
    others = [share for name, share in shares.items() if "capital_share" not in tables[name]]
    assert max(others) - min(others) <= Decimal("1e-6")


def test_written_settings_load_to_equal_settings() -> None:
    settings = load(
        "runs = 'a \"quoted\" folder'\n"
        "[data]\nstart = 2001-02-03\ntimezone = 'Europe/Berlin'\nsymbols = ['BRK.B']\n"
        "[strategies]\nenabled = ['momentum']\n[strategies.variants]\nmomentum = [{lookback = 20}, {}]\n"
        "[brokers]\nenabled = ['sim-west', 'own']\n"
        "[brokers.own]\ncapital_share = 0.3\noutage = [[1, 2], [7, 7]]\n"
        "[ray]\naddress = '10.0.0.5:6379'\nnum_cpus = 2"
    )
    assert load_settings(written(to_toml(settings)), environ={}) == settings


def test_resolved_settings_are_json_and_give_back_equal_settings() -> None:
    settings = load("[data]\nstart = 2001-02-03\n[brokers.sim-east]\ncapital_share = 0.25")
    again = json.loads(json.dumps(settings.resolved()))
    assert Settings(**again) == settings
    assert again["account"]["initial_cash"] == "100000"


def test_secrets_are_masked_wherever_settings_are_written() -> None:
    class WithSecret(Settings):
        token: SecretStr = SecretStr("hunter2")

    settings = WithSecret()
    assert "hunter2" not in json.dumps(settings.resolved()) + to_toml(settings) + repr(settings)


JSON_LIKE = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON_LIKE, max_size=4))
def test_written_toml_is_read_back_by_the_standard_library(values: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(values)) == values


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_written_decimals_keep_every_digit(value: Decimal) -> None:
    if -400 < value.adjusted() < 400:
        assert Decimal(tomllib.loads(toml_text({"x": value}), parse_float=Decimal)["x"]) == value


PATHS = st.sampled_from([tuple("sim-west" if p == "NAME" else p for p in k.path) for k in known_keys()])
SECRETS = {"key": None, "secret": None}
ACCESS_SECRETS = {"token_secret": None, "pepper": None, "redis": None}
TEXTS = st.sampled_from(["[", "[[1]]", "{a=1}", "[{a=[]}]", "AAPL, MSFT", "1e999", "-0"])
STRANGE = JSON_LIKE | st.none() | st.decimals() | st.floats() | TEXTS


def outcome(overrides: dict[str, Any], environ: dict[str, str]) -> Settings | str:
    try:
        return load_settings(overrides=overrides, environ=environ)
    except ConfigError as error:
        return str(error)


def without_secrets(settings: Settings) -> Settings:
    tables = {name: venue.model_copy(update=SECRETS) for name, venue in settings.brokers.model_extra.items()}
    account = settings.account.model_copy(update={"journal": None})
    access = settings.access.model_copy(update=ACCESS_SECRETS)
    brokers = settings.brokers.model_copy(update=tables)
    return settings.model_copy(update={"brokers": brokers, "account": account, "access": access})


@given(st.dictionaries(PATHS, STRANGE, min_size=1, max_size=3))
def test_any_value_under_any_key_is_taken_or_refused_in_plain_words(
    values: dict[tuple[str, ...], Any],
) -> None:
    result = outcome({".".join(path): value for path, value in values.items()}, {})
    if isinstance(result, Settings):
        assert Settings(**tomllib.loads(to_toml(result), parse_float=Decimal)) == without_secrets(result)
    else:
        assert result
        assert not any(word in result for word in ("pydantic", "Input should", "https://"))


@given(PATHS, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | TEXTS)
def test_any_text_in_the_environment_is_taken_or_refused_in_plain_words(path: tuple[str, ...], text: str) -> None:
    result = outcome({}, {name_of(path): text})
    if isinstance(result, Settings):
        plain = without_secrets(result)
        assert Settings(**plain.resolved()) == plain
        shown = result.resolved()
        for name in path:
            shown = shown[name]
        assert plain == result or shown == "*" * 10
    else:
        assert path[0] in result


def test_a_leading_tilde_is_the_home_folder() -> None:
    assert load("runs = '~/runs'").runs == Path.home() / "runs"
    assert load("runs = '/srv/~/runs'").runs == Path("/srv/~/runs")


def test_a_number_or_a_nesting_without_end_is_refused() -> None:
    assert "is not valid TOML" in refusal("seed = " + "9" * 5000)
    assert "is not valid TOML" in refusal("seed = " + "[" * 100_000)
    assert "data.symbols" in refusal(overrides={"data.symbols": "[" * 100_000})


def test_every_key_is_documented_and_found_again() -> None:
    keys = known_keys()
    assert len(keys) == len({k.path for k in keys})
    for key in keys:
        assert key.description.endswith("."), key.dotted
        assert key.accepts, key.dotted
        path = tuple("sim-east" if p == "NAME" else p for p in key.path)
        found = find_key(path)
        assert found is not None
        assert (found.accepts, found.default) == (key.accepts, key.default)
        assert name_of(path) in name_of(path).upper()


def test_every_default_can_be_given_through_the_environment() -> None:
    environ = {}
    for key in known_keys():
        if key.default is None or isinstance(key.default, dict) or "NAME" in key.path:
            continue
        value = tomllib.loads(toml_text({"x": key.default}), parse_float=Decimal)["x"]
        environ[name_of(key.path)] = json.dumps(value, default=str) if isinstance(value, list) else str(value)
    assert len(environ) >= 40
    assert load_settings(environ=environ) == Settings()


def test_the_reference_page_is_up_to_date() -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == reference_page(), "write it again: nt-ray config docs > docs/configuration.md"
