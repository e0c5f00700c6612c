import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.access.errors import TokenError, TokenExpiredError
from nt_ray.access.roles import Scope
from nt_ray.access.tokens import Claims, Signer
from nt_ray.config import Access
from nt_ray.errors import ConfigError

SECRET = "s" * 64
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SETTINGS = Access()
CLAIMS = Claims(
    user="ada",
    session="f00",
    id="b00",
    issued=NOW,
    expires=NOW + timedelta(minutes=15),
    scopes=frozenset({Scope.TRADING_READ, Scope.RISK_READ}),
)
BODY = {
    "iss": "nt-ray",
    "aud": "nt-ray",
    "sub": "ada",
    "sid": "f00",
    "jti": "b00",
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 900,
    "scope": "risk:read trading:read",
}
HEADER = {"alg": "HS256", "typ": "at+jwt"}


def pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


ED25519 = Ed25519PrivateKey.generate()
EDDSA = Access(token_algorithm="EdDSA")


def signer(settings: Access = SETTINGS, secret: str = SECRET, at: datetime = NOW) -> Signer:
    return Signer(settings, secret, lambda: at)


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def forged(body: dict[str, Any] = BODY, header: dict[str, Any] = HEADER, secret: bytes = SECRET.encode()) -> str:
    """A token made by RFC 7515 and 2104 alone, whatever a library would refuse to sign."""
    text = f"{encoded(header)}.{encoded(body)}"
    digest = hmac.new(secret, text.encode(), HASHES.get(str(header.get("alg")), hashlib.sha256)).digest()
    return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def test_a_token_written_by_the_standard_is_read() -> None:
    assert signer().read(forged()) == CLAIMS
    without = {name: value for name, value in BODY.items() if name != "scope"}
    assert signer().read(forged(without)).scopes is None


@pytest.mark.parametrize(("settings", "secret"), [(SETTINGS, SECRET), (EDDSA, pem(ED25519))])
def test_what_is_written_is_read_back(settings: Access, secret: str) -> None:
    own = signer(settings, secret)
    assert own.read(own.write(CLAIMS)) == CLAIMS


def test_a_written_token_holds_in_another_library_and_tells_no_role() -> None:
    token = signer(EDDSA, pem(ED25519)).write(CLAIMS)
    header, body, signature = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    ED25519.public_key().verify(signature, token.rpartition(".")[0].encode())
    assert json.loads(header) == {"alg": "EdDSA", "typ": "at+jwt"}
    assert json.loads(body) == BODY


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "at+jwt"},
        {"alg": "None", "typ": "at+jwt"},
        {"alg": "HS512", "typ": "at+jwt"},
        {"alg": "HS384", "typ": "at+jwt"},
        {"alg": "EdDSA", "typ": "at+jwt"},
        {"alg": "RS256", "typ": "at+jwt"},
        {"typ": "at+jwt"},
        {"alg": "HS256", "typ": "JWT"},
        {"alg": "HS256"},
        {"alg": "HS256", "typ": "at+jwt", "crit": ["x"], "x": 1},
        {"alg": 5, "typ": "at+jwt"},
    ],
)
def test_a_token_of_another_algorithm_or_type_is_refused_though_its_signature_is_right(header: dict[str, Any]) -> None:
    with pytest.raises(TokenError) as caught:
        signer().read(forged(header=header))
    assert caught.value.code == "token_invalid"


def test_an_unsigned_token_is_refused() -> None:
    text = f"{encoded({'alg': 'none', 'typ': 'at+jwt'})}.{encoded(BODY)}"
    for signature in ("", "x", forged().rpartition(".")[2]):
        with pytest.raises(TokenError):
            signer().read(f"{text}.{signature}")


def test_a_token_of_another_key_is_refused() -> None:
    with pytest.raises(TokenError):
        signer().read(forged(secret=b"t" * 64))
    other = signer(EDDSA, pem(Ed25519PrivateKey.generate())).write(CLAIMS)
    with pytest.raises(TokenError):
        signer(EDDSA, pem(ED25519)).read(other)


