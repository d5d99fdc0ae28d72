"""Exercise 7, solved."""


def momentum(theta, v, dtheta, learning_rate, mu):
    v = mu * v - learning_rate * dtheta
    return theta + v, v
