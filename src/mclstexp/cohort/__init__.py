"""From slides and predicted expression to patients: one file per model; a file saved here is a model everywhere."""
