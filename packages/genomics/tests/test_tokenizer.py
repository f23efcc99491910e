"""The vocabulary and what is learnt on it: hidden words are found, masks do not leak, models survive the disk."""

import json

import numpy as np
import pytest
import torch

from mclstexp.core.errors import InputError
from mclstexp_genomics.classifier import TaskOptions, fine_tune
from mclstexp_genomics.cli import run
from mclstexp_genomics.masked import MaskedModel, ModelOptions, known_tokens, masked_loss, pretrain, spans
from mclstexp_genomics.presets import PRESETS
from mclstexp_genomics.sequences import LabelledDNA, encode
from mclstexp_genomics.tokenizer import Tokenizer, TokenizerOptions, augmented, fit_tokenizer, reconstruction_loss
from mclstexp_genomics.transformer import turned
from mclstexp_genomics.vocabulary import (
    code_counts,
    described,
    kept_of_words,
    letters_of,
    load_vocabulary,
    reconstruction,
    save_vocabulary,
)

SMALL = TokenizerOptions(sizes=(4, 8), dim=8, width=16, steps=3, batch=8)
TINY = ModelOptions(width=16, layers=1, heads=2, steps=2, batch=4)


def made_dna(n=40, length=40, *, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (n, length))


@pytest.fixture(scope="module")
def tokenizer():
    return fit_tokenizer(made_dna(), SMALL)


def test_a_token_is_a_patch_and_its_decoder_spells_it(tokenizer):
    bases = made_dna(3)
    scores, found = tokenizer(torch.as_tensor(bases))
    assert tuple(scores.shape) == (3, 40, 4)
    assert tuple(found.codes.shape) == (3, 10, 2)
    np.testing.assert_array_equal(tokenizer.tokens(bases), found.codes)
    assert tokenizer.tokens(made_dna(2, 43)).shape == (2, 10, 2), "what is no whole patch is left out"


def test_unknown_bases_are_not_learnt(tokenizer):
    scores = torch.zeros(1, 4, 4)
    scores[0, :, 2] = 5
    assert reconstruction_loss(scores, torch.tensor([[2, 2, 4, 4]])) < 0.1
    assert reconstruction_loss(scores, torch.tensor([[2, 0, 4, 4]])) > 2


def test_bases_under_one_token_change_no_other_token(tokenizer):
    bases = made_dna(5)
    changed = bases.copy()
    changed[:, 8:12] = (changed[:, 8:12] + 1) % 4
    one, other = tokenizer.tokens(bases), tokenizer.tokens(changed)
    np.testing.assert_array_equal(np.delete(one, 2, axis=1), np.delete(other, 2, axis=1))
    assert (one[:, 2] != other[:, 2]).any()


def test_an_encoder_that_overlaps_looks_at_its_neighbours():
    torch.manual_seed(0)
    model = Tokenizer(TokenizerOptions(sizes=(4,), dim=8, width=16, overlap=True)).eval()
    bases = torch.as_tensor(made_dna(1))
    changed = bases.clone()
    changed[:, 8:12] = (changed[:, 8:12] + 1) % 4
    moved = (model.encode(bases) - model.encode(changed)).abs().amax(dim=(0, 2))
    assert bool((moved[[1, 3]] > 0).all())
    assert model(bases)[0].shape == (1, 40, 4)


def test_one_seed_gives_one_vocabulary(tokenizer):
    again = fit_tokenizer(made_dna(), SMALL)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in tokenizer.state_dict().items())


def test_shifts_are_less_than_a_patch_and_filled_up():
    rng = np.random.default_rng(0)
    shifts = {int((augmented(made_dna(4), rng, 4) == 4).sum() / 4) for _ in range(40)}
    assert shifts == {0, 1, 2, 3}


def test_spans_hide_a_share_of_what_is_known():
    valid = np.ones((50, 100), bool)
    valid[:, 80:] = False
    chosen = spans(valid, np.random.default_rng(0))
    assert not chosen[:, 80:].any()
    np.testing.assert_array_equal(chosen.sum(axis=1), 12)
    n_runs = (np.diff(chosen.astype(int), axis=1, prepend=0) == 1).sum()
    assert 1.5 < chosen.sum() / n_runs < 3.5


