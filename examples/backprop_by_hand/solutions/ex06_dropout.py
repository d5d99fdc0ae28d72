"""Exercise 6, solved."""


def dropout_fprop(s, mask, include_prob):
    return s * mask / include_prob


def dropout_bprop(dh, mask, include_prob):
    return dh * mask / include_prob
