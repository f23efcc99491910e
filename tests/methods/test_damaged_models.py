"""A saved model of any method whose parts do not fit each other is refused when it is loaded, in one sentence."""

import hashlib
import json
import random

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save

from mclstexp import load_model, save_model
from mclstexp.cli import run
from mclstexp.core.errors import InputError
from mclstexp.nn.heads import require_as_many
from small_methods import SPEC, small_methods, small_sections

QUICK = ("mean", "ridge")
METHODS = [
    pytest.param(small, id=small.label, marks=() if small.label in QUICK else pytest.mark.slow)
    for small in small_methods()
]
_STRANGE = (None, "x", -1, [], {}, [1, {"a": 2}], 1e30)


@pytest.fixture(scope="module")
def sections():
    return small_sections()


def _write(folder, description, arrays):
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    (folder / "weights.safetensors").write_bytes(content)
    description["weights_sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(description))


def _mutants(description, arrays):
    """Yield what is changed and the changed parts; whoever changes them keeps the checksum right."""
    for name, array in arrays.items():
        others = {key: value for key, value in arrays.items() if key != name}
        yield f"no {name}", description, others
        yield f"axis of {name}", description, others | {name: array[None]}
        if array.size:
            yield f"text for {name}", description, others | {name: np.full(array.shape, 255, np.uint8)}
            yield f"nan in {name}", description, others | {name: np.full_like(array, np.nan)}
        if array.ndim and array.shape[0] > 1:
            yield f"{name} cut", description, others | {name: array[:-1]}
            yield f"{name} longer", description, others | {name: np.concatenate([array, array])}
    for key in description["state"]:
        for strange in _STRANGE:
            yield f"{key}: {strange}", description | {"state": description["state"] | {key: strange}}, arrays
        yield f"no {key}", description | {"state": {k: v for k, v in description["state"].items() if k != key}}, arrays
    for part in ("options", "space", "spec", "provenance", "state", "method", "format", "weights_sha256"):
        for strange in _STRANGE:
            yield f"{part}: {strange}", description | {part: strange}, arrays
    genes = description["space"]["genes"]
    yield "a gene fewer", description | {"space": description["space"] | {"genes": genes[:-1]}}, arrays


def assert_short(error):
    assert len(str(error)) <= 300
    assert "\n" not in str(error)


@pytest.mark.parametrize("small", METHODS)
def test_parts_that_do_not_fit_are_refused(small, sections, tmp_path):
    folder = save_model(small.create().fit(sections[:2]), tmp_path / "model")
    description, arrays = json.loads((folder / "model.json").read_text()), load_file(folder / "weights.safetensors")
    tiles = sections[2].tiles
    expected = load_model(folder).predict(tiles).X
    n_refused = 0
    mutants = list(_mutants(description, arrays))
    for changed, said, held in random.Random(0).sample(mutants, min(80, len(mutants))):
        _write(folder, dict(said), held)
        try:
            predicted = load_model(folder).predict(tiles).X
        except InputError as error:
            assert_short(error)
            n_refused += 1
        else:  # what does not matter may be anything, but then the numbers are those of the model
            assert np.array_equal(predicted, expected), f"{changed} moved the prediction"
    assert n_refused > 20
    assert tiles.spec == SPEC


@pytest.mark.parametrize("encoder", [{}, None])
def test_a_model_of_features_that_names_no_encoder_is_refused(encoder, sections, tmp_path):
    small = next(small for small in small_methods() if small.name == "knn")
    folder = save_model(small.create().fit(sections[:2]), tmp_path / "model")
    said = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(said | {"state": said["state"] | {"encoder": encoder}}))
    with pytest.raises(InputError, match=r"encoder of a saved knn expected, found none|saved model's encoder expected"):
        load_model(folder)


@pytest.mark.parametrize("strange", _STRANGE)
def test_what_a_model_is_can_be_asked_of_any_file(strange, sections, tmp_path, capsys):
    small = next(small for small in small_methods() if small.name == "mean")
    folder = save_model(small.create().fit(sections[:1]), tmp_path / "model")
    said = json.loads((folder / "model.json").read_text())
    for change in (
        {"space": {**said["space"], "log_base": strange}},
        {"spec": {"size_px": strange, "mpp": 0.5}},
        {"provenance": strange},
        {"provenance": {**said["provenance"], "sections": strange}},
        {"options": strange},
    ):
        (folder / "model.json").write_text(json.dumps(said | change))
        assert run(["info", str(folder)]) in (0, 2), change
        assert "unexpected" not in capsys.readouterr().err


@pytest.mark.parametrize(("mean", "other"), [((3,), (6,)), ((6,), (3, 2)), ((1, 3), (1, 3))])
def test_moments_of_different_lengths_are_refused(mean, other):
    with pytest.raises(InputError, match="as many means as features expected in a network"):  # also where types are not
        require_as_many(torch.zeros(mean), torch.ones(other))
