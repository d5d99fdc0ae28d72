"""Fast forms of the paper's formulas: BLAS calls, threads, convolutions by patches and by spectra."""
