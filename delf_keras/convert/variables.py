"""The variables of a checkpoint, of which each is to be accounted for."""

import re

import tensorflow as tf

from delf_keras.system_errors import is_of_system

# What training needs besides the network, and what follows block 3.
_LEFT_OUT = re.compile(
    r"global_step|beta[12]_power|/(Adam|Adam_1|Momentum|RMSProp|RMSProp_1)$"
    r"|ExponentialMovingAverage|^conv1/|(^|/)(logits|mean_rgb)(/|$)|/block4/"
    r"|(^|/)l5[abc]/|embedding_layer/|desc_classification|attn_classification"
    r"|(^|/)save_counter|_CHECKPOINTABLE_OBJECT_GRAPH|^optimizer/"
)


class Variables:
    """Reads variables by name, and knows which were never asked for.

    Args:
        prefix: str. The path of a checkpoint without its suffix.

    Raises:
        FileNotFoundError: if there is no such checkpoint.
        ValueError: if it cannot be read.
    """

    def __init__(self, prefix):
        self.prefix = prefix
        try:
            self._reader = tf.train.load_checkpoint(prefix)
        except (tf.errors.NotFoundError, ValueError) as error:
            raise FileNotFoundError(
                f"There is no checkpoint. Received: {prefix}"
            ) from error
        except tf.errors.OpError as error:
            if is_of_system(error):
                raise
            raise _damaged(prefix, error) from error
        self.shapes = self._reader.get_variable_to_shape_map()
        self._taken = set()

    def take(self, name, shape=None):
        """Reads a variable.

        Args:
            name: str.
            shape: tuple of int that it must have; None for any.

        Returns:
            array.

        Raises:
            ValueError: if it is missing, of another shape, or damaged.
        """
        if name not in self.shapes:
            raise ValueError(
                f"The weights have no variable {name}. Received: {self.prefix}"
            )
        received = tuple(self.shapes[name])
        if shape is not None and received != tuple(shape):
            raise ValueError(
                f"Variable {name} has the shape {tuple(shape)} in this "
                f"network. Received: {received} in {self.prefix}"
            )
        self._taken.add(name)
        try:
            return self._reader.get_tensor(name)
        # TensorFlow raises the last for a file that is cut off.
        except (tf.errors.OpError, OSError, IndexError) as error:
            if is_of_system(error):
                raise
            raise _damaged(self.prefix, error) from error

    def left_out(self):
        """Returns the names that were not taken, sorted.

        Raises:
            ValueError: if one is not known to be of no use.
        """
        rest = sorted(self.shapes.keys() - self._taken)
        for name in rest:
            if not _LEFT_OUT.search(name):
                raise ValueError(
                    "Every variable must have a place in the network. "
                    f"Received: {name} in {self.prefix}"
                )
        return rest


def _damaged(prefix, error):
    reason = str(error).split("\n")[0]
    return ValueError(
        f"The variables cannot be read, the files are damaged or not all "
        f"there. Received: {prefix} ({reason})"
    )
