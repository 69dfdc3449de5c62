"""Laws for any callable on arrays: a module of torch, a layer of Keras, a function of JAX or NumPy.

Nothing here imports a framework: an adapter is chosen by the callable's own type, or by what its
code mentions, and takes the framework from the modules that are imported already.
"""
