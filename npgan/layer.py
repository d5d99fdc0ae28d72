"""What a layer is: the contract between the forward pass, the backward pass and the parameters."""
from npgan import backend
from npgan.registry import register


class Layer:
    """
    A layer: a forward pass, its backward pass, parameters and their gradients.

    A subclass lists the names of its parameters in `param_names`, keeps each as an attribute (``W``) and its gradient
    as another (``dW``), and defines `fprop`, which ends in ``return self.remember(h, ...)``, and `bprop`, which begins
    with ``... = self.recall(dh)``.  Neither pass writes into its argument.  `bprop` writes each gradient into the
    existing array, by ``out=self.dW`` or ``self.dW[...] =``: inside an MLP this array is a view of the net's vector
    `grad`, and the learning rule would not see another array.

    Attributes
    ----------
    nvis, dim : int or None
        The numbers of inputs and of units; None in a layer whose output is as wide as its input, whatever that is.
    param_names : tuple of str
        The parameters.
    argument_names : tuple of str
        The constructor's arguments, each kept as an attribute, with which a checkpoint makes the layer again.  Those
        that only choose where the parameters start, such as irange and rng, are left out.
    """

    nvis = dim = None
    param_names = argument_names = ()
    _output_shape, _kept = (0,), None

    def __init_subclass__(cls):
        register(cls)

    @property
    def params(self):
        """The parameters, in the order of `param_names`."""
        return [getattr(self, name) for name in self.param_names]

    @property
    def grads(self):
        """dC/d(parameter), in the order of `params`; each backward pass overwrites them."""
        return [getattr(self, "d" + name) for name in self.param_names]

    @property
    def streams(self):
        """The random streams that the layer's training pass draws from."""
        return []

    def fprop(self, state_below):
        """
        Return the layer's output h, and keep what the backward pass will need.

        Parameters
        ----------
        state_below : array (m, nvis)
            One example in each row; of the parameters' dtype.

        Returns
        -------
        array (m, dim)
        """
        raise TypeError(f"{type(self).__name__} has no fprop: a layer defines fprop(state_below) and bprop(dh)")

    def dropout_fprop(self, state_below):
        """Do the forward pass of training for `state_below`: `fprop`, except in layers that draw masks or noise."""
        return self.fprop(state_below)

    def bprop(self, dh, params=True, inputs=True):
        """
        Do the backward pass of the latest forward pass; each forward pass allows one.

        Parameters
        ----------
        dh : array (m, dim)
            dC/dh.
        params : bool
            Whether to overwrite `grads` with dC/d(parameter).
        inputs : bool or slice
            Whether to return dC/d(state_below).  A slice selects the rows to compute; the other rows are undefined.

        Returns
        -------
        array (m, nvis) or None
            dC/d(state_below), or None if `inputs` is False.

        Raises
        ------
        RuntimeError
            If there was no forward pass since the last backward pass.
        ValueError
            If the shape of `dh` is not that of the latest output.
        """
        raise TypeError(f"{type(self).__name__} has no bprop: a layer defines fprop(state_below) and bprop(dh)")

    def remember(self, h, *kept):
        """Keep the values `kept` for the backward pass, and return the output `h`."""
        self._output_shape, self._kept = h.shape, kept
        return h

    def recall(self, dh):
        """Return the values that `remember` kept, once; raise an error unless `dh` has the output's shape."""
        self.check_dh(dh)
        kept, self._kept = self._kept, None
        return kept

    def check_dh(self, dh, shape=None):
        """Raise an error if there was no new forward pass, or if `dh` has not the `shape`, by default the output's."""
        shape = shape or self._output_shape
        if self._kept is None:
            raise RuntimeError(f"{self!r}: each bprop needs an fprop before it, and none came since the last bprop")
        if dh.shape != shape:
            raise ValueError(f"{self!r}: bprop got dh of shape {dh.shape}, but the latest fprop gave {shape}")

    def check_array(self, state_below):
        """Raise TypeError unless `state_below` is a plain array; a numpy.matrix would give wrong numbers."""
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
            raise TypeError(f"{self!r} computes in {self.params[0].dtype}, got {state_below.dtype}; convert data by "
                            "npgan.backend.asarray, or choose another precision by npgan.backend.use(floatX=...) "
                            "before you build nets")

    def place(self, theta, grad):
        """Copy the parameters into the vector `theta` and the gradients into `grad`, and use these from now on."""
        for vector, arrays in ((theta, self.params), (grad, self.grads)):
            start = 0
            for array in arrays:                            # one by one, which needs no memory for a further copy
                vector[start:start + array.size] = array.ravel()
                start += array.size
        self.point(theta, grad)

    def point(self, theta, grad):
        """Make the parameters views of the vector `theta`, and the gradients views of `grad`."""
        start = 0
        for name, array in zip(self.param_names, self.params):
            part = slice(start, start + array.size)
            setattr(self, name, theta[part].reshape(array.shape))
            setattr(self, "d" + name, grad[part].reshape(array.shape))
            start = part.stop

    def enforce_norm_limits(self):
        """Shrink the weights whose norm exceeds the layer's limit, if it has one."""

    def __repr__(self):
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.argument_names)
        return f"{type(self).__name__}({arguments})"
