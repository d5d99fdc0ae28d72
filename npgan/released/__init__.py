"""Options of the authors' released code that its five models do not use: coordination, costs, noise layers."""
