"""Long lines of a log: masked piece by piece, and whole."""

import pytest

from actors.log_masking import mask_text

SECRET = "s3cr3t-Zq9"


def test_a_line_of_megabytes_is_masked_and_whole() -> None:
    text = "word " * 400_000
    assert mask_text(text) == text
    assert SECRET not in mask_text(text + f"token={SECRET}")


@pytest.mark.parametrize("scheme", ["Bearer", "basic"])
def test_a_credential_is_masked_wherever_a_long_line_is_taken_apart(scheme: str) -> None:
    for width in range(60):
        assert SECRET not in mask_text(f"{'word ' * 170}{'y' * width} {scheme} {SECRET}{' word' * 100}")
