"""Generators that take no time, on made-up sections."""

from mclstexp.generation import create_generator
from small_methods import ENCODER

TINY = {
    "encoder": ENCODER,
    "side_px": 16,
    "n_latent": 6,
    "context_dim": 8,
    "mults": (1,),
    "attention_at": (1,),
    "guidance": 1.0,
    "max_steps": 4,
    "n_steps": 2,
    "batch_size": 8,
}


def tiny(name="diffusion", **changed):
    """One with few weights and steps; of the controls, with what they know of it."""
    cls = type(create_generator(name))
    known = cls.__dataclass_fields__
    return create_generator(name, **{key: value for key, value in {**TINY, **changed}.items() if key in known})
