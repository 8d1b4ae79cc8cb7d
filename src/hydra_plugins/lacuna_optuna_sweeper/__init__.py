"""Found by Hydra's plugin manager, which looks into the namespace ``hydra_plugins`` only."""
