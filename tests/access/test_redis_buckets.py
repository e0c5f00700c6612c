import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotConnected

from nt_ray.access.buckets import LocalBuckets, Rate
from nt_ray.access.limits import open_limits
from nt_ray.access.redis_buckets import BucketsUnavailableError, RedisBuckets, connect
from nt_ray.config import Access
from nt_ray.errors import ConfigError

SERVER = shutil.which("redis-server")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A real server where the machine has one, else fakeredis, which runs the same script in Lua."""
    if SERVER is None:
        yield fakeredis.FakeRedis()
        return
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "r.sock"
    server = subprocess.Popen(
        [SERVER, "--port", "0", "--unixsocket", path, "--dir", folder, "--save", ""], stdout=subprocess.DEVNULL
    )
    client = Redis(unix_socket_path=str(path))
    wait_for(client)
    yield client
    client.close()
    server.terminate()
    server.wait()


def wait_for(client: Redis) -> None:
    for _ in range(1500):
        try:
            client.ping()
        except NotConnected:
            time.sleep(0.02)
        else:
            return
    pytest.fail("redis-server does not answer")


@pytest.fixture
def buckets(client: Redis) -> RedisBuckets:
    client.flushall()
    return RedisBuckets(client)


def test_it_decides_as_the_buckets_in_process_do(buckets: RedisBuckets) -> None:
    # At one token an hour no time passes during the test, so a standing clock is the same.
    local, rate = LocalBuckets(lambda: 0.0), Rate(1, 7)
    for cost in (1, 2, 3, 2, 1, 1, 9):
        here, there = local.take("k", rate, cost), buckets.take("k", rate, cost)
        assert (here.allowed, here.remaining) == (there.allowed, there.remaining)
        assert here.full_after_s == pytest.approx(there.full_after_s, abs=5)
        assert here.retry_after_s == pytest.approx(there.retry_after_s, abs=5)


@pytest.mark.parametrize("per_minute", [7, 59, 60_000, 9_999_991])
def test_a_full_bucket_gives_its_whole_burst_whatever_the_rate(buckets: RedisBuckets, per_minute: int) -> None:
    rate = Rate(per_minute, 3)
    assert [buckets.take("k", rate).allowed for _ in range(3)] == [True] * 3


def test_a_bucket_fills_again_with_time_and_needs_no_memory_then(buckets: RedisBuckets, client: Redis) -> None:
    rate = Rate(1200, 1)
    assert buckets.take("k", rate).allowed
    # Redis says -2 once the key is gone.
    assert client.pttl("nt-ray:bucket:k") in {-2, *range(1, 53)}
    verdict = buckets.take("k", rate)
    if not verdict.allowed:
        assert 0 < verdict.retry_after_s <= 0.05
    time.sleep(0.06)
    assert client.keys() == []
    assert buckets.take("k", rate).allowed


def test_two_who_count_at_once_share_one_bucket(buckets: RedisBuckets, client: Redis) -> None:
    rate, passed = Rate(1, 25), []

    def run(own: RedisBuckets) -> None:
        passed.extend(own.take("k", rate).allowed for _ in range(20))

    threads = [threading.Thread(target=run, args=(RedisBuckets(client),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(passed), sum(passed)) == (60, 25)


def test_without_redis_nothing_is_let_through(tmp_path: Path) -> None:
    limits = open_limits(Access(redis="redis://user:hunter22@127.0.0.1:1/0"))
    with pytest.raises(BucketsUnavailableError) as caught:
        limits.address("10.0.0.1")
    assert (caught.value.code, caught.value.status) == ("buckets_unavailable", 503)
    assert "hunter22" not in str(caught.value)


def test_a_redis_that_does_not_answer_lets_nothing_through() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        client = connect(f"redis://127.0.0.1:{port}/0")
        with pytest.raises(BucketsUnavailableError):
            RedisBuckets(client).take("k", Rate(60, 1))
        client.close()


@pytest.mark.parametrize("url", ["hunter22", "http://hunter22@x", "redis://x:hunter22/0"])
def test_an_address_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        connect(url)
    assert "hunter22" not in str(caught.value)
