"""Learn spatial gene expression from H&E, judge the prediction honestly, apply it to whole slides."""

from typing import TYPE_CHECKING

from mclstexp._version import __version__
from mclstexp.core.lazily import lazily

if TYPE_CHECKING:
    from mclstexp import analysis, plotting
    from mclstexp import plotting as pl
    from mclstexp.alignment import align
    from mclstexp.api import enhance, find_domains, impute, load_model, predict
    from mclstexp.api.adaptation import adapt_model
    from mclstexp.api.cohort import evaluate_outcome, fit_outcome, predict_outcome, read_cohort
    from mclstexp.api.exports import export_prediction
    from mclstexp.api.generation import fit_generator, generate, generate_gene, generate_slide
    from mclstexp.api.slide_expression import summarise_expression
    from mclstexp.api.tile_values import explain_slide
    from mclstexp.core.errors import InputError
    from mclstexp.core.expression import ExpressionSpace
    from mclstexp.core.section import Section
    from mclstexp.core.tiles import Tiles, TileSpec
    from mclstexp.data.folds import folds_by_patient, folds_by_section
    from mclstexp.evaluation.harness import evaluate
    from mclstexp.evaluation.summary import summarise
    from mclstexp.generation import create_generator
    from mclstexp.generation.augment import augment
    from mclstexp.io.generators import load_generator, save_generator
    from mclstexp.io.models import save_model
    from mclstexp.io.read import read_sections
    from mclstexp.io.slides import open_slide
    from mclstexp.io.tile_folder import read_tiles
    from mclstexp.methods import create, list_methods
    from mclstexp.whole_slide.lazyslide import as_feature_model, predict_wsi
    from mclstexp.whole_slide.one import predict_slide
    from mclstexp.whole_slide.settings import SlideSettings

__all__ = [
    "ExpressionSpace",
    "InputError",
    "Section",
    "SlideSettings",
    "TileSpec",
    "Tiles",
    "__version__",
    "adapt_model",
    "align",
    "analysis",
    "as_feature_model",
    "augment",
    "create",
    "create_generator",
    "enhance",
    "evaluate",
    "evaluate_outcome",
    "explain_slide",
    "export_prediction",
    "find_domains",
    "fit_generator",
    "fit_outcome",
    "folds_by_patient",
    "folds_by_section",
    "generate",
    "generate_gene",
    "generate_slide",
    "impute",
    "list_methods",
    "load_generator",
    "load_model",
    "open_slide",
    "pl",
    "plotting",
    "predict",
    "predict_outcome",
    "predict_slide",
    "predict_wsi",
    "read_cohort",
    "read_sections",
    "read_tiles",
    "save_generator",
    "save_model",
    "summarise",
    "summarise_expression",
]

# torch alone takes seconds: a name is imported when it is first used
_HOME = {
    "ExpressionSpace": "core.expression",
    "InputError": "core.errors",
    "Section": "core.section",
    "SlideSettings": "whole_slide.settings",
    "TileSpec": "core.tiles",
    "Tiles": "core.tiles",
    "adapt_model": "api.adaptation",
    "align": "alignment",
    "as_feature_model": "whole_slide.lazyslide",
    "augment": "generation.augment",
    "create": "methods",
    "create_generator": "generation",
    "enhance": "api",
    "evaluate": "evaluation.harness",
    "evaluate_outcome": "api.cohort",
    "export_prediction": "api.exports",
    "explain_slide": "api.tile_values",
    "find_domains": "api",
    "fit_generator": "api.generation",
    "fit_outcome": "api.cohort",
    "folds_by_patient": "data.folds",
    "folds_by_section": "data.folds",
    "generate": "api.generation",
    "generate_gene": "api.generation",
    "generate_slide": "api.generation",
    "impute": "api",
    "list_methods": "methods",
    "load_generator": "io.generators",
    "load_model": "api",
    "open_slide": "io.slides",
    "predict": "api",
    "predict_outcome": "api.cohort",
    "predict_slide": "whole_slide.one",
    "predict_wsi": "whole_slide.lazyslide",
    "read_cohort": "api.cohort",
    "read_sections": "io.read",
    "read_tiles": "io.tile_folder",
    "save_generator": "io.generators",
    "save_model": "io.models",
    "summarise": "evaluation.summary",
    "summarise_expression": "api.slide_expression",
}

_MODULES = {"analysis": "analysis", "pl": "plotting", "plotting": "plotting"}

__getattr__, __dir__ = lazily(__name__, _HOME, modules=_MODULES)