def test_hidden_tokens_are_not_seen(tokenizer):
    model = MaskedModel(tokenizer, TINY).eval()
    codes = torch.as_tensor(tokenizer.tokens(made_dna(1)))
    valid, hidden = torch.ones(1, 10, dtype=torch.bool), torch.arange(10)[None] == 4
    other = codes.clone()
    other[:, 4] = (other[:, 4] + 1) % 4
    assert torch.equal(model(codes, valid, hidden), model(other, valid, hidden))
    assert not torch.equal(model(codes, valid), model(other, valid))


def test_tokens_that_are_not_known_are_not_looked_at(tokenizer):
    model = MaskedModel(tokenizer, TINY).eval()
    codes = torch.as_tensor(tokenizer.tokens(made_dna(1)))
    valid = torch.arange(10)[None] < 7
    other = codes.clone()
    other[:, 7:] = (other[:, 7:] + 1) % 4
    assert torch.equal(model(codes, valid)[:, :7], model(other, valid)[:, :7])
    assert known_tokens(encode(["ACGTAC", "A"], length=8), 4).tolist() == [[True, True], [True, False]]
    assert known_tokens(encode(["N"], length=4), 4).tolist() == [[True]], "something is always looked at"


def test_products_of_turned_tokens_know_distances_alone():
    x = torch.randn(1, 1, 1, 8, generator=torch.Generator().manual_seed(0)).expand(1, 1, 6, 8)
    product = turned(x)[0, 0] @ turned(x)[0, 0].T
    for offset in range(6):
        torch.testing.assert_close(product.diagonal(offset), product[0, offset].expand(6 - offset))


def test_the_vocabulary_stays_as_it_is_while_others_learn(tokenizer):
    before = {name: value.clone() for name, value in tokenizer.state_dict().items()}
    model = pretrain(tokenizer, made_dna(), TINY)
    learner = fine_tune(model, labelled(), TaskOptions(epochs=1, batch=16))
    for found in (tokenizer, learner.model.tokenizer):
        assert all(torch.equal(value, before[name]) for name, value in found.state_dict().items())


def labelled(n=60):
    """Sequences of two classes that differ in their letters."""
    rng = np.random.default_rng(0)
    share = [[0.4, 0.1, 0.1, 0.4], [0.1, 0.4, 0.4, 0.1]]
    rows = ["".join(rng.choice(list("ACGT"), 40, p=share[i % 2])) for i in range(n)]
    return LabelledDNA(tuple(rows), np.arange(n) % 2)


def test_a_task_is_learnt_and_both_strands_are_asked(tokenizer):
    data = labelled()
    model = pretrain(tokenizer, encode(data.sequences), TINY)
    learner = fine_tune(model, data, TaskOptions(epochs=8, batch=8, rate=3e-3, head_rate=1e-2))
    chances = learner.chances(encode(data.sequences))
    assert (chances.argmax(axis=1) == data.labels).mean() > 0.9
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)


def test_the_description_of_a_vocabulary(tokenizer):
    bases = made_dna()
    levels = described(tokenizer, bases)
    assert [level["size"] for level in levels] == [4, 8]
    assert 0 < levels[0]["explained"] <= 1
    assert 0 <= reconstruction(tokenizer, bases) <= 1
    letters = letters_of(tokenizer, bases)
    assert letters.shape == (4, 4, 4)
    assert np.isclose(letters.sum(axis=2), 1).sum() % 4 == 0
    counts = code_counts(tokenizer.tokens(bases), (4, 8))
    assert counts.shape == (40, 12)
    assert (counts.sum(axis=1) == 20).all()
    words = ["".join("ACGT"[base] for base in row) for row in bases]
    assert 0 < kept_of_words(tokenizer, words) < 1


def test_a_vocabulary_survives_the_disk(tokenizer, tmp_path):
    folder = save_vocabulary(tokenizer, tmp_path / "v")
    loaded = load_vocabulary(folder)
    np.testing.assert_array_equal(loaded.tokens(made_dna()), tokenizer.tokens(made_dna()))
    with pytest.raises(InputError, match="taken: choose another"):
        save_vocabulary(tokenizer, folder)
    said = json.loads((folder / "vocabulary.json").read_text())
    for change, text in (({"format": 9}, "format 1"), ({"options": said["options"] | {"dim": 9}}, "weights of the")):
        (folder / "vocabulary.json").write_text(json.dumps(said | change))
        with pytest.raises(InputError, match=text):
            load_vocabulary(folder)
    (folder / "vocabulary.json").write_text("{")
    with pytest.raises(InputError, match="a vocabulary expected"):
        load_vocabulary(folder)


