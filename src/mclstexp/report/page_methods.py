"""How the numbers were made: settings, versions, hashes, and whom to cite."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import PurePath
from typing import Any, Final

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.options import prose
from mclstexp.core.predictor import ROOM
from mclstexp.core.rooms import NEIGHBOURS
from mclstexp.core.section import UNKNOWN
from mclstexp.core.wording import unmarked
from mclstexp.core.wording import without_places as without_paths
from mclstexp.io.provenance import code_version
from mclstexp.report.page_study import Study

_PACKAGES: Final = ("anndata", "scikit-learn", "scipy", "pandas", "matplotlib")
PAPER: Final = (
    "Min W, Shi Z, Zhang J, Wan J, Wang C. Multimodal contrastive learning for spatial gene expression prediction "
    "using histology images. arXiv:2407.08216, 2024."
)
"""The paper of mclSTExp."""
_DATA: Final = {
    "her2st": "Andersson A et al. Spatial deconvolution of HER2-positive breast cancer delineates tumor-associated "
    "cell type interactions. Nature Communications 12:6012, 2021.",
    "cscc": "Ji AL et al. Multimodal analysis of composition and spatial architecture in human squamous cell "
    "carcinoma. Cell 182:497-514, 2020 (GEO GSE144240).",
    "hest": "Jaume G et al. HEST-1k: a dataset for spatial transcriptomics and histology image analysis. NeurIPS 2024.",
}
"""By format, what its authors ask to be cited."""


def describe_methods(study: Study) -> dict[str, Any]:
    """Gather what the page says of how it was made.

    Returns
    -------
    "settings" (of the page's method), "about" (what it is, as its docstring says), "others" (settings of the others),
    "experiment" (JSON), "folds", "sections" (hashes), "versions" of the evaluation, "page_versions", "scores_hash" and
    "cite". Absolute paths are cut to their last name: the page may be mailed.
    """
    record = study.record
    patients, images = record.get("patients", {}), record.get("images", {})
    return {
        "settings": {**settings(record["methods"][study.method]), **chosen_settings(study)},
        "about": about(str(record["methods"][study.method]["method"]), question=str(record.get("question", ""))),
        "others": {name: settings(options) for name, options in record["methods"].items() if name != study.method},
        "experiment": json.dumps(without_places(record["experiment"]), indent=1, ensure_ascii=False),
        "folds": record.get("folds", {}),
        "sections": [
            {"id": name, "patient": patients.get(name) or UNKNOWN, "counts": hashed, "image": images.get(name, "")}
            for name, hashed in record["sections"].items()
        ],
        "versions": record.get("code", {}),
        "page_versions": page_versions(),
        "scores_hash": study.scores_hash,
        "cite": citations(record),
    }


def settings(options: Mapping[str, Any]) -> dict[str, str]:
    """Write options as people read them; absolute paths are cut."""
    return {name: _written(without_places(value)) for name, value in options.items()}


def chosen_settings(study: Study) -> dict[str, str]:
    """Return what fits chose for options that were left to the method, of all folds."""
    found: dict[str, list[str]] = {}
    for pair in study.pairs:
        for name, value in dict(pair.predicted.uns[keys.PROVENANCE].get(keys.CHOSEN, {})).items():
            found.setdefault(name, []).append(str(value))
    return {name: f"{', '.join(dict.fromkeys(values))} (chosen on training sections)" for name, values in found.items()}


def about(method: str, *, question: str = "") -> list[str]:
    """Return the paragraphs that describe a method of a question; none for one that is not installed here."""
    try:
        text = prose(NEIGHBOURS.get(question, ROOM).method_class(method))
    except InputError:
        return []
    return [unmarked(" ".join(part.split())) for part in text.split("\n\n") if part.strip()]


def citations(record: Mapping[str, Any]) -> list[str]:
    """Return what to cite: the paper, this package, the data."""
    made = record.get("code", {}).get("mclstexp", "")
    data = record["experiment"].get("data", {})
    if data.get("synthetic"):
        source = "The sections were made by this package (synthetic); they show no tissue."
    else:
        source = _DATA.get(str(data.get("format")), "The source of your sections, as its authors ask.")
    paper = [] if record.get("question") else [PAPER]
    return [*paper, f"The mclstexp developers. mclstexp {made}: spatial gene expression from H&E images.", source]


def page_versions() -> dict[str, str]:
    """Return the versions of what made the page and its analyses."""
    return {**code_version(), **{name: version(name) for name in _PACKAGES}, "platform": platform.system()}


def without_places(value: Any) -> Any:
    """Cut absolute paths to their last name: where data lie on somebody's machine is nobody else's business."""
    if isinstance(value, Mapping):
        return {without_places(name): without_places(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_places(part) for part in value]
    if isinstance(value, str) and PurePath(value).is_absolute():
        return f"…/{PurePath(value).name}"
    return without_paths(value) if isinstance(value, str) else value


def _written(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_written, value)) or "none"
    return str(value) if value != "" else "none"
