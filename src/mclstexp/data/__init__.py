"""What we choose before learning: folds, genes, cached features."""
