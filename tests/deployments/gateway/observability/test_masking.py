"""No credential reaches a log, and whatever is none does, whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.log_masking import mask_text, masked
from deployments.gateway.observability.gpu import Gpu, read

SECRET = "s3cr3t-Zq9"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}abcdefgh", f"token={SECRET}", f'"password": "{SECRET}"',
        f"api_key={SECRET}&x=1", f"redis://ann:{SECRET}@host:6379/0", f"nt_ABCDEFGH23456723_{SECRET.replace('-', '')}",
        f"a\nsecret = {SECRET}\nb", "x " * 2000 + f"token={SECRET}",
    ],
)  # fmt: skip
def test_credentials_are_masked_in_texts(text: str) -> None:
    assert SECRET not in mask_text(text)
    assert SECRET.replace("-", "") not in mask_text(text)
    assert "***" in mask_text(text)


def test_values_of_secret_names_are_masked_at_any_depth() -> None:
    found = masked({"outer": [{"password": SECRET, "client_order_id": "o-1"}], "n": 3, "none": None, SECRET: 1})
    assert found == {"outer": [{"password": "***", "client_order_id": "o-1"}], "n": 3, "none": None, SECRET: 1}
    deep: object = SECRET
    for _ in range(20):
        deep = {"x": deep}
    assert SECRET not in str(masked(deep))


@given(st.lists(st.text("abcdefghij O'BRK.B 0123456789", max_size=300), max_size=30))
def test_what_is_no_credential_stays_as_it_is_however_long(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert mask_text(text) == text


def test_gpus_are_read_as_the_driver_writes_them_and_what_it_does_not_know_is_left_out() -> None:
    assert read("0, 37, 1024\n1, [N/A], 512\n2, 0, 0\n") == [Gpu("0", 37.0, 2.0**30), Gpu("2", 0.0, 0.0)]
    assert read("") == []
