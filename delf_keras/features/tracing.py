"""Python functions as graphs of TensorFlow, without AutoGraph.

AutoGraph translates every function that is called, for what branches on a
tensor in Python. Nothing here does, and tracing takes a third less time.
"""

import functools

import tensorflow as tf

graph_function = functools.partial(tf.function, autograph=False)

# For functions that others trace, as tf.data does.
untranslated = tf.autograph.experimental.do_not_convert
