"""Options of the authors' released code outside its five models: coordination of the players, costs, noise layers."""
