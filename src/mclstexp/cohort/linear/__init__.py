"""What models of patients share that weigh columns: scaling, the clinic's covariates, choices of a penalty."""
