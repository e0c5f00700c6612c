"""The page and its assets: files of this package, and plotly's own JavaScript from the installed one.

Each is read and compressed once, when it is first asked for. Browsers ask each time whether it has changed, but for
plotly's, whose address bears its version. The page runs scripts of this origin alone and speaks to it alone; styles may
stand in the page, since plotly writes them there.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from deployments.gateway.middleware.compression import takes_gzip
from deployments.gateway.middleware.tags import names as names_tag
from deployments.gateway.problems import NotFoundError

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PLOTLY: Final = "plotly.min.js"
_MEDIA: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_MARK: Final = "{{plotly}}"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    media: str
    plain: bytes
    packed: bytes
    etag: str


def router() -> APIRouter:
    """Build the routes of the page and its assets; they tell nothing of the platform, so they are open."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def page(request: Request) -> Response:
        return _sent(request, asset("index.html"))

    @routes.get("/assets/{name}")
    def file(request: Request, name: str) -> Response:
        if name not in names():
            raise NotFoundError("There is no such asset. Open / for the page.")
        return _sent(request, asset(name))

    return routes


@cache
def names() -> frozenset[str]:
    """Names of all assets."""
    found = {entry.name for entry in files(__package__).joinpath("assets").iterdir() if entry.name != "index.html"}
    return frozenset(found | {PLOTLY})


@cache
def asset(name: str) -> Asset:
    """Read one."""
    if name == PLOTLY:
        plain = files("plotly").joinpath("package_data", PLOTLY).read_bytes()
    else:
        plain = files(__package__).joinpath("assets", name).read_bytes()
    if name == "index.html":
        plain = plain.replace(_MARK.encode(), version("plotly").encode())
    digest = hashlib.sha256(plain).hexdigest()[:20]
    return Asset(_MEDIA[name.rpartition(".")[2]], plain, gzip.compress(plain, 6, mtime=0), f'"{digest}"')


def _sent(request: Request, found: Asset) -> Response:
    kept = request.url.path.endswith(PLOTLY) and request.url.query == version("plotly")
    cache_for = "public, max-age=31536000, immutable" if kept else "no-cache"
    headers = {"ETag": found.etag, "Cache-Control": cache_for, "Vary": "Accept-Encoding"}
    headers["Content-Security-Policy"] = POLICY
    if names_tag(request.headers.get("if-none-match", ""), found.etag):
        return Response(status_code=304, headers=headers)
    if takes_gzip(request.scope):
        # Of an ETag only the weak kind holds for both forms.
        packed = headers | {"ETag": f"W/{found.etag}", "Content-Encoding": "gzip"}
        return Response(found.packed, headers=packed, media_type=found.media)
    return Response(found.plain, headers=headers, media_type=found.media)
