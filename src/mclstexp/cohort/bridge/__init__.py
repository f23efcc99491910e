"""From predictions of slides to a row for each slide or patient, and from whom the model behind them learnt."""
