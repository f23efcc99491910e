"""Who wins: metrics, controls, harness."""
