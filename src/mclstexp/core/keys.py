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

# var
GENE_ID = "gene_id"

# uns
PROVENANCE = "mclstexp"
"""uns: how a prediction was made (method, version, options, space, spec, encoder, seed, data hashes)."""
SPOT_DIAMETER_UM = "spot_diameter_um"
PITCH_UM = "pitch_um"
