"""The actor of the stream: one log of what happens on the cluster, for all gateways to follow.

It asks the live accounts and the keeper of jobs for their news (`actors.stream_feeds`) and takes what others publish.
The log is a file of the state's folder, with the place up to which each of them has been asked, so a restarted actor
goes on in the same numbers and misses nothing of orders, fills and jobs. On a node without that folder another epoch
begins, and whoever followed is told so. One loop; the file is written in a thread.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

from actors.calls import settle
from actors.cluster import NAMESPACE, held_here
from actors.stream_feeds import Feeds
from nt_ray.config import Settings
from nt_ray.trader.event_stream import Channel, Followed, News
from nt_ray.trader.kept_stream import KeptStream
from nt_ray.trader.stream_store import StreamStore

NAME: Final = "stream"
FILE: Final = "stream.sqlite"
CALLERS: Final = 1000


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0, max_concurrency=CALLERS)  # type: ignore[call-overload]
class StreamActor:
    """Mailbox of an event stream."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        store = StreamStore(folder / FILE)
        self._stream = KeptStream(store)
        self._feeds = Feeds(self._stream, store.newest())
        self._feeds.begin()

    async def publish(self, told: Sequence[News]) -> None:
        """Take news."""
        await self._stream.publish(told)

    async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
        """Return events after a number in each channel; waits for the first one."""
        return await self._stream.follow(after, epoch, wait_s)

    async def ping(self) -> None:
        """Answer once it runs."""

    async def pid(self) -> int:
        """Process that holds the actor now."""
        return os.getpid()

    async def close(self) -> None:
        """Ask nobody any more, write what waits, and close the file."""
        self._feeds.end()
        await self._stream.close()


def start(settings: Settings) -> Any:
    """Start the actor of the stream or find it; it outlives its starter, and its folder is that of this process."""
    handle: Any = StreamActor.options(  # type: ignore[attr-defined]
        name=NAME, namespace=NAMESPACE, lifetime="detached", get_if_exists=True, resources=held_here()
    ).remote(Path(settings.state).absolute())
    settle(handle.ping.remote(), handle.ping.remote, "The stream")
    return handle


def find() -> Any:
    """Find the actor of the stream; raises ValueError where there is none."""
    return ray.get_actor(NAME, NAMESPACE)


def stop() -> None:
    """End the actor of the stream; its log goes on when it is started again."""
    handle = find()
    settle(handle.close.remote(), handle.close.remote, "The stream")
    ray.kill(handle)
