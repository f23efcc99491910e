"""Trains a small contrastive model, alone or as one of several processes; rank 0 writes losses and weights."""

import sys
from pathlib import Path

import numpy as np
import torch

from mclstexp.nn.contrastive import ContrastiveModel, TileEncoder
from mclstexp.nn.spot_encoders import NeighbourTransformer
from mclstexp.training.aligned import SpotTable, fit_aligned
from mclstexp.training.distributed import process_group, rank
from mclstexp.training.loop import TrainingOptions


def main(out: str) -> None:
    rng = np.random.default_rng(0)
    n_spots, n_genes = 40, 6
    features = torch.from_numpy(rng.normal(size=(n_spots, 10)))
    expression = rng.normal(size=(n_spots, n_genes))
    index = np.column_stack([np.arange(n_spots), (np.arange(n_spots) + 1) % n_spots])
    table = SpotTable(
        expression=expression,
        mean=expression.mean(axis=0),
        spread=expression.std(axis=0),
        index=torch.from_numpy(index),
        offset_um=torch.full((n_spots, 2, 2), 100.0, dtype=torch.float64),
        present=torch.ones(n_spots, 2, dtype=torch.bool),
        section_ids=("a",) * n_spots,
        patients=("p",) * n_spots,
    )
    torch.manual_seed(0)
    model = ContrastiveModel(
        TileEncoder(10, dim=8, dropout=0.0),
        NeighbourTransformer(n_genes, 8, dropout=0.0),
        n_genes=n_genes,
    )
    model.double()  # so that nothing but the order of sums can differ
    options = TrainingOptions(epochs=4, batch_size=20, learning_rate=1e-2)
    with process_group():
        history = fit_aligned(model, table, lambda rows: (features[rows],), options=options)
        if rank() == 0:
            weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
            with Path(out).open("wb") as file:
                np.savez(file, loss=[epoch["loss"] for epoch in history], **weights)
    threads = [comm.read_text().strip() for comm in Path("/proc/self/task").glob("*/comm")]
    assert not [name for name in threads if "gloo" in name], threads  # they would abort the interpreter's end


if __name__ == "__main__":
    main(sys.argv[1])
