"""What is compressed, for whom, and what each answer says of it."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from deployments.gateway.middleware.compression import Compression
from deployments.gateway.middleware.tags import Tags

LONG = {"words": ["the same again"] * 500}
ROWS = "time,symbol,price\n" + "2026-01-05,AAPL,100\n" * 20_000


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "rows.parquet").write_bytes(b"PAR1" * 1000)

    def answer(make: Any) -> Any:
        async def handler(_: object) -> Response:
            return make()

        return handler

    async def events() -> AsyncIterator[str]:
        yield "data: 1\n\n"

    files = {name: FileResponse(tmp_path / name) for name in ("rows.csv", "rows.parquet")}
    made = {
        "/long": lambda: JSONResponse(LONG),
        "/short": lambda: JSONResponse({"a": 1}),
        "/packed": lambda: Response(
            gzip.compress(b"x" * 5000), media_type="text/plain", headers={"Content-Encoding": "gzip"}
        ),
        "/events": lambda: StreamingResponse(events(), media_type="text/event-stream"),
        "/refused": lambda: JSONResponse({"code": "no"}, 404),
        "/empty": lambda: Response(status_code=204),
        **{f"/{name}": lambda name=name: files[name] for name in files},
    }
    routes = [Route(path, answer(make)) for path, make in made.items()]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(Compression), Middleware(Tags)]))


@pytest.mark.parametrize(
    ("accepts", "packed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br;q=1.0, gzip;q=0.5", True),
        ("*", True),
        ("*;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip, *;q=0", True),
        ("identity", False),
        ("notgzip", False),
        ("", False),
    ],
)
def test_gzip_goes_to_who_takes_it(client: TestClient, accepts: str, packed: bool) -> None:
    found = client.get("/long", headers={"Accept-Encoding": accepts})
    assert (found.headers.get("content-encoding") == "gzip") is packed
    assert found.headers["vary"] == "Accept-Encoding"
    assert found.json() == LONG


@pytest.mark.parametrize("path", ["/long", "/short", "/rows.csv", "/refused"])
@pytest.mark.parametrize("accepts", ["gzip", "identity"])
def test_every_answer_that_may_be_compressed_says_that_it_depends_on_that(
    client: TestClient, path: str, accepts: str
) -> None:
    headers = {"Accept-Encoding": accepts}
    found = client.get(path, headers=headers)
    assert found.headers.get_list("vary") == ["Accept-Encoding"]
    if path in ("/long", "/short"):
        again = client.get(path, headers={**headers, "If-None-Match": found.headers["etag"]})
        assert (again.status_code, again.content, again.headers["vary"]) == (304, b"", "Accept-Encoding")
        assert again.headers["etag"].removeprefix("W/") == found.headers["etag"].removeprefix("W/")


@pytest.mark.parametrize("path", ["/packed", "/events", "/rows.parquet", "/empty", "/short"])
def test_what_is_packed_already_streams_of_events_and_trifles_pass_as_they_are(client: TestClient, path: str) -> None:
    one, other = (client.get(path, headers={"Accept-Encoding": accepts}) for accepts in ("gzip", "identity"))
    assert one.content == other.content
    assert one.headers.get("content-encoding") == ("gzip" if path == "/packed" else None)


def test_a_file_is_compressed_as_it_streams_and_a_part_of_it_is_not(client: TestClient) -> None:
    with client.stream("GET", "/rows.csv", headers={"Accept-Encoding": "gzip"}) as found:
        raw = b"".join(found.iter_raw())
    assert gzip.decompress(raw).decode() == ROWS
    assert len(raw) < len(ROWS) / 20
    assert found.headers["content-encoding"] == "gzip"
    assert found.headers["etag"].startswith("W/")
    assert "content-length" not in found.headers
    part = client.get("/rows.csv", headers={"Accept-Encoding": "gzip", "Range": "bytes=0-99"})
    assert (part.status_code, part.text) == (206, ROWS[:100])
    assert "content-encoding" not in part.headers


def test_json_that_is_read_bears_the_digest_of_its_text_and_refusals_bear_none(client: TestClient) -> None:
    plain = client.get("/long", headers={"Accept-Encoding": "identity"})
    packed = client.get("/long", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["etag"] == "W/" + plain.headers["etag"]
    assert plain.headers["cache-control"] == "private, no-cache"
    assert client.get("/short").headers["etag"] != plain.headers["etag"]
    for tags in (plain.headers["etag"], packed.headers["etag"], '"other", ' + plain.headers["etag"], "*"):
        assert client.get("/long", headers={"If-None-Match": tags}).status_code == 304
    other = client.get("/long", headers={"If-None-Match": '"other"'})
    assert (other.status_code, json.loads(other.content)) == (200, LONG)
    refused = client.get("/refused", headers={"If-None-Match": "*"})
    assert (refused.status_code, "etag" in refused.headers) == (404, False)
