import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch import distributed

from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.team import ALONE, joined
from nt_ray.neural.training.training import Training, train

WORKER = """
import json
import sys
import numpy as np
import torch
from pathlib import Path
from torch import distributed
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.team import joined
from nt_ray.neural.training.training import Training
folder = Path(sys.argv[1])
held = np.load(folder / "panel.npz")
panel = SeriesPanel(("a", "b", "c"), held["times"], held["target"])
distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=1, world_size=2)
team, device = joined(), torch.device("cpu")
said = [team.refusal(own, device) for own in ("", "Shard 1 has changed, Zürich.", "second", "x" * 2000)]
(folder / "said.json").write_text(json.dumps(said))
run = Training(panel, Recipe.model_validate_json((folder / "recipe.json").read_text()), team=team)
run.run()
weights = {name: tensor.numpy() for name, tensor in run.task.network.state_dict().items()}
np.savez(folder / "worker.npz", losses=run.losses(), **weights)
distributed.destroy_process_group()
"""


def test_two_workers_train_what_one_would(gappy: SeriesPanel, recipe: Recipe, tmp_path: Path) -> None:
    panel = SeriesPanel(gappy.names, gappy.times, gappy.target)
    recipe = recipe.model_copy(update={"batch": 15, "steps": 25, "validate_every": 10})
    alone = train(panel, recipe)
    np.savez(tmp_path / "panel.npz", times=panel.times, target=panel.target)
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json(), encoding="utf-8")
    other = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)])
    try:
        distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=2)
        said = [joined().refusal(own, torch.device("cpu")) for own in ("", "", "first", "")]
        run = Training(panel, recipe, team=joined())
        run.run()
        assert other.wait(60) == 0
    finally:
        other.kill()
        other.wait()
        distributed.destroy_process_group()
    # What one worker refuses is what every worker hears, the first one's sentence where more refuse.
    assert said == ["", "Shard 1 has changed, Zürich.", "first", "x" * 1000]
    assert json.loads((tmp_path / "said.json").read_text()) == said
    # Uneven shares of the batch (8 and 7 rows) and missing values: the step is still that of the whole batch.
    np.testing.assert_allclose(run.losses(), alone.losses, rtol=1e-4)
    np.testing.assert_allclose([v for _, v in run.validations], [v for _, v in alone.validations], rtol=1e-4)
    worker = np.load(tmp_path / "worker.npz")
    for name, tensor in run.task.network.state_dict().items():
        np.testing.assert_array_equal(worker[name], tensor.numpy())
    for name, tensor in run.result().network.state_dict().items():
        torch.testing.assert_close(tensor, alone.network.state_dict()[name], rtol=1e-3, atol=1e-4)


def test_without_others_a_process_is_its_own_team() -> None:
    assert joined() is ALONE
    assert ALONE.share(torch.ones(3)) == 1.0
    assert [ALONE.refusal(own, torch.device("cpu")) for own in ("", "no")] == ["", "no"]