@pytest.mark.parametrize(
    "make", [lambda: TokenizerOptions(patch=0), lambda: ModelOptions(width=10), lambda: fit_tokenizer(made_dna(2, 3))]
)
def test_impossible_sizes_are_refused(make):
    with pytest.raises(InputError, match="found"):
        make()


def test_the_commands_learn_and_compare(tmp_path, capsys, monkeypatch):
    small = type(PRESETS["tiny"])(SMALL, TINY, TaskOptions(epochs=1, batch=16))
    monkeypatch.setitem(PRESETS, "tiny", small)
    data, table = labelled(), tmp_path / "dna.tsv"
    parts = ["train"] * 41 + ["test"] * 19
    rows = [f"{s}\t{y}\t{part}" for s, y, part in zip(data.sequences, data.labels, parts, strict=True)]
    table.write_text("\n".join(["sequence\tlabel\tsplit", *rows, rows[0].replace("train", "test")]) + "\n")
    assert run(["tokens", str(table), "--out", str(tmp_path / "v"), "--quiet"]) == 0
    assert "of the bases are read back" in capsys.readouterr().out
    assert run(["classify", str(table), "--vocabulary", str(tmp_path / "v"), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "1 test sequences are in training, and were left out: 19 are tested" in said
    assert "VQDNA" in said
    assert run(["classify", str(tmp_path / "absent.tsv")]) == 2


def made_chain(rng, n=400, length=12):
    """Return words that follow each other by a first-order chain."""
    step = rng.dirichlet(np.full(16, 0.15), size=16)
    path = np.zeros((n, length), int)
    path[:, 0] = rng.integers(16, size=n)
    for at in range(1, length):
        path[:, at] = [rng.choice(16, p=step[state]) for state in path[:, at - 1]]
    return path


@pytest.mark.slow
def test_hidden_words_are_found():
    rng = np.random.default_rng(0)
    words = rng.integers(0, 4, (16, 8))
    path = made_chain(rng)
    clean = words[path].reshape(len(path), -1)
    bases = np.where(rng.random(clean.shape) < 0.05, rng.integers(0, 4, clean.shape), clean)
    tokenizer = fit_words(bases, TokenizerOptions(patch=8, sizes=(32,), dim=32, width=64, steps=1500, batch=64))
    codes = tokenizer.tokens(bases)[..., 0]
    purity = sum(np.bincount(path[codes == code]).max() for code in np.unique(codes)) / codes.size
    assert purity >= 0.95
    assert reconstruction(tokenizer, bases) >= 0.93  # of the errors nothing can be known


@pytest.mark.slow
def test_hidden_tokens_are_guessed_from_what_stands_beside_them():
    path, rng = made_chain(np.random.default_rng(0)), np.random.default_rng(1)
    tokenizer = Tokenizer(TokenizerOptions(sizes=(16,), dim=16, width=16))
    tokenizer.quantiser.books()[0].codes.copy_(torch.eye(16))
    torch.manual_seed(0)
    model = MaskedModel(tokenizer, ModelOptions(width=32, layers=2, heads=4, dropout=0.0))
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-3)
    codes, valid = torch.as_tensor(path)[..., None], torch.ones(64, path.shape[1], dtype=torch.bool)
    for _ in range(300):
        loss = masked_loss(model, codes[rng.integers(320, size=64)], valid, rng)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        losses = [float(masked_loss(model.eval(), codes[320:384], valid, rng)) for _ in range(20)]
    share = np.bincount(path.ravel(), minlength=16) / path.size
    entropy = -(share * np.log(np.maximum(share, 1e-12))).sum()
    assert np.mean(losses) < entropy - 0.5, "sequences that it has not seen"


def fit_words(bases, options):
    """Fit without shifts and the other strand, which the made-up words do not have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mclstexp_genomics.tokenizer.augmented", lambda rows, rng, step: rows)
        return fit_tokenizer(bases, options)
