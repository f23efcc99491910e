"""Methods are found by name: those of this package and those that other packages offer."""

import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest

from mclstexp import methods
from mclstexp.core import room
from mclstexp.core.errors import InputError
from mclstexp.core.predictor import ROOM, Predictor, State, register
from mclstexp.methods import create, list_methods, load_method_file


def test_a_file_in_the_folder_is_a_method():
    known = list_methods()
    assert {"knn", "mclstexp", "mean", "ridge"} <= set(known)
    assert list(known) == sorted(known)
    assert all(cls.name == name and issubclass(cls, Predictor) for name, cls in known.items())


def test_options_reach_the_method_which_is_not_fitted_yet():
    model = create("knn", k=7)
    assert model.k == 7
    assert not model.is_fitted
    assert create("knn") is not create("knn")


def test_another_package_offers_a_method(monkeypatch):
    monkeypatch.setattr(ROOM, "_known", dict(ROOM.registered()))

    def load(self):
        assert self.value == "elsewhere:Guess"

        @register("guess")
        @dataclass
        class Guess(Predictor):
            """Offered by another package."""

            def _fit(self, sections): ...
            def _predict(self, tiles): ...
            def _get_state(self):
                return State({}, {})

            def _set_state(self, state): ...

    entry = EntryPoint("guess", "elsewhere:Guess", methods.ENTRY_POINTS)
    monkeypatch.setattr(room, "entry_points", lambda group: [entry] if group == "mclstexp.methods" else [])
    monkeypatch.setattr(EntryPoint, "load", load)
    assert create("guess").name == "guess"


def test_the_abstract_method_cannot_be_made():
    with pytest.raises(TypeError, match="abstract"):
        Predictor()


def test_a_file_cannot_take_the_name_of_a_method_that_nobody_has_imported_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(ROOM, "_known", {})
    (tmp_path / "own.py").write_text(
        "from dataclasses import dataclass\nfrom mclstexp.core.predictor import Predictor, register\n"
        '@register("ridge")\n@dataclass\nclass Own(Predictor):\n    """Mine."""\n'
    )
    with pytest.raises(InputError, match=r"a free name .* expected, found 'ridge'"):
        load_method_file(tmp_path / "own.py")


def test_one_method_is_made_without_the_libraries_of_the_others():
    program = "import sys; from mclstexp.methods import create; create('mean'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout.strip() == b"False"
