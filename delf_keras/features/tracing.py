"""Python functions as graphs of TensorFlow."""

import functools

import tensorflow as tf

# `tf.function` for what never branches on a tensor in Python: AutoGraph
# translates every function that is called, which takes a third of the time.
graph_function = functools.partial(tf.function, autograph=False)
