"""The course's exercises in their order, each with what its grader needs."""
from grading import game, layers, pictures

EXERCISES = [layers.AFFINE, layers.RECTIFIER, layers.SIGMOID, layers.CROSS_ENTROPY, layers.MAXOUT, layers.DROPOUT,
             game.MOMENTUM, game.TWO_PLAYERS, game.ALGORITHM_1,
             pictures.CONVOLUTION, pictures.DECONVOLUTION, pictures.PARZEN]
