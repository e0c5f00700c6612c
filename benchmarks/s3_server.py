"""An S3 server of one's own for tests and measurements: moto's, on this machine, in a thread.

moto looks at a condition and writes in two steps, where S3 does both in one; so requests go through one at a time.
"""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from unittest import mock

import boto3
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}


@contextmanager
def s3_server() -> Iterator[str]:
    """Run a server; its endpoint. Credentials for it stand in the environment meanwhile."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    running: Any = server._server
    running.app = one_at_a_time(running.app)
    host, port = server.get_host_and_port()
    with mock.patch.dict(os.environ, CREDENTIALS):
        yield f"http://{host}:{port}"
    server.stop()
    running.server_close()


def new_bucket(endpoint: str) -> str:
    """Make a bucket that nobody else uses; its name."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def one_at_a_time(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Serve a request only after the one before it."""
    lock = Lock()

    def serve(environ: Any, start_response: Any) -> Iterable[bytes]:
        with lock:
            return list(app(environ, start_response))

    return serve
