"""Which features tell a label: rankings by plain regressions and by G-MIND, judged on held-out individuals."""
