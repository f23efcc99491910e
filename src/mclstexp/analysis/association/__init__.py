"""What goes with what: traits against markers, with the null that the units of the data ask for."""
