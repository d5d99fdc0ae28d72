"""What a layer is: the contract between the forward pass, the backward pass and the parameters."""
from npgan import backend
from npgan.registry import register


class Layer:
    """
    What every layer has: a forward pass, the backward pass that answers it, parameters and their gradients.

    A subclass names its parameters in `param_names`, keeps each as an attribute (``W``) with its gradient beside it
    (``dW``), and writes `fprop`, which ends in ``return self.remember(h, ...)``, and `bprop`, which begins with
    ``... = self.recall(dh)``.  Neither pass writes into its argument.  `bprop` writes each gradient into the array that
    is there, by ``out=self.dW`` or ``self.dW[...] =``: inside an MLP that is a view of the net's vector `grad`, and an
    array put in its place would never reach the learning rule.

    Attributes
    ----------
    nvis, dim : int or None
        Units below and in this layer; None in a layer that takes any width and keeps it.
    param_names : tuple of str
        The parameters.
    argument_names : tuple of str
        The constructor's arguments, each kept as an attribute, with which a checkpoint makes the layer again.  Those
        that only choose where the parameters start, such as irange and rng, are left out.
    """

    nvis = dim = None
    param_names = argument_names = ()
    _answered, _kept = (0,), None

    def __init_subclass__(cls):
        register(cls)

    @property
    def params(self):
        """The parameters, in the order of `param_names`."""
        return [getattr(self, name) for name in self.param_names]

    @property
    def grads(self):
        """dC/d(parameter), parallel to `params`; each backward pass overwrites them."""
        return [getattr(self, "d" + name) for name in self.param_names]

    @property
    def streams(self):
        """The random streams that the layer's training pass draws from."""
        return []

    def fprop(self, state_below):
        """
        The layer's output h; keeps what the backward pass needs.

        Parameters
        ----------
        state_below : array (m, nvis)
            One example a row, of the parameters' precision.

        Returns
        -------
        array (m, dim)
        """
        raise TypeError(f"{type(self).__name__} has no fprop: a layer defines fprop(state_below) and bprop(dh)")

    def dropout_fprop(self, state_below):
        """The training pass for `state_below`, with dropout's masks; `fprop` in every layer but `Dropout`."""
        return self.fprop(state_below)

    def bprop(self, dh, params=True, inputs=True):
        """
        The backward pass, which answers the latest forward pass, once.

        Parameters
        ----------
        dh : array (m, dim)
            dC/dh.
        params : bool
            Whether to overwrite `grads` with dC/d(parameter).
        inputs : bool or slice
            Whether to return dC/d(state_below), or the rows for which it is computed; the other rows are undefined.

        Returns
        -------
        array (m, nvis) or None
            dC/d(state_below), or None if `inputs` is False.

        Raises
        ------
        RuntimeError
            If no forward pass came since the last backward pass.
        ValueError
            If `dh` has another shape than that pass's output.
        """
        raise TypeError(f"{type(self).__name__} has no bprop: a layer defines fprop(state_below) and bprop(dh)")

    def remember(self, h, *kept):
        """Keep for the backward pass what is to be `kept`, and return the output `h`, whose gradient it will get."""
        self._answered, self._kept = h.shape, kept
        return h

    def recall(self, dh):
        """What `remember` kept, handed out once, for a `dh` of the output's shape."""
        self.expect(dh)
        kept, self._kept = self._kept, None
        return kept

    def expect(self, dh, shape=None):
        """Refuse a second backward pass and a `dh` of another `shape` than that of what `remember` was given."""
        shape = shape or self._answered
        if self._kept is None:
            raise RuntimeError(f"{self!r}: bprop answers one fprop, and none came since the last bprop")
        if dh.shape != shape:
            raise ValueError(f"{self!r}: bprop got dh of shape {dh.shape}, but the latest fprop gave {shape}")

    def check_array(self, state_below):
        """Raise TypeError unless `state_below` is a plain array: a numpy.matrix, say, would give wrong numbers."""
        if not backend.is_array(state_below):
            raise TypeError(f"{self!r} takes a plain array, got a {type(state_below).__name__}; "
                            "npgan.backend.asarray converts lists and tables")

    def check_input(self, state_below):
        """Raise an error unless `state_below` is an array (m, nvis) of one or more rows, of the parameters' dtype."""
        self.check_array(state_below)
        if state_below.ndim != 2 or state_below.shape[1] != self.nvis or not len(state_below):
            raise ValueError(f"{self!r} takes one or more rows of {self.nvis} numbers, shape (m, {self.nvis}), "
                             f"got shape {state_below.shape}")
        if self.params and state_below.dtype != self.params[0].dtype:
            raise TypeError(f"{self!r} computes in {self.params[0].dtype}, got {state_below.dtype}; choose precision"
                            " by npgan.backend.use(floatX=...) before nets are built, convert data by backend.asarray")

    def place(self, theta, grad):
        """Move the parameters into the vector `theta`, the gradients into `grad`, and keep views of those."""
        for vector, arrays in ((theta, self.params), (grad, self.grads)):
            start = 0
            for array in arrays:                            # one by one: there may be no memory for one copy more
                vector[start:start + array.size] = array.ravel()
                start += array.size
        self.point(theta, grad)

    def point(self, theta, grad):
        """Take the vectors `theta` and `grad` for the parameters and the gradients, with the numbers they hold."""
        start = 0
        for name, array in zip(self.param_names, self.params):
            part = slice(start, start + array.size)
            setattr(self, name, theta[part].reshape(array.shape))
            setattr(self, "d" + name, grad[part].reshape(array.shape))
            start = part.stop

    def enforce_norm_limits(self):
        """Shrink the weights whose norm exceeds the layer's limit, where it has one."""

    def __repr__(self):
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.argument_names)
        return f"{type(self).__name__}({arguments})"
