"""One end-to-end training step of the paper protocol, against the published model on the same batch.

Run `python benchmarks/bench_training_step.py [BATCH] [GENES]`. The rival is the published network as released:
position tables of 65,536 rows × genes, of which Adam steps every row every time, float32, eager. Ours is the same
network with the tables cut to the rows that can occur, in channels-last with the allocator kept from trimming and,
by option, in bfloat16. Each runs in a process of its own, because the allocator's setting cannot be taken back. All
start from the same numbers: the first losses show it.
"""

import json
import resource
import subprocess
import sys
import time

import torch

from mclstexp.nn.cpu import fast_dtype
from mclstexp.nn.image_encoders import create_encoder
from mclstexp.nn.published import PublishedModel, as_released
from mclstexp.training.published import PublishedTable, published_step

N_STEPS, N_POSITIONS, N_KEPT = 4, 65_536, 36
VARIANTS = {"published": None, "float32": torch.float32, "bfloat16": torch.bfloat16}


def run(variant: str, batch: int, n_genes: int) -> dict[str, float]:
    torch.manual_seed(0)
    encoder = as_released(create_encoder("random:densenet121"))
    model = PublishedModel(encoder, n_features=encoder.dim, n_genes=n_genes, n_positions=N_POSITIONS)
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (batch, 3, 224, 224), generator=generator, dtype=torch.uint8)
    expression = torch.rand(batch, n_genes, generator=generator)
    position = torch.randint(2, 35, (batch, 2), generator=generator)
    dtype = VARIANTS[variant]
    if dtype is None:

        def step(rows: torch.Tensor) -> torch.Tensor:
            return model.loss(model.embed_spots(expression[rows], position[rows]), model.embed_images(images[rows]))
    else:
        for table in (model.position.column, model.position.row):
            table.weight = torch.nn.Parameter(table.weight.detach()[:N_KEPT].clone())
        spots = PublishedTable(expression, expression.numpy(), position, ("s",) * batch, ("p",) * batch)
        step = published_step(model, spots, lambda rows: images[rows], dtype=dtype)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, weight_decay=1e-3)
    model.train()
    losses, seconds = [], []
    for _ in range(N_STEPS):
        start = time.perf_counter()
        optimiser.zero_grad()
        loss = step(torch.arange(batch))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    return {
        "rate": batch / min(seconds[1:]),
        "first_loss": losses[0],
        "memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def main() -> None:
    batch, n_genes = (int(word) for word in [*sys.argv[1:], *("32", "785")[len(sys.argv) - 1 :]])
    rows = {}
    for variant in VARIANTS:
        command = [sys.executable, __file__, str(batch), str(n_genes), variant]
        rows[variant] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    base = rows["published"]["rate"]
    print(f"batch {batch}, {n_genes} genes, {torch.get_num_threads()} threads, fastest precision {fast_dtype()}")
    print(f"{'':16}{'images/s':>10}{'ratio':>8}{'parameters':>14}{'peak GiB':>10}{'first loss':>12}")
    for variant, row in rows.items():
        print(
            f"{variant:16}{row['rate']:10.2f}{row['rate'] / base:8.2f}{row['parameters']:14,.0f}"
            f"{row['memory_gib']:10.2f}{row['first_loss']:12.4f}"
        )


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(run(sys.argv[3], int(sys.argv[1]), int(sys.argv[2]))))
    else:
        main()
