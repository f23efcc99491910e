"""What predictions say about tissue: genes, domains, structure, gene sets."""
