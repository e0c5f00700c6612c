"""The zygote: a process that has loaded everything, has one thread, and forks the lives of a drill.

A life that begins so costs no start of Python, and no lock of another thread is held in it.
"""

import gc
import logging
import multiprocessing
import os
import traceback
from typing import Any

from nt_ray.trader.chaos.life import Life, Post, live
from nt_ray.trader.chaos.shared_life import live_shared
from nt_ray.trader.chaos.witness import Witness


class Zygote:
    """Forks one life after the other. It is made before its maker starts threads."""

    def __init__(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        self._pipe: Any = ours
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=_serve, args=(theirs, ours), daemon=True)
        self._process.start()
        theirs.close()
        self.signal = self.crashes = 0

    def spawn(self, post: Post, life: Life) -> int:
        """Begin a life; return its pid."""
        self._pipe.send((post, life))
        return int(self._pipe.recv())

    def ended(self, patience: float) -> bool:
        """Whether the life is over, after waiting so many seconds; `signal` then ended it, 0 where it ended by itself.

        `crashes` counts those that ended by an error.
        """
        if not self._pipe.poll(patience):
            return False
        status = self._pipe.recv()
        self.signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        self.crashes += os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0
        return True

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()


def _serve(pipe: Any, other_end: Any) -> None:
    # Held open here, it would keep this process from learning that its maker has gone.
    other_end.close()
    # What is loaded stays: no life's collector need look at it.
    gc.freeze()
    # A drill's faults are asked for; complaints about each of them would hide what it finds.
    logging.disable()
    while True:
        try:
            post, life = pipe.recv()
        except EOFError:
            return
        pid = _fork(post, life)
        pipe.send(pid)
        _, status = os.waitpid(pid, 0)
        pipe.send(status)


def _fork(post: Post, life: Life) -> int:
    """Let a life be lived in a child of this process; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        with Witness(post.notes) as witness:
            try:
                (live_shared if life.shared else live)(post, life, witness)
                status = 0
            except Exception:  # noqa: BLE001  whatever ends a life is a fault of the drill, and is told by its audit
                witness.crashes(traceback.format_exc(limit=-4, chain=False))
    finally:
        os._exit(status)
