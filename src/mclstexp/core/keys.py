"""Names of the AnnData slots this package reads or writes; no string literals elsewhere."""

SPATIAL = "spatial"
"""obsm: (column, row) of each spot or tile centre in level-0 pixels."""

# obs, with 10x's own names where 10x has one
IN_TISSUE = "in_tissue"
ARRAY_ROW = "array_row"
ARRAY_COL = "array_col"
PXL_ROW = "pxl_row_in_fullres"
PXL_COL = "pxl_col_in_fullres"
LABEL = "label"
SECTION = "section"
PATIENT = "patient"
TISSUE = "tissue"
"""obs: the region of a slide a tile lies in."""
UNREADABLE = "unreadable"
"""obs: whether a tile could not be decoded."""
REFERENCE_DISTANCE = "reference_distance"
"""obs: how far a tile lies from the nearest measured spot, see `Predictor.reference_distance`."""

DOMAIN = "domain"
"""obs: which region of its section a spot belongs to, see `DomainFinder`."""

# obsm beside places
EMBEDDING = "embedding"
"""obsm: where each spot lies for the method that found its domain."""

SYNTHETIC = "mclstexp_synthetic"
"""uns of a section whose tiles were painted: by what, and whom that learnt from; it may teach, and never tests."""

# layers
LOW = "low"
HIGH = "high"
"""layers: ends of an interval about each predicted value, see `mclstexp.evaluation.calibration`."""

# var
GENE_ID = "gene_id"
UNIT = "unit"
"""var of what a model of patients says of tiles: what each value is counted in."""
SHARE = "share_in_training"
"""var of a prediction on residuals: the gene's share of the panel's counts in training, see `ExpressionSpace`."""
EXPECTED_COUNTS = "mclstexp_expected_counts"
"""obsm and uns of a training section's counts: what to expect of genes that it lacks, and how that was imputed."""
ADAPTED = "adapted"
"""Within `PROVENANCE`: on which measured spots of which slide a model was adapted."""
IMPUTED = "imputed"
"""var of a prediction: whether the gene was learnt from such counts in place of measured ones; within `PROVENANCE`: by
what they were imputed."""
IN_SECTION = "in_section"
"""var of an imputation: whether the section has the gene, which was then hidden from the method; obs of an enhancement:
whether a spot with counts lies there."""
VERDICT = "verdict"
"""var of a prediction, where its method was tested: "predictable", "doubtful", "not predictable", or "" of a gene that
was not; see `mclstexp.analysis.gene_ranking`."""
TESTED_PCC = "tested_pcc"
"""var: the gene's PCC in that test, on individuals that the method had not seen."""
CEILING = "ceiling"
"""var: the PCC that a perfect predictor would have reached there."""
CEILING_SHARE = "share"
"""var: which share of it was reached, depth taken out."""
VERDICTS = "verdicts"
"""Within `PROVENANCE`: by which test, and on whom."""
TRAINING_LOW = "training_low"
TRAINING_HIGH = "training_high"
"""var of a prediction: between what most of the training spots lay, on its scale; see `core.gene_notes`."""
TRAINING_RANGE = "training_range"
"""Both, in what a model remembers of its fit."""
EXPECTED_PCC = "expected_pcc"
"""var of an imputation: the score that genes alike reach when they are hidden, see `mclstexp.imputation.expected`."""
EXPECTED_PCC_DEPTH = "expected_pcc_depth"
"""The same, of the correlation given depth."""

# layers of an imputation
SD = "sd"
"""layers: how far a method's own draws of each value differ (standard deviation)."""

PANEL = "panel"
"""In ``uns["mclstexp"]`` of an enhancement: genes that were learnt from, where fewer are told."""
VARIANCE = "variance"
"""layers of an enhancement: how far the expression at a place may lie from what is said (squared)."""

# uns
CHOSEN = "chosen"
"""uns, within `PROVENANCE`: what the fit chose for options that were left to it, as text."""
PROVENANCE = "mclstexp"
"""uns: how a prediction was made (method, version, options, space, spec, encoder, seed, data hashes)."""
IDENTITY = "identity"
"""Within it: key of all that the prediction depends on, see `mclstexp.core.identity`."""
INTERVALS = "intervals"
"""Within it: what the intervals were learnt on, and what they hold."""
SPOT_DIAMETER_UM = "spot_diameter_um"
PITCH_UM = "pitch_um"
CYTASSIST = "cytassist"
"""uns: whether the array was laid on the tissue by a CytAssist, face to face."""
ALIGNMENT = "alignment"
"""uns: how the places of a section were mended, see `mclstexp.alignment`."""
