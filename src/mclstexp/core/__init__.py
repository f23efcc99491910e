"""What things are: the central types. numpy and anndata only; never torch, never a file."""
