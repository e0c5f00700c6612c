"""GPUs of this machine as the driver's own tool reports them; none where there is no such tool."""

import asyncio
import shutil
from dataclasses import dataclass
from typing import Final

TOOL: Final = "nvidia-smi"
QUERY: Final = ("--query-gpu=index,utilization.gpu,memory.used", "--format=csv,noheader,nounits")
PATIENCE_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU at a moment."""

    index: str
    busy_percent: float
    used_bytes: float


async def gpus(tool: str = TOOL) -> list[Gpu]:
    """Ask the driver's tool; nothing where there is none, or where it fails or does not answer in time."""
    found = shutil.which(tool)
    if found is None:
        return []
    try:
        process = await asyncio.create_subprocess_exec(
            found, *QUERY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return []
    try:
        text, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return []
    return read(text.decode()) if process.returncode == 0 else []


def read(text: str) -> list[Gpu]:
    """Read the tool's rows; a GPU that does not tell one of the figures is left out."""
    found = []
    for row in text.splitlines():
        index, *figures = (cell.strip() for cell in row.split(","))
        try:
            busy, used = (float(figure) for figure in figures)
        except ValueError:
            continue
        found.append(Gpu(index, busy, used * 2**20))
    return found