def test_the_public_key_is_no_secret_of_hs256() -> None:
    public = ED25519.public_key()
    for text in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.Raw, PublicFormat.Raw),
    ):
        with pytest.raises(TokenError):
            signer(EDDSA, pem(ED25519)).read(forged(secret=text))


WRONG = [
    ("iss", "someone"),
    ("aud", "someone"),
    ("aud", ["nt-ray"]),
    ("iss", ["nt-ray"]),
    ("sub", 5),
    ("sid", None),
    ("jti", ["b00"]),
    ("exp", "tomorrow"),
    ("exp", True),
    ("exp", 1e99),
    ("exp", 10**30),
    ("iat", -(10**30)),
    ("iat", None),
    ("scope", "kill:everything"),
    ("scope", ["risk:read"]),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_token_with_a_claim_of_another_kind_is_refused(name: str, value: Any) -> None:
    with pytest.raises(TokenError):
        signer().read(forged(BODY | {name: value}))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "sid", "jti", "iat", "exp"])
def test_a_token_without_a_claim_is_refused(name: str) -> None:
    with pytest.raises(TokenError):
        signer().read(forged({key: value for key, value in BODY.items() if key != name}))


def test_a_token_holds_until_its_end_and_the_leeway_and_no_longer() -> None:
    token = signer().write(CLAIMS)
    end = CLAIMS.expires + timedelta(seconds=SETTINGS.leeway_s)
    assert signer(at=end - timedelta(milliseconds=1)).read(token) == CLAIMS
    with pytest.raises(TokenExpiredError) as caught:
        signer(at=end).read(token)
    assert (caught.value.code, caught.value.status) == ("token_expired", 401)


def test_a_token_from_the_future_is_refused() -> None:
    token = signer().write(CLAIMS)
    start = NOW - timedelta(seconds=SETTINGS.leeway_s)
    assert signer(at=start).read(token) == CLAIMS
    with pytest.raises(TokenError, match="future"):
        signer(at=start - timedelta(milliseconds=1)).read(token)


@pytest.mark.parametrize(
    ("settings", "secret"),
    [
        (SETTINGS, "s" * 63),
        (SETTINGS, ""),
        (EDDSA, "s" * 64),
        (EDDSA, pem(generate_private_key(SECP256R1()))),
        (EDDSA, pem(ED25519).replace("A", "B")),
    ],
)
def test_a_weak_or_foreign_signing_key_is_refused_without_being_shown(settings: Access, secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        signer(settings, secret)
    assert "access.token_secret" in str(caught.value)
    assert not secret or secret not in str(caught.value)


def test_a_secret_is_measured_in_bytes() -> None:
    own = signer(secret="é" * 32)
    assert own.read(own.write(CLAIMS)) == CLAIMS


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200) | st.binary(max_size=80).map(bytes.hex))
def test_any_text_is_refused_in_plain_words(text: str) -> None:
    with pytest.raises(TokenError):
        signer().read(text)


@given(st.integers(0, len(forged()) - 1), st.characters(codec="ascii"))
def test_a_token_with_one_changed_letter_is_refused(place: int, letter: str) -> None:
    token = forged()
    changed = token[:place] + letter + token[place + 1 :]
    # The last letter of a signature carries bits that mean nothing.
    if base64_value(changed) != base64_value(token):
        with pytest.raises(TokenError):
            signer().read(changed)


def base64_value(token: str) -> Any:
    head, _, signature = token.rpartition(".")
    try:
        return head, base64.urlsafe_b64decode(signature + "=")
    except ValueError:
        return None


def test_a_token_without_end_is_refused_before_it_is_read() -> None:
    with pytest.raises(TokenError):
        signer().read(forged(BODY | {"x": "y" * 5000}))


def test_pyjwt_itself_reads_what_is_written() -> None:
    now = datetime.fromtimestamp(int(time.time()), UTC)
    claims = Claims(user="ada", session="s", id="j", issued=now, expires=now + timedelta(minutes=1))
    found = jwt.decode(signer(at=now).write(claims), SECRET, algorithms=["HS256"], audience="nt-ray", issuer="nt-ray")
    assert (found["sub"], found["sid"], found["jti"]) == ("ada", "s", "j")
