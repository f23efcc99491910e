"""What models of patients share that are networks."""
