"""Public functions behind the commands: each command calls one of these."""

from mclstexp.api.domains import find_domains, find_domains_file
from mclstexp.api.enhancement import enhance, enhance_file
from mclstexp.api.experiments import check_method, run_experiment
from mclstexp.api.imputation import evaluate_imputation, impute, impute_file
from mclstexp.api.intervals import Intervals, calibrate
from mclstexp.api.models import fit_model, import_checkpoint, load_model, model_info
from mclstexp.api.predictability import measure_predictability
from mclstexp.api.predictions import holds_slides, predict, predict_files
from mclstexp.api.sections import validate

__all__ = [
    "Intervals",
    "calibrate",
    "check_method",
    "enhance",
    "enhance_file",
    "evaluate_imputation",
    "find_domains",
    "find_domains_file",
    "fit_model",
    "holds_slides",
    "import_checkpoint",
    "impute",
    "impute_file",
    "load_model",
    "measure_predictability",
    "model_info",
    "predict",
    "predict_files",
    "run_experiment",
    "validate",
]
