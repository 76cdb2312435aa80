"""Learning curves of trials: curves of earlier sweeps and studies, and predictors of where a curve ends."""
